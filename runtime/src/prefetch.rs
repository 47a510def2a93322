//! Prefetching: memory is asked for what is needed soon, so that nobody waits for it then.

/// Bytes that come together, on every processor of this kind.
#[cfg(target_arch = "x86_64")]
const LINE_BYTES: usize = 64;
/// Bytes of a value that are asked for at most: what lies behind them comes by itself while these are read.
#[cfg(target_arch = "x86_64")]
const ASKED_BYTES_MAX: usize = 512;

/// Asks memory for a value, the first 512 bytes of it, and does not wait. It changes nothing; on a processor that is no x86-64 it
/// does nothing.
#[inline(always)]
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first: *const i8 = std::ptr::from_ref(value).cast();
        let Some(last) = size_of_val(value).min(ASKED_BYTES_MAX).checked_sub(1) else { return };
        // Safe, because what is asked for lies within the value, and every processor of this kind can ask.
        #[allow(unsafe_code)]
        let ask = |byte: usize| unsafe { _mm_prefetch::<_MM_HINT_T0>(first.add(byte)) };
        let mut byte = 0;
        while byte < last {
            ask(byte);
            byte += LINE_BYTES;
        }
        // A value that does not begin with a line ends in one more.
        ask(last);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
