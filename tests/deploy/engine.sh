# shellcheck shell=sh disable=SC2154 # what is read here is set where this is sourced
# Part of smoke-compose.sh: a Docker engine, and Docker Compose.
#
# Unless told otherwise the engine is this script's own, in a network namespace of its own: its
# bridges, ports and firewall rules meet nobody else's and vanish with it.

namespace="tollgate-smoke-$$"
inside=""       # how to reach published ports
engine_pid=""

packages() { # packages COMMAND=PACKAGE...: installs what is missing
    missing=""
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "Missing:$missing. Install them and run this again, as root." >&2
        exit 2
    fi
    echo "installing:$missing"
    # They would start servers of their own.
    # shellcheck disable=SC2086 # several packages
    { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $missing; } >"$scratch/apt" 2>&1 || {
        tail -5 "$scratch/apt" >&2
        exit 2
    }
}

start_engine() {
    if [ -n "${SMOKE_ENGINE:-}" ]; then
        docker info >/dev/null || exit 2
        return
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "An engine of its own needs root. Run this as root, or say SMOKE_ENGINE=yours." >&2
        exit 2
    fi
    ip netns add "$namespace"
    inside="nsenter --net=/run/netns/$namespace"
    $inside ip link set lo up
    mkdir -p "$scratch/docker/data" "$scratch/docker/exec"
    export DOCKER_HOST="unix://$scratch/docker/socket"
    # Files of images are copied, not layered: that works on every file system.
    $inside dockerd --storage-driver=vfs --data-root "$scratch/docker/data" \
        --exec-root "$scratch/docker/exec" --pidfile "$scratch/docker/pid" --host "$DOCKER_HOST" \
        >"$scratch/docker/log" 2>&1 &
    engine_pid=$!
    until_true 60 docker info || {
        tail -20 "$scratch/docker/log" >&2
        exit 2
    }
}

stop_engine() {
    [ -n "$engine_pid" ] || return 0
    kill "$engine_pid" 2>/dev/null
    wait "$engine_pid" 2>/dev/null
    engine_pid=""
    ip netns delete "$namespace"
}

# Compose 2 is in no package of Debian 12; it is a Go module.
find_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose_program="docker compose"
        return
    fi
    compose_program="$work/docker-compose"
    [ -x "$compose_program" ] && return
    packages go=golang-go
    echo "building Docker Compose (some minutes, once)"
    mkdir -p "$work/compose"
    (cd "$work/compose" && { [ -f go.mod ] || go mod init compose; } \
        && go get github.com/docker/compose/v2/cmd@v2.40.3 \
        && go build -o "$compose_program" github.com/docker/compose/v2/cmd) >"$work/compose.log" 2>&1 || {
        tail -5 "$work/compose.log" >&2
        exit 2
    }
}
