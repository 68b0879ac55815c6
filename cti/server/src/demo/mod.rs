//! `demarc demo`: the whole product on a simulated board, with a telephone company, callers and agents around it.
//!
//! The callers and the agents are outside of the daemon: they reach it through device nodes and by SIP. Where FUSE can
//! be mounted, the daemon is a process of its own and its nodes are files; otherwise it runs in this process on the
//! simulator's in-process nodes.

mod audio;
mod exchange;
mod phones;
mod verdict;
mod view;
mod world;

use audio::{Clip, ClipError};
use exchange::{Caller, Exchange, Outcome};
use phones::{Phone, Talk};
use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};
use world::World;

pub use verdict::Verdict;
pub use world::WorldError;

/// The number that is called, as in the demo's configuration.
const NUMBER: &str = "5551000";
/// Time between two turns of the far ends.
const TURN: Duration = Duration::from_millis(5);
/// Time between two calls of a run to a verdict.
const CALL_GAP: Duration = Duration::from_millis(150);
/// How long spans and telephones may take to come up.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Callers at once in the demo without end: enough that some wait.
const CROWD: usize = 9;
/// Conversations kept for the verdict of the demo without end: none; it only shows.
const KEPT: usize = 0;

/// What the demo is to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Run `calls` calls to a verdict and end.
    pub once: bool,
    /// How many calls of a run to a verdict.
    pub calls: usize,
    /// Print the verdict as one JSON object and nothing else on standard output.
    pub json: bool,
    /// Do not mount the simulator, run all in this process.
    pub in_process: bool,
}

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Simulator, daemon or devices.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The far end of the cable.
    #[error("the demo's exchange")]
    Exchange(#[from] demarc_board::BoardError),
    /// The recordings.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The daemon's answers.
    #[error(transparent)]
    Show(#[from] crate::show::ShowError),
    /// Spans or telephones did not come up.
    #[error("{what} did not come up within {} seconds; the machine may be overloaded, try again", START_LIMIT.as_secs())]
    Slow {
        /// What.
        what: &'static str,
    },
    /// Sockets, terminal.
    #[error("the operating system refuses a resource")]
    System(#[from] io::Error),
}

/// The recordings: what callers say, and what each agent says.
struct Speech {
    callers: Vec<Clip>,
    agents: [Clip; 3],
}

impl Speech {
    /// Conversations to a verdict are short; those to be looked at are long enough for callers to wait.
    fn load(once: bool) -> Result<Speech, ClipError> {
        let [first, second, third] = match once {
            true => ["demo-thanks", "agent-newlocation", "demo-nomatch"],
            false => ["demo-moreinfo", "demo-nogo", "demo-abouttotry"],
        };
        let callers = ["demo-congrats", "basic-pbx-ivr-main", "demo-instruct", "demo-moreinfo"];
        Ok(Speech {
            callers: callers.into_iter().map(audio::clip).collect::<Result<_, _>>()?,
            agents: [audio::clip(first)?, audio::clip(second)?, audio::clip(third)?],
        })
    }
}

/// Everything outside of the daemon.
struct Outside {
    exchange: Exchange,
    phones: Vec<Phone>,
    speech: Speech,
    called: usize,
}

/// Set by Ctrl-C, SIGTERM and SIGHUP.
static STOP: AtomicBool = AtomicBool::new(false);

/// Lets the demo stop; a run to a verdict comes to none then.
pub fn request_stop() {
    STOP.store(true, Ordering::Relaxed);
}

fn is_to_stop() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Runs the demo. `true` when all is well, as the exit status is to say.
///
/// # Errors
/// When it cannot run at all.
pub fn run(options: Options) -> Result<bool, DemoError> {
    let speech = Speech::load(options.once)?;
    let mut world = World::build(options.in_process)?;
    let exchange = Exchange::open(world.devices(), world.far_span())?;
    let phones = (world::AGENTS.iter().zip(&speech.agents))
        .map(|((user, password), clip)| Phone::new(user, password, world.sip(), clip.clone()))
        .collect::<io::Result<_>>()?;
    let mut outside = Outside { exchange, phones, speech, called: 0 };
    outside.wait_until_up(&world)?;
    eprintln!("console: {}", world.console());
    if options.once {
        let Some(verdict) = outside.run_to_verdict(&mut world, options)? else { return Ok(false) };
        verdict.print(options.json)?;
        Ok(verdict.all_well())
    } else {
        outside.run_on(&mut world)?;
        Ok(true)
    }
}

impl Outside {
    fn turn(&mut self) -> Result<(), DemoError> {
        self.exchange.turn()?;
        for phone in &mut self.phones {
            phone.turn()?;
        }
        self.end_conversations();
        thread::sleep(TURN);
        Ok(())
    }

    /// When an agent has said everything one of both hangs up: the caller of every other call.
    fn end_conversations(&mut self) {
        for phone in &mut self.phones {
            let Some(caller) = phone.finished_with().cloned() else { continue };
            if caller.as_str().ends_with(['0', '2', '4', '6', '8']) {
                phone.hang_up();
            } else {
                self.exchange.hang_up(&caller);
            }
        }
    }

    fn wait_until_up(&mut self, world: &World) -> Result<(), DemoError> {
        let limit = Instant::now() + START_LIMIT;
        let mut ready = false;
        while !ready || !self.exchange.is_up() || self.phones.iter().any(|phone| !phone.registered) {
            if Instant::now() > limit {
                let what = match (ready, self.exchange.is_up()) {
                    (false, _) => "the daemon",
                    (_, false) => "the span",
                    _ => "the agents' telephones",
                };
                return Err(DemoError::Slow { what });
            }
            ready = ready || world.is_ready()?;
            self.turn()?;
        }
        Ok(())
    }

    fn call(&mut self) {
        let speech = self.speech.callers[self.called % self.speech.callers.len()].clone();
        self.called += 1;
        let digit = demarc_model::Digit::new('2').unwrap_or_else(|| unreachable!("2 is a digit"));
        let number = format!("21155{:05}", self.called).as_str().into();
        self.exchange.call(Caller { number, to: NUMBER.into(), digit, speech });
    }

    /// `None` when it was to stop before.
    fn run_to_verdict(&mut self, world: &mut World, options: Options) -> Result<Option<Verdict>, DemoError> {
        let start = Instant::now();
        // A caller talks for some seconds, and three agents serve them all.
        let limit = start + Duration::from_secs(60 + 8 * options.calls as u64);
        let (mut next_call, mut told) = (start, start);
        while self.exchange.ended.len() < options.calls && Instant::now() < limit {
            if is_to_stop() {
                return self.end(world).map(|()| None);
            }
            // A span has 30 channels: the thirty-first caller waits for one to be free.
            if self.called < options.calls && next_call <= Instant::now() && self.exchange.active() < 30 {
                self.call();
                next_call = Instant::now() + CALL_GAP;
            }
            if told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                self.tell(options.calls)?;
            }
            self.turn()?;
        }
        self.settle()?;
        eprintln!();
        let outcomes = std::mem::take(&mut self.exchange.ended);
        let talks = self.phones.iter_mut().flat_map(|phone| std::mem::take(&mut phone.ended)).collect();
        let busy = self.exchange.busy_channels();
        verdict::judge(options.calls, outcomes, talks, busy, world, start.elapsed()).map(Some)
    }

    fn tell(&self, calls: usize) -> io::Result<()> {
        let (ended, active) = (self.exchange.ended.len(), self.exchange.active());
        let mut out = io::stderr().lock();
        write!(out, "\r{ended} of {calls} calls done, {active} up ")?;
        out.flush()
    }

    /// Lets the last BYE and RELEASE COMPLETE arrive.
    fn settle(&mut self) -> Result<(), DemoError> {
        let limit = Instant::now() + Duration::from_secs(5);
        while Instant::now() < limit
            && (self.exchange.busy_channels() > 0 || self.phones.iter().any(Phone::is_busy))
        {
            self.turn()?;
        }
        Ok(())
    }

    fn run_on(&mut self, world: &mut World) -> Result<(), DemoError> {
        let mut view = view::View::start(world.console())?;
        let mut next_call = Instant::now();
        while !is_to_stop() {
            if next_call <= Instant::now() && self.exchange.active() < CROWD {
                self.call();
                next_call = Instant::now() + Duration::from_millis(1200);
            }
            self.turn()?;
            self.exchange.ended.truncate(KEPT);
            self.phones.iter_mut().for_each(|phone| phone.ended.truncate(KEPT));
            view.draw_when_due()?;
        }
        self.end(world)
    }

    fn end(&mut self, world: &mut World) -> Result<(), DemoError> {
        // The terminal may be closed.
        let _ = writeln!(io::stderr(), "ending");
        world.request_stop();
        // The far ends live on so that the daemon can clear its calls with them.
        while !world.has_ended()? {
            self.turn()?;
        }
        Ok(())
    }
}

/// The conversation that an agent had with a caller, beside what the caller had of it.
fn pair<'a>(outcome: &'a Outcome, talks: &'a [Talk]) -> Option<&'a Talk> {
    talks.iter().find(|talk| talk.caller == outcome.number)
}
