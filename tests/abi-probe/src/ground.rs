//! What there is to ask: the channels of the two spans, in pairs that a cable joins.

use crate::node::{Answer, Node};
use dahdi_abi::{BufferInfo, Params, flush, limits, policy, request, sig};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Octets of the blocks in most checks: 20 ms.
pub const BLOCK: usize = 160;

/// Samples of a millisecond, which a timer of the driver counts in.
const SAMPLES_A_MS: u64 = 8;
/// The longest that the driver's clock may take for a pause.
const PATIENCE: Duration = Duration::from_secs(60);
/// The timer that [`pause`] waits for.
static CLOCK: Mutex<Option<Node>> = Mutex::new(None);

/// A channel.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// DAHDI's number of it.
    pub number: i32,
    /// Its place in its span.
    pub place: i32,
    /// One of [`sig`].
    pub sig: i32,
    /// Which of the cables its span is at.
    pub cable: usize,
}

/// The two spans.
pub struct Ground {
    dir: PathBuf,
    /// The number of the (first) span at our end.
    pub near_span: i32,
    /// The channels of the near spans.
    pub near: Vec<Channel>,
    /// The channels of the far spans.
    pub far: Vec<Channel>,
}

/// A channel and the one at the other end of the cable.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// At our end.
    pub near: i32,
    /// At the other end.
    pub far: i32,
}

impl Ground {
    /// Looks for the channels of the spans at both ends of the cables.
    pub fn survey(dir: &Path, near: &[i32], far: &[i32]) -> Answer<Ground> {
        let near_span = near.first().copied().unwrap_or(1);
        let mut ground = Ground { dir: dir.to_owned(), near_span, near: Vec::new(), far: Vec::new() };
        let ctl = ground.node("ctl", 0)?;
        *CLOCK.lock().unwrap_or_else(PoisonError::into_inner) = Some(ground.node("timer", 0)?);
        for number in 1..limits::MAX_CHANNELS {
            let mut params = Params { channo: number, ..Params::default() };
            if ctl.call(request::GET_PARAMS, &mut params).is_err() {
                continue;
            }
            for (ends, channels) in [(near, &mut ground.near), (far, &mut ground.far)] {
                let cable = ends.iter().position(|span| *span == params.spanno);
                let channel = |cable| Channel { number, place: params.chanpos, sig: params.sigtype, cable };
                channels.extend(cable.map(channel));
            }
        }
        Ok(ground)
    }

    /// The pairs with these signallings at the near and the far end.
    pub fn pairs(&self, near: i32, far: i32) -> Vec<Pair> {
        let pair = |own: &Channel| {
            let other = self
                .far
                .iter()
                .find(|other| other.cable == own.cable && other.place == own.place && other.sig == far)?;
            (own.sig == near).then_some(Pair { near: own.number, far: other.number })
        };
        self.near.iter().filter_map(pair).collect()
    }

    /// The `n`-th pair of clear channels; there are always some.
    pub fn clear(&self, n: usize) -> Pair {
        let pairs = self.pairs(sig::CLEAR, sig::CLEAR);
        pairs[n % pairs.len()]
    }

    /// The path of a node.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Opens a node by its name.
    pub fn node(&self, name: &str, flags: i32) -> Answer<Node> {
        Node::open(&self.path(name), flags)
    }

    /// Opens a channel by its number, through `channel` and `SPECIFY`, without blocking.
    pub fn channel(&self, number: i32) -> Answer<Node> {
        let node = self.node("channel", libc::O_NONBLOCK)?;
        node.set(request::SPECIFY, number)?;
        Ok(node)
    }

    /// Both ends of a pair, with `count` blocks of [`BLOCK`] each and nothing queued.
    pub fn open_pair(&self, pair: Pair, count: i32) -> Answer<(Node, Node)> {
        let (near, far) = (self.channel(pair.near)?, self.channel(pair.far)?);
        for node in [&near, &far] {
            set_buffers(node, policy::IMMEDIATE, count, BLOCK as i32)?;
            node.set(request::FLUSH, flush::ALL)?;
        }
        Ok((near, far))
    }
}

/// Sets the buffers.
pub fn set_buffers(node: &Node, policy: i32, numbufs: i32, bufsize: i32) -> Answer<usize> {
    let mut info = BufferInfo { txbufpolicy: policy, numbufs, bufsize, ..BufferInfo::default() };
    node.call(request::SET_BUFINFO, &mut info)
}

/// The buffers.
pub fn buffers(node: &Node) -> Answer<BufferInfo> {
    let mut info = BufferInfo::default();
    node.call(request::GET_BUFINFO, &mut info).map(|_| info)
}

/// Waits on the boards' own clock, for a timer of the driver: what a busy machine takes from the driver does not count,
/// so that so much time has passed for its channels.
pub fn pause(ms: u64) {
    let clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let timer = clock.as_ref().expect("the ground was surveyed");
    let samples = i32::try_from(ms * SAMPLES_A_MS).expect("a short time");
    timer.set(request::TIMERCONFIG, samples).expect("the timer is set");
    let began = Instant::now();
    while timer.poll(libc::POLLPRI, PATIENCE).ok().is_none_or(|ready| ready & libc::POLLPRI == 0) {
        assert!(began.elapsed() < PATIENCE, "the driver's clock stands");
    }
    timer.set(request::TIMERCONFIG, 0).expect("the timer is stopped");
    timer.set(request::TIMERACK, -1).expect("nothing is left of it");
}

/// Reads blocks until `enough` says so or the time is up; all octets. Events that stand in the way are thrown away.
pub fn read_until(node: &Node, limit: Duration, mut enough: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let (began, mut all, mut block) = (Instant::now(), Vec::new(), [0; 8192]);
    while began.elapsed() < limit && !enough(&all) {
        match node.read(&mut block) {
            Ok(size) => all.extend_from_slice(&block[..size]),
            Err(dahdi_abi::Errno::LAST) => drop(node.drain()),
            Err(dahdi_abi::Errno::AGAIN) => {
                let wait = limit.saturating_sub(began.elapsed()).min(Duration::from_millis(100));
                let _readiness = node.poll(libc::POLLIN, wait);
            }
            Err(_) => break,
        }
    }
    all
}

/// Octets without a short period.
pub fn pattern(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Where `part` begins in `whole`.
pub fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len().max(1)).position(|window| window == part)
}
