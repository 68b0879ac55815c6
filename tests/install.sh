#!/bin/sh
# install.sh PACKAGE...: installs the Debian packages that are missing, and does nothing where none is.
set -eu

missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    case $status in
        ii*) ;;
        *) missing="$missing $package" ;;
    esac
done
if ! command -v cargo >/dev/null; then
    echo "Rust is missing: install it from https://rustup.rs and run make again." >&2
    exit 2
fi
if [ -z "$missing" ]; then
    echo "== all Debian packages are there"
    exit 0
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "These Debian packages are missing, and there is neither root nor sudo to install them." >&2
        echo "As root, run: apt-get install --no-install-recommends$missing" >&2
        exit 2
    fi
    as_root=sudo
fi
echo "== installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
install() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
# Package lists may be there and fresh enough; where not, they are fetched once.
if ! install >/dev/null 2>&1; then
    $as_root apt-get update -qq || true
    if ! install; then
        echo "These packages could not be installed:$missing" >&2
        echo "With a network, run: apt-get update && apt-get install --no-install-recommends$missing" >&2
        exit 2
    fi
fi
