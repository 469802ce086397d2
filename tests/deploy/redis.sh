# shellcheck shell=sh disable=SC2154 # what is read here is set where this is sourced
# Part of check.sh: redis.conf and the users of secrets.sh in a real Redis, and a gateway and a run of
# the chain through them.

chain_client="${CHAIN_CLIENT:-$root/target/debug/chain-client}"
simulator="${SIMULATOR:-$root/target/debug/provider-simulator}"

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
until_true() { # until_true SECONDS COMMAND...
    tries=$(($1 * 10)); shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

if ! command -v redis-server >/dev/null 2>&1; then
    skip "redis.conf in a real Redis" "redis-server is not there; run \`make prerequisites\`"
elif [ ! -x "$chain_client" ] || [ ! -x "$simulator" ]; then
    skip "redis.conf in a real Redis" "$chain_client and $simulator are not there; run \`make build\`"
else
    port="$(free_port)"
    mkdir -p "$scratch/redis"
    sed -e "s|^bind .*|bind 127.0.0.1|" -e "s|^port .*|port $port|" -e "s|^dir .*|dir $scratch/redis|" \
        -e "s|/run/secrets/redis|$secrets/redis|" "$deploy/redis.conf" >"$scratch/redis.conf"
    redis-server "$scratch/redis.conf" >"$scratch/redis.log" 2>&1 &
    redis_pid=$!
    started="$started $redis_pid"
    url="$(sed "s|@redis:6379|@127.0.0.1:$port|" "$secrets/gateway/redis_url")"
    ask() { redis-cli -e --no-auth-warning -u "$url" "$@"; }
    probe() { redis-cli -e --no-auth-warning -p "$port" --user probe --pass none "$@"; }
    if until_true 10 probe ping; then
        cp "$scratch/redis.log" "$scratch/out"
        ok "redis.conf starts a Redis, and the probe of compose.yaml finds it"
        passes "the gateways' user has its keys" ask set tollgate:check 1
        refuses "and no others" NOPERM ask set other 1
        refuses "not from a script either" "can't access" ask eval "return redis.call('SET', 'other', 1)" 0
        for command in "flushall" "config set maxmemory-policy allkeys-lru" "keys *" shutdown "acl list"; do
            set -f
            # shellcheck disable=SC2086 # words of a command
            refuses "it may not: $command" NOPERM ask $command
            set +f
        done
        refuses "the probe may only ask whether Redis is there" NOPERM probe get tollgate:check
        refuses "nobody gets in without a name" NOAUTH redis-cli -e -p "$port" get tollgate:check
        # shellcheck source=tests/deploy/calls.sh
        . "$here/calls.sh"
    else
        cp "$scratch/redis.log" "$scratch/out"
        bad "redis.conf starts a Redis"
    fi
    kill "$redis_pid"
    wait "$redis_pid" 2>/dev/null
fi
