//! The host functions, safe to call: imports under wasm, the session of a test natively.

use alloc::vec::Vec;

/// First size of a buffer that the host writes into; what it leaves free is given back.
#[cfg(target_family = "wasm")]
const BUFFER_BYTES: usize = 1024;

/// Room on the stack for what the host writes and is only looked at.
#[cfg(target_family = "wasm")]
const LOOK_BYTES: usize = 256;

#[cfg(target_family = "wasm")]
mod raw {
    macro_rules! imports {
        ($($(#[$doc:meta])* $number:literal $name:ident($($param:ident: i32),*) -> $result:tt, $contexts:ident, $gas:literal, $per_byte:literal;)*) => {
            // Functions of the table that the SDK has no use for are not imported.
            #[allow(dead_code)]
            #[link(wasm_import_module = "tenor_1")]
            unsafe extern "C" {
                $(pub safe fn $name($($param: i32),*) -> $result;)*
            }
        };
    }
    tenor_abi::host_functions!(imports);
}

/// Calls a function that writes into a buffer, again with a larger one where the first was too small.
#[cfg(target_family = "wasm")]
fn filled(mut ask: impl FnMut(i32, i32) -> i32) -> Option<Vec<u8>> {
    let mut buffer = Vec::<u8>::with_capacity(BUFFER_BYTES);
    loop {
        let length = usize::try_from(ask(buffer.as_mut_ptr() as i32, buffer.capacity() as i32)).ok()?;
        if length <= buffer.capacity() {
            // SAFETY: the host says how much there is, and has written it when it fits.
            unsafe { buffer.set_len(length) };
            buffer.shrink_to_fit();
            return Some(buffer);
        }
        buffer.reserve_exact(length);
    }
}

/// What is made of a stored value. Most are short and are read on the stack.
#[cfg(target_family = "wasm")]
#[inline]
pub fn stored<T>(key: &[u8], make: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let mut room = core::mem::MaybeUninit::<[u8; LOOK_BYTES]>::uninit();
    let length = raw::storage_get(at(key), key.len() as i32, room.as_mut_ptr() as i32, LOOK_BYTES as i32);
    let length = usize::try_from(length).ok()?;
    if length > LOOK_BYTES {
        return storage_get(key).map(|value| make(&value));
    }
    // SAFETY: the host says how much there is, and has written it when it fits.
    let value = unsafe { core::slice::from_raw_parts(room.as_ptr().cast::<u8>(), length) };
    Some(make(value))
}

/// What is made of a stored value.
#[cfg(not(target_family = "wasm"))]
pub fn stored<T>(key: &[u8], make: impl FnOnce(&[u8]) -> T) -> Option<T> {
    storage_get(key).map(|value| make(&value))
}

macro_rules! functions {
    ($($(#[$doc:meta])* fn $name:ident($($param:ident: $ty:ty),*) $(-> $result:ty)? { $wasm:expr })*) => {
        $(
            $(#[$doc])*
            pub fn $name($($param: $ty),*) $(-> $result)? {
                #[cfg(target_family = "wasm")]
                { $wasm }
                #[cfg(not(target_family = "wasm"))]
                { crate::native::with(|host| host.$name($($param),*)) }
            }
        )*

        /// What a native call can reach: a method for each host function.
        #[cfg(not(target_family = "wasm"))]
        #[allow(missing_docs)]
        pub trait Host {
            $(fn $name(&mut self, $($param: $ty),*) $(-> $result)?;)*
        }
    };
}

#[cfg(target_family = "wasm")]
fn at(bytes: &[u8]) -> i32 {
    bytes.as_ptr() as i32
}

functions! {
    /// The call's bytes.
    fn argument() -> Vec<u8> {
        filled(|out, cap| raw::arg_read(out, cap)).unwrap_or_default()
    }
    /// Sets the answer.
    fn answer(bytes: &[u8]) { raw::ret(at(bytes), bytes.len() as i32) }
    /// Sets the refusal.
    fn refuse(code: u16, data: &[u8]) { raw::refuse(i32::from(code), at(data), data.len() as i32) }
    /// Reports an event.
    fn emit(number: u16, data: &[u8]) { raw::emit(i32::from(number), at(data), data.len() as i32) }
    /// A stored value.
    fn storage_get(key: &[u8]) -> Option<Vec<u8>> {
        filled(|out, cap| raw::storage_get(at(key), key.len() as i32, out, cap))
    }
    /// Stores a value.
    fn storage_set(key: &[u8], value: &[u8]) { raw::storage_set(at(key), key.len() as i32, at(value), value.len() as i32) }
    /// Removes a value; whether it was there.
    fn storage_remove(key: &[u8]) -> bool { raw::storage_remove(at(key), key.len() as i32) == 1 }
    /// The first key and value from a key on and before an end.
    fn storage_next(from: &[u8], end: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        {
            let found = filled(|out, cap| raw::storage_next(at(from), from.len() as i32, at(end), end.len() as i32, out, cap))?;
            let (length, rest) = found.split_first_chunk::<4>()?;
            let (key, value) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            Some((key.to_vec(), value.to_vec()))
        }
    }
    /// Books an entry, or ends the call with the ledger's refusal; its place among the item's, none where its
    /// amounts came to nothing.
    fn post(request: &[u8]) -> Option<u32> { u32::try_from(raw::post(at(request), request.len() as i32)).ok() }
    /// Books an entry or finds the one under its external key; the bytes of what stands there.
    fn post_entry(request: &[u8]) -> Vec<u8> {
        filled(|out, cap| raw::post_entry(at(request), request.len() as i32, out, cap)).unwrap_or_default()
    }
    /// Places a hold; the bytes of its id.
    fn hold(request: &[u8]) -> Vec<u8> {
        filled(|out, cap| raw::hold(at(request), request.len() as i32, out, cap)).unwrap_or_default()
    }
    /// Captures a hold.
    fn capture(request: &[u8]) { raw::capture(at(request), request.len() as i32) }
    /// Releases what is left of a hold.
    fn release(hold: &[u8]) { raw::release(at(hold), hold.len() as i32) }
    /// The bytes of postings of an account's history.
    fn statement(request: &[u8], count: u16) -> Vec<u8> {
        filled(|out, cap| raw::statement(at(request), request.len() as i32, i32::from(count), out, cap)).unwrap_or_default()
    }
    /// The bytes of a value-dated balance.
    fn balance_on(request: &[u8]) -> Vec<u8> {
        filled(|out, cap| raw::balance_on(at(request), request.len() as i32, out, cap)).unwrap_or_default()
    }
    /// Books an entry; the shortfall's bytes when money is missing.
    fn try_post(request: &[u8]) -> Option<Vec<u8>> {
        filled(|out, cap| raw::try_post(at(request), request.len() as i32, out, cap)).filter(|shortfall| !shortfall.is_empty())
    }
    /// Takes what is there; the amount's bytes.
    fn collect_up_to(request: &[u8]) -> Vec<u8> {
        filled(|out, cap| raw::collect_up_to(at(request), request.len() as i32, out, cap)).unwrap_or_default()
    }
    /// A balance's bytes.
    fn balance(account: &[u8]) -> Vec<u8> {
        filled(|out, cap| raw::balance(at(account), account.len() as i32, out, cap)).unwrap_or_default()
    }
    /// Calls another agreement; the bytes of what it came to.
    fn call(request: &[u8]) -> Vec<u8> {
        {
            raw::call(at(request), request.len() as i32);
            filled(|out, cap| raw::call_answer(out, cap)).unwrap_or_default()
        }
    }
    /// Starts a schedule.
    fn schedule_start(request: &[u8]) { raw::schedule_start(at(request), request.len() as i32) }
    /// Holds a schedule.
    fn schedule_hold(kind: u16) { raw::schedule_hold(i32::from(kind)) }
    /// Resumes a schedule.
    fn schedule_resume(kind: u16) { raw::schedule_resume(i32::from(kind)) }
    /// Ends a schedule.
    fn schedule_end(kind: u16) { raw::schedule_end(i32::from(kind)) }
    /// The bytes of the date of a schedule's next attempt.
    fn next_due(kind: u16) -> Option<Vec<u8>> { filled(|out, cap| raw::next_due(i32::from(kind), out, cap)) }
    /// Enters a lifecycle state.
    fn enter_state(state: u16) { raw::enter_state(i32::from(state)) }
    /// The bytes of a date moved to a business day.
    fn business_day(request: &[u8]) -> Vec<u8> {
        filled(|out, cap| raw::business_day(at(request), request.len() as i32, out, cap)).unwrap_or_default()
    }
}
