#!/bin/sh
# Makes the secrets that compose.yaml mounts, in secrets/ beside it, once. It changes nothing that is
# there. Needs the `tollgate` program, or an image of it:
#
#   deploy/secrets.sh
#   TOLLGATE="docker run --rm --interactive --env TOLLGATE_KEY_PEPPER tollgate:0.1.0" deploy/secrets.sh
#
# Keys of providers are taken from OPENAI_API_KEY and ANTHROPIC_API_KEY, and the webhook that is told
# of alerts from ALERT_WEBHOOK, if they are set. What is left to write is named at the end.
set -eu
cd "$(dirname "$0")"
dir="${SECRETS_DIR:-secrets}"
tollgate="${TOLLGATE:-tollgate}"

# On this machine only the owner gets in. Inside, files can be read by all, because containers run
# as other users and each is given its own folder only.
mkdir -p "$dir"
chmod 0700 "$dir"
umask 022
mkdir -p "$dir/gateway" "$dir/redis" "$dir/grafana" "$dir/chain" \
    "$dir/alertmanager" "$dir/callers"

random() { # 64 hexadecimal digits
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}
put() { # put FILE VALUE: whole or not at all, and only if there is none
    [ -e "$dir/$1" ] && return 0
    printf '%s\n' "$2" > "$dir/$1.partial"
    mv "$dir/$1.partial" "$dir/$1"
    echo "made $dir/$1"
}
value() { # value NAME: of the JSON on standard input
    sed -n "s/^ *\"$1\": \"\([^\"]*\)\",\{0,1\}\$/\1/p"
}
key() { # key ID TEAM: makes a key of a team
    [ -e "$dir/gateway/$2_key_hmac" ] && return 0
    made="$(TOLLGATE_KEY_PEPPER="$(cat "$dir/gateway/key_pepper")" \
        $tollgate keys new --id "$1" --team "$2" --json)"
    put "callers/$2.key" "$(printf '%s\n' "$made" | value key)"
    put "gateway/$2_key_hmac" "$(printf '%s\n' "$made" | value hmac)"
}

# shellcheck disable=SC2086 # the command may have arguments
if ! $tollgate --version >/dev/null 2>&1; then
    echo "$tollgate can't be run: build it (cargo build --release), and say TOLLGATE=target/release/tollgate" >&2
    exit 2
fi

put gateway/key_pepper "$(random)"
key news-1 news
key research-1 research
put chain/api_key "$(cat "$dir/callers/news.key")"

password="$(random)"
if [ ! -e "$dir/gateway/redis_url" ]; then
    hash="$(printf '%s' "$password" | sha256sum | cut -d' ' -f1)"
    # The gateways: their keys, what their scripts and the drain use, and nothing dangerous but
    # INFO, which tells them who answers. The probe: nothing but to ask whether Redis is there.
    # Nobody can log in as "default", but it keeps its rights: Redis reads its append-only file as
    # that user, and leaves out, without an end, what the user may not do.
    acl="user default off resetpass ~* &* +@all
user tollgate on #$hash resetchannels ~tollgate:* -@all +@connection +@string +@hash +@set +@sortedset +@stream +eval +evalsha +time +del +unlink +exists +expire +pexpire +pttl +type -@dangerous +info
user probe on nopass resetchannels -@all +ping"
    rm -f "$dir/redis/users.acl"
    put redis/users.acl "$acl"
    put gateway/redis_url "redis://tollgate:$password@redis:6379"
fi

put grafana/admin_password "$(random)"
put gateway/simulator_api_key "$(random)"
put gateway/openai_api_key "${OPENAI_API_KEY:-}"
put gateway/anthropic_api_key "${ANTHROPIC_API_KEY:-}"
# Every place that alertmanager.yml names; they may differ.
for place in $(sed -n 's|.*_file: /etc/alertmanager/urls/||p' alertmanager/alertmanager.yml); do
    put "alertmanager/$place" "${ALERT_WEBHOOK:-}"
done

echo "the teams' own keys are in $dir/callers/"
find "$dir" -type f -size -2c | sort | sed 's/$/ is empty: write it, or take what reads it out of the configuration/'
