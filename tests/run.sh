#!/bin/bash
# Runs every test of the workspace; `make test` has built them. Without root it does so in namespaces of its own, where
# the simulator may mount its device files and the loopback interface may be captured.
set -eu -o pipefail
cd "$(dirname "$0")/.."
export DEMARC_TEST_BINARIES="${CARGO_TARGET_DIR:-target}/debug"
if [ -d target/test-data/dahdi-source/usr/include ]; then
    export DAHDI_SOURCE_INCLUDE="$PWD/target/test-data/dahdi-source/usr/include"
fi

if [ "${1:-}" != inside ] && [ "$(id -u)" -ne 0 ]; then
    if unshare --user --map-root-user --mount --net true 2>/dev/null; then
        exec unshare --user --map-root-user --mount --net --pid --fork --mount-proc "$0" inside
    fi
    echo "The system tests mount simulated devices and capture the loopback interface." >&2
    echo "Run make test as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)." >&2
    exit 2
fi
if [ "${1:-}" = inside ]; then
    ip link set lo up
fi
if [ ! -w /dev/fuse ]; then
    echo "/dev/fuse is missing or not writable: the simulator cannot serve device files here." >&2
    echo "Load it with: modprobe fuse. In a container, start it with --device /dev/fuse --cap-add SYS_ADMIN." >&2
    exit 2
fi

began=$SECONDS
if command -v cargo-nextest >/dev/null; then
    echo "== testing with cargo nextest"
    cargo nextest run --workspace --locked --offline
    cargo test --workspace --locked --offline --doc --quiet
else
    echo "== testing with cargo test"
    # Two test programs at once would disturb each other's sound; within one, the tests hold a lock.
    cargo test --workspace --locked --offline --no-fail-fast
fi
echo "== all passed in $((SECONDS - began)) s: units and conformance of each crate, the layers, and the system tests with"
echo "   libpri as the exchange, SIPp as trunks, baresip as agents, dahdi-tools on the simulator, tshark on the captures."
echo "   What their processes wrote is under ${CARGO_TARGET_DIR:-target}/test-logs/."
