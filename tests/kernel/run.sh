#!/bin/bash
# Runs the tests on the genuine DAHDI kernel: `make test-kernel` has built the programs. Prints what the machine says while it
# runs, then a line a job, and ends with `N passed, N failed`.
#
#   run.sh [JOB...]       probe board calls load; all of them when none is named
#   run.sh --simulator    the probe on the simulator alone
#
# Environment: that of vm.sh, and DEMARC_TEST_BINARIES for the directory of the programs (target/debug).
set -eu -o pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
repo=$(cd "$here/../.." && pwd)
work=${KERNEL_DIR:-$repo/target/kernel}
programs=${DEMARC_TEST_BINARIES:-${CARGO_TARGET_DIR:-$repo/target}/debug}
sounds=usr/share/asterisk/sounds/en_US_f_Allison
began=$SECONDS
passed=0 failed=0

verdict() { # STATUS NAME DETAIL
    if [ "$1" = 0 ]; then passed=$((passed + 1)); set -- ok "$2" "$3"; else failed=$((failed + 1)); set -- "not ok" "$2" "$3"; fi
    printf '%s %d - %s: %s\n' "$1" $((passed + failed)) "$2" "$3"
}

# The programs under test, their peers and what these read, where they look for it.
fill() {
    local dir=$1 program
    rm -rf "$dir"
    mkdir -p "$dir"/{job,test/debug/deps,test/peers,"$sounds",lib/terminfo/l} "$dir$repo/tests/peers"
    for program in abi-probe board-check load-check demarc; do
        strip --strip-debug -o "$dir/job/$program" "$programs/$program"
    done
    strip --strip-debug -o "$dir/test/debug/deps/call-check" "$programs/call-check"
    cc -std=gnu11 -O2 -o "$dir/test/peers/exchange" "$repo"/tests/peers/exchange/*.c -lpri -lm
    cp "$(command -v sipp)" "$dir/job/"
    cp -r "$repo/tests/peers/sipp" "$dir$repo/tests/peers/"
    cp "/$sounds/demo-instruct.wav" "$dir/$sounds/"
    cp /lib/terminfo/l/linux "$dir/lib/terminfo/l/"
}

# The probe on the simulator's files, in a mount namespace of its own where that needs no root.
simulate() {
    local enter=()
    [ "$(id -u)" -eq 0 ] || enter=(unshare --user --map-root-user --mount)
    "${enter[@]}" "$here/simulator.sh" "$programs"
}

if [ "${1:-}" = --simulator ]; then
    simulate
    exit
fi

jobs=("$@")
[ ${#jobs[@]} -gt 0 ] || jobs=(probe board calls load)
wanted() { case " ${jobs[*]} " in *" $1 "*) ;; *) return 1 ;; esac; }
"$here/vm.sh" prepare
fill "$work/payload"
"$here/vm.sh" payload "$work/payload"

# The simulator is asked meanwhile; its program waits most of the time.
asked=
if wanted probe; then
    simulate > "$work/simulator.report" 2> "$work/simulator.log" &
    asked=$!
fi
# Two machines at once, as an emulated one has a single processor; so each has about as much to do.
first=() second=()
for job in "${jobs[@]}"; do
    case $job in calls | load) second+=("$job") ;; *) first+=("$job") ;; esac
done
beside=
if [ ${#first[@]} -gt 0 ] && [ ${#second[@]} -gt 0 ]; then
    "$here/vm.sh" boot second "${second[@]}" > "$work/second.log" 2>&1 &
    beside=$!
else
    first=("${jobs[@]}") second=()
fi
"$here/vm.sh" boot first "${first[@]}" || true
if [ -n "$asked" ]; then
    rc=0
    wait "$asked" || rc=$?
    simulator_says=$(tail -1 "$work/simulator.report")
    [ "$rc" -le 1 ] || tail -5 "$work/simulator.log"
fi
[ -z "$beside" ] || wait "$beside" || true

echo "== the genuine DAHDI kernel"
for job in "${jobs[@]}"; do
    out=$work/first
    case " ${second[*]} " in *" $job "*) out=$work/second ;; esac
    if [ -f "$out/$job.rc" ]; then
        read -r rc seconds < "$out/$job.rc"
        verdict "$rc" "$job" "$(tail -1 "$out/$job.txt" | sed 's/^# //') ($seconds s of the machine's time)"
    else
        verdict 1 "$job" "did not end; see $out/console.log"
    fi
    grep -e '^# .* channels:' -e '^not ok' "$out/$job.txt" 2>/dev/null || true
    [ "$job" = probe ] || continue
    verdict "$(grep -q ' 0 failed$' <<< "$simulator_says" && echo 0 || echo 1)" "probe on the simulator" "$simulator_says"
    rc=0
    "$programs/compare-reports" "$work/first/probe.txt" "$work/simulator.report" "$here/differences.toml" \
        > "$work/comparison" || rc=$?
    grep -v '^#' "$work/comparison" || true
    verdict "$rc" "kernel and simulator" "$(tail -1 "$work/comparison" | sed 's/^# //')"
done
echo "== $passed passed, $failed failed ($((SECONDS - began)) s; reports under $work)"
[ "$failed" -eq 0 ]
