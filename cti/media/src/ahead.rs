//! Memory that is wanted soon is asked for before, so that it comes while something else is done. With thousands of calls no
//! cache holds what each of them needs, and waiting for it is most of what a call costs.
#![allow(unsafe_code)]

/// Octets of a line of the processor's caches.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Asks for all of a value; on other processors than x86-64 for nothing.
pub(crate) fn soon<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..size_of_val(value)).step_by(LINE).chain(size_of_val(value).checked_sub(1)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let start = std::ptr::from_ref(value).cast::<i8>();
        // SAFETY: the address is within the value. It is a hint, which neither reads nor writes anything.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.add(at)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
