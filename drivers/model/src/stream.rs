use core::time::Duration;

/// A decimal number with three places, such as 4.372; written as that.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(from = "f64", into = "f64")]
pub struct Thousandths(pub u32);

impl Thousandths {
    /// A time in milliseconds.
    pub fn millis(time: Duration) -> Thousandths {
        Thousandths(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
    }

    /// As it is written.
    pub fn value(self) -> f64 {
        self.into()
    }
}

impl From<Thousandths> for f64 {
    fn from(number: Thousandths) -> f64 {
        f64::from(number.0) / 1000.0
    }
}

impl From<f64> for Thousandths {
    /// The nearest; what is less than nothing is nothing.
    fn from(number: f64) -> Thousandths {
        Thousandths((number * 1000.0 + 0.5) as u32)
    }
}

/// How an RTP stream was, seen from here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StreamReport {
    /// Packets sent.
    pub sent: u64,
    /// Packets that came, twice counted those that came twice.
    pub received: u64,
    /// Packets that never came, or too late to be heard.
    pub lost: u64,
    /// How unevenly packets came (RFC 3550, A.8): the mean over all of them, in milliseconds.
    pub jitter_ms: Thousandths,
    /// The most that it was.
    pub jitter_max_ms: Thousandths,
    /// To the far end and back, as its last report tells; none where it told nothing.
    pub round_trip_ms: Option<Thousandths>,
    /// What a listener here would think of it, 1 to 4.5 (G.107); none where nothing came.
    pub mos: Option<Thousandths>,
    /// What the far end said in its last report.
    pub far: Option<FarReport>,
}

/// What the far end of a stream says of the packets that were sent to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FarReport {
    /// Packets that never came there; less than none where some came twice.
    pub lost: i32,
    /// How unevenly they came, in milliseconds.
    pub jitter_ms: Thousandths,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_are_rounded_and_come_back_as_they_went() {
        for (number, thousandths) in [(4.3716, 4372), (0.0004, 0), (-1.0, 0), (0.02, 20)] {
            assert_eq!(Thousandths::from(number), Thousandths(thousandths), "{number}");
        }
        for thousandths in (0..2_000_000).step_by(7) {
            assert_eq!(Thousandths::from(Thousandths(thousandths).value()), Thousandths(thousandths));
        }
        assert_eq!(Thousandths::millis(Duration::from_micros(12_345)).value(), 12.345);
    }
}
