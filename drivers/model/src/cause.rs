use core::fmt;

/// Why a call ended: a cause value of ITU-T Q.850, table 1 (7 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Cause(pub u8);

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $value:literal $text:literal;)*) => {
        impl Cause {
            $($(#[$doc])* pub const $name: Cause = Cause($value);)*

            /// The words of Q.850 for this cause, in short.
            pub const fn text(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    _ => "unknown cause",
                }
            }
        }
    };
}

causes! {
    /// No. 1.
    UNALLOCATED = 1 "unallocated number";
    /// No. 3.
    NO_ROUTE = 3 "no route to destination";
    /// No. 6.
    CHANNEL_UNACCEPTABLE = 6 "channel unacceptable";
    /// No. 16.
    NORMAL_CLEARING = 16 "normal call clearing";
    /// No. 17.
    USER_BUSY = 17 "user busy";
    /// No. 18.
    NO_USER_RESPONDING = 18 "no user responding";
    /// No. 19.
    NO_ANSWER = 19 "no answer from user";
    /// No. 20.
    SUBSCRIBER_ABSENT = 20 "subscriber absent";
    /// No. 21.
    REJECTED = 21 "call rejected";
    /// No. 22.
    NUMBER_CHANGED = 22 "number changed";
    /// No. 27.
    DESTINATION_OUT_OF_ORDER = 27 "destination out of order";
    /// No. 28.
    INVALID_NUMBER = 28 "invalid number format";
    /// No. 29.
    FACILITY_REJECTED = 29 "facility rejected";
    /// No. 31.
    NORMAL_UNSPECIFIED = 31 "normal, unspecified";
    /// No. 34.
    NO_CIRCUIT = 34 "no circuit or channel available";
    /// No. 38.
    NETWORK_OUT_OF_ORDER = 38 "network out of order";
    /// No. 41.
    TEMPORARY_FAILURE = 41 "temporary failure";
    /// No. 42.
    CONGESTION = 42 "switching equipment congestion";
    /// No. 44.
    CHANNEL_NOT_AVAILABLE = 44 "requested circuit or channel not available";
    /// No. 47.
    RESOURCE_UNAVAILABLE = 47 "resource unavailable, unspecified";
    /// No. 50.
    FACILITY_NOT_SUBSCRIBED = 50 "requested facility not subscribed";
    /// No. 57.
    BEARER_NOT_AUTHORIZED = 57 "bearer capability not authorized";
    /// No. 58.
    BEARER_NOT_AVAILABLE = 58 "bearer capability not presently available";
    /// No. 63.
    SERVICE_UNAVAILABLE = 63 "service or option not available";
    /// No. 65.
    BEARER_NOT_IMPLEMENTED = 65 "bearer capability not implemented";
    /// No. 69.
    FACILITY_NOT_IMPLEMENTED = 69 "requested facility not implemented";
    /// No. 79.
    NOT_IMPLEMENTED = 79 "service or option not implemented";
    /// No. 81.
    INVALID_CALL_REFERENCE = 81 "invalid call reference value";
    /// No. 82.
    CHANNEL_DOES_NOT_EXIST = 82 "identified channel does not exist";
    /// No. 88.
    INCOMPATIBLE_DESTINATION = 88 "incompatible destination";
    /// No. 95.
    INVALID_MESSAGE = 95 "invalid message, unspecified";
    /// No. 96.
    MANDATORY_MISSING = 96 "mandatory information element is missing";
    /// No. 97.
    MESSAGE_TYPE_UNKNOWN = 97 "message type non-existent or not implemented";
    /// No. 98.
    MESSAGE_INCOMPATIBLE = 98 "message not compatible with call state";
    /// No. 99.
    ELEMENT_UNKNOWN = 99 "information element non-existent or not implemented";
    /// No. 100.
    ELEMENT_INVALID = 100 "invalid information element contents";
    /// No. 101.
    WRONG_STATE = 101 "message not compatible with call state";
    /// No. 102.
    TIMER_EXPIRED = 102 "recovery on timer expiry";
    /// No. 111.
    PROTOCOL_ERROR = 111 "protocol error, unspecified";
    /// No. 127.
    INTERWORKING = 127 "interworking, unspecified";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.text())
    }
}
