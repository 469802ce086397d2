# shellcheck shell=sh
# Sourced by each language's test.sh, from its own folder: what they share.
# All that is made goes to target/clients/<language>; nothing is written beside the sources.

root=$(cd ../../.. && pwd)
language=$(basename "$PWD")
all_built=$root/target/clients
built=$all_built/$language
# The two files that callers need; tollgate.admin.v1 is for operators.
protos="tollgate/v1/completion.proto tollgate/v1/usage.proto"
mkdir -p "$built"

# Runs the function STEP, unless it was done with the same inputs before.
once() { # once STEP INPUT...
    step=$1
    shift
    # Where it is counts too: a venv or a Go module does not survive a move.
    inputs=$({ echo "$root"; cat "$@"; } | cksum)
    mkdir -p "$built"
    [ "$(cat "$built/$step.done" 2>/dev/null)" != "$inputs" ] || return 0
    echo "  making $step"
    "$step" >"$built/$step.log" 2>&1 || {
        echo "  $step failed; the end of $built/$step.log:"
        tail -n 30 "$built/$step.log" | sed 's/^/    /'
        return 1
    }
    echo "$inputs" >"$built/$step.done"
}

proto_files() { (cd "$root/proto" && for file in $protos; do echo "$PWD/$file"; done); }

# Python's venv, which also has the protoc that Go uses.
python_ready() {
    wanted=$built
    built=$all_built/python
    once python_venv "$root/tests/clients/python/requirements.txt"
    built=$wanted
}
python_venv() {
    rm -rf "$built/venv"
    python3 -m venv "$built/venv"
    "$built/venv/bin/pip" install --quiet --no-input --disable-pip-version-check \
        --requirement "$root/tests/clients/python/requirements.txt"
}

# The packages of TypeScript, which also have the buf that checks proto/.
npm_ready() {
    wanted=$built
    built=$all_built/typescript
    once node_modules "$root/tests/clients/typescript/package-lock.json"
    built=$wanted
}
node_modules() {
    cp "$root/tests/clients/typescript/package.json" \
        "$root/tests/clients/typescript/package-lock.json" "$built"
    (cd "$built" && npm ci --ignore-scripts --no-audit --no-fund)
}

# Runs the tests and tells each case as "pass NAME" or "FAIL NAME"; the log is shown if one failed.
report() { # report RUNNER COMMAND...
    runner=$1
    shift
    code=0
    timeout --foreground 120 "$@" >"$built/test.log" 2>&1 || code=$?
    cases_told "$runner" >"$built/cases"
    cat "$built/cases"
    [ "$code" != 0 ] || return 0
    grep -q '^FAIL ' "$built/cases" || echo "FAIL the tests ended with $code"
    sed 's/^/    /' "$built/test.log"
    # Maven's last line has no end.
    echo
}
cases_told() { # cases_told RUNNER
    case $1 in
    unittest) sed -nE -e 's/^(test_[a-z_]+) .*\.\.\. ok$/pass \1/p' \
        -e 's/^(test_[a-z_]+) .*\.\.\. (ERROR|FAIL)$/FAIL \1/p' "$built/test.log" ;;
    go) sed -nE -e 's/^--- PASS: ([A-Za-z]+).*/pass \1/p' \
        -e 's/^--- FAIL: ([A-Za-z]+).*/FAIL \1/p' "$built/test.log" ;;
    tap) sed -nE -e 's/^ok [0-9]+ - (.*)/pass \1/p' \
        -e 's/^not ok [0-9]+ - (.*)/FAIL \1/p' "$built/test.log" ;;
    surefire) cat "$built"/maven/surefire-reports/*.xml 2>/dev/null | sed -nE \
        -e 's/^ *<testcase name="([A-Za-z]+)".*\/>$/pass \1/p' \
        -e 's/^ *<testcase name="([A-Za-z]+)".*[^/]>$/FAIL \1/p' ;;
    esac
}

# Runs the language's program that asks one question: it must show an answer and its cost.
ask() { # ask COMMAND...
    timeout --foreground 60 "$@" "Name three rivers." >"$built/ask.log" 2>&1 || true
    if grep -Eq '^gpt-3.5-turbo: [0-9]+ tokens in, [0-9]+ out, [0-9]+ nano-dollars$' \
        "$built/ask.log"; then
        echo "pass the ask program shows answer and cost"
    else
        echo "FAIL the ask program shows answer and cost"
        sed 's/^/    /' "$built/ask.log"
    fi
}
