#!/bin/sh
# Checks that proto/ can be published: it is lint clean, and no caller of what was published
# breaks.
#
#   tests/clients/proto/test.sh              check
#   tests/clients/proto/test.sh --publish    what is in proto/ now is what was published
#
# What was published is kept beside this file, as an image that buf made. A branch or a tag to
# compare with is not there in a shallow clone or a tarball, and the last commit would let a break
# through that is spread over two.
set -eu
cd "$(dirname "$0")"
. ../lib/build.sh
npm_ready
buf=$all_built/typescript/node_modules/.bin/buf
published=$PWD/published.binpb

if [ "${1:-}" = --publish ]; then
    "$buf" build "$root/proto" --exclude-source-info -o "$published"
    echo "kept: commit $published"
    exit 0
fi

check() { # check NAME COMMAND...
    name=$1
    shift
    if timeout --foreground 60 "$@" >"$built/check.log" 2>&1; then
        echo "pass $name"
    else
        echo "FAIL $name"
        sed 's/^/    /' "$built/check.log"
    fi
}
breaks() { # breaks PROTO_DIRECTORY: whether buf finds a break, as it says with exit code 100
    code=0
    timeout --foreground 60 "$buf" breaking "$1" --against "$published" || code=$?
    [ "$code" = 100 ]
}
without_receipts() {
    rm -rf "$built/broken"
    cp -R "$root/proto" "$built/broken"
    sed -i '/Receipt receipt = /d' "$built/broken/tollgate/v1/completion.proto"
    breaks "$built/broken"
}

check "buf lint" "$buf" lint "$root/proto"
check "buf breaking, against what was published" \
    "$buf" breaking "$root/proto" --against "$published"
# A check that can't fail is none.
if without_receipts >"$built/check.log" 2>&1; then
    echo "pass a removed field is noticed"
else
    echo "FAIL a removed field is noticed"
    sed 's/^/    /' "$built/check.log"
fi
