#!/bin/sh
# Makes the stubs, runs the tests, and asks one question.
#
# The stubs are a module of their own below target/, which go.mod replaces. In a project of yours,
# commit them, as is usual in Go: `go get` runs no generator.
set -eu
cd "$(dirname "$0")"
. ../lib/build.sh
stubs_module=tollgate.example/stubs
export GOBIN="$built/bin" GOFLAGS="-mod=readonly ${GOFLAGS:-}"

stubs() {
    rm -rf "$built/stubs"
    mkdir -p "$built/stubs"
    # Go wants its module before it builds the tools of go.mod.
    printf 'module %s\n\ngo 1.26.0\n' "$stubs_module" >"$built/stubs/go.mod"
    go install tool
    packages=""
    for file in $protos; do
        for plugin in go go-grpc; do
            packages="$packages --${plugin}_opt=M$file=$stubs_module/tollgate/v1"
        done
    done
    # Any protoc will do; this one needs no root.
    # shellcheck disable=SC2086 # several options and files on purpose
    (cd "$root/proto" && PATH="$GOBIN:$PATH" "$all_built/python/venv/bin/python" \
        -m grpc_tools.protoc -I . --go_out="$built/stubs" --go-grpc_out="$built/stubs" \
        --go_opt=module=$stubs_module --go-grpc_opt=module=$stubs_module $packages $protos)
}
programs() {
    go test -c -o "$built/client.test" .
    go build -o "$built/ask" ./cmd/ask
}

python_ready
# shellcheck disable=SC2046
once stubs go.mod go.sum test.sh $(proto_files)
# shellcheck disable=SC2046
once programs go.mod go.sum client.go client_test.go cmd/ask/main.go test.sh $(proto_files)

report go "$built/client.test" -test.v -test.timeout=100s
ask "$built/ask"
