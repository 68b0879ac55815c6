//! Analog signalling by kewlstart: ring, answer, flash, pulse digits, hang up. The FXO-signalled end feeds a telephone, the
//! FXS-signalled end is one.

use crate::{
    ground::{Ground, pause},
    node::{Answer, Node},
    report::{Report, about, event_name, events, outcome, value, within},
};
use dahdi_abi::{DialOperation, Params, dial, event, field, hook, request, sig};
use std::time::{Duration, Instant};

pub fn run(ground: &Ground, report: &mut Report) -> Answer<()> {
    let pairs = ground.pairs(sig::FXOKS, sig::FXSKS);
    let Some(pair) = pairs.first().copied() else {
        report.tell("channels", "none");
        return Ok(());
    };
    let (feed, phone) = (ground.channel(pair.near)?, ground.channel(pair.far)?);
    // A ring is held back for 2 s after a hang-up.
    pause(2500);
    feed.drain();
    phone.drain();
    hooks("at rest", &feed, &phone, report)?;
    ring(&feed, &phone, report)?;
    flash(&feed, &phone, report)?;
    digits(&feed, &phone, report)?;
    drop_line(&feed, &phone, report)?;
    busy(&feed, &phone, report)?;
    refusals(&feed, report);
    drop((feed, phone));
    closing(ground, pair.near, pair.far, report)
}

/// The events of both ends for so long, each with its milliseconds.
fn watch(feed: &Node, phone: &Node, ms: u64) -> Answer<[Vec<(i32, Duration)>; 2]> {
    let began = Instant::now();
    let mut seen = [Vec::new(), Vec::new()];
    while began.elapsed() < Duration::from_millis(ms) {
        for (node, seen) in [feed, phone].into_iter().zip(&mut seen) {
            node.poll(libc::POLLPRI, Duration::from_millis(2))?;
            seen.extend(node.drain().into_iter().map(|event| (event, began.elapsed())));
        }
    }
    Ok(seen)
}

fn names(seen: &[(i32, Duration)]) -> String {
    events(&seen.iter().map(|(event, _)| *event).collect::<Vec<_>>())
}

fn time_of(seen: &[(i32, Duration)], wanted: i32) -> Duration {
    seen.iter().find(|(event, _)| *event == wanted).map_or(Duration::MAX / 2, |(_, at)| *at)
}

fn hooks(when: &str, feed: &Node, phone: &Node, report: &mut Report) -> Answer<()> {
    for (name, node) in [("FXO end", feed), ("FXS end", phone)] {
        let mut params = Params::default();
        node.call(request::GET_PARAMS, &mut params)?;
        let Params { rxisoffhook, rxhooksig, txhooksig, .. } = params;
        report.tell(
            &format!("{when}, {name}: off hook, received, sent"),
            format!("{rxisoffhook} {rxhooksig} {txhooksig}"),
        );
    }
    Ok(())
}

fn ring(feed: &Node, phone: &Node, report: &mut Report) -> Answer<()> {
    report.check("RING, not blocking", outcome(feed.set(request::HOOK, hook::RING)), "EINPROGRESS");
    let [at_feed, at_phone] = watch(feed, phone, 5000)?;
    report.tell("RING for 5 s: FXO end", names(&at_feed));
    report.tell("RING for 5 s: FXS end", names(&at_phone));
    report.check("RINGBEGIN comes", within(time_of(&at_phone, event::RINGBEGIN), 60), "within 60 ms");
    report.check("RINGEROFF comes", about(time_of(&at_feed, event::RINGEROFF), 2000, 60), "about 2000 ms");
    report.check(
        "RINGOFFHOOK comes",
        about(time_of(&at_phone, event::RINGOFFHOOK), 2050, 80),
        "about 2050 ms",
    );
    report.check("answer: OFFHOOK", outcome(phone.set(request::HOOK, hook::OFFHOOK)), "ok");
    let [at_feed, at_phone] = watch(feed, phone, 700)?;
    report.check(
        "answer: RINGOFFHOOK comes",
        within(time_of(&at_feed, event::RINGOFFHOOK), 60),
        "within 60 ms",
    );
    report.tell(
        "answer: FXO end",
        names(&at_feed.into_iter().filter(|(e, _)| *e != event::RINGERON).collect::<Vec<_>>()),
    );
    report.tell("answer: FXS end", names(&at_phone));
    hooks("answered", feed, phone, report)?;
    report.tell("stop ringing: OFFHOOK", outcome(feed.set(request::HOOK, hook::OFFHOOK)));
    let [at_feed, at_phone] = watch(feed, phone, 1000)?;
    report.tell("stop ringing: both", format!("{}; {}", names(&at_feed), names(&at_phone)));
    hooks("talking", feed, phone, report)
}

fn flash(feed: &Node, phone: &Node, report: &mut Report) -> Answer<()> {
    report.check("FLASH, not blocking", outcome(phone.set(request::HOOK, hook::FLASH)), "EINPROGRESS");
    let [at_feed, at_phone] = watch(feed, phone, 1800)?;
    report.check("FLASH: FXO end", names(&at_feed), "WINKFLASH");
    report.check("FLASH: FXS end", names(&at_phone), "HOOKCOMPLETE");
    report.check("WINKFLASH comes", about(time_of(&at_feed, event::WINKFLASH), 800, 40), "about 800 ms");
    phone.set_blocking(true);
    // A file system in user space learns of O_NONBLOCK with the next read.
    let _block = phone.read(&mut [0; 4096]);
    let began = Instant::now();
    report.check("FLASH, blocking", outcome(phone.set(request::HOOK, hook::FLASH)), "ok");
    report.check("FLASH, blocking, takes", about(began.elapsed(), 800, 40), "about 800 ms");
    phone.set_blocking(false);
    let _block = phone.read(&mut [0; 4096]);
    let [at_feed, at_phone] = watch(feed, phone, 1000)?;
    report.tell("FLASH, blocking: both", format!("{}; {}", names(&at_feed), names(&at_phone)));
    Ok(())
}

