//! What becomes of each error number that a device node can answer. The nodes are mocks; calls on simulated and real
//! boards are in the system tests.

use dahdi_abi::{DeviceNode, Devices, Errno, NodePath, Params, Ready, event, law, request, sig};
use demarc_board::{
    BLOCK, BearerChannel, BearerCounters, BoardError, Control, DChannel, DInput, Event, MAX_FRAME, Place,
    Received, Sent, Signalling, discover,
};
use demarc_model::{Alarm, ChannelNo, SpanNo};
use mockall::Sequence;
use std::sync::Mutex;

mockall::mock! {
    Node {}
    impl DeviceNode for Node {
        fn ioctl(&mut self, request: u32, arg: &mut [u8]) -> Result<i32, Errno>;
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno>;
        fn write(&mut self, data: &[u8]) -> Result<usize, Errno>;
        fn ready(&mut self) -> Result<Ready, Errno>;
        fn poll_fd(&mut self) -> Option<i32>;
    }
}

const SPECIFY: u32 = request::SPECIFY.number();
const GET_PARAMS: u32 = request::GET_PARAMS.number();
const GETEVENT: u32 = request::GETEVENT.number();

/// Gives its one node to whoever opens `path`; every other path is missing.
struct OneNode(NodePath, Mutex<Option<Result<MockNode, Errno>>>);

impl OneNode {
    fn new(path: NodePath, node: MockNode) -> OneNode {
        OneNode(path, Mutex::new(Some(Ok(node))))
    }

    fn refusing(path: NodePath, errno: Errno) -> OneNode {
        OneNode(path, Mutex::new(Some(Err(errno))))
    }
}

impl Devices for OneNode {
    fn open(&self, path: &NodePath) -> Result<Box<dyn DeviceNode>, Errno> {
        if *path != self.0 {
            return Err(Errno::NOENT);
        }
        match self.1.lock().expect("no test panics with it").take() {
            Some(Ok(node)) => Ok(Box::new(node)),
            Some(Err(errno)) => Err(errno),
            None => Err(Errno::BUSY),
        }
    }

    fn name(&self) -> String {
        "/dev/dahdi".into()
    }
}

fn channel(number: u16) -> ChannelNo {
    ChannelNo::new(number).expect("1 to 1024")
}

fn three() -> Place {
    Place::Channel(channel(3))
}

/// A node that is opened as a channel of this signalling, and has no event besides those in `events`.
fn node(sigtype: i32, events: &[i32]) -> MockNode {
    let mut node = MockNode::new();
    let mut events = events.to_vec();
    node.expect_ioctl().returning(move |number, arg| {
        if number == GET_PARAMS {
            arg.copy_from_slice(dahdi_abi::bytes(&mut Params { sigtype, ..Default::default() }));
        }
        if number == GETEVENT {
            let next = if events.is_empty() { event::NONE } else { events.remove(0) };
            arg.copy_from_slice(&next.to_ne_bytes());
        }
        Ok(0)
    });
    node
}

fn bearer(node: MockNode) -> BearerChannel {
    BearerChannel::open(&OneNode::new(NodePath::Channel, node), channel(3)).expect("it opens")
}

fn d_channel(node: MockNode) -> DChannel {
    DChannel::open(&OneNode::new(NodePath::Channel, node), channel(3)).expect("it opens")
}

#[test]
fn an_errno_of_open_says_what_to_do() {
    let rows = [
        (Errno::NOENT, "channel 3: /dev/dahdi/channel is missing; load the board driver or start hw-sim"),
        (Errno::NODEV, "channel 3: /dev/dahdi/channel is missing; load the board driver or start hw-sim"),
        (
            Errno::ACCES,
            "channel 3: no right to open /dev/dahdi/channel; add this user to the group of that file (demarc)",
        ),
        (Errno(12), "channel 3: open failed; see the kernel log"),
    ];
    for (errno, message) in rows {
        let devices = OneNode::refusing(NodePath::Channel, errno);
        let error = BearerChannel::open(&devices, channel(3)).expect_err("refused");
        assert_eq!(error.to_string(), message, "{errno}");
    }
    let missing = Control::open(&OneNode::refusing(NodePath::Channel, Errno::IO)).err().expect("no ctl");
    assert_eq!(
        missing.to_string(),
        "board driver: /dev/dahdi/ctl is missing; load the board driver or start hw-sim"
    );
}

