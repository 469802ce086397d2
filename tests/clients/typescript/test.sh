#!/bin/sh
# Makes stubs and programs, runs the tests, and asks one question.
#
# The package is copied to target/ first, because npm writes beside package.json. The relative
# paths in it mean the same there.
set -eu
cd "$(dirname "$0")"
. ../lib/build.sh

programs() {
    rm -rf "$built/src"
    cp -R package.json package-lock.json buf.gen.yaml tsconfig.json src "$built"
    (cd "$built" && npm run build)
}

npm_ready
# shellcheck disable=SC2046
once programs package.json package-lock.json buf.gen.yaml tsconfig.json test.sh \
    $(find src -name '*.ts') $(proto_files)

cd "$built"
report tap node --test --test-reporter=tap dist/src/calls.test.js
ask node dist/src/ask.js
