//! The cases that every client is held against: `clients/vectors.json`, made here from the wire's own types.
//!
//! `UPDATE_GOLDEN=1` writes the file anew: that is approving another form of bytes, or of the JSON.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use serde_json::{Value, json};
use std::path::Path;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, AgreementId, AssetId, ChainId, CodeHash, Hash, HoldId, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_abi::tag;
use tenor_client::core::{self, CoreError};
use tenor_client::json::{from_json, hex, to_json};
use tenor_wire::block::{Certificate, HEADER_VERSION, Header, Item, Validator, ValidatorSet};
use tenor_wire::crypto::SecretKey;
use tenor_wire::merkle::ListProof;
use tenor_wire::op::{Operation, Spend, TransferOp};
use tenor_wire::proof::{BUNDLE_VERSION, Bundle, Checkpoint, Link, STATE_BUNDLE_VERSION, StateBundle};
use tenor_wire::receipt::{Act, BookedPosting, Entry, EntrySource, Fate, FullReceipt, Receipt, list_root};
use tenor_wire::trie::{End, Path as TriePath, StateProof, leaf_hash};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

const SECRET: [u8; 32] = [7; 32];
const FROM: AccountId = AccountId([0x11; 32]);
const TO: AccountId = AccountId([0x22; 32]);
const EUR: AssetId = AssetId([0x33; 32]);
const TIME: Timestamp = Timestamp(1_772_323_200_000);

fn key() -> SecretKey {
    SecretKey::from_bytes(&SECRET).unwrap()
}

fn body(amount: u128) -> Body {
    Body {
        version: BODY_VERSION,
        chain: ChainId([0x44; 32]),
        authorisers: vec![Authoriser { party: PartyId([0x55; 32]), key: 1 }],
        key: IdempotencyKey::new((TIME.0 / DAY_MS) as u32, [0xab; 12]),
        valid_from: TIME,
        valid_until: Timestamp(TIME.0 + DAY_MS),
        gas_limit: 1_000_000,
        spend_max: vec![Spend { account: FROM, amount }],
        operation: Operation::Transfer(TransferOp {
            from: FROM,
            to: TO,
            amount,
            narrative: Some(Hash([0x66; 32])),
            reference: None,
        }),
    }
}