#[test]
fn an_errno_of_specify_says_what_to_do() {
    let rows = [
        (
            Errno::BUSY,
            "channel 3: another program has it open; stop that program, or leave the channel out here",
        ),
        (Errno::NXIO, "channel 3: not configured; run dahdi_cfg"),
        (
            Errno::INVAL,
            "channel 3: the driver has no such number; compare the configuration with `dahdi_scan`",
        ),
        (Errno::NODEV, "channel 3: the board is gone; check the card and its driver, then start again"),
        (Errno::IO, "channel 3: SPECIFY failed; see the kernel log"),
    ];
    for (errno, message) in rows {
        let mut node = MockNode::new();
        node.expect_ioctl()
            .withf(|number, arg| *number == SPECIFY && arg == 3i32.to_ne_bytes())
            .times(1)
            .returning(move |_, _| Err(errno));
        let devices = OneNode::new(NodePath::Channel, node);
        let error = DChannel::open(&devices, channel(3)).expect_err("refused");
        assert_eq!(error.to_string(), message, "{errno}");
    }
}

#[test]
fn a_system_without_the_node_channel_is_opened_by_number() {
    let mut node = MockNode::new();
    node.expect_ioctl().withf(|number, _| *number == SPECIFY).never();
    node.expect_ioctl().returning(|number, arg| {
        if number == GET_PARAMS {
            arg.copy_from_slice(dahdi_abi::bytes(&mut Params { sigtype: sig::CLEAR, ..Default::default() }));
        }
        Ok(0)
    });
    let opened = BearerChannel::open(&OneNode::new(NodePath::Number(3), node), channel(3));
    assert_eq!(opened.expect("it opens").channel(), channel(3));
    let busy = BearerChannel::open(&OneNode::refusing(NodePath::Number(3), Errno::BUSY), channel(3));
    assert_eq!(busy.err(), Some(BoardError::Busy { place: three() }));
}

#[test]
fn a_channel_is_opened_only_for_what_it_is_configured_for() {
    let wrong = |found, needed| BoardError::WrongSignalling { place: three(), found, needed };
    let open = |sigtype| OneNode::new(NodePath::Channel, node(sigtype, &[]));
    let clear = DChannel::open(&open(sig::CLEAR), channel(3));
    assert_eq!(clear.err(), Some(wrong(Signalling::Clear, "dchan")));
    let frames = BearerChannel::open(&open(sig::HDLCFCS), channel(3));
    assert_eq!(frames.err(), Some(wrong(Signalling::DChannel, "bchan")));
    let none = BearerChannel::open(&open(sig::NONE), channel(3)).expect_err("refused");
    assert_eq!(
        none.to_string(),
        "channel 3: configured as unconfigured, needed as bchan; correct system.conf and run dahdi_cfg"
    );
    assert!(DChannel::open(&open(sig::HARDHDLC), channel(3)).is_ok());
}

#[test]
fn a_bearer_is_set_to_blocks_of_a_law() {
    let asked = std::sync::Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let mut node = MockNode::new();
    node.expect_ioctl().returning(move |number, arg| {
        if number == GET_PARAMS {
            arg.copy_from_slice(dahdi_abi::bytes(&mut Params { sigtype: sig::CLEAR, ..Default::default() }));
        }
        let words: Vec<i32> =
            arg.chunks_exact(4).map(|w| i32::from_ne_bytes(w.try_into().unwrap())).collect();
        log.lock().unwrap().push((request::name(number).unwrap(), words));
        // A driver that cannot count losses is good enough.
        if number == request::BUFFER_EVENTS.number() { Err(Errno::NOTTY) } else { Ok(0) }
    });
    bearer(node);
    let asked = asked.lock().unwrap();
    let find = |name| asked.iter().find(|(asked, _)| *asked == name).map(|(_, words)| words.clone());
    assert_eq!(find("DAHDI_AUDIOMODE"), Some(vec![1]));
    assert_eq!(find("DAHDI_SETLAW"), Some(vec![law::ALAW]));
    assert_eq!(find("DAHDI_SET_BUFINFO"), Some(vec![0, 0, 32, 160, -1, -1]));
    assert_eq!(find("DAHDI_FLUSH"), Some(vec![7]));
}

#[test]
fn a_read_behind_an_event_is_tried_again_when_the_event_is_drained() {
    let mut node = node(sig::CLEAR, &[event::ALARM]);
    let mut order = Sequence::new();
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Err(Errno::LAST));
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Err(Errno::INTR));
    node.expect_read().times(1).in_sequence(&mut order).returning(|buffer| {
        buffer.fill(0xd5);
        Ok(buffer.len())
    });
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Ok(80));
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Err(Errno::AGAIN));
    let (mut channel, mut block) = (bearer(node), [0; BLOCK]);
    assert_eq!(channel.read(&mut block), Ok(Received::Event(Event::Alarm)));
    assert_eq!(channel.read(&mut block), Ok(Received::Block(BLOCK)));
    assert_eq!(block, [0xd5; BLOCK]);
    assert_eq!(channel.read(&mut block), Ok(Received::Block(80)), "a short block is told as it is");
    assert_eq!(channel.read(&mut block), Ok(Received::Nothing));
}

