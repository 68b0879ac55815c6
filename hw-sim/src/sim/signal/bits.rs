//! What the signalling bits of CAS and of robbed-bit signalling mean, by the signalling of a channel.

use super::{RxSig, TxSig};
use dahdi_abi::{bits, sig};

/// The bits that a signalling transmits in each state: on hook, off hook, start (or ringing), battery dropped.
const OUT: [(i32, [i32; 4]); 10] = [
    (sig::NONE, [bits::ACD, 0, 0, 0]),
    (sig::EM, [0, bits::ABCD, bits::ABCD, 0]),
    (sig::FXSLS, [bits::BD, bits::ABCD, bits::ABCD, 0]),
    (sig::FXSGS, [bits::BD, bits::ABCD, bits::AC, 0]),
    (sig::FXSKS, [bits::BD, bits::ABCD, bits::ABCD, 0]),
    (sig::FXOLS, [bits::BD, bits::BD, 0, 0]),
    (sig::FXOGS, [bits::ABCD, bits::BD, 0, 0]),
    (sig::FXOKS, [bits::BD, bits::BD, 0, bits::ABCD]),
    (sig::SF, [bits::BCD, bits::ABCD, bits::ABCD, bits::BCD]),
    (sig::EM_E1, [bits::D, bits::ABD, bits::ABD, bits::D]),
];

/// What the received bits look like when the far end is idle: which of them count, and their value.
const IDLE_IN: [(i32, (i32, i32)); 10] = [
    (sig::NONE, (0, 0)),
    (sig::EM, (bits::A, 0)),
    (sig::FXSLS, (bits::B, bits::B)),
    (sig::FXSGS, (bits::A | bits::B, bits::A | bits::B)),
    (sig::FXSKS, (bits::A | bits::B, bits::B)),
    (sig::FXOLS, (bits::A, 0)),
    (sig::FXOGS, (bits::A | bits::B, bits::B)),
    (sig::FXOKS, (bits::A, 0)),
    (sig::SF, (0, 0)),
    (sig::EM_E1, (bits::A | bits::D, bits::D)),
];

/// The bits that `sigtype` transmits in the state `tx`; `None` for a signalling without hook states.
pub(super) fn out(sigtype: i32, tx: TxSig) -> Option<u8> {
    OUT.iter().find(|(known, _)| *known == sigtype).map(|(_, bits)| bits[tx as usize] as u8)
}

/// Which received bits count when the line is idle, and what they are; CAS has its own idle bits, which all count not.
pub(super) fn idle_in(sigtype: i32, idle_bits: u8) -> Option<(u8, u8)> {
    if sigtype == sig::CAS {
        return Some((0, idle_bits));
    }
    IDLE_IN.iter().find(|(known, _)| *known == sigtype).map(|(_, (mask, idle))| (*mask as u8, *idle as u8))
}

/// What the line says when its bits change from `before` to `now`; `None` when that means nothing.
pub(super) fn meaning(sigtype: i32, before: u8, now: u8) -> Option<RxSig> {
    let has = |bit: i32| i32::from(now) & bit != 0;
    let hook = if has(bits::A) { RxSig::OffHook } else { RxSig::OnHook };
    match sigtype {
        sig::FXOGS if !has(bits::B) => Some(RxSig::Start),
        sig::FXOGS | sig::EM_E1 | sig::FXOLS | sig::FXOKS => Some(hook),
        sig::EM => (i32::from(before ^ now) & bits::A != 0).then_some(hook),
        sig::FXSKS | sig::FXSGS | sig::FXSLS if !has(bits::B) => Some(RxSig::Ring),
        // Loop start has no disconnect supervision: the a bit says nothing.
        sig::FXSKS | sig::FXSGS if has(bits::A) => Some(RxSig::OnHook),
        sig::FXSKS | sig::FXSGS | sig::FXSLS => Some(RxSig::OffHook),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_end_sends_the_other_understands() {
        // (this end, its state, the far end's signalling, what the far end makes of it)
        let rows = [
            (sig::FXOKS, TxSig::OnHook, sig::FXSKS, RxSig::OffHook),
            (sig::FXOKS, TxSig::Start, sig::FXSKS, RxSig::Ring),
            (sig::FXOKS, TxSig::Kewl, sig::FXSKS, RxSig::OnHook),
            (sig::FXOLS, TxSig::Start, sig::FXSLS, RxSig::Ring),
            (sig::FXOGS, TxSig::OnHook, sig::FXSGS, RxSig::OnHook),
            (sig::FXOGS, TxSig::OffHook, sig::FXSGS, RxSig::OffHook),
            (sig::FXSKS, TxSig::OnHook, sig::FXOKS, RxSig::OnHook),
            (sig::FXSKS, TxSig::OffHook, sig::FXOKS, RxSig::OffHook),
            (sig::FXSGS, TxSig::Start, sig::FXOGS, RxSig::Start),
            (sig::EM_E1, TxSig::OffHook, sig::EM_E1, RxSig::OffHook),
            (sig::EM_E1, TxSig::OnHook, sig::EM_E1, RxSig::OnHook),
        ];
        for (near, tx, far, expected) in rows {
            let sent = out(near, tx).unwrap_or_else(|| panic!("{near:#x} has hook states"));
            assert_eq!(meaning(far, 0, sent), Some(expected), "{near:#x} {tx:?} to {far:#x}");
        }
        assert_eq!(meaning(sig::EM, 0b1000, 0b1111), None, "only the a bit of E&M counts");
        assert_eq!(out(sig::CAS, TxSig::OnHook), None);
    }
}
