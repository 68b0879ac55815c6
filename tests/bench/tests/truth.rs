//! Whether the measurement says what is so.

#![allow(clippy::unwrap_used)] // helpers of tests

use demarc_bench::{BenchError, Kind, Progress, Setup, measure, measure_floor};
use std::path::Path;

const PROGRAM: &str = env!("CARGO_BIN_EXE_media-bench");

#[test]
fn a_wrong_forwarder_shows() {
    let setup = Setup::new(Kind::Rtp, 10, 1);
    let [lost, sent, misled] = measure_floor(Path::new(PROGRAM), &["part"], &setup).unwrap();
    assert_eq!((lost, misled), (0, 0));
    assert!((990..=1010).contains(&sent), "{sent} packets of 20 legs in a second");

    let faulty = Setup { faulty: true, ..setup };
    let [lost, sent, misled] = measure_floor(Path::new(PROGRAM), &["part"], &faulty).unwrap();
    let fifth = sent / 5;
    for (what, count) in [("lost or misled", lost), ("doubled or misled", misled)] {
        assert!((fifth * 9 / 10..=fifth * 11 / 10).contains(&count), "{count} of {sent} {what}");
    }
}

#[test]
fn what_is_to_be_done_besides_is_done() {
    let with = ["dtmf+detect+record+srtp", "opus", "conference3"].map(|with| with.parse().unwrap());
    let mut rows = Vec::new();
    measure(Path::new(PROGRAM), &["part"], &Setup::new(Kind::Channel, 10, 1), &with, |progress| {
        if let Progress::Row(row) = progress {
            rows.push(row);
        }
        Ok::<(), BenchError>(())
    })
    .unwrap();
    for row in &rows[..2] {
        assert_eq!((row.lost, row.misled), (0, 0), "{row:?}");
        assert!(
            row.put_in < 50,
            "of a thousand blocks, silence where the machine stood still, and no more: {row:?}"
        );
        assert!(row.delay_p50_ms > Some(0.0) && row.ms_cpu_per_call_second > 0.0, "{row:?}");
    }
    // Ten lines and ten telephones say a digit in two seconds each; nobody listens to a telephone that speaks Opus.
    assert!(rows[0].digits >= 20 && (10..20).contains(&rows[1].digits), "{rows:?}");
    assert!((20.0..60.0).contains(&rows[0].recorded_seconds) && rows[1].recorded_seconds == 0.0, "{rows:?}");
    assert!(rows[0].heard >= 10 && rows[1].heard == 0, "each line begins to speak: {rows:?}");
    assert_eq!((rows[2].delay_p50_ms, rows[2].delay_to_channel_p50_ms), (None, None), "it is not measured");
    assert!(rows[2].lost < 100, "twenty parties hear fifty blocks each: {rows:?}");
}
