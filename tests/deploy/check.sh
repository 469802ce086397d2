#!/bin/sh
# Checks deploy/: the compose file, the Dockerfile, the Kubernetes manifests, the configurations, and
# redis.conf in a real Redis.
#
#   tests/deploy/check.sh          what this machine can't check is skipped, by name
#   tests/deploy/check.sh --all    a skipped check is a failure
#
# Tools come from PyPI into target/deploy-check/. TOLLGATE, CHAIN_CLIENT and SIMULATOR name the
# programs; without them those in target/debug are taken.
set -u
root="$(cd "$(dirname "$0")/../.." && pwd)"
here="$root/tests/deploy"
work="$root/target/deploy-check"
tollgate="${TOLLGATE:-$root/target/debug/tollgate}"
passed=0 failed=0 skipped=0
scratch="$(mktemp -d)"
started=""
trap 'for pid in $started; do kill "$pid" 2>/dev/null; done; rm -rf "$scratch"' EXIT

ok() { passed=$((passed + 1)); echo "ok    $1"; }
bad() { failed=$((failed + 1)); echo "FAIL  $1"; sed 's/^/      /' "$scratch/out"; }
skip() { skipped=$((skipped + 1)); echo "skip  $1: $2"; }
passes() { # passes WHAT COMMAND...
    what="$1"; shift
    if "$@" >"$scratch/out" 2>&1; then ok "$what"; else bad "$what"; fi
}
refuses() { # refuses WHAT WORD COMMAND...: it fails, and says WORD
    what="$1" word="$2"; shift 2
    if "$@" >"$scratch/out" 2>&1; then bad "$what"; return; fi
    if grep -q -- "$word" "$scratch/out"; then ok "$what"; else bad "$what"; fi
}

# --- tools

python="$work/venv/bin/python"
if ! cmp -s "$here/requirements.txt" "$work/venv/requirements.txt"; then
    mkdir -p "$work"
    { python3 -m venv "$work/venv" && "$python" -m pip install --quiet --disable-pip-version-check \
        -r "$here/requirements.txt" && cp "$here/requirements.txt" "$work/venv/"; } >"$scratch/pip" 2>&1
fi
tool() { [ -x "$work/venv/bin/$1" ] && [ -f "$work/venv/requirements.txt" ]; }
without="the Python tools can't be installed: $(tail -1 "$scratch/pip" 2>/dev/null)"

# Kustomize 5, alone or within kubectl; distributions have older ones.
kustomize=""
if kubectl version --client 2>/dev/null | grep -q 'Kustomize Version: v5'; then
    kustomize="kubectl kustomize"
elif kustomize version 2>/dev/null | grep -q 'v5'; then
    kustomize="kustomize build"
else
    [ -x "$work/bin/kustomize" ] || GOBIN="$work/bin" \
        go install sigs.k8s.io/kustomize/kustomize/v5@v5.5.0 >"$scratch/go" 2>&1
    [ -x "$work/bin/kustomize" ] && kustomize="$work/bin/kustomize build"
fi

# --- compose.yaml and Dockerfile

deploy="$root/deploy"
if tool check-jsonschema; then
    schema="$work/venv/bin/check-jsonschema --builtin-schema vendor.compose-spec"
    # shellcheck disable=SC2086 # a command with arguments
    passes "compose.yaml is what the compose specification says" $schema "$deploy/compose.yaml"
    sed 's/read_only: true/readonly: true/' "$deploy/compose.yaml" >"$scratch/compose.yaml"
    # shellcheck disable=SC2086
    refuses "a misspelt key of it is refused" readonly $schema "$scratch/compose.yaml"
    passes "its services are hardened, pinned, bounded, and reached from loopback only" \
        "$python" "$here/rules.py" compose
    passes "the Dockerfile fits the workspace" "$python" "$here/rules.py" images
else
    skip "compose.yaml and the Dockerfile's rules" "$without"
fi
if tool hadolint; then
    passes "hadolint has nothing against the Dockerfile" "$work/venv/bin/hadolint" "$deploy/Dockerfile"
else
    skip "the Dockerfile by hadolint" "$without"
fi

# --- Kubernetes

if [ -z "$kustomize" ]; then
    skip "the Kubernetes manifests" "neither kubectl with kustomize 5, nor kustomize, nor go is there"
elif ! tool kubernetes-validate; then
    skip "the Kubernetes manifests" "$without"
else
    for part in base chain overlays/example; do
        built="$scratch/$(basename "$part").yaml"
        # shellcheck disable=SC2086
        if ! $kustomize "$deploy/k8s/$part" >"$built" 2>"$scratch/out"; then
            bad "k8s/$part is built by kustomize"
            continue
        fi
        # The oldest version with all that is used, and the newest whose schema is known.
        for version in 1.30 1.37; do
            passes "k8s/$part is valid for Kubernetes $version" "$work/venv/bin/kubernetes-validate" \
                --strict --no-warn -k "$version" "$built"
        done
        passes "k8s/$part is restricted, guarded, and fits its configuration" \
            "$python" "$here/rules.py" kubernetes "$built"
    done
    sed 's/periodSeconds/periodSecond/' "$scratch/base.yaml" >"$scratch/wrong.yaml"
    refuses "a misspelt key of a manifest is refused" periodSecond \
        "$work/venv/bin/kubernetes-validate" --strict "$scratch/wrong.yaml"
fi

# --- configurations and secrets

if [ ! -x "$tollgate" ]; then
    skip "the configurations, secrets and Redis" "$tollgate is not there; run \`make build\`"
else
    secrets="$scratch/secrets"
    # Nothing that looks like a key stands in a file: these are made here.
    export OPENAI_API_KEY="not-a-key" ANTHROPIC_API_KEY="not-a-key"
    passes "secrets.sh makes all secrets" \
        env SECRETS_DIR="$secrets" TOLLGATE="$tollgate" "$deploy/secrets.sh"
    sum() { find "$secrets" -type f -exec sha256sum {} + | sort; }
    before="$(sum)"
    env SECRETS_DIR="$secrets" TOLLGATE="$tollgate" "$deploy/secrets.sh" >"$scratch/out" 2>&1
    passes "and none anew the second time" test "$before" = "$(sum)"
    for file in gateway-redis.toml compose/simulator.toml k8s/overlays/example/gateway.toml; do
        sed "s|/run/secrets/tollgate|$secrets/gateway|" "$deploy/$file" >"$scratch/config.toml"
        passes "$file is a configuration" "$tollgate" check "$scratch/config.toml"
    done
    # shellcheck source=tests/deploy/redis.sh
    . "$here/redis.sh"
fi

# --- what the others read

if command -v promtool >/dev/null 2>&1; then
    mkdir -p "$scratch/prometheus"
    cp -r "$deploy/compose/prometheus.yml" "$deploy/prometheus/rules" "$scratch/prometheus/"
    passes "compose/prometheus.yml and the rules are Prometheus's" \
        promtool check config "$scratch/prometheus/prometheus.yml"
else
    skip "compose/prometheus.yml" "promtool is not there; install the package prometheus"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] || exit 1
if [ "${1:-}" = --all ] && [ "$skipped" != 0 ]; then
    echo "with --all nothing may be skipped" >&2
    exit 1
fi
