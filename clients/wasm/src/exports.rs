//! The functions as a wasm module exports them: bytes in, bytes out, over linear memory.
//!
//! The caller reserves a request, writes its arguments into it (each behind its length, four bytes little-endian) and
//! calls an export with it. The answer is a block in memory: status (0 answer, 1 error text), length (four bytes
//! little-endian each), then the bytes. Whoever called releases both; what is released is overwritten first, for it may
//! have held a secret.
//!
//! Only a module has them under these names: in a native program `sign` and `release` may be somebody else's.
//!
//! The only unsafe code of the crate is here: a module's caller hands over addresses.

use crate::core::{self, CoreError};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// Bytes before an answer: status and length.
pub const ANSWER_HEAD: usize = 8;

/// Room for a request of so many bytes, zeroed.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn reserve(length: usize) -> *mut u8 {
    let Ok(layout) = Layout::from_size_align(length.max(1), 4) else { return std::ptr::null_mut() };
    // SAFETY: the layout has at least one byte.
    let place = unsafe { alloc_zeroed(layout) };
    if place.is_null() { handle_alloc_error(layout) } else { place }
}

/// Gives back a request or an answer, overwritten with zeros.
///
/// # Safety
/// The place is one that [`reserve`] or an export gave, with the length that it was given for (an answer's with its
/// head), and is given back once.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub unsafe extern "C" fn release(place: *mut u8, length: usize) {
    let Ok(layout) = Layout::from_size_align(length.max(1), 4) else { return };
    for at in 0..length {
        // SAFETY: within what was reserved; volatile, so that it is not left out before the release.
        unsafe { place.add(at).write_volatile(0) };
    }
    // SAFETY: the caller says that it was reserved with this length.
    unsafe { dealloc(place, layout) };
}

macro_rules! exports {
    ($($name:ident($($argument:ident),*))*) => {$(
        #[doc = concat!("[`core::", stringify!($name), "`] of the arguments in a request.")]
        ///
        /// # Safety
        /// The request is one that [`reserve`] gave for this length.
        #[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
        pub unsafe extern "C" fn $name(request: *const u8, length: usize) -> *mut u8 {
            // SAFETY: the caller says that so many bytes were reserved there.
            let request = unsafe { std::slice::from_raw_parts(request, length) };
            let arguments = arguments(request);
            let answer = match arguments.as_deref() {
                Some(&[$($argument),*]) => core::$name($($argument),*),
                given => Err(CoreError::Arguments {
                    given: given.map_or(0, <[_]>::len),
                    needed: [$(stringify!($argument)),*].len(),
                }),
            };
            block(answer)
        }
    )*};
}

exports! {
    public_key(secret)
    encode_body(json)
    decode_body(body)
    digest(body)
    sign(secret, body)
    verify_signature(public, digest, signature)
    assemble(body, signatures)
    decode_transaction(transaction)
    decode_checkpoint(checkpoint)
    verify_bundle(checkpoint, bundle)
    decode_receipt(receipt)
    explain(published, body)
}

/// The arguments of a request; none where a length leads beyond its end.
fn arguments(mut request: &[u8]) -> Option<Vec<&[u8]>> {
    let mut arguments = vec![];
    while !request.is_empty() {
        let (length, rest) = request.split_first_chunk::<4>()?;
        let (argument, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        arguments.push(argument);
        request = rest;
    }
    Some(arguments)
}

fn block(answer: Result<Vec<u8>, CoreError>) -> *mut u8 {
    let (status, bytes) = match answer {
        Ok(bytes) => (0u32, bytes),
        Err(error) => (1, error.to_string().into_bytes()),
    };
    let place = reserve(ANSWER_HEAD + bytes.len());
    if place.is_null() {
        return place;
    }
    // SAFETY: so much was reserved just now.
    let whole = unsafe { std::slice::from_raw_parts_mut(place, ANSWER_HEAD + bytes.len()) };
    whole[..4].copy_from_slice(&status.to_le_bytes());
    whole[4..8].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    whole[8..].copy_from_slice(&bytes);
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls an export as a module's caller does.
    fn called(
        export: unsafe extern "C" fn(*const u8, usize) -> *mut u8,
        arguments: &[&[u8]],
    ) -> (u32, Vec<u8>) {
        let request: Vec<u8> =
            arguments.iter().flat_map(|one| [&(one.len() as u32).to_le_bytes(), *one].concat()).collect();
        let place = reserve(request.len());
        // SAFETY: reserved with these lengths, and released once.
        unsafe {
            std::slice::from_raw_parts_mut(place, request.len()).copy_from_slice(&request);
            let answer = export(place, request.len());
            release(place, request.len());
            let head = std::slice::from_raw_parts(answer, ANSWER_HEAD);
            let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
            let (status, length) = (number(0), number(4) as usize);
            let bytes = std::slice::from_raw_parts(answer.add(ANSWER_HEAD), length).to_vec();
            release(answer, ANSWER_HEAD + length);
            (status, bytes)
        }
    }

    #[test]
    fn answers_and_errors_come_back() {
        let (status, public) = called(public_key, &[&[7; 32]]);
        assert_eq!((status, public.len()), (0, 34));
        let (status, text) = called(public_key, &[&[0; 32]]);
        assert_eq!((status, text), (1, CoreError::Secret.to_string().into_bytes()));
        let (status, text) = called(sign, &[&[7; 32]]);
        assert_eq!((status, String::from_utf8(text)), (1, Ok("1 arguments given, 2 needed".into())));
        assert_eq!(called(public_key, &[&[7; 31]]).0, 1);
    }

    #[test]
    fn a_length_beyond_the_end_is_no_argument() {
        assert_eq!(arguments(&[1, 0, 0, 0]), None);
        assert_eq!(arguments(&[255, 255, 255, 255, 1]), None);
        assert_eq!(arguments(&[1, 0]), None);
        assert_eq!(arguments(&[0, 0, 0, 0]), Some(vec![&[][..]]));
    }
}
