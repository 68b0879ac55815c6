//! The call progress tones of countries, as ITU-T E.180 supplement 2 lists them: our own table of its figures.
//!
//! A tone is written as its parts in order: `425/500,0/500` is half a second of 425 Hz and half of silence, `350+440` two
//! frequencies added, `400*25` one modulated with the other; a part without a time lasts for ever, a part after `!` is
//! not repeated.

/// The tones of one country.
pub(crate) struct Country {
    /// The word that system.conf and the description use.
    pub name: &'static str,
    /// The number that `dahdi_cfg` loads it with.
    pub number: i32,
    /// Ringing current, milliseconds on and off.
    pub ring: &'static [i32],
    /// Dial tone.
    pub dial: &'static str,
    /// Busy tone.
    pub busy: &'static str,
    /// Ringing tone.
    pub ringing: &'static str,
    /// Congestion tone.
    pub congestion: &'static str,
    /// Call waiting tone.
    pub waiting: &'static str,
}

/// The warning that a call is recorded (CCITT E.180 clause 15: 1400 Hz every 15 s).
pub(crate) const RECORD: &str = "1400/500,0/15000";
/// The special information tone (E.180 clause 6): three rising tones, then silence.
pub(crate) const INFORMATION: &str = "950/330,1400/330,1800/330,0/1000";

/// The words for all countries, the default of DAHDI first.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COUNTRIES.iter().map(|country| country.name)
}

/// A country by its word.
pub(crate) fn by_name(name: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| country.name == name)
}

macro_rules! countries {
    ($($name:literal $number:literal [$($ring:literal),*] $dial:literal $busy:literal $ringing:literal
       $congestion:literal $waiting:literal;)*) => {
        /// All countries.
        pub(crate) const COUNTRIES: &[Country] = &[$(Country {
            name: $name, number: $number, ring: &[$($ring),*], dial: $dial, busy: $busy,
            ringing: $ringing, congestion: $congestion, waiting: $waiting,
        }),*];
    };
}

countries! {
    "us" 0 [2000, 4000] "350+440" "480+620/500,0/500" "440+480/2000,0/4000"
        "480+620/250,0/250" "440/300,0/10000";
    "au" 1 [400, 200, 400, 2000] "413+438" "425/375,0/375" "413+438/400,0/200,413+438/400,0/2000"
        "425/375,0/375,420/375,0/375" "425/200,0/200,425/200,0/4400";
    "fr" 2 [1500, 3500] "440" "440/500,0/500" "440/1500,0/3500" "440/250,0/250" "440/300,0/10000";
    "nl" 3 [1000, 4000] "425" "425/500,0/500" "425/1000,0/4000" "425/250,0/250" "425/500,0/9500";
    "uk" 4 [400, 200, 400, 2000] "350+440" "400/375,0/375"
        "400+450/400,0/200,400+450/400,0/2000" "400/400,0/350,400/225,0/525" "400/100,0/4000";
    "fi" 5 [1000, 4000] "425" "425/300,0/300" "425/1000,0/4000" "425/200,0/200"
        "425/150,0/150,425/150,0/8000";
    "es" 6 [1500, 3000] "425" "425/200,0/200" "425/1500,0/3000"
        "425/200,0/200,425/200,0/200,425/200,0/600" "425/175,0/175,425/175,0/3500";
    "jp" 7 [1000, 2000] "400" "400/500,0/500" "400*15/1000,0/2000" "400/500,0/500"
        "400*16/500,0/8000";
    "no" 8 [1000, 4000] "425" "425/500,0/500" "425/1000,0/4000" "425/200,0/200"
        "425/200,0/600,425/200,0/10000";
    "at" 9 [1000, 5000] "420" "420/400,0/400" "420/1000,0/5000" "420/200,0/200" "420/40,0/1950";
    "it" 11 [1000, 4000] "425/200,0/200,425/600,0/1000" "425/500,0/500" "425/1000,0/4000"
        "425/200,0/200" "425/400,0/100,425/250,0/100,425/150,0/14000";
    "se" 16 [1000, 5000] "425" "425/250,0/250" "425/1000,0/5000" "425/250,0/750"
        "425/200,0/500,425/200,0/9100";
    "be" 17 [1000, 3000] "425" "425/500,0/500" "425/1000,0/3000" "425/167,0/167"
        "1400/175,0/175,1400/175,0/3500";
    "br" 20 [1000, 4000] "425" "425/250,0/250" "425/1000,0/4000" "425/250,0/250,425/750,0/250"
        "425/50,0/1000";
    "pl" 23 [1000, 4000] "425" "425/500,0/500" "425/1000,0/4000" "425/500,0/500"
        "425/150,0/150,425/150,0/4000";
    "in" 28 [400, 200, 400, 2000] "400*25" "400/750,0/750" "400*25/400,0/200,400*25/400,0/2000"
        "400/250,0/250" "400/200,0/100,400/200,0/7500";
    "de" 29 [1000, 4000] "425" "425/480,0/480" "425/1000,0/4000" "425/240,0/240"
        "425/200,0/200,425/200,0/5000";
    "ch" 30 [1000, 4000] "425" "425/500,0/500" "425/1000,0/4000" "425/200,0/200"
        "425/200,0/200,425/200,0/4000";
    "cz" 32 [1000, 4000] "425/330,0/330,425/660,0/660" "425/330,0/330" "425/1000,0/4000"
        "425/165,0/165" "425/330,0/9000";
    "cn" 33 [1000, 4000] "450" "450/350,0/350" "450/1000,0/4000" "450/700,0/700" "450/400,0/4000";
    "ru" 41 [800, 3200] "425" "425/350,0/350" "425/800,0/3200" "425/175,0/175" "425/200,0/5000";
}
