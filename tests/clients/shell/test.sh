#!/bin/sh
# Calls the gateway with grpcurl, which learns the API from the gateway's reflection.
set -eu
cd "$(dirname "$0")"
. ../lib/build.sh
grpcurl_version=v1.9.4

grpcurl_program() {
    GOBIN="$built/bin" go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@$grpcurl_version"
}
once grpcurl_program test.sh

call() { # call KEY MODEL_OR_COMPLEXITY, as a JSON member
    timeout --foreground 30 "$built/bin/grpcurl" -plaintext -max-time 20 -H "authorization: Bearer $1" -d "{
      \"spec\": {
        $2,
        \"messages\": [{\"role\": \"ROLE_USER\", \"parts\": [{\"text\": \"Name three rivers.\"}]}],
        \"max_output_tokens\": 100
      }}" "$TOLLGATE_ADDRESS" tollgate.v1.CompletionService/Complete
}
expect() { # expect NAME EXTENDED_REGEXP COMMAND...
    name=$1
    pattern=$2
    shift 2
    "$@" >"$built/test.log" 2>&1 || true
    if grep -Eq "$pattern" "$built/test.log"; then
        echo "pass $name"
    else
        echo "FAIL $name"
        sed 's/^/    /' "$built/test.log"
    fi
}
simple='"complexity": "COMPLEXITY_SIMPLE"'

expect "success has a receipt" '"costNanoUsd": "[1-9][0-9]*"' call "$TOLLGATE_API_KEY" "$simple"
call "$HASTY_API_KEY" "$simple" >"$built/test.log" 2>&1 || cat "$built/test.log"
expect "rate limit is told" 'Code: ResourceExhausted' call "$HASTY_API_KEY" "$simple"
expect "budget refusal is told" 'refused by day; waiting does not help' \
    call "$BROKE_API_KEY" "$simple"
expect "unknown model is told" 'Code: NotFound' call "$TOLLGATE_API_KEY" '"model": "gpt-99"'
