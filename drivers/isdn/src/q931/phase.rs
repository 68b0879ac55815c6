use crate::Side;

/// How far a call has come. Together with our end and who made the call it gives the state number of Q.931 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// SETUP sent or received, nothing answered: U1, N1, U6, N6.
    Initiated,
    /// SETUP ACKNOWLEDGE sent or received: U2, N2, U25, N25.
    Overlap,
    /// CALL PROCEEDING sent or received: U3, N3, U9, N9.
    Proceeding,
    /// ALERTING sent or received: U4, N4, U7, N7.
    Alerting,
    /// CONNECT sent by the user, not acknowledged: U8.
    Connecting,
    /// U10, N10.
    Active,
    /// We sent DISCONNECT: U11, N12.
    DisconnectSent,
    /// We sent RELEASE: U19, N19.
    ReleaseSent,
}

impl Phase {
    /// The number of the state, as in the call state information element (4.5.7).
    pub fn state(self, side: Side, made_by: Side) -> u8 {
        let by_user = made_by == Side::User;
        match self {
            Phase::Initiated => {
                if by_user {
                    1
                } else {
                    6
                }
            }
            Phase::Overlap => {
                if by_user {
                    2
                } else {
                    25
                }
            }
            Phase::Proceeding => {
                if by_user {
                    3
                } else {
                    9
                }
            }
            Phase::Alerting => {
                if by_user {
                    4
                } else {
                    7
                }
            }
            Phase::Connecting => 8,
            Phase::Active => 10,
            Phase::DisconnectSent => {
                if side == Side::User {
                    11
                } else {
                    12
                }
            }
            Phase::ReleaseSent => 19,
        }
    }

    /// Whether the call is neither up nor being cleared.
    pub fn is_establishing(self) -> bool {
        !matches!(self, Phase::Active | Phase::DisconnectSent | Phase::ReleaseSent)
    }

    /// Whether the call is being cleared.
    pub fn is_clearing(self) -> bool {
        matches!(self, Phase::DisconnectSent | Phase::ReleaseSent)
    }
}
