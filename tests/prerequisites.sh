#!/bin/sh
# Installs what building and testing Tollgate need on a fresh Debian or Ubuntu with Rust:
# a C compiler (ring and mimalloc are C inside), redis-server (the store's tests run the real
# one), prometheus with promtool (rules, dashboards and /metrics are checked by the real one), and
# Python with venv (a caller in Python, and the checks of deploy/); alertmanager with amtool, because
# routes and inhibitions are tried in the real one.
# Without root or sudo it prints the command and exits with 2.
set -eu

missing=""
need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || case "$missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
}
need cc build-essential
need redis-server redis-server
need redis-cli redis-tools
need promtool prometheus
need prometheus prometheus
need amtool prometheus-alertmanager
need python3 python3
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
# Maven Central does not have gRPC's Java plugin for every machine. Java is tested where Maven is.
if command -v mvn >/dev/null 2>&1; then need grpc_java_plugin protobuf-compiler-grpc-java-plugin; fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "Rust is missing: install it from https://rustup.rs and run this again." >&2
    exit 2
fi
[ -n "$missing" ] || exit 0

command="apt-get update && apt-get install -y --no-install-recommends$missing"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing:$missing. Install them with this system's package manager and run this again." >&2
    exit 2
fi
if [ "$(id -u)" = 0 ]; then
    run="sh -c"
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    run="sudo -n sh -c"
else
    echo "Missing:$missing. Run this as root, then again what you ran:" >&2
    echo "  $command" >&2
    exit 2
fi
echo "installing:$missing"
# The packages would start servers of their own; the tests start what they need, on free ports.
RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $run "$command" >/dev/null
