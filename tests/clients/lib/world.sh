# shellcheck shell=sh disable=SC2154 # run.sh sets what is read here
# Sourced by run.sh: a provider simulator and a gateway of their own for one language, on free
# loopback ports, so that one language's rates, budgets and faults never reach another's.

# Prompts with these texts make the simulated provider misbehave.
faults='--fault contains=answer_never,hang --fault contains=fail_once,503,first=1'
world_pids=""

# Waits until a file has a line that matches, at most 30 s, and prints what `sed` keeps of it.
wait_for_line() { # wait_for_line FILE SED_EXPRESSION
    tries=0
    while [ "$tries" -lt 300 ]; do
        found=$(sed -n "$2" "$1" 2>/dev/null | head -n 1)
        if [ -n "$found" ]; then
            echo "$found"
            return 0
        fi
        sleep 0.1
        tries=$((tries + 1))
    done
    echo "waited 30 s for a program to say where it listens; its output:" >&2
    tail -n 20 "$1" >&2
    return 1
}

# Makes a key for a team: exports TOLLGATE_<TEAM>_KEY (what the gateway keeps) and sets `key`.
make_key() { # make_key TEAM
    made=$("$TOLLGATE_BIN" keys new --id "$1" --team "$1" --json)
    json_text() { printf '%s\n' "$made" | sed -n "s/.*\"$1\": \"\([^\"]*\)\".*/\1/p"; }
    key=$(json_text key)
    hmac=$(json_text hmac)
    export "$(json_text hmac_env)=$hmac"
    # The first key comes with a new pepper; the others must be made under the same.
    pepper=$(json_text new_pepper)
    [ -z "$pepper" ] || export TOLLGATE_KEY_PEPPER="$pepper"
}

start_world() { # start_world DIRECTORY
    rm -rf "$1"
    mkdir -p "$1"
    # shellcheck disable=SC2086 # several arguments on purpose
    "$SIMULATOR_BIN" --listen 127.0.0.1:0 $faults >"$1/simulator.log" 2>&1 &
    world_pids="$!"
    SIMULATOR_URL=$(wait_for_line "$1/simulator.log" 's/.*listening on \(http:[^ ]*\).*/\1/p') ||
        return 1
    unset TOLLGATE_KEY_PEPPER
    make_key news && TOLLGATE_API_KEY=$key
    make_key hasty && HASTY_API_KEY=$key
    make_key broke && BROKE_API_KEY=$key
    sed -e "s#SIMULATOR_URL#$SIMULATOR_URL#" -e "s#DATA_DIR#$1#" \
        "$clients/lib/gateway.toml" >"$1/gateway.toml"
    OPENAI_API_KEY=simulated "$TOLLGATE_BIN" serve --config "$1/gateway.toml" \
        >"$1/gateway.log" 2>&1 &
    world_pids="$world_pids $!"
    listening='/"listening"/s/.*"grpc":"\([^"]*\)".*/\1/p'
    TOLLGATE_ADDRESS=$(wait_for_line "$1/gateway.log" "$listening") || return 1
    export SIMULATOR_URL TOLLGATE_ADDRESS TOLLGATE_API_KEY HASTY_API_KEY BROKE_API_KEY
}

# Stops what start_world started: first as an operator would, after 10 s for good.
stop_world() {
    for pid in $world_pids; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in $world_pids; do
        tries=0
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
        kill -9 "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    world_pids=""
}