#[test]
fn losses_are_counted_and_hide_no_block() {
    let mut node = node(sig::CLEAR, &[event::READ_OVERRUN, event::WRITE_UNDERRUN, event::WRITE_UNDERRUN]);
    let mut order = Sequence::new();
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Err(Errno::LAST));
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Ok(BLOCK));
    let mut channel = bearer(node);
    assert_eq!(channel.read(&mut [0; BLOCK]), Ok(Received::Block(BLOCK)));
    assert_eq!(channel.counters(), BearerCounters { read_overruns: 1, write_underruns: 2 });
}

#[test]
fn a_write_behind_an_event_is_tried_again_and_the_event_is_kept() {
    let mut node = node(sig::CLEAR, &[event::NOALARM, event::BITSCHANGED]);
    let mut order = Sequence::new();
    node.expect_write().times(1).in_sequence(&mut order).returning(|_| Err(Errno::LAST));
    node.expect_write().times(1).in_sequence(&mut order).returning(|data| Ok(data.len()));
    node.expect_write().times(1).in_sequence(&mut order).returning(|_| Err(Errno::AGAIN));
    node.expect_write().times(1).in_sequence(&mut order).returning(|_| Ok(100));
    let mut channel = bearer(node);
    assert_eq!(channel.write(&[0x55; BLOCK]), Ok(Sent::Taken));
    assert_eq!(channel.write(&[0x55; BLOCK]), Ok(Sent::Full));
    assert_eq!(channel.read(&mut [0; BLOCK]), Ok(Received::Event(Event::NoAlarm)));
    assert_eq!(channel.read(&mut [0; BLOCK]), Ok(Received::Event(Event::BitsChanged)));
    let cut = channel.write(&[0x55; BLOCK]).expect_err("a part of a block is lost");
    assert_eq!(cut, BoardError::Cut { place: three(), length: BLOCK, taken: 100 });
    for length in [0, BLOCK + 1] {
        let error = channel.write(&vec![0x55; length]).expect_err("no block");
        assert_eq!(error, BoardError::Length { place: three(), length, max: BLOCK });
    }
}

#[test]
fn a_removed_board_is_gone_for_good() {
    let mut removed = node(sig::CLEAR, &[event::REMOVED]);
    removed.expect_read().times(1).returning(|_| Err(Errno::LAST));
    assert_eq!(bearer(removed).read(&mut [0; BLOCK]), Err(BoardError::Gone { place: three() }));
    let mut vanished = node(sig::CLEAR, &[]);
    vanished.expect_write().times(1).returning(|_| Err(Errno::NODEV));
    assert_eq!(bearer(vanished).write(&[0; BLOCK]), Err(BoardError::Gone { place: three() }));
    let mut broken = node(sig::HDLCFCS, &[]);
    broken.expect_read().times(1).returning(|_| Err(Errno::IO));
    let error = d_channel(broken).receive().expect_err("it fails");
    assert_eq!(error, BoardError::Failed { place: three(), tried: "read", source: Errno::IO });
}

#[test]
fn a_board_that_never_stops_its_events_holds_nobody() {
    let mut node = MockNode::new();
    node.expect_ioctl().returning(|number, arg| {
        if number == GET_PARAMS {
            arg.copy_from_slice(dahdi_abi::bytes(&mut Params { sigtype: sig::CLEAR, ..Default::default() }));
        } else if number == GETEVENT {
            arg.copy_from_slice(&event::ALARM.to_ne_bytes());
        }
        Ok(0)
    });
    node.expect_write().times(1..1000).returning(|_| Err(Errno::LAST));
    let error = bearer(node).write(&[0; BLOCK]).expect_err("given up");
    assert_eq!(error, BoardError::Failed { place: three(), tried: "write", source: Errno::LAST });
}

