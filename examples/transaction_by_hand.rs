//! A transaction built and signed by hand: what a wallet in another language has to do.

use anyhow::{Result, ensure};
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AccountId, ChainId, PartyId};
use tenor_abi::tag;
use tenor_wire::crypto::{SecretKey, hash};
use tenor_wire::op::{Operation, Spend, TransferOp};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

pub fn main() -> Result<()> {
    let key = SecretKey::from_bytes(&[7; 32]).ok_or_else(|| anyhow::anyhow!("these bytes are a key"))?;
    let (from, to) = (AccountId([1; 32]), AccountId([2; 32]));
    let now = Timestamp(1_770_000_000_000);
    let body = Body {
        version: BODY_VERSION,
        chain: ChainId([9; 32]),
        authorisers: vec![Authoriser { party: PartyId([3; 32]), key: 0 }],
        key: IdempotencyKey::new((now.0 / DAY_MS) as u32, *b"twelve bytes"),
        valid_from: now,
        valid_until: Timestamp(now.0 + 60_000),
        gas_limit: 1_000_000,
        spend_max: vec![Spend { account: from, amount: 250 }],
        operation: Operation::Transfer(TransferOp {
            from,
            to,
            amount: 250,
            narrative: None,
            reference: None,
        }),
    };

    // The same body, byte for byte, as docs/FORMATS.md describes it.
    let number = |value: u64| codec::encode(&value);
    let mut bytes = vec![1];
    bytes.extend([9; 32]);
    bytes.extend([&[1][..], &[3; 32], &[0]].concat());
    bytes.extend(((now.0 / DAY_MS) as u32).to_be_bytes());
    bytes.extend(b"twelve bytes");
    bytes.extend(number(now.0));
    bytes.extend(number(now.0 + 60_000));
    bytes.extend(number(1_000_000));
    bytes.extend([&[1][..], &[1; 32], &number(250)].concat());
    bytes.extend([&[9][..], &[1; 32], &[2; 32], &number(250), &[0, 0]].concat());
    ensure!(bytes == body.signing_bytes(), "the bytes are those that the library signs");

    // The id is the tagged hash of the body, and it is what is signed.
    let digest = hash(tag::TRANSACTION, &[&bytes]);
    ensure!(digest.0 == body.id().0);
    let signature = key.sign(&digest);
    let tx = Transaction { body, signatures: vec![signature] };
    ensure!(tx.check_signatures(&[key.public()]).is_ok());
    println!("{} in {} bytes, signed with r {:02x?}…", tx.id(), tx.to_bytes().len(), &signature.r[..4]);
    Ok(())
}
