#!/bin/bash
# Starts deploy/compose.yaml for real and looks whether it does what it is for. Not part of CI: it
# needs root, a few minutes, and packages.
#
#   tests/deploy/smoke-compose.sh
#
# It brings an engine of its own and stand-ins for public images; see engine.sh and standins.sh. With
# SMOKE_ENGINE=yours it takes the engine that `docker` reaches, and with SMOKE_IMAGES=public the
# images that compose.yaml names, Grafana too.
# TOLLGATE, CHAIN_CLIENT and SIMULATOR name the programs; without them those in target/debug are
# taken. It ends after 15 minutes at most, and leaves nothing behind but its tools in
# target/deploy-smoke/.
set -u
if [ "${SMOKE_BOUNDED:-}" != yes ]; then
    SMOKE_BOUNDED=yes exec timeout --kill-after=60 900 "$0" "$@"
fi
root="$(cd "$(dirname "$0")/../.." && pwd)"
here="$root/tests/deploy"
work="$root/target/deploy-smoke"
tollgate="${TOLLGATE:-$root/target/debug/tollgate}"
chain_client="${CHAIN_CLIENT:-$root/target/debug/chain-client}"
simulator="${SIMULATOR:-$root/target/debug/provider-simulator}"
passed=0 failed=0 skipped=0
scratch="$(mktemp -d)"
mkdir -p "$work"

until_true() { # until_true SECONDS COMMAND...
    local tries=$(($1 * 2)); shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.5
    done
}
passes() { # passes WHAT COMMAND...: shows the last line that it prints
    local what="$1"; shift
    if "$@" >"$scratch/out" 2>&1; then
        passed=$((passed + 1)); echo "ok    $what: $(tail -1 "$scratch/out")"
    else
        failed=$((failed + 1)); echo "FAIL  $what"; tail -20 "$scratch/out" | sed 's/^/      /'
    fi
}
skip() { skipped=$((skipped + 1)); echo "skip  $1: $2"; }

# shellcheck source=tests/deploy/engine.sh
. "$here/engine.sh"
# shellcheck source=tests/deploy/standins.sh
. "$here/standins.sh"