#[test]
fn frames_lose_and_gain_room_for_the_checksum() {
    let mut node = node(sig::HDLCFCS, &[event::BADFCS]);
    let mut order = Sequence::new();
    let frame = [0x02, 0x01, 0x7f, 0xaa, 0xbb];
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Err(Errno::LAST));
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Ok(2));
    node.expect_read().times(1).in_sequence(&mut order).returning(move |buffer| {
        buffer[..frame.len()].copy_from_slice(&frame);
        Ok(frame.len())
    });
    node.expect_read().times(1).in_sequence(&mut order).returning(|_| Err(Errno::AGAIN));
    node.expect_write()
        .withf(|data| data == [0x02, 0x01, 0x73, 0, 0])
        .times(1)
        .returning(|data| Ok(data.len()));
    node.expect_write().times(1).returning(|_| Err(Errno::AGAIN));
    let mut channel = d_channel(node);
    assert_eq!(channel.receive(), Ok(Some(DInput::Event(Event::BadFcs))));
    assert_eq!(channel.receive(), Ok(Some(DInput::Frame(vec![0x02, 0x01, 0x7f]))));
    assert_eq!(channel.receive(), Ok(None));
    assert_eq!(channel.send(&[0x02, 0x01, 0x73]), Ok(Sent::Taken));
    assert_eq!(channel.send(&[0; MAX_FRAME]), Ok(Sent::Full));
    for length in [0, MAX_FRAME + 1] {
        let error = channel.send(&vec![0; length]).expect_err("no frame");
        assert_eq!(error, BoardError::Length { place: three(), length, max: MAX_FRAME });
    }
}

/// Two spans with a gap between their numbers, as `auto_assign_spans=0` can make; channel 5 is not assigned.
fn two_spans(number: u32, arg: &mut [u8]) -> Result<i32, Errno> {
    let asked = i32::from_ne_bytes(arg[..4].try_into().expect("four octets"));
    if number == request::SPANSTAT.number() {
        let (name, alarms) = match asked {
            1 => ("DEMO/1", 0),
            7 => ("DEMO/2", dahdi_abi::alarm::RED | dahdi_abi::alarm::LOS),
            _ => return Err(Errno::INVAL),
        };
        let mut info = dahdi_abi::SpanInfo {
            spanno: asked,
            name: dahdi_abi::field(name),
            spantype: dahdi_abi::field("E1"),
            alarms,
            crc4count: 9,
            numchans: 3,
            totalchans: 3,
            totalspans: 2,
            ..Default::default()
        };
        arg.copy_from_slice(dahdi_abi::bytes(&mut info));
        return Ok(0);
    }
    let (spanno, chanpos) = match asked {
        1..=3 => (1, asked),
        4 => (7, 1),
        6..=7 => (7, asked - 4),
        _ => return Err(Errno::NXIO),
    };
    let sigtype = if chanpos == 2 { sig::HDLCFCS } else { sig::CLEAR };
    let mut params = Params { channo: asked, spanno, chanpos, sigtype, ..Default::default() };
    arg.copy_from_slice(dahdi_abi::bytes(&mut params));
    Ok(0)
}

#[test]
fn spans_are_discovered_with_gaps_in_their_numbers() {
    let mut node = MockNode::new();
    node.expect_ioctl().times(1..40).returning(two_spans);
    let spans = discover(&OneNode::new(NodePath::Ctl, node)).expect("two spans");
    let seen: Vec<_> =
        spans.iter().map(|s| (s.span.get(), &*s.name, &*s.kind, s.alarm, s.d_channel())).collect();
    let expected =
        [(1, "DEMO/1", "E1", Alarm::Ok, Some(channel(2))), (7, "DEMO/2", "E1", Alarm::Red, Some(channel(6)))];
    assert_eq!(seen, expected);
    let bearers: Vec<u16> = spans[1].bearers().map(|info| info.channel.get()).collect();
    assert_eq!(bearers, [4, 7]);
    assert_eq!(spans[1].channel_at(3).map(|info| info.channel), Some(channel(7)));
}

#[test]
fn a_span_tells_its_state() {
    let mut node = MockNode::new();
    node.expect_ioctl().returning(two_spans);
    let mut control = Control::open(&OneNode::new(NodePath::Ctl, node)).expect("ctl");
    let status = control.span(SpanNo::new(7).unwrap()).expect("a span");
    assert_eq!((status.alarm, status.counters.crc4_errors, status.clock_source), (Alarm::Red, 9, None));
    let unknown = SpanNo::new(2).unwrap();
    assert_eq!(control.span(unknown), Err(BoardError::Unknown { place: Place::Span(unknown) }));
    assert_eq!(control.channel(channel(6)).expect("a channel").signalling, Signalling::DChannel);
    assert_eq!(control.channel(channel(5)), Err(BoardError::Unknown { place: Place::Channel(channel(5)) }));
}
