//! What is written to the control file: faults to inject into a running simulator, one command a write.

use crate::Sim;
use dahdi_abi::Errno;
use demarc_model::{Alarm, SpanNo};

/// Does one command, `alarm SPAN red|yellow|blue|ok`. `EINVAL` when it is none, `ENXIO` when there is no such span.
pub fn command(sim: &mut Sim, text: &[u8]) -> Result<(), Errno> {
    let text = std::str::from_utf8(text).map_err(|_| Errno::INVAL)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["alarm", span, alarm] = words[..] else { return Err(Errno::INVAL) };
    let span = span.parse().ok().and_then(SpanNo::new).ok_or(Errno::INVAL)?;
    let alarm = alarm_named(alarm).ok_or(Errno::INVAL)?;
    sim.alarm(span).ok_or(Errno::NXIO)?;
    sim.set_alarm(span, alarm);
    Ok(())
}

fn alarm_named(word: &str) -> Option<Alarm> {
    match word {
        "ok" => Some(Alarm::Ok),
        "red" => Some(Alarm::Red),
        "yellow" => Some(Alarm::Yellow),
        "blue" => Some(Alarm::Blue),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Description;

    #[test]
    fn only_whole_commands_are_taken() {
        let mut sim = Sim::new(&Description::default()).expect("the default boards");
        let rows: [(&[u8], Result<(), Errno>); 7] = [
            (b"alarm 1 red\n", Ok(())),
            (b"alarm 3 red", Err(Errno::NXIO)),
            (b"alarm 0 red", Err(Errno::INVAL)),
            (b"alarm 1 green", Err(Errno::INVAL)),
            (b"alarm 1", Err(Errno::INVAL)),
            (b"alarm 1 red now", Err(Errno::INVAL)),
            (b"\xff", Err(Errno::INVAL)),
        ];
        for (text, result) in rows {
            assert_eq!(command(&mut sim, text), result, "{}", text.escape_ascii());
        }
        assert_eq!(sim.alarm(SpanNo::new(1).expect("a span")), Some(Alarm::Red));
        command(&mut sim, b"alarm 1 ok").expect("a command");
        assert_ne!(sim.alarm(SpanNo::new(1).expect("a span")), Some(Alarm::Red));
    }
}