/// A payment that was made and one that was refused, in one block.
fn block() -> (Checkpoint, [Bundle; 2], StateBundle) {
    let signed = |amount| body(amount).sign(&[&key()]);
    // An amount that a JSON number would not hold.
    let transactions: [Transaction; 2] = [signed(9_007_199_254_740_993), signed(5_000)];
    let items = transactions.clone().map(Item::Tx);
    let posting = |account, side| BookedPosting { account, asset: EUR, side, amount: 9_007_199_254_740_993 };
    let entry = Entry {
        id: EntryId { item: items[0].id(), index: 0 },
        source: EntrySource::Party,
        booked_at: TIME,
        value_date: Date::of(2026, 3, 1),
        postings: [posting(FROM, Side::Debit), posting(TO, Side::Credit)].into(),
        narrative: Some(Hash([0x66; 32])),
        reference: None,
        act: Act::Post,
        linked: vec![],
    };
    let refusal = Refusal::InsufficientFunds { account: FROM, available: 4_999, needed: 5_000 };
    let receipts = [
        FullReceipt::new(items[0].id(), Fate::Done, 0, 21_000, codec::encode(&0u32), vec![entry], vec![]),
        FullReceipt::new(items[1].id(), Fate::Refused, refusal.code(), 9_000, refusal.data(), vec![], vec![]),
    ];
    let cores: [Receipt; 2] = [receipts[0].receipt, receipts[1].receipt];
    let validator = SecretKey::from_bytes(&[9; 32]).unwrap();
    let bank = PartyId([0x77; 32]);
    let validators =
        ValidatorSet { validators: vec![Validator { bank, key: validator.public() }], quorum: 1 };
    let record_key: Vec<u8> = [5].into_iter().chain(FROM.0).collect();
    let record = b"what state holds there".to_vec();
    let first = Header {
        version: HEADER_VERSION,
        protocol: 1,
        chain: ChainId([0x44; 32]),
        height: 0,
        time: Timestamp(TIME.0 - DAY_MS),
        parent: Hash::ZERO,
        ancestry: Hash::ZERO,
        items: Hash::ZERO,
        items_count: 0,
        receipts: Hash::ZERO,
        receipts_count: 0,
        state: Hash([0x88; 32]),
        outbox: Hash::ZERO,
        validators: validators.hash(),
        parameters: Hash([0x99; 32]),
        proposer: bank,
    };
    let header = Header {
        height: 12,
        time: TIME,
        parent: Hash([0xaa; 32]),
        items: list_root(tag::ITEMS, &items),
        items_count: 2,
        receipts: list_root(tag::RECEIPTS, &cores),
        receipts_count: 2,
        // One leaf alone: its hash is the root.
        state: leaf_hash(&TriePath::of(&FROM.0, &record_key), &record_key, &record),
        ..first.clone()
    };
    let link = Link::Signed(Certificate::solo(&header, &validator));
    let bundle = |index: usize| {
        let leaves = |list: [Vec<u8>; 2], tags| {
            let leaves: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
            ListProof::of(tags, &leaves, index as u64).unwrap()
        };
        Bundle {
            version: BUNDLE_VERSION,
            item: items[index].clone(),
            item_proof: leaves([codec::encode(&items[0]), codec::encode(&items[1])], tag::ITEMS),
            receipt: receipts[index].clone(),
            receipt_proof: leaves([codec::encode(&cores[0]), codec::encode(&cores[1])], tag::RECEIPTS),
            header: header.clone(),
            link: link.clone(),
        }
    };
    let (bundles, proof) = ([bundle(0), bundle(1)], StateProof { steps: vec![], end: End::Found(record) });
    let state =
        StateBundle { version: STATE_BUNDLE_VERSION, key: record_key, proof, header: header.clone(), link };
    (Checkpoint { header: first, validators }, bundles, state)
}

fn parsed(answer: Result<Vec<u8>, CoreError>) -> Value {
    serde_json::from_slice(&answer.unwrap()).unwrap()
}

fn shown(checkpoint: &[u8], bundle: &[u8]) -> Value {
    json!({ "bundle": hex(bundle), "shown": parsed(core::verify_bundle(checkpoint, bundle)) })
}

fn error(answer: Result<Vec<u8>, CoreError>) -> String {
    answer.unwrap_err().to_string()
}

fn vectors() -> Value {
    let body = body(9_007_199_254_740_993);
    let bytes = codec::encode(&body);
    let signature = core::sign(&SECRET, &bytes).unwrap();
    let public = core::public_key(&SECRET).unwrap();
    let (checkpoint, [done, refused], state) = block();
    let (trusted, transaction) = (codec::encode(&checkpoint), core::assemble(&bytes, &signature).unwrap());
    let mut forged = done.clone();
    forged.receipt.entries[0].postings[1].amount += 1;
    let mut replaced = done.clone();
    replaced.header.time = Timestamp(TIME.0 + 1);
    let mut padded = bytes.clone();
    padded.push(0);
    json!({
        // Ids of every kind that tests need, sound by their checksums.
        "ids": {
            "agreement": AgreementId([0xa1; 32]).to_string(), "code": CodeHash([0xa2; 32]).to_string(),
            "chain": ChainId([0xa3; 32]).to_string(), "hash": Hash([0xa4; 32]).to_string(),
            "hold": HoldId([0xa5; 32]).to_string(),
        },
        "secret": hex(&SECRET),
        "public": hex(&public),
        "body": serde_json::from_str::<Value>(&to_json(&body).unwrap()).unwrap(),
        "body_bytes": hex(&bytes),
        "decoded_body": parsed(core::decode_body(&bytes)),
        "digest": hex(&core::digest(&bytes).unwrap()),
        "signature": hex(&signature),
        "transaction": hex(&transaction),
        "decoded_transaction": parsed(core::decode_transaction(&transaction)),
        "checkpoint": hex(&trusted),
        "decoded_checkpoint": parsed(core::decode_checkpoint(&trusted)),
        "done": shown(&trusted, &done.to_bytes()),
        "refused": shown(&trusted, &refused.to_bytes()),
        "state": shown(&trusted, &state.to_bytes()),
        "receipt": hex(&codec::encode(&refused.receipt)),
        "decoded_receipt": parsed(core::decode_receipt(&codec::encode(&refused.receipt))),
        "wrong": {
            "forged": { "bundle": hex(&forged.to_bytes()), "error": error(core::verify_bundle(&trusted, &forged.to_bytes())) },
            "replaced": { "bundle": hex(&replaced.to_bytes()), "error": error(core::verify_bundle(&trusted, &replaced.to_bytes())) },
            "padded": { "body": hex(&padded), "error": error(core::decode_body(&padded)) },
            "no_key": { "secret": hex(&[0xff; 32]), "error": error(core::public_key(&[0xff; 32])) },
        },
    })
}

