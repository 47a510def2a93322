//! Golden hashes: the bytes of every signed and stored form of one small chain. A change here is a change of
//! form and needs a line in the changelog.
#![allow(clippy::unwrap_used)]

use tenor_abi::codec::encode;
use tenor_runtime::chain::Replica;
use tenor_testing::Bank;
use tenor_wire::block::Item;
use tenor_wire::crypto::plain_hash;

fn short(bytes: &[u8]) -> String {
    plain_hash(&[bytes]).0[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_form_has_its_golden_hash() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "0.00"));
    bank.transfer(&ada, bob.account, "2.50").done();
    let chain = bank.chain();
    let block = chain.block(chain.tip().height).unwrap().unwrap();
    let Item::Tx(tx) = &block.items[0] else { panic!("the newest item is the transfer") };
    let certificate = chain.certificate(&block.header, None).unwrap().unwrap();
    let bundle = chain.prove_receipt(block.header.height, 0, None).unwrap().unwrap();
    let writes = chain.journal().writes(block.header.height).unwrap().unwrap();
    let forms = [
        ("genesis", short(&chain.genesis().to_bytes())),
        ("body", short(&tx.body.signing_bytes())),
        ("transaction", short(&tx.to_bytes())),
        ("receipt", short(&encode(&block.receipts[0].receipt))),
        ("entry", short(&encode(&block.receipts[0].entries[0]))),
        ("header", short(&encode(&block.header))),
        ("certificate", short(&encode(&certificate))),
        ("bundle", short(&bundle.to_bytes())),
        ("writes", short(&writes.to_bytes())),
    ];
    let shown: Vec<String> = forms.iter().map(|(name, hash)| format!("{name} {hash}")).collect();
    assert_eq!(shown.join("\n"), GOLDEN);
}

const GOLDEN: &str = "\
genesis f71fe25ffc519e8b
body a93f25aca4414ec0
transaction 010381a7c8d62d9b
receipt e75e44fff9ce0498
entry 59824af4a234f185
header 2014bc18e62f8c39
certificate 74a7df4417d9d413
bundle 04774c003408ccdc
writes 88edcdbc2a992606";
