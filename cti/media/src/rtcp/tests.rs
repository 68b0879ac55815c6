use super::*;
use crate::sender::Marks;
use rtcp_types::RtcpPacketParserExt;

/// What one side has said and heard, and its session.
struct Side {
    rtcp: Rtcp,
    sender: Sender,
    reception: Reception,
}

impl Side {
    fn new(random: u64) -> Side {
        Side { rtcp: Rtcp::new(random), sender: Sender::new(random), reception: Reception::default() }
    }

    fn sends(&mut self, now: Time, number: u16) {
        let marks =
            Marks { sequence: number, timestamp: u32::from(number) * 160, marked: false, fresh: false };
        self.sender.relay(now, 8, marks, 160);
        self.sender.sent(160);
    }

    fn hears(&mut self, number: u16) {
        self.reception.packet(number);
    }

    fn write(&mut self, now: Time, theirs: &Side, bye: bool) -> Vec<u8> {
        let (mut room, quality) = ([0; ROOM], Quality { lost: 5, received: 95, ..Quality::default() });
        let about = (Some(theirs.sender.ssrc()), &quality);
        let length = self.rtcp.write(now, (&self.sender, &self.reception), about, bye, &mut room);
        room[..length].to_vec()
    }

    fn take(&mut self, now: Time, datagram: &[u8], theirs: &Side) -> bool {
        let came = self.reception.received();
        self.rtcp.take(now, datagram, self.sender.ssrc(), Some(theirs.sender.ssrc()), came)
    }
}

/// Read by a library of others: what is written is what was meant.
#[test]
fn a_report_says_what_was_sent_and_what_was_received() {
    let (mut near, far) = (Side::new(1), Side::new(2));
    (0..50).for_each(|number| near.sends(Time::from_millis(u64::from(number) * 20), number));
    (0..100).filter(|number| number % 10 != 7).for_each(|number| near.hears(number));
    let data = near.write(Time::from_millis(1500), &far, true);
    let kinds: Vec<u8> = Compound::parse(&data).unwrap().map(|p| p.unwrap().type_()).collect();
    assert_eq!(kinds, [200, 202, 207, 203]);
    let mut packets = Compound::parse(&data).unwrap();
    let Ok(Packet::Sr(report)) = packets.next().unwrap() else { panic!("no sender report") };
    assert_eq!((report.ssrc(), report.packet_count(), report.octet_count()), (near.sender.ssrc(), 50, 8000));
    assert_eq!(report.ntp_timestamp(), 3 << 31, "1.5 s");
    let block = report.report_blocks().next().unwrap();
    assert_eq!((block.ssrc(), block.cumulative_lost(), block.fraction_lost()), (far.sender.ssrc(), 10, 25));
    let Ok(Packet::Sdes(name)) = packets.next().unwrap() else { panic!("no description") };
    let item = name.chunks().next().unwrap().items().next().unwrap();
    assert_eq!((item.type_(), item.value().len()), (1, 16));
    let Ok(Packet::Xr(_)) = packets.next().unwrap() else { panic!("no extended report") };
    let Ok(Packet::Bye(bye)) = packets.next().unwrap() else { panic!("no goodbye") };
    assert!(bye.ssrcs().eq([near.sender.ssrc()]));
}

/// RFC 3550, 6.4.1, figure 2: the round trip is what is left of the time between two reports.
#[test]
fn the_round_trip_is_told_by_the_peers_report() {
    let (mut near, mut far) = (Side::new(1), Side::new(2));
    near.sends(Time::ZERO, 0);
    far.hears(0);
    let ours = near.write(Time::from_millis(10_000), &far, false);
    assert!(far.take(Time::from_millis(70_030), &ours, &near)); // by a clock a minute ahead
    assert_eq!(near.rtcp.round_trip(), None);
    let theirs = far.write(Time::from_millis(72_530), &near, false);
    assert!(near.take(Time::from_millis(12_550), &theirs, &far));
    let round = near.rtcp.round_trip().unwrap();
    assert!((49..=51).contains(&round.as_millis()), "{round:?}");
    assert_eq!(near.rtcp.far(), Some(FarView { fraction: 0, lost: 0, jitter: 0 }));
}

/// Section 6.2 and 6.3.1: 5 s, times 0.5 to 1.5, divided by 1.21828; the first one half of it.
#[test]
fn reports_are_sent_at_random_times_around_five_seconds() {
    let mut rtcp = Rtcp::new(3);
    assert!(!rtcp.due(Time::ZERO));
    let sent: Vec<u64> = (0..200_000).filter(|ms| rtcp.due(Time::from_millis(*ms))).collect();
    assert!((1026..=3079).contains(&sent[0]), "{}", sent[0]);
    let gaps: Vec<u64> = sent.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (2052..=6157).contains(gap)), "{gaps:?}");
    let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
    assert!(most - least > 2000, "they are random");
}

#[test]
fn who_was_not_heard_since_or_said_goodbye_is_not_reported_on() {
    let (mut near, mut far) = (Side::new(1), Side::new(2));
    let blocks = |data: &[u8]| match Compound::parse(data).unwrap().next() {
        Some(Ok(Packet::Rr(report))) => report.n_reports(),
        other => panic!("{other:?}"),
    };
    assert_eq!(near.write(Time::ZERO, &far, true), [], "never sent anything");
    near.hears(1);
    assert_eq!(blocks(&near.write(Time::ZERO, &far, false)), 1);
    assert_eq!(blocks(&near.write(Time::ZERO, &far, false)), 0);
    near.hears(2);
    far.sends(Time::ZERO, 3);
    let bye = far.write(Time::ZERO, &near, true);
    assert!(near.take(Time::ZERO, &bye, &far));
    assert_eq!(blocks(&near.write(Time::ZERO, &far, false)), 0);
}

#[test]
fn payload_types_and_other_protocols_are_told_from_reports() {
    let rtcp = [[0x80, 200], [0xA0, 201], [0x81, 207]];
    let other = [[0x80, 8], [0x80, 0x88], [0x80, 101 | 0x80], [0, 1], [22, 254], [0x40, 200]];
    assert!(rtcp.iter().all(|start| is_rtcp(start)) && !other.iter().any(|start| is_rtcp(start)));
}

#[test]
fn nothing_malformed_is_taken_or_harms() {
    let (mut near, mut far) = (Side::new(1), Side::new(2));
    far.sends(Time::ZERO, 3);
    far.hears(5);
    let good = far.write(Time::from_millis(100), &near, true);
    let mut state = 9;
    for _ in 0..20_000 {
        let mut data = good.clone();
        data.truncate(random::next(&mut state) as usize % (good.len() + 1));
        for _ in 0..random::next(&mut state) % 4 {
            let at = random::next(&mut state) as usize % good.len();
            data.get_mut(at).into_iter().for_each(|octet| *octet = random::next(&mut state) as u8);
        }
        near.take(Time::from_millis(200), &data, &far);
    }
    for length in (0..good.len()).filter(|length| ![0, 52, 80, 124].contains(length)) {
        assert!(!near.take(Time::ZERO, &good[..length], &far), "cut to {length}");
    }
}
