#!/bin/sh
# Tests the callers in Python, Go, TypeScript, Java and the shell against a real gateway in front
# of a simulated provider, and checks that proto/ can be published.
#
#   tests/clients/run.sh [python|go|typescript|java|shell|proto ...]      (default: all)
#
# It builds no Rust: `cargo build -p tollgate -p tollgate-tests --bins` does. What this machine
# lacks the tools for is skipped by name, but Python must run. The last line is
# "N passed, N failed, N skipped"; the exit code is 1 if anything failed.
set -eu
cd "$(dirname "$0")"
clients=$PWD
root=$(cd ../.. && pwd)
TOLLGATE_BIN=${TOLLGATE_BIN:-$root/target/debug/tollgate}
SIMULATOR_BIN=${SIMULATOR_BIN:-$root/target/debug/provider-simulator}
# How long one language may take, in seconds, with the downloads of a first run.
most_seconds=900

for program in "$TOLLGATE_BIN" "$SIMULATOR_BIN"; do
    [ -x "$program" ] || {
        echo "$program is not there: run \`cargo build -p tollgate -p tollgate-tests --bins\`," \
            "or name the programs with TOLLGATE_BIN and SIMULATOR_BIN." >&2
        exit 2
    }
done

. lib/world.sh
passed=0
failed=0
skipped=0
running=""
stop_all() {
    [ -z "$running" ] || kill "$running" 2>/dev/null || true
    stop_world
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# How many cases each has: one that ran fewer has failed.
cases_of() {
    case $1 in
    shell) echo 4 ;;
    proto) echo 3 ;;
    *) echo 7 ;;
    esac
}

# Prints what a language needs and this machine does not have.
missing() {
    has() { command -v "$1" >/dev/null 2>&1; }
    needs_go() {
        minor=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
        [ "${minor:-0}" -ge 26 ] || echo "Go 1.26 or later (https://go.dev/dl)"
    }
    needs_node() {
        major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
        { has npm && [ "${major:-0}" -ge 20 ]; } || echo "Node.js 20 or later with npm"
    }
    case $1 in
    python)
        python3 -c 'import ensurepip, venv' 2>/dev/null ||
            echo "Python with venv (apt-get install python3-venv)"
        ;;
    go | shell) needs_go ;;
    typescript | proto) needs_node ;;
    java)
        { has javac && has mvn; } || echo "JDK 17 and Maven (apt-get install default-jdk maven)"
        has /usr/bin/grpc_java_plugin ||
            echo "grpc_java_plugin (apt-get install protobuf-compiler-grpc-java-plugin)"
        ;;
    esac
}

run() { # run LANGUAGE
    cases=$(cases_of "$1")
    lacks=$(missing "$1" | paste -sd, -)
    if [ -n "$lacks" ] && [ "$1" = python ]; then
        echo "python: FAILED, it must run and this machine lacks $lacks"
        failed=$((failed + cases))
        return
    elif [ -n "$lacks" ]; then
        echo "$1: skipped, this machine lacks $lacks"
        skipped=$((skipped + cases))
        return
    fi
    echo "$1:"
    work=$root/target/clients/run/$1
    if [ "$1" != proto ] && ! start_world "$work"; then
        failed=$((failed + cases))
        stop_world
        return
    fi
    mkdir -p "$work"
    timeout --kill-after=10 "$most_seconds" sh "$1/test.sh" >"$work/output" 2>&1 &
    running=$!
    code=0
    wait "$running" || code=$?
    running=""
    stop_world
    sed 's/^/  /' "$work/output"
    good=$(grep -c '^pass ' "$work/output" || true)
    bad=$(grep -c '^FAIL ' "$work/output" || true)
    if [ "$((good + bad))" != "$cases" ] || { [ "$code" != 0 ] && [ "$bad" = 0 ]; }; then
        echo "  FAIL $1: $good of $cases cases passed, exit code $code"
        bad=$((cases > good ? cases - good : 1))
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

for language; do
    [ -f "$language/test.sh" ] || {
        echo "there is no test of $language: python, go, typescript, java, shell or proto" >&2
        exit 2
    }
done
[ $# -gt 0 ] || set -- python go typescript java shell proto
for language; do
    run "$language"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
