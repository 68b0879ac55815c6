//! Boards that are pulled out under way and put back, and what `/proc/dahdi` tells of them.
#![allow(clippy::unwrap_used)] // A helper that fails is a test that fails.

mod common;

use common::Bench;
use dahdi_abi::{Errno, NodePath, Params, Ready, SpanInfo, alarm, event, request};
use demarc_model::SpanNo;
use hw_sim::{Description, Simulator};

fn span(number: u16) -> SpanNo {
    SpanNo::new(number).unwrap()
}

fn status(bench: &Bench, spanno: i32) -> Result<SpanInfo, Errno> {
    bench.ctl().call(request::SPANSTAT, SpanInfo { spanno, ..SpanInfo::default() })
}

fn with<R>(simulator: &Simulator, act: impl FnOnce(&mut hw_sim::Sim) -> R) -> R {
    simulator.with(act)
}

#[test]
fn a_board_that_is_pulled_out_says_so_for_a_second_and_is_gone() {
    let bench = Bench::new();
    let (mut near, mut far) = (bench.channel(1), bench.channel(32));
    assert!(with(&bench.simulator, |sim| sim.remove_board(span(1))));
    assert!(!with(&bench.simulator, |sim| sim.remove_board(span(1))), "it is out");
    assert_eq!((near.event(), near.event()), (event::REMOVED, event::ALARM));
    assert_eq!({ status(&bench, 1).unwrap().alarms }, alarm::NOTOPEN);
    assert_eq!(far.event(), event::NONE);
    bench.pass(1000);
    assert_eq!(near.read(160), Err(Errno::NODEV));
    assert_eq!(near.write(&[0; 160]), Err(Errno::NODEV));
    assert_eq!(near.get(request::CHANNO), Err(Errno::NODEV));
    assert!(near.0.ready().unwrap().contains(Ready::ERR));
    let mut told = [0; 4];
    assert_eq!(near.0.ioctl(request::GETEVENT.number(), &mut told), Err(Errno::NODEV));
    assert_eq!(i32::from_ne_bytes(told), event::REMOVED, "the event is told with the error");
    assert_eq!(far.event(), event::ALARM, "the far end hears nothing any more");
    assert_eq!(status(&bench, 1).err(), Some(Errno::INVAL));
    assert_eq!(status(&bench, 2).map(|info| info.totalspans), Ok(1));
    assert_eq!(bench.open(NodePath::Number(2)).err(), Some(Errno::NXIO));
    let asked = Params { channo: 2, ..Params::default() };
    assert_eq!(bench.ctl().call(request::GET_PARAMS, asked).err(), Some(Errno::INVAL));
    let nodes = with(&bench.simulator, |sim| sim.nodes());
    assert!(!nodes.contains(&NodePath::Number(2)) && !nodes.contains(&NodePath::Chan(1, 2)));
    assert_eq!(with(&bench.simulator, |sim| sim.proc_text(span(1))), None);
}

#[test]
fn a_board_that_comes_back_has_its_numbers_and_carries_sound() {
    let bench = Bench::new();
    let near = bench.channel(1);
    with(&bench.simulator, |sim| sim.remove_board(span(1)));
    assert!(!with(&bench.simulator, |sim| sim.return_board(span(1))), "not before it is forgotten");
    bench.pass(2000);
    assert!(with(&bench.simulator, |sim| sim.return_board(span(1))));
    assert_eq!({ status(&bench, 1).unwrap().alarms }, alarm::NONE);
    assert_eq!({ status(&bench, 2).unwrap().alarms }, alarm::NONE);
    let (mut again, mut far) = (bench.channel(1), bench.channel(32));
    assert_eq!(again.get(request::CHANNO), Ok(1), "while the old file is still there");
    again.buffers(4, 160, 0).unwrap();
    far.buffers(4, 160, 0).unwrap();
    again.write(&[7; 160]).unwrap();
    bench.pass(20);
    assert_eq!(far.read(160).unwrap()[100], 7);
    drop(near);
    assert_eq!(again.get(request::CHANNO), Ok(1), "closing the old file changes nothing");
}

