# shellcheck shell=sh disable=SC2154 # what is read here is set where this is sourced
# Part of check.sh: compose/simulator.toml, its gateway, its users of Redis, and the chain.

grpc="$(free_port)" metrics="$(free_port)"
"$simulator" --listen 127.0.0.1:0 --port-file "$scratch/simulator.port" >"$scratch/simulator.log" 2>&1 &
started="$started $!"
until_true 10 test -s "$scratch/simulator.port"
printf '%s\n' "$url" >"$scratch/redis_url"
sed -e "s|/run/secrets/tollgate/redis_url|$scratch/redis_url|" \
    -e "s|/run/secrets/tollgate|$secrets/gateway|" -e "s|/var/lib/tollgate|$scratch/data|" \
    -e "s|0.0.0.0:50051|127.0.0.1:$grpc|" -e "s|0.0.0.0:9464|127.0.0.1:$metrics|" \
    -e "s|127.0.0.1:8081|127.0.0.1:$(cat "$scratch/simulator.port")|" \
    "$deploy/compose/simulator.toml" >"$scratch/gateway.toml"
"$tollgate" serve --config "$scratch/gateway.toml" >"$scratch/gateway.log" 2>&1 &
gateway_pid=$!
started="$started $gateway_pid"
if until_true 20 "$tollgate" healthcheck --config "$scratch/gateway.toml"; then
    cp "$scratch/gateway.log" "$scratch/out"
    ok "a gateway with compose/simulator.toml serves on that Redis, and is its own healthcheck"
    passes "the chain runs through it" "$chain_client" run "$root/examples/articles" \
        --gateway "http://127.0.0.1:$grpc" --key-file "$secrets/callers/news.key" \
        --out "$scratch/run" --metrics-addr none --progress none --max-cost 2.00
    balances() { ask --no-raw hgetall 'tollgate:1:{t:news}:a'; }
    spent() { balances | grep -q '"s:'; }
    passes "what it spent is in Redis" spent
    kill "$gateway_pid"
    wait "$gateway_pid" 2>/dev/null
    # With no gateway there to tell it again. What Redis may not read back it would leave out.
    before="$(balances)"
    kill "$redis_pid"
    wait "$redis_pid" 2>/dev/null
    redis-server "$scratch/redis.conf" >"$scratch/redis.log" 2>&1 &
    redis_pid=$!
    started="$started $redis_pid"
    until_true 10 probe ping
    balances >"$scratch/out"
    passes "a Redis that starts again has the same balances" test "$before" = "$(balances)"
    passes "the ledger that it drained to is sound" "$tollgate" ledger verify "$scratch/data/ledger"
    refuses "a gateway that is gone is not healthy" "can't connect" \
        "$tollgate" healthcheck --config "$scratch/gateway.toml"
else
    cp "$scratch/gateway.log" "$scratch/out"
    bad "a gateway with compose/simulator.toml serves on that Redis"
fi
