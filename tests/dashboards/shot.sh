#!/bin/sh
# Draws the dashboards with Grafana's own panel library (npm) in headless Chromium, from a live run
# with the simulator, into docs/img/. The run takes four minutes. Needs node, npm, chromium,
# prometheus, redis-server, and the network for npm's packages.
set -eu
cd "$(dirname "$0")"

for command in node npm prometheus redis-server "${CHROMIUM:-/usr/bin/chromium}"; do
    command -v "$command" >/dev/null 2>&1 || {
        echo "$command is missing: install nodejs, npm, chromium, prometheus and redis-server from your system's packages" >&2
        exit 2
    }
done
npm ci --ignore-scripts --no-progress
npm run --silent check
npm run --silent build
mkdir -p ../../docs/img
cd ../..
"${CARGO:-cargo}" build --locked -p tollgate -p chain-client -p tollgate-tests --bins
"${CARGO:-cargo}" run --locked -q -p tollgate-tests --bin dashboards-shot
ls -l docs/img