#[test]
fn the_vectors_are_what_they_were() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&vectors()).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        made, kept,
        "other bytes or another JSON: renew with UPDATE_GOLDEN=1 and say why in CHANGELOG.md"
    );
}

#[test]
fn json_and_bytes_are_each_others_inverse() {
    let body = body(9_007_199_254_740_993);
    let json = to_json(&body).unwrap();
    assert_eq!(from_json::<Body>(&json).unwrap(), body);
    assert_eq!(core::encode_body(json.as_bytes()).unwrap(), codec::encode(&body));
    let (checkpoint, bundles, state) = block();
    assert_eq!(from_json::<Checkpoint>(&to_json(&checkpoint).unwrap()).unwrap(), checkpoint);
    assert_eq!(from_json::<StateBundle>(&to_json(&state).unwrap()).unwrap(), state);
    for bundle in bundles {
        assert_eq!(from_json::<Bundle>(&to_json(&bundle).unwrap()).unwrap(), bundle);
    }
}

#[test]
fn a_changed_byte_anywhere_in_a_bundle_shows_nothing_else() {
    let (checkpoint, [done, _], state) = block();
    let trusted = codec::encode(&checkpoint);
    for bundle in [done.to_bytes(), state.to_bytes()] {
        let whole = core::verify_bundle(&trusted, &bundle).unwrap();
        for at in 0..bundle.len() {
            let mut changed = bundle.clone();
            changed[at] ^= 1;
            if let Ok(shown) = core::verify_bundle(&trusted, &changed) {
                panic!(
                    "byte {at}: {} instead of {}",
                    String::from_utf8_lossy(&shown),
                    String::from_utf8_lossy(&whole)
                );
            }
        }
        for length in 0..bundle.len() {
            assert!(core::verify_bundle(&trusted, &bundle[..length]).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn no_bytes_make_a_function_panic() {
    // splitmix64: the same bytes everywhere.
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let (checkpoint, [done, _], _) = block();
    let good = [codec::encode(&body(1)), codec::encode(&checkpoint), done.to_bytes()];
    for round in 0..20_000 {
        let mut bytes = good[round % 3].clone();
        for _ in 0..=next() % 4 {
            let at = next() as usize % bytes.len();
            bytes[at] = next() as u8;
        }
        bytes.truncate(next() as usize % (2 * bytes.len()));
        let _ = core::decode_body(&bytes);
        let _ = core::decode_transaction(&bytes);
        let _ = core::verify_bundle(&bytes, &good[2]);
        let _ = core::verify_bundle(&good[1], &bytes);
        let _ = core::decode_receipt(&bytes);
        let _ = core::encode_body(&bytes);
        let _ = core::assemble(&bytes, &[0; 64]);
        let _ = core::verify_signature(&bytes, &[0; 32], &[1; 64]);
    }
}
