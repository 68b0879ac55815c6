//! What the demo found: each call looked at from both ends and in the daemon's own records.

use super::{DemoError, Outcome, Talk, audio, pair, world::World};
use serde::Serialize;
use serde_json::Value;
use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

/// Octets of speech that must have been heard each way: one second.
const ENOUGH: usize = 8000;
/// How long channels may take to be free after the last call.
const FREE_LIMIT: Duration = Duration::from_secs(5);

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Calls asked for.
    pub calls: usize,
    /// Calls that an agent answered, as the caller saw it.
    pub answered: usize,
    /// Calls whose record has the menu choice that the caller keyed.
    pub menu_choices_ok: usize,
    /// Calls where both heard, octet for octet, what the other said.
    pub two_way_audio_ok: usize,
    /// Blocks of 20 ms lost or spoiled within conversations, both ways together.
    pub frames_lost: usize,
    /// Call records of these calls.
    pub call_records: usize,
    /// Channels that were not free at the end, at either end of the cable.
    pub channels_left_busy: usize,
    /// How long it took.
    pub seconds: f64,
}

impl Verdict {
    /// Whether every call went as it should.
    pub fn all_well(&self) -> bool {
        let counts = [self.answered, self.menu_choices_ok, self.two_way_audio_ok, self.call_records];
        counts.iter().all(|count| *count == self.calls)
            && self.frames_lost == 0
            && self.channels_left_busy == 0
    }

    /// Prints it: as JSON on one line, or for people.
    ///
    /// # Errors
    /// When standard output is gone.
    pub fn print(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if json {
            return writeln!(out, "{}", serde_json::to_string(self)?);
        }
        let calls = self.calls;
        writeln!(out, "calls                {calls}")?;
        writeln!(out, "answered by agents   {} of {calls}", self.answered)?;
        writeln!(out, "menu choices right   {} of {calls}", self.menu_choices_ok)?;
        writeln!(out, "sound right both ways {} of {calls}", self.two_way_audio_ok)?;
        writeln!(out, "frames lost          {}", self.frames_lost)?;
        writeln!(out, "call records         {} of {calls}", self.call_records)?;
        writeln!(out, "channels left busy   {}", self.channels_left_busy)?;
        writeln!(out, "seconds              {:.1}", self.seconds)?;
        writeln!(out, "{}", if self.all_well() { "all is well" } else { "NOT all is well" })
    }
}

/// Looks at everything.
pub fn judge(
    calls: usize,
    outcomes: Vec<Outcome>,
    talks: Vec<Talk>,
    busy_at_exchange: usize,
    world: &World,
    elapsed: Duration,
) -> Result<Verdict, DemoError> {
    let busy = busy_channels(world)?;
    let records = crate::show::fetch(&world.console(), "cdr?limit=1000")?;
    let record_of = |outcome: &Outcome| {
        let rows = records.as_array().map_or(&[][..], Vec::as_slice);
        rows.iter().filter(|row| row["from"] == outcome.number.as_str()).collect::<Vec<_>>()
    };
    let mut verdict = Verdict {
        calls,
        answered: 0,
        menu_choices_ok: 0,
        two_way_audio_ok: 0,
        frames_lost: 0,
        call_records: 0,
        channels_left_busy: busy_at_exchange + busy,
        seconds: (elapsed.as_secs_f64() * 10.0).round() / 10.0,
    };
    for outcome in &outcomes {
        let rows = record_of(outcome);
        verdict.call_records += rows.len();
        verdict.menu_choices_ok += usize::from(rows.iter().any(|row| chose_two(row)));
        let Some(talk) = pair(outcome, &talks) else { continue };
        verdict.answered += usize::from(outcome.answered);
        let at_agent = audio::compare(&outcome.said, &talk.heard);
        let at_caller = audio::compare(&talk.said, &outcome.heard);
        let enough = at_agent.matched >= ENOUGH && at_caller.matched >= ENOUGH;
        verdict.two_way_audio_ok += usize::from(enough && at_agent.missing + at_caller.missing == 0);
        verdict.frames_lost +=
            (at_agent.missing + at_caller.missing).div_ceil(audio::BLOCK) + talk.lost as usize;
    }
    Ok(verdict)
}

fn chose_two(record: &Value) -> bool {
    record["menu_choices"].as_array().is_some_and(|choices| choices.len() == 1 && choices[0]["digits"] == "2")
}

/// The daemon's own count, once it has no call left: their records are written then.
fn busy_channels(world: &World) -> Result<usize, DemoError> {
    let count = |what: &str, counts: fn(&Value) -> bool| {
        let rows = crate::show::fetch(&world.console(), what)?;
        Ok::<_, DemoError>(rows.as_array().map_or(0, |rows| rows.iter().filter(|row| counts(row)).count()))
    };
    let limit = Instant::now() + FREE_LIMIT;
    loop {
        let calls = count("calls", |_| true)?;
        let busy = count("channels", |row| row["state"] != "idle")?;
        if calls + busy == 0 || Instant::now() > limit {
            return Ok(busy);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
