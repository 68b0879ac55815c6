use super::*;
use crate::{Tone, linear_to_alaw};
use std::{vec, vec::Vec};

/// Noise with the rhythm of syllables, which is all that the detector knows of speech: 120 ms of sound, 60 ms of less.
fn voice(ms: usize, level: f32) -> Vec<u8> {
    let mut seed = 7_u32;
    let mut sample = |n: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let swell = if n % 1440 < 960 { 1.0 } else { 0.1 };
        // Uniform noise of this peak is 4.8 dB below a square wave of it.
        let peak = 15_889.0 * 3.0_f64.sqrt() * 10.0_f64.powf(f64::from(level) / 20.0);
        linear_to_alaw((((seed >> 8) as f64 / 8_388_608.0 - 1.0) * peak * swell) as i16)
    };
    (0..ms * 8).map(&mut sample).collect()
}

fn noise(ms: usize, level: f32) -> Vec<u8> {
    voice(ms, level).chunks(1440).flat_map(|part| part[..part.len().min(960)].to_vec()).collect::<Vec<_>>()
}

fn tone(ms: usize, hertz: u32, level: i8) -> Vec<u8> {
    let mut octets = vec![0; ms * 8];
    Tone::new(&[(hertz, level)]).fill_alaw(&mut octets);
    octets
}

/// What is told, with the ms at which.
fn told(detector: &mut ActivityDetector, octets: &[u8]) -> Vec<(Activity, usize)> {
    let blocks = octets.chunks(160).enumerate();
    blocks.filter_map(|(at, block)| Some((detector.block(block)?, at * 20 + 20))).collect()
}

#[test]
fn speech_begins_and_ends_in_time_at_every_level_and_over_noise() {
    for (level, background) in
        [(-5.0, -70.0), (-15.0, -40.0), (-25.0, -45.0), (-35.0, -60.0), (-40.0, -65.0), (-10.0, -25.0)]
    {
        for lead in [1000, 1007, 1013] {
            let octets = [noise(lead, background), voice(1000, level), noise(2000, background)].concat();
            let begins = noise(lead, background).len() / 8;
            let found = told(&mut ActivityDetector::new(None), &octets);
            let [(Activity::Began, began), (Activity::Ended, ended)] = found[..] else {
                panic!("{level} over {background}: {found:?}")
            };
            let (first, last) = (begins..=begins + 70, begins + 1350..=begins + 1440);
            assert!(first.contains(&began), "{level} over {background}: {began}, not {first:?}");
            assert!(last.contains(&ended), "{level} over {background}: {ended}, not {last:?}");
        }
    }
}

#[test]
fn clicks_tones_and_steady_noise_are_no_speech() {
    let click = [noise(1000, -60.0), voice(30, -10.0), noise(1000, -60.0)].concat();
    let rows = [
        ("a click", click),
        ("a tone", [noise(1000, -60.0), tone(2000, 440, -10), noise(500, -60.0)].concat()),
        ("noise from the beginning, -50 dBm0", noise(20_000, -50.0)),
        ("a faint voice far away", voice(2000, -55.0)),
        ("nothing", vec![crate::ALAW_SILENCE; 80_000]),
    ];
    for (what, octets) in rows {
        assert_eq!(told(&mut ActivityDetector::new(None), &octets), [], "{what}");
    }
    // A loud noise that begins is told once, and over when it has proven steady.
    let octets = [noise(1500, -60.0), noise(60_000, -30.0)].concat();
    let found = told(&mut ActivityDetector::new(None), &octets);
    assert!(matches!(found[..], [(Activity::Began, _), (Activity::Ended, at)] if at < 12_000), "{found:?}");
}

#[test]
fn quiet_is_told_once_until_somebody_speaks_again() {
    let silence = |ms: usize| vec![crate::ALAW_SILENCE; ms * 8];
    let mut detector = ActivityDetector::new(Some(3000));
    let octets = [silence(8000), voice(500, -20.0), silence(9000)].concat();
    let found = told(&mut detector, &octets);
    let expected = [Activity::Quiet, Activity::Began, Activity::Ended, Activity::Quiet];
    assert_eq!(found.iter().map(|(what, _)| *what).collect::<Vec<_>>(), expected);
    assert_eq!(found[0].1, 3000);
    assert!((11_440..=11_520).contains(&found[3].1), "{found:?}");
}

#[test]
fn an_echo_of_what_is_played_is_no_speech_but_who_speaks_over_it_is_heard() {
    let prompt = voice(4000, -15.0);
    for (level, delay, heard) in [(-30.0, 20, false), (-30.0, 200, false), (-20.0, 100, true)] {
        let mut detector = ActivityDetector::new(None);
        let said = [noise(delay, -65.0), voice(4000, level)].concat();
        let mut began = false;
        for (played, block) in prompt.chunks(160).zip(said.chunks(160)) {
            detector.played(played);
            began |= detector.block(block) == Some(Activity::Began);
        }
        assert_eq!(began, heard, "{level} dBm0 after {delay} ms");
    }
}
