#!/bin/sh
# Makes stubs and programs with Maven, runs the tests, and asks one question.
set -eu
cd "$(dirname "$0")"
. ../lib/build.sh

programs() { mvn -q -B -DskipTests package; }

# shellcheck disable=SC2046
once programs pom.xml test.sh $(find src -name '*.java') $(proto_files)

rm -rf "$built/maven/surefire-reports"
report surefire mvn -B surefire:test
# Maven splits what is in exec.args at blanks, unless it is quoted.
# shellcheck disable=SC2016
ask sh -c 'exec mvn -q -B exec:java -Dexec.args="\"$1\""' ask
