#!/bin/sh
# Makes the stubs, runs the tests, and asks one question.
set -eu
cd "$(dirname "$0")"
. ../lib/build.sh

stubs() {
    rm -rf "$built/stubs"
    mkdir -p "$built/stubs"
    # shellcheck disable=SC2086 # several files on purpose
    (cd "$root/proto" && "$built/venv/bin/python" -m grpc_tools.protoc -I . \
        --python_out="$built/stubs" --grpc_python_out="$built/stubs" $protos)
}

python_ready
# shellcheck disable=SC2046
once stubs requirements.txt $(proto_files)

export PYTHONPATH="$built/stubs" PYTHONDONTWRITEBYTECODE=1
report unittest "$built/venv/bin/python" test_calls.py
ask "$built/venv/bin/python" ask.py