fn digits(feed: &Node, phone: &Node, report: &mut Report) -> Answer<()> {
    let dial = |op: i32, digits: &str| {
        outcome(phone.call(request::DIAL, &mut DialOperation { op, dialstr: field(digits) }))
    };
    report.check("DIAL P37", dial(dial::REPLACE, "P37"), "ok");
    report.tell("DIALING", value(phone.get(request::DIALING)));
    let [at_feed, at_phone] = watch(feed, phone, 4500)?;
    report.tell("DIAL P37: FXO end", names(&at_feed));
    report.tell("DIAL P37: FXS end", names(&at_phone));
    report.check("DIALING after it", value(phone.get(request::DIALING)), 0);
    report.tell("DIAL T12", dial(dial::REPLACE, "T12"));
    let [_, at_phone] = watch(feed, phone, 1500)?;
    report.tell("DIAL T12: FXS end", names(&at_phone));
    report.tell("DIAL X", dial(dial::REPLACE, "X"));
    phone.drain();
    Ok(())
}

fn drop_line(feed: &Node, phone: &Node, report: &mut Report) -> Answer<()> {
    report.tell("battery drop: ONHOOK, not blocking", outcome(feed.set(request::HOOK, hook::ONHOOK)));
    let [at_feed, at_phone] = watch(feed, phone, 1500)?;
    report.check("battery drop: FXS end", names(&at_phone), "ONHOOK");
    report.check("battery drop: ONHOOK comes", within(time_of(&at_phone, event::ONHOOK), 60), "within 60 ms");
    report.tell("battery drop: FXO end", names(&at_feed));
    report.tell("hang up: ONHOOK", outcome(phone.set(request::HOOK, hook::ONHOOK)));
    let [at_feed, at_phone] = watch(feed, phone, 2500)?;
    report.check("hang up: FXO end", names(&at_feed), "ONHOOK");
    report.check("hang up: ONHOOK comes", about(time_of(&at_feed, event::ONHOOK), 1250, 60), "about 1250 ms");
    report.tell("hang up: FXS end", names(&at_phone));
    hooks("hung up", feed, phone, report)
}

/// Events in the way of reading, and what a blocked read does when one comes.
fn busy(feed: &Node, phone: &Node, report: &mut Report) -> Answer<()> {
    phone.set(request::HOOK, hook::OFFHOOK)?;
    pause(100);
    report.check("an event waits: read", value(feed.read(&mut [0; 160])), "ELAST");
    report.check("an event waits: write", value(feed.write(&[0; 160])), "ELAST");
    report.check("an event waits: it is", events(&feed.drain()), "RINGOFFHOOK");
    phone.set(request::HOOK, hook::ONHOOK)?;
    pause(2000);
    feed.drain();
    phone.drain();
    crate::ground::set_buffers(feed, 0, 2, 4000)?;
    feed.set(request::FLUSH, dahdi_abi::flush::ALL)?;
    feed.set_blocking(true);
    phone.set(request::HOOK, hook::OFFHOOK)?;
    pause(60);
    report.tell("a blocking read while an event waits", value(feed.read(&mut [0; 4000])));
    report.tell("the event", event_name(feed.event()?));
    report.tell("the next read", value(feed.read(&mut [0; 4000])));
    feed.set_blocking(false);
    let _block = feed.read(&mut [0; 4000]);
    phone.set(request::HOOK, hook::ONHOOK)?;
    pause(2200);
    feed.drain();
    phone.drain();
    Ok(())
}

fn refusals(feed: &Node, report: &mut Report) {
    report.tell("HOOK 99", outcome(feed.set(request::HOOK, 99)));
    report.tell("HOOK WINK at the FXO end", outcome(feed.set(request::HOOK, hook::WINK)));
    pause(600);
    feed.drain();
    report.tell("RINGOFF when nothing rings", outcome(feed.set(request::HOOK, hook::RINGOFF)));
    report.tell("AUDIOMODE", outcome(feed.set(request::AUDIOMODE, 1)));
    report.tell("SETLINEAR", outcome(feed.set(request::SETLINEAR, 1)));
    report.tell("SETTXBITS", outcome(feed.set(request::SETTXBITS, 1)));
    report.tell("TONEDETECT", outcome(feed.set(request::TONEDETECT, 1)));
    report.tell("ONHOOKTRANSFER", outcome(feed.set(request::ONHOOKTRANSFER, 100)));
    report.tell("SETPOLARITY", outcome(feed.set(request::SETPOLARITY, 1)));
    feed.drain();
}

fn closing(ground: &Ground, near: i32, far: i32, report: &mut Report) -> Answer<()> {
    let (feed, phone) = (ground.channel(near)?, ground.channel(far)?);
    pause(2500);
    feed.drain();
    phone.drain();
    phone.set(request::HOOK, hook::OFFHOOK)?;
    report.check(
        "off hook again",
        feed.wait_event(Duration::from_secs(1)).map_or(String::new(), |e| event_name(e.0)),
        "RINGOFFHOOK",
    );
    pause(500);
    feed.drain();
    drop(phone);
    let news = feed.wait_event(Duration::from_millis(2500));
    report.check("a close hangs up", news.map_or("nothing".to_owned(), |e| event_name(e.0)), "ONHOOK");
    report.check(
        "a close hangs up after",
        news.map_or("never".to_owned(), |e| about(e.1, 1250, 60)),
        "about 1250 ms",
    );
    Ok(())
}
