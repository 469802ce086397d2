# shellcheck shell=sh disable=SC2154 # what is read here is set where this is sourced
# Part of smoke-compose.sh: images in the place of public ones, made of programs of this machine's
# packages, and Tollgate's own by the stages of deploy/Dockerfile.
#
# What they show is the compose file, not the public images. Grafana is in no package: it has none.

into() { # into DIRECTORY TARGET PROGRAM: the program as TARGET, with the libraries that it loads
    mkdir -p "$1$(dirname "$2")"
    cp -L "$(command -v "$3")" "$1$2"
    ldd "$1$2" 2>/dev/null | grep -o '/[^ )]*' | while read -r library; do
        mkdir -p "$1$(dirname "$library")"
        cp -L "$library" "$1$library"
    done
}
owned() { # owned DIRECTORY PATH USER: a folder that its user may write, also as a volume
    mkdir -p "$1$2"
    chown "$3:$3" "$1$2"
}
image() { # image DIRECTORY NAME [CHANGE]
    mkdir -p "$1/tmp" "$1/etc"
    chmod 1777 "$1/tmp"
    printf 'root:x:0:0::/:\nnonroot:x:65532:65532::/:\n' >"$1/etc/passwd"
    set -- "$1" "$2" "${3:-ENV PATH=/usr/local/bin:/usr/bin:/bin}"
    tar -C "$1" -c . | docker import --change "$3" - "$2" >/dev/null
}

standin_redis() {
    into "$1" /usr/bin/redis-server redis-server
    into "$1" /usr/bin/redis-cli redis-cli
    owned "$1" /data 999
    image "$1" smoke/redis:1
}
standin_prometheus() {
    into "$1" /bin/prometheus prometheus
    into "$1" /bin/wget busybox
    owned "$1" /prometheus 65534
    image "$1" smoke/prometheus:1 'ENTRYPOINT ["/bin/prometheus"]'
}
standin_alertmanager() {
    into "$1" /bin/alertmanager prometheus-alertmanager
    into "$1" /bin/wget busybox
    owned "$1" /alertmanager 65534
    # Debian's reads its templates from there; the public image has them inside the program.
    mkdir -p "$1/usr/share/prometheus"
    cp -r /usr/share/prometheus/alertmanager "$1/usr/share/prometheus/"
    image "$1" smoke/alertmanager:1 'ENTRYPOINT ["/bin/alertmanager"]'
}
standin_runtime() {
    for program in "$tollgate" "$chain_client" "$simulator"; do
        into "$1" /libraries-of "$program"
    done
    rm "$1/libraries-of"
    mkdir -p "$1/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
    image "$1" smoke/runtime:1
}

# The images of deploy/Dockerfile, with programs that were built already in the place of its first
# stage.
tollgate_images() {
    context="$scratch/context"
    mkdir -p "$context/out/bin" "$context/out/tollgate/ledger" "$context/out/tollgate/interactions" \
        "$context/out/chain-client/runs"
    cp "$tollgate" "$chain_client" "$simulator" "$context/out/bin/"
    awk '/^FROM .* AS build$/ { print "FROM scratch AS build\nCOPY out /out"; skip = 1; next }
        /^FROM / { skip = 0 }
        !skip' "$root/deploy/Dockerfile" >"$context/Dockerfile"
    for target in gateway chain-client simulator; do
        DOCKER_BUILDKIT=0 docker build --quiet --build-arg RUNTIME_IMAGE=smoke/runtime:1 \
            --target "$target" --tag "smoke/$target:1" "$context" >"$scratch/build" 2>&1 || {
            cat "$scratch/build" >&2
            exit 2
        }
    done
}

make_standins() {
    packages redis-server=redis-server redis-cli=redis-tools prometheus=prometheus \
        prometheus-alertmanager=prometheus-alertmanager busybox=busybox-static
    for name in redis prometheus alertmanager runtime; do
        mkdir -p "$scratch/images/$name"
        "standin_$name" "$scratch/images/$name"
    done
    tollgate_images
    export REDIS_IMAGE=smoke/redis:1 PROMETHEUS_IMAGE=smoke/prometheus:1 \
        ALERTMANAGER_IMAGE=smoke/alertmanager:1 TOLLGATE_IMAGE=smoke/gateway:1 \
        TOLLGATE_CHAIN_IMAGE=smoke/chain-client:1 TOLLGATE_SIMULATOR_IMAGE=smoke/simulator:1
}