compose() { $compose_program --project-name "$project" --file "$root/deploy/compose.yaml" "$@"; }
project="tollgate-smoke"
compose_program=""
clean_up() {
    [ -z "$compose_program" ] || compose --profile '*' down --volumes --remove-orphans --timeout 5 \
        >/dev/null 2>&1
    stop_engine
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

for program in "$tollgate" "$chain_client" "$simulator"; do
    [ -x "$program" ] || { echo "$program is not there; run \`make build\`" >&2; exit 2; }
done

# --- engine, images, secrets, caller

packages docker=docker.io dockerd=docker.io ip=iproute2 iptables=iptables
start_engine
find_compose
services="redis gateway-1 gateway-2 simulator-1 simulator-2 prometheus alertmanager"
if [ "${SMOKE_IMAGES:-}" = public ]; then
    services="$services grafana"
    build=--build
else
    make_standins
    build="--no-build --pull never"
    skip "Grafana" "no package has it; say SMOKE_IMAGES=public where images can be pulled"
fi

export SECRETS_DIR="$scratch/secrets"
TOLLGATE="$tollgate" ALERT_WEBHOOK="http://127.0.0.1:9/" "$root/deploy/secrets.sh" >/dev/null || exit 2
export TOLLGATE_CONFIG_FILE=./compose/simulator.toml COMPOSE_PROFILES=simulator
# The same rules and targets, looked at more often and with less patience.
mkdir "$scratch/rules"
for rules in "$root"/deploy/prometheus/rules/*.yml; do
    sed 's/^\( *for:\) .*/\1 3s/' "$rules" >"$scratch/rules/$(basename "$rules")"
done
sed 's/_interval: 15s/_interval: 2s/' "$root/deploy/compose/prometheus.yml" >"$scratch/prometheus.yml"
export PROMETHEUS_CONFIG_FILE="$scratch/prometheus.yml" PROMETHEUS_RULES_DIR="$scratch/rules"

requirements="$root/tests/clients/python/requirements.txt"
if ! cmp -s "$requirements" "$work/venv/requirements.txt"; then
    { python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
        --disable-pip-version-check -r "$requirements" && cp "$requirements" "$work/venv/"; } || exit 2
fi
mkdir "$scratch/stubs"
(cd "$root/proto" && "$work/venv/bin/python" -m grpc_tools.protoc -I . --python_out="$scratch/stubs" \
    --grpc_python_out="$scratch/stubs" tollgate/v1/completion.proto tollgate/v1/usage.proto) || exit 2
smoke() { PYTHONPATH="$scratch/stubs" $inside "$work/venv/bin/python" "$here/smoke.py" "$@"; }
one=50051 two=50061 news="$SECRETS_DIR/callers/news.key" research="$SECRETS_DIR/callers/research.key"

# --- what it is for

# shellcheck disable=SC2086 # several words
passes "it starts, and all that have a healthcheck are healthy" \
    compose up --detach --wait --wait-timeout 180 $build $services
[ "$failed" = 0 ] || { compose ps --all; compose logs --no-color --tail 8; exit 1; }
healthy() { compose ps --format '{{.Service}} {{.Health}}' | grep -x "$1 healthy"; }
passes "gateway-1" healthy gateway-1
passes "gateway-2" healthy gateway-2
locked() {
    local id facts wanted
    for id in $(compose ps --quiet); do
        facts="$(docker inspect --format '{{.Name}} {{json .HostConfig}}' "$id")"
        for wanted in '"ReadonlyRootfs":true' '"CapDrop":\["ALL"\]' 'no-new-privileges:true' \
            '"Memory":[1-9]' '"PidsLimit":[1-9]' '"NanoCpus":[1-9]'; do
            echo "$facts" | grep -q -- "$wanted" || { echo "${facts%% *} lacks $wanted"; return 1; }
        done
    done
    echo "read-only, no capabilities, no new privileges, bounded"
}
passes "every container is as the file says" locked
loopback() {
    docker ps --quiet | xargs docker inspect --format '{{range .NetworkSettings.Ports}}{{range .}}{{println .HostIp}}{{end}}{{end}}' \
        | grep . | sort | uniq -c >"$scratch/ports"
    [ "$(wc -l <"$scratch/ports")" = 1 ] && grep 127.0.0.1 "$scratch/ports"
}
passes "ports are on loopback only" loopback

passes "gateway-1 answers from outside" smoke answer "$one" "$news"
passes "gateway-2 answers from outside" smoke answer "$two" "$news"
passes "one budget holds over both" smoke budget "$one" "$two" "$research"
passes "the chain runs through them" compose --profile chain run --rm --no-deps chain \
    run /articles --max-cost 1.00 --metrics-addr none --progress none --json

passes "Prometheus sees both" smoke up 9090
passes "an alert reaches Alertmanager" smoke fires 9093 Watchdog
if [ "${SMOKE_IMAGES:-}" = public ]; then
    passes "Grafana has the dashboards and its data source" \
        smoke dashboards 3000 "$SECRETS_DIR/grafana/admin_password"
fi

stop_under_load() {
    local loaded
    smoke load "$one" "$two" "$news" "$scratch/enough" >"$scratch/load" 2>&1 &
    loaded=$!
    # From the moment on when calls are answered.
    until_true 60 test -e "$scratch/enough.running"
    compose stop gateway-1 >"$scratch/stop" 2>&1 || cat "$scratch/stop"
    sleep 2
    touch "$scratch/enough"
    wait "$loaded"
    loaded=$?
    cat "$scratch/load"
    return "$loaded"
}
passes "a gateway that is stopped under load costs no call" stop_under_load
ended_well() {
    local code
    code="$(docker inspect --format '{{.State.ExitCode}}' "$(compose ps --all --quiet gateway-1)")"
    echo "exit code $code"
    [ "$code" = 0 ]
}
passes "it ended by itself, within its time" ended_well
passes "the alert for it reaches Alertmanager" smoke fires 9093 TollgateReplicaDown
again() {
    compose start gateway-1 && compose restart simulator-1 && until_true 60 healthy gateway-1 \
        && smoke answer "$one" "$news"
}
passes "it comes back" again
passes "and the alert goes" smoke resolves 9093 TollgateReplicaDown

spent_before="$(smoke spent "$two" "$news")"
restart_redis() {
    compose restart redis && until_true 60 healthy redis && until_true 30 smoke answer "$two" "$news"
}
passes "Redis is restarted, and calls are answered again" restart_redis
remembered() { smoke spent_at_least "$one" "$news" "$spent_before"; }
passes "and it has forgotten no spend" remembered
passes "a budget that was used up still is" smoke refused "$one" "$research"

ledger() {
    compose stop gateway-1 gateway-2 && docker run --rm --volume "${project}_ledger:/ledger:ro" \
        --user 65532 "${TOLLGATE_IMAGE:-tollgate:0.1.0}" ledger verify /ledger
}
passes "the ledger that both wrote is sound" ledger

# --- and gone

passes "down" compose --profile '*' down --volumes --remove-orphans
nothing() {
    local label="label=com.docker.compose.project=$project" left
    left="$(docker ps --all --quiet --filter "$label"; docker volume ls --quiet --filter "$label"
        docker network ls --quiet --filter "$label")"
    echo "${left:-nothing is left}"
    [ -z "$left" ]
}
passes "leaves nothing" nothing

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
