use core::fmt;

/// The state of a span as operators name it. The order is by weight: the heaviest alarm is the one shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Alarm {
    /// In order.
    Ok,
    /// A loopback is on (`DAHDI_ALARM_LOOPBACK`).
    Loop,
    /// Coming back after an alarm (`DAHDI_ALARM_RECOVER`).
    #[serde(rename = "REC")]
    Recovering,
    /// The far end says that it does not receive us: remote alarm, RAI (`DAHDI_ALARM_YELLOW`).
    #[serde(rename = "YEL")]
    Yellow,
    /// All ones are received: AIS (`DAHDI_ALARM_BLUE`).
    #[serde(rename = "BLU")]
    Blue,
    /// No signal or no frame alignment (`DAHDI_ALARM_RED`).
    Red,
    /// Not configured yet (`DAHDI_ALARM_NOTOPEN`).
    Unconfigured,
}

impl Alarm {
    /// Whether calls can be carried.
    pub fn carries_calls(self) -> bool {
        matches!(self, Alarm::Ok | Alarm::Loop)
    }

    /// The word operators know from `dahdi show status`.
    pub const fn word(self) -> &'static str {
        match self {
            Alarm::Ok => "OK",
            Alarm::Loop => "LOOP",
            Alarm::Recovering => "REC",
            Alarm::Yellow => "YEL",
            Alarm::Blue => "BLU",
            Alarm::Red => "RED",
            Alarm::Unconfigured => "UNCONFIGURED",
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
