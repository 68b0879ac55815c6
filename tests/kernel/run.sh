#!/bin/bash
# Runs the tests on the genuine DAHDI kernel: `make test-kernel` has built the programs. Prints what the machine says while it
# runs, then a line a job, and ends with `N passed, N failed`.
#
#   run.sh [JOB...]     probe board calls load; all of them when none is named
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
    local report=$1 enter=()
    [ "$(id -u)" -eq 0 ] || enter=(unshare --user --map-root-user --mount)
    "${enter[@]}" "$here/simulator.sh" "$programs" > "$report" 2> "$report.log"
}

jobs=("$@")
[ ${#jobs[@]} -gt 0 ] || jobs=(probe board calls load)
"$here/vm.sh" prepare
fill "$work/payload"
"$here/vm.sh" payload "$work/payload"
case " ${jobs[*]} " in *" probe "*)
    rc=0
    simulate "$work/simulator.report" || rc=$?
    simulator_says=$(tail -1 "$work/simulator.report")
    [ "$rc" -le 1 ] || tail -5 "$work/simulator.report.log" ;;
esac
"$here/vm.sh" boot "${jobs[@]}" || true

echo "== the genuine DAHDI kernel"
for job in "${jobs[@]}"; do
    if [ -f "$work/out/$job.rc" ]; then
        read -r rc seconds < "$work/out/$job.rc"
        verdict "$rc" "$job" "$(tail -1 "$work/out/$job.txt" | sed 's/^# //') ($seconds s of the machine's time)"
    else
        verdict 1 "$job" "did not end; see $work/console.log"
    fi
    if [ "$job" = load ]; then sed -n 's/^ok .*(/# /p' "$work/out/load.txt" 2>/dev/null || true; fi
    [ "$job" = probe ] || continue
    verdict "$(grep -q ' 0 failed$' <<< "$simulator_says" && echo 0 || echo 1)" "probe on the simulator" "$simulator_says"
    rc=0
    "$programs/compare-reports" "$work/out/probe.txt" "$work/simulator.report" "$here/differences.toml" \
        > "$work/comparison" || rc=$?
    grep -v '^#' "$work/comparison" || true
    verdict "$rc" "kernel and simulator" "$(tail -1 "$work/comparison" | sed 's/^# //')"
done
echo "== $passed passed, $failed failed ($((SECONDS - began)) s; reports under $work)"
[ "$failed" -eq 0 ]
