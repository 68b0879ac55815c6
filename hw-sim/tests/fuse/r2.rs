//! MFC/R2 between two simulated E1 lines with CAS, by OpenR2's own test program (Debian's package libopenr2-bin),
//! unmodified: line signals in the bits, register signals in the sound.

use crate::client::HW_SIM;
use std::{fs, process::Command};

const BOARDS: &str = "tone_zones = [\"us\"]\n[[span]]\nsignalling = \"cas\"\n[[span]]\nsignalling = \"cas\"\n\
    [[cable]]\nfrom = 1\nto = 2\n";
const SETTINGS: &str = "category=NATIONAL_SUBSCRIBER\nloglevel=all\ncallfiles=no\nvariant=itu\nmaxani=10\nmaxdnis=4\n\
    getanifirst=no\nusedahdimf=no\nmfthreshold=0\nmfbacktimeout=-1\nmeteringpulsetimeout=-1\ncollectcalls=no\n\
    chargecalls=yes\ndoubleanswer=no\nimmediateaccept=no\nskipcategory=no\nplayaudio=no\ndnid=4321\ncid=0987654321\n";

/// The callee is up before the caller, who is ended when the callee has heard both calls (or after a while).
const SCRIPT: &str = "timeout 60 stdbuf -oL r2test -c callee.conf >callee.log 2>&1 & callee=$!
    until grep -q 'CAS Tx' callee.log; do kill -0 $callee || exit 1; sleep 0.1; done
    timeout 60 stdbuf -oL r2test -c caller.conf >/dev/null 2>&1 & caller=$!
    for turn in $(seq 400); do
        [ $(grep -c 'call read data' callee.log) -ge 2 ] && break
        kill -0 $caller || break
        sleep 0.1
    done
    kill $caller $callee
    cat callee.log";

#[test]
fn two_r2_calls_are_set_up_and_answered() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: String| fs::write(place.path().join(name), text).expect("a file");
    write("boards.toml", BOARDS.into());
    write("callee.conf", format!("{SETTINGS}caller=no\nchannel=32-33\n"));
    write("caller.conf", format!("{SETTINGS}caller=yes\nchannel=1-2\n"));
    let output = Command::new(HW_SIM)
        .args(["run", "--config", "boards.toml", "--", "sh", "-c", SCRIPT])
        .current_dir(place.path())
        .output()
        .expect("hw-sim runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for channel in [32, 33] {
        let ready = format!("call ready on chan {channel}. ANI = 0987654321, DNIS = 4321");
        let speaking = format!("call read data of length 160 on chan {channel}");
        for words in [ready, speaking] {
            assert!(text.contains(&words), "{words:?} is missing:\n{text}\n{output:?}");
        }
    }
}
