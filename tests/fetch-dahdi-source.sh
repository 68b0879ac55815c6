#!/bin/sh
# fetch-dahdi-source.sh DIR: unpacks Debian's dahdi-source into DIR, once. Only its header is wanted, so it is not installed.
set -eu
dir=$1
header=usr/include/dahdi/user.h
if [ -f "$dir/$header" ] || [ -f "/$header" ]; then
    exit 0
fi
echo "== fetching dahdi/user.h of Debian's dahdi-source"
mkdir -p "$dir"
fetch() {
    (cd "$dir" && apt-get download -qq dahdi-source)
}
if ! fetch 2>/dev/null; then
    if [ "$(id -u)" -eq 0 ]; then
        apt-get update -qq || true
    else
        sudo apt-get update -qq || true
    fi
    fetch || { echo "dahdi-source cannot be fetched; a network is needed this once." >&2; exit 2; }
fi
dpkg -x "$dir"/dahdi-source_*.deb "$dir"
test -f "$dir/$header"
