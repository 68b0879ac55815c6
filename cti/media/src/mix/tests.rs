use super::*;

fn ms(slot: usize) -> Time {
    Time::from_millis(slot as u64 * 20)
}

fn legs(count: u64) -> impl Iterator<Item = LegId> + Clone {
    (1..=count).map(LegId)
}

/// What each party says in each block: no two alike.
fn said(leg: LegId, block: usize) -> [u8; BLOCK] {
    let mut seed = (leg.0 as u32).wrapping_mul(2_654_435_761) ^ block as u32;
    std::array::from_fn(|_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
}

fn linear(octet: u8) -> i32 {
    if matches!(octet, 0xD5 | 0x55) { 0 } else { i32::from(alaw_to_linear(octet)) }
}

/// Straightforward: for each sample of each listener, the sum over all that it hears.
fn reference(speakers: &[LegId], block: usize) -> [u8; BLOCK] {
    std::array::from_fn(|n| {
        let sum: i32 = speakers.iter().map(|leg| linear(said(*leg, block)[n])).sum();
        linear_to_alaw(sum.clamp(-32_768, 32_767) as i16)
    })
}

/// Runs slots in which all say something; gives what each heard in the last one.
fn run(
    conference: &mut Conference,
    count: u64,
    slots: std::ops::Range<usize>,
) -> BTreeMap<LegId, [u8; BLOCK]> {
    let mut heard = BTreeMap::new();
    for slot in slots {
        legs(count).for_each(|leg| conference.hear(leg, &said(leg, slot)));
        for leg in legs(count) {
            let mut block = [0; BLOCK];
            if conference.play(ms(slot), leg, &mut block) {
                heard.insert(leg, block);
            }
        }
    }
    heard
}

/// Blocks that sound waits before it is mixed.
const LATE: usize = DEPTH - 1;

#[test]
fn everybody_hears_the_others_to_the_sample() {
    for count in [2, 3, 10, 100] {
        let mut conference = Conference::default();
        assert!(legs(count).all(|leg| conference.join(leg, MixRole::Party)));
        let heard = run(&mut conference, count, 0..10);
        for leg in legs(count) {
            let others: Vec<LegId> = legs(count).filter(|other| *other != leg).collect();
            assert_eq!(heard[&leg], reference(&others, 9 - LATE), "{leg} of {count}");
        }
    }
}

#[test]
fn a_whisper_is_heard_by_one_and_a_listener_by_nobody() {
    let (caller, agent, whisperer, listener) = (LegId(1), LegId(2), LegId(3), LegId(4));
    let mut conference = Conference::default();
    conference.join(caller, MixRole::Party);
    conference.join(agent, MixRole::Party);
    conference.join(whisperer, MixRole::Whisper { to: agent });
    conference.join(listener, MixRole::Listener);
    let heard = run(&mut conference, 4, 0..10);
    let rows: [(LegId, &[LegId]); 4] = [
        (caller, &[agent]),
        (agent, &[caller, whisperer]),
        (whisperer, &[caller, agent]),
        (listener, &[caller, agent]),
    ];
    for (leg, hears) in rows {
        assert_eq!(heard[&leg], reference(hears, 9 - LATE), "{leg}");
    }
    conference.join(whisperer, MixRole::Party);
    let heard = run(&mut conference, 4, 10..20);
    assert_eq!(heard[&caller], reference(&[agent, whisperer], 19 - LATE), "barged in");
}

#[test]
fn parties_come_and_go_without_a_gap_for_the_others() {
    let mut conference = Conference::default();
    assert!(legs(3).all(|leg| conference.join(leg, MixRole::Party)));
    run(&mut conference, 3, 0..10);
    conference.leave(LegId(3));
    conference.join(LegId(4), MixRole::Party);
    let heard = run(&mut conference, 4, 10..11);
    assert_eq!(heard[&LegId(1)], reference(&[LegId(2)], 10 - LATE), "the new one's sound gathers");
    assert!(!heard.contains_key(&LegId(3)));
    let heard = run(&mut conference, 4, 11..20);
    assert_eq!(heard[&LegId(1)], reference(&[LegId(2), LegId(4)], 19 - LATE));
}

#[test]
fn a_level_makes_one_party_louder_and_mutes_it() {
    let mut conference = Conference::default();
    assert!(legs(2).all(|leg| conference.join(leg, MixRole::Party)));
    conference.set_level(LegId(1), 50);
    let heard = run(&mut conference, 2, 0..10)[&LegId(2)];
    let half = said(LegId(1), 9 - LATE).map(|octet| linear_to_alaw((linear(octet) / 2) as i16));
    assert_eq!(heard, half);
    conference.set_level(LegId(1), 0);
    assert_eq!(run(&mut conference, 2, 10..20)[&LegId(2)], [ALAW_SILENCE; BLOCK]);
}

#[test]
fn the_hundred_and_first_is_refused_and_silence_does_not_add_up() {
    let mut conference = Conference::default();
    assert!(legs(100).all(|leg| conference.join(leg, MixRole::Party)));
    assert!(!conference.join(LegId(101), MixRole::Party));
    assert!(conference.join(LegId(100), MixRole::Listener), "a role can be changed in a full one");
    let mut block = [0; BLOCK];
    for slot in 0..5 {
        legs(100).for_each(|leg| conference.hear(leg, &[0x55; BLOCK]));
        conference.play(ms(slot), LegId(1), &mut block);
    }
    assert_eq!(block, [ALAW_SILENCE; BLOCK]);
}

#[test]
fn a_line_that_asks_ahead_of_time_misses_nothing() {
    let mut conference = Conference::default();
    assert!(legs(2).all(|leg| conference.join(leg, MixRole::Party)));
    let mut heard = Vec::new();
    for slot in 0..20 {
        conference.hear(LegId(1), &said(LegId(1), slot));
        // Six blocks at once to begin with, then one for each that was played.
        for _ in 0..if slot == 0 { 6 } else { 1 } {
            let mut block = [0; BLOCK];
            conference.play(ms(slot), LegId(2), &mut block);
            heard.extend(block);
        }
    }
    let all: Vec<u8> = (0..20 - LATE)
        .flat_map(|block| said(LegId(1), block))
        .map(|o| if o == 0x55 { 0xD5 } else { o })
        .collect();
    assert_eq!(heard[heard.len() - all.len()..], all);
}

#[test]
fn any_roles_and_levels_of_a_hundred_are_the_sum_of_what_each_may_hear() {
    let mut conference = Conference::default();
    let role = |leg: LegId| match leg.0 % 10 {
        8 => MixRole::Listener,
        9 => MixRole::Whisper { to: LegId(leg.0 / 20 + 1) },
        _ => MixRole::Party,
    };
    let level = |leg: LegId| [100, 0, 37, 250, 400][leg.0 as usize % 5];
    for leg in legs(100) {
        assert!(conference.join(leg, role(leg)));
        conference.set_level(leg, level(leg));
    }
    let heard = run(&mut conference, 100, 0..10);
    let share = |speaker: LegId, n: usize| {
        let sample = linear(said(speaker, 9 - LATE)[n]);
        (sample * (i32::from(level(speaker)) * 256 / 100) / 256).clamp(-32_768, 32_767)
    };
    let mut cut = 0;
    for listener in legs(100) {
        let hears = |speaker: &LegId| {
            *speaker != listener
                && match role(*speaker) {
                    MixRole::Party => true,
                    MixRole::Listener => false,
                    MixRole::Whisper { to } => to == listener,
                }
        };
        let wanted: [u8; BLOCK] = std::array::from_fn(|n| {
            let sum: i32 = legs(100).filter(hears).map(|speaker| share(speaker, n)).sum();
            cut += usize::from(!(-32_768..=32_767).contains(&sum));
            linear_to_alaw(sum.clamp(-32_768, 32_767) as i16)
        });
        assert_eq!(heard[&listener], wanted, "{listener}");
    }
    assert!(cut > 100, "too loud a sum is cut, not wrapped: {cut} samples were");
}

#[test]
fn an_announcement_is_heard_by_all_over_what_is_said_and_once() {
    let mut conference = Conference::default();
    assert!(legs(2).all(|leg| conference.join(leg, MixRole::Party)));
    conference.join(LegId(3), MixRole::Listener);
    run(&mut conference, 3, 0..10);
    let tone = said(LegId(77), 0);
    conference.announce(tone[..100].into());
    let heard = run(&mut conference, 3, 10..11);
    for (listener, speakers) in
        [(LegId(1), &[LegId(2)][..]), (LegId(2), &[LegId(1)]), (LegId(3), &[LegId(1), LegId(2)])]
    {
        let wanted: [u8; BLOCK] = std::array::from_fn(|n| {
            let said: i32 = speakers.iter().map(|leg| linear(said(*leg, 10 - LATE)[n])).sum();
            let sum = said + if n < 100 { linear(tone[n]) } else { 0 };
            linear_to_alaw(sum.clamp(-32_768, 32_767) as i16)
        });
        assert_eq!(heard[&listener], wanted, "{listener}");
    }
    let heard = run(&mut conference, 3, 11..12);
    assert_eq!(heard[&LegId(1)], reference(&[LegId(2)], 11 - LATE), "it is over");
}

#[test]
fn a_party_whose_sound_stops_and_comes_again_costs_the_others_nothing() {
    let mut conference = Conference::default();
    assert!(legs(3).all(|leg| conference.join(leg, MixRole::Party)));
    for slot in 0..60 {
        let away = (20..33).contains(&slot) || slot % 7 == 0;
        let speakers = if away { 2 } else { 3 };
        legs(speakers).for_each(|leg| conference.hear(leg, &said(leg, slot)));
        let mut block = [0; BLOCK];
        assert!(conference.play(ms(slot), LegId(3), &mut block));
        if slot >= LATE {
            assert_eq!(block, reference(&[LegId(1), LegId(2)], slot - LATE), "at slot {slot}");
        }
    }
}
