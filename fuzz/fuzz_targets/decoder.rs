//! The decoders of what comes from outside: any bytes are read as each form; what is read has exactly these bytes,
//! and nothing of it makes a check panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tenor_abi::codec;
use tenor_abi::entry::{CaptureRequest, CollectRequest, EntryRequest, HoldRequest};
use tenor_abi::refusal::Refusal;
use tenor_wire::block::{Block, Header};
use tenor_wire::op::Operation;
use tenor_wire::proof::{Bundle, Checkpoint, StateBundle};
use tenor_wire::receipt::FullReceipt;
use tenor_wire::tx::Transaction;

fn read<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value = codec::decode::<T>(bytes, 1 << 20).ok()?;
    assert_eq!(codec::encode(&value), bytes, "a value has one form");
    Some(value)
}

fuzz_target!(|data: &[u8]| {
    let Some((form, bytes)) = data.split_first() else { return };
    match form % 12 {
        0 => drop(read::<Operation>(bytes)),
        1 => {
            let Some(tx) = read::<Transaction>(bytes) else { return };
            if tx.check_form(tx.body.chain).is_ok() {
                assert_eq!(tx.signatures.len(), tx.body.authorisers.len());
            }
        }
        2 => drop(read::<EntryRequest>(bytes)),
        3 => drop(read::<HoldRequest>(bytes)),
        4 => drop(read::<CaptureRequest>(bytes)),
        5 => drop(read::<CollectRequest>(bytes)),
        6 => drop(read::<Block>(bytes)),
        7 => drop(read::<FullReceipt>(bytes).map(|receipt| receipt.is_whole())),
        8 => drop(read::<Header>(bytes).map(|header| header.hash())),
        9 => {
            let Some((checkpoint, bundle)) = read::<(Checkpoint, Bundle)>(bytes) else { return };
            let _ = bundle.verify(&checkpoint);
        }
        10 => {
            let Some((checkpoint, bundle)) = read::<(Checkpoint, StateBundle)>(bytes) else { return };
            let _ = bundle.verify(&checkpoint);
        }
        _ => {
            if let Some(refusal) = Refusal::from_data(bytes) {
                assert_eq!(refusal.data(), bytes, "a value has one form");
                let _ = refusal.to_string();
            }
        }
    }
});
