//! Whatever is written to the control file, by however many, it is taken or refused at once, and the boards go on.
//!
//! `cargo test` writes some thousand. `DEMARC_FUZZ_SECONDS=600 cargo test -p hw-sim --test fuse mutated` goes on for so long.

use crate::client::{BLOCK, PATIENCE, Served};
use crate::mutate::{mutants, reworded};
use nix::sys::signal::Signal;
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
    sync::mpsc,
    time::Instant,
};

/// What a command is refused with.
const REFUSALS: [i32; 11] = [
    libc::EINVAL,
    libc::ENXIO,
    libc::ENOTTY,
    libc::EBUSY,
    libc::ENOSPC,
    // A replay's file.
    libc::ENOENT,
    libc::EFBIG,
    libc::ENOTDIR,
    libc::ENAMETOOLONG,
    libc::EAGAIN,
    libc::E2BIG,
];

fn commands(recording: &Path) -> Vec<Vec<u8>> {
    let text = include_str!("../../../tests/data/corpus/control.txt");
    let told = text.lines().filter(|line| !line.starts_with('#'));
    told.map(|line| line.replace("/RECORDING", &recording.display().to_string()).into_bytes()).collect()
}

fn control(served: &Served) -> File {
    OpenOptions::new().read(true).write(true).open(served.dir().join(".sim")).expect("the control file")
}

/// Writes one command; whether it was taken.
fn says(mut control: &File, text: &[u8]) -> bool {
    match control.write(text) {
        Ok(count) => {
            assert_eq!(count, text.len(), "taken whole: {}", text.escape_ascii());
            true
        }
        Err(error) => {
            let refused = error.raw_os_error().is_some_and(|errno| REFUSALS.contains(&errno));
            assert!(refused, "{error}: {}", text.escape_ascii());
            false
        }
    }
}

/// Takes back all that commands can do, then sound passes again.
#[track_caller]
fn boards_go_on(served: &Served) {
    let control = control(served);
    assert!(says(&control, b"clear"));
    for span in 1..=2 {
        says(&control, format!("board {span} in").as_bytes());
        says(&control, format!("alarm {span} ok").as_bytes());
    }
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "no sound passes");
        // A board that is still on its way out is put back once it is out.
        for span in 1..=2 {
            says(&control, format!("board {span} in").as_bytes());
        }
        let [near, far] = ["1", "32"].map(|name| served.open(name, libc::O_NONBLOCK));
        let (Ok(near), Ok(far)) = (near, far) else { continue };
        let since = Instant::now();
        while since.elapsed().as_secs() < 1 {
            let _ = near.write(&[0x2a; BLOCK]);
            if far.drain().contains(&0x2a) {
                return;
            }
        }
    }
}

#[test]
fn changed_commands_are_taken_or_refused_and_the_boards_go_on() {
    let mut served = Served::start();
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("a.rec");
    let recorder =
        served.command(&["record", "--channels", "1", "--for", "0", file.to_str().expect("ASCII")]);
    assert!(recorder.status.success(), "{recorder:?}");
    let (entries, device) = (commands(&file), control(&served));
    let (tell, told) = mpsc::channel();
    let writer = std::thread::spawn(move || {
        let (mut taken, mut refused) = (0, 0);
        mutants(&entries, 2000, |seed, octets| {
            for text in [octets, reworded(&entries, " ", seed).into_bytes()] {
                if !text.is_empty() {
                    *(if says(&device, &text) { &mut taken } else { &mut refused }) += 1;
                }
            }
            if seed % 16 == 0 {
                let mut recording = [0; 4096];
                let _ = (&device).read(&mut recording);
                says(&device, b"clear");
            }
            // Nobody listens any more where this test has failed.
            let _ = tell.send(());
        });
        (taken, refused)
    });
    // Each is answered, or the writer has ended.
    while told.recv_timeout(PATIENCE).map_err(|e| assert_eq!(e, mpsc::RecvTimeoutError::Disconnected)).is_ok()
    {
    }
    let (taken, refused) = writer.join().expect("every answer is one of those that are told");
    assert!(taken > 100 && refused > 100, "{taken} {refused}");
    boards_go_on(&served);
    assert!(served.stop(Signal::SIGTERM).success());
}

#[test]
fn many_who_command_at_once_and_go_away_leave_the_boards_as_they_are() {
    let served = Served::start();
    let place = tempfile::tempdir().expect("a temporary directory");
    let entries = commands(&place.path().join("none.rec"));
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let (entries, dir) = (entries.clone(), served.dir().join(".sim"));
            std::thread::spawn(move || {
                for seed in 0..100 {
                    let opened =
                        OpenOptions::new().read(true).write(true).open(&dir).expect("room for eight");
                    for part in 0..4 {
                        let text = reworded(&entries, " ", number * 1000 + seed * 4 + part);
                        says(&opened, text.as_bytes());
                        // Half of it, as from a program that was ended.
                        says(&opened, &text.as_bytes()[..text.len() / 2]);
                    }
                    says(&opened, b"record 1-62");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("every answer is one of those that are told");
    }
    boards_go_on(&served);
}

#[test]
fn commands_have_bounds() {
    let served = Served::start();
    let one = control(&served);
    let refused = |text: &[u8]| (&one).write(text).expect_err("too much").raw_os_error();
    assert_eq!(refused(&[b'1'; 1 << 20]), Some(libc::E2BIG));
    assert_eq!(refused(format!("replay - /{}", "a".repeat(20_000)).as_bytes()), Some(libc::E2BIG));
    let all = (1..=1024).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(
        refused(format!("record {all}").as_bytes()),
        Some(libc::ENXIO),
        "long enough for all channels"
    );
    assert_eq!(refused(format!("record 1{}", ",1-62".repeat(3000)).as_bytes()), Some(libc::EINVAL));
    let mut recorders: Vec<_> = (0..16).map(|_| control(&served)).collect();
    for recorder in &recorders {
        assert!(says(recorder, b"record 62"));
    }
    assert_eq!(refused(b"record 62"), Some(libc::EAGAIN));
    assert!(says(&recorders[3], b"record 61"), "another one instead");
    recorders.pop();
    // It is closed once the kernel has told so.
    let start = Instant::now();
    while !says(&one, b"record 62") {
        assert!(start.elapsed() < PATIENCE, "a recording that ended makes room");
    }
    let mut others: Vec<File> = Vec::new();
    let error = loop {
        match OpenOptions::new().write(true).open(served.dir().join(".sim")) {
            Ok(file) => others.push(file),
            Err(error) => break error,
        }
        assert!(others.len() <= 256);
    };
    assert_eq!(error.raw_os_error(), Some(libc::ENFILE));
    drop((others, recorders));
    boards_go_on(&served);
}
