#!/bin/sh
# install-python.sh DIRECTORY: makes a Python environment with the peers that come from PyPI; does nothing where it is.
set -eu
PACKAGES="pjsua2-python==2.15.1.post1 numpy==2.4.6 pesq==0.0.4"
# There is no wheel of it: it is compiled, with numpy and Cython, in half a minute.
SOURCE=pesq

directory=$1
if [ "$(cat "$directory/packages" 2>/dev/null)" = "$PACKAGES" ]; then
    exit 0
fi
echo "== installing $PACKAGES from PyPI into $directory"
rm -rf "$directory"
python3 -m venv "$directory"
# shellcheck disable=SC2086 # a list of words
"$directory/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-binary "$SOURCE" $PACKAGES
echo "$PACKAGES" >"$directory/packages"