#[test]
fn where_nothing_is_open_a_board_goes_at_once() {
    let card = "[[span]]\nkind = \"analog\"\nfxs = 1\n[[span]]\nkind = \"analog\"\nfxo = 1\n[[line]]\nfrom = 1\nto = 2\n";
    let bench = Bench::of(&Description::from_toml(card).unwrap());
    bench.pass(2000);
    let mut fxo = bench.channel(2);
    assert!(with(&bench.simulator, |sim| sim.remove_board(span(1))));
    assert_eq!(bench.open(NodePath::Number(1)).err(), Some(Errno::NXIO));
    bench.pass(1100);
    assert_eq!((fxo.event(), fxo.event()), (event::ALARM, event::NONE), "no battery on its line");
    drop(fxo);
    bench.pass(5000);
    assert_eq!(with(&bench.simulator, |sim| sim.next_edge()), None, "nothing of it keeps the clock awake");
    let mut fxo = bench.channel(2);
    with(&bench.simulator, |sim| sim.return_board(span(1)));
    bench.pass(1100);
    assert_eq!(fxo.event(), event::NOALARM);
}

#[test]
fn a_card_with_four_spans_takes_them_along() {
    let te4 = "[[span]]\ncard = \"te4\"\n".repeat(5);
    let boards = format!("{te4}[[span]]\n[[cable]]\nfrom = 2\nto = 6\n");
    let bench = Bench::of(&Description::from_toml(&boards).unwrap());
    let mut fourth = bench.channel(94);
    assert!(with(&bench.simulator, |sim| sim.remove_board(span(2))));
    assert!(!with(&bench.simulator, |sim| sim.remove_board(span(1))), "it is out with the others");
    assert_eq!(fourth.event(), event::REMOVED);
    let known = |bench: &Bench| (1..=6).filter(|span| status(bench, *span).is_ok()).collect::<Vec<_>>();
    assert_eq!(known(&bench), [4, 5, 6], "the one that is open stays for a second; 5 is on the next card");
    assert!(!with(&bench.simulator, |sim| sim.return_board(span(1))), "one is on its way out");
    bench.pass(1000);
    assert_eq!(known(&bench), [5, 6]);
    assert!(with(&bench.simulator, |sim| sim.return_board(span(1))));
    assert_eq!(known(&bench), [1, 2, 3, 4, 5, 6]);
    assert_eq!({ status(&bench, 6).unwrap().alarms }, alarm::NONE, "its far end is back");
}

#[test]
fn the_text_of_proc_dahdi() {
    let text = "[[span]]\ncard = \"te4\"\n[[span]]\nkind = \"analog\"\nfxs = 1\nfxo = 1\ncard = \"tdm24\"\n";
    let bench = Bench::of(&Description::from_toml(text).unwrap());
    let _open = bench.channel(2);
    bench.pass(1100);
    let proc = |number| with(&bench.simulator, |sim| sim.proc_text(span(number))).unwrap();
    let first = proc(1);
    let mut lines = first.lines();
    assert_eq!(
        lines.next(),
        Some("Span 1: TE4/0/1 \"T4XXP (PCI) Card 0 Span 1\" (MASTER) CCS/HDB3/CRC4 RED "),
    );
    assert_eq!((lines.next(), lines.next()), (Some(""), Some("\t   1 TE4/0/1/1 Clear RED ")));
    assert_eq!(lines.next(), Some("\t   2 TE4/0/1/2 Clear (In use) RED "));
    assert_eq!(lines.nth(13), Some("\t  16 TE4/0/1/16 HDLCFCS RED "));
    let card = proc(2);
    let expected = "Span 2: WCTDM/1 \"Wildcard TDM2400P Board 2\" \n\n\
        \t  32 WCTDM/1/1 FXOKS \n\t  33 WCTDM/1/2 FXSKS RED \n";
    assert_eq!(card, expected);
}

#[test]
fn the_description_in_the_documentation_is_one() {
    let page = include_str!("../../docs/simulator-boards.md");
    let text = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let bench = Bench::of(&Description::from_toml(text).unwrap());
    assert_eq!(status(&bench, 4).map(|info| info.totalspans), Ok(4));
    let wires = bench.simulator.with(|sim| sim.wires(demarc_model::ChannelNo::new(91).unwrap())).unwrap();
    assert!(wires.battery, "channel 91 is wired to channel 87");
}
