#!/bin/bash
# simulator.sh PROGRAMS [OPTION...]: abi-probe on the device files of hw-sim, both from the directory PROGRAMS.
set -eu -o pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
programs=$1
shift
mount=$(mktemp -d)
coproc SIM { exec "$programs/hw-sim" serve --mount "$mount" --config "$here/boards.toml" 2> "$mount.log"; }
simulator=$SIM_PID
finish() {
    kill "$simulator" 2>/dev/null || true
    wait "$simulator" 2>/dev/null || true
    rm -f "$mount.log"
    rmdir "$mount"
}
trap finish EXIT
read -r -t 60 -u "${SIM[0]}" ready || ready=
[ "$ready" = "ready $mount" ] || { cat "$mount.log" >&2; echo "hw-sim does not serve device files; see above" >&2; exit 2; }
"$programs/abi-probe" --dir "$mount" --near 1,3,5 --far 2,4,6 "$@"
