//! Asking memory for what is needed soon, so that nobody waits for it then.

/// Asks memory for a value without waiting for it. It changes nothing, and where the processor cannot ask it does nothing.
#[inline(always)]
pub(crate) fn ask<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        /// Bytes that come together.
        const LINE_BYTES: usize = 64;
        let first: *const i8 = std::ptr::from_ref(value).cast();
        let Some(last) = size_of_val(value).checked_sub(1) else { return };
        // Safe, because what is asked for lies within the value, and every processor of this kind can ask.
        #[allow(unsafe_code)]
        let ask = |byte: usize| unsafe { _mm_prefetch::<_MM_HINT_T0>(first.add(byte)) };
        let mut byte = 0;
        while byte < last {
            ask(byte);
            byte += LINE_BYTES;
        }
        ask(last);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
