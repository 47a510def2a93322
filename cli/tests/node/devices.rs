//! A customer's devices at a bank, over HTTP: enrolled by bank and customer together, limited, ended, recovered.

use crate::bank::{Bank, DESCRIPTION, customer};
use crate::home::{Node, Wallet};
use serde_json::{Value, json};
use std::path::Path;
use tenor_abi::codec;
use tenor_abi::id::{AccountId, Hash};
use tenor_cli::folder::Folder;
use tenor_wire::crypto::{PublicKey, SecretKey};
use tenor_wire::hexadecimal::{hex, unhex};
use tenor_wire::op::KeyNumber;

fn device(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32]).unwrap()
}

fn text(public: PublicKey) -> String {
    hex(&codec::encode(&public))
}

/// Prepares for several signers, has each sign in the order that the node names, and hands in.
fn together(node: &Node, signers: &[(String, &SecretKey)], operation: &Value) -> (Value, (u16, Value)) {
    let named: Vec<Value> = signers.iter().map(|(party, _)| json!({ "party": party })).collect();
    let prepared =
        node.post("/v1/transactions:prepare", &json!({ "signers": named, "operation": operation }));
    let digest = Hash(unhex(prepared["digest"].as_str().unwrap()).unwrap().try_into().unwrap());
    let order = prepared["signers"].as_array().unwrap();
    let sign = |signer: &Value| {
        let key = signers.iter().find(|(party, _)| signer["party"] == json!(party)).unwrap().1;
        let signature = key.sign(&digest);
        hex(&[signature.r, signature.s].concat())
    };
    let signatures: Vec<String> = order.iter().map(sign).collect();
    let signed = json!({ "body": prepared["body"], "signatures": signatures });
    let told = node.post_as("bank", "/v1/transactions", &signed);
    (prepared, told)
}

fn pay(
    node: &Node,
    ada: &Wallet,
    with: &SecretKey,
    number: KeyNumber,
    amount: u128,
    choice: u64,
) -> (u16, Value) {
    let names = Folder::names(&node.data).unwrap();
    let house: AccountId = names.accounts["house"].parse().unwrap();
    let mut body = ada.body(&house, amount, choice);
    body.authorisers[0].key = number;
    node.submit(&body.sign(&[with]))
}

#[test]
fn a_device_is_enrolled_by_both_limited_ended_and_recovered() {
    let bank = Bank::found(Path::new(DESCRIPTION));
    let node = Node::run(&bank.data, &[]);
    let ada = customer(&bank, &node);
    let party = ada.party.to_string();
    let fund = json!({ "type": "transfer", "from": "funding", "to": ada.account.to_string(), "amount": "100.00 EUR" });
    assert_eq!(bank.does(&node, "bank", &fund)["fate"], "done");
    let olga = Folder::names(&bank.data).unwrap().parties["olga"].clone();
    let (phone, found) = (device(51), device(52));
    let add = json!({ "type": "add_key", "party": party, "number": 1, "key": {
        "public_key": text(phone.public()),
        "limits": [{ "asset": "EUR", "per_payment": "5.00 EUR", "per_day": "8.00 EUR" }] } });
    // The customer alone enrols nothing; what is prepared says so before anything is signed.
    let (prepared, (status, told)) = together(&node, &[(party.clone(), &ada.key)], &add);
    assert_eq!((status, &told["rule"]), (422, &json!("RoleMissing")), "{told}");
    assert_eq!(prepared["problem"]["rule"], "RoleMissing");
    let key = bank.key("olga");
    let both = [(party.clone(), &ada.key), (olga, &key)];
    let (_, (status, told)) = together(&node, &both, &add);
    assert_eq!(status, 201, "{told}");
    // So much a payment, so much a day, and told in words.
    let (status, told) = pay(&node, &ada, &phone, 1, 501, 1);
    assert_eq!((status, &told["rule"], &told["iso20022"]), (422, &json!("KeyLimit"), &json!("AM14")));
    assert!(
        told["detail"].as_str().unwrap().contains("key 1 may move 5.00 EUR now, 5.01 EUR asked"),
        "{told}"
    );
    assert_eq!(pay(&node, &ada, &phone, 1, 500, 2).0, 201);
    assert_eq!(pay(&node, &ada, &phone, 1, 301, 3).1["rule"], "KeyLimit");
    assert_eq!(pay(&node, &ada, &phone, 1, 300, 4).0, 201);
    assert_eq!(pay(&node, &ada, &ada.key, 0, 1_000, 5).0, 201);
    let shown = node.get(&format!("/v1/parties/{party}"))["keys"].clone();
    assert_eq!(shown[0]["limits"], Value::Null);
    assert_eq!(shown[1]["limits"][0]["per_day"], "8.00 EUR");
    assert_eq!(shown[1]["limits"][0]["moved"]["amount"], "8.00 EUR");
    // Ended by the customer.
    let end = json!({ "type": "revoke_key", "party": party, "number": 1 });
    assert_eq!(together(&node, &[(party.clone(), &ada.key)], &end).1.0, 201);
    let (status, told) = pay(&node, &ada, &phone, 1, 1, 6);
    assert_eq!((status, &told["code"]), (422, &json!("key_ended")));
    // What it did before is told as it was, whoever asks again.
    assert_eq!(pay(&node, &ada, &phone, 1, 500, 2).0, 201);
    assert_eq!(pay(&node, &ada, &phone, 1, 501, 1).1["rule"], "KeyLimit");
    assert_eq!(node.get(&format!("/v1/accounts/{}", ada.account))["balance"], "82.00");
    // Everything is lost: two of the bank bring the customer back.
    let recover = json!({ "type": "recover_key", "party": party, "number": 2, "key": {
        "public_key": text(found.public()), "place": "device", "expires_at": "2099-01-01T00:00:00Z" } });
    assert_eq!(bank.does(&node, "olga", &recover)["rule"], "FourEyes");
    // Whoever is to approve it is shown all that it does.
    let proposal = bank.proposed(&node, &recover);
    let shown = node.get(&format!("/v1/proposals/{proposal}"));
    let key = text(found.public());
    let does =
        format!("ends every key of {party} for good and gives it key 2: device {key}, until 2099-01-01");
    assert!(shown["effects"][0].as_str().unwrap().starts_with(&does), "{shown}");
    assert_eq!(shown["proposed"]["Key"]["party"], json!(party), "{shown}");
    let approve = json!({ "type": "approve", "proposal": proposal });
    let asked = json!({ "signers": [{ "party": "piet" }], "operation": approve });
    let prepared = node.post("/v1/transactions:prepare", &asked);
    assert!(prepared["effects"][1].as_str().unwrap().starts_with(&does), "{prepared}");
    let told = bank.does(&node, "piet", &approve);
    assert_eq!(told["fate"], "done", "{told}");
    assert_eq!(pay(&node, &ada, &ada.key, 0, 1, 7).1["code"], "key_ended");
    assert_eq!(pay(&node, &ada, &found, 2, 8_200, 8).0, 201);
    assert_eq!(node.get(&format!("/v1/accounts/{}", ada.account))["balance"], "0.00");
    // A whole customer by one operation, with a limited first key.
    let bob = json!({ "type": "party", "home": "bank", "person": "07".repeat(32), "name": "08".repeat(32), "key": {
        "public_key": text(device(53).public()), "limits": [] } });
    let made = bank.together(&node, bob.clone());
    assert_eq!(made["fate"], "done", "{made}");
    let wrong = |path: &[&str], value: Value| {
        let mut asked = bob.clone();
        let field = path.iter().fold(&mut asked, |at, name| &mut at[*name]);
        *field = value;
        let asked = json!({ "signers": [{ "party": "olga" }], "operation": asked });
        node.post_as("bank", "/v1/transactions:prepare", &asked)
    };
    let limit = |payment: &str| json!([{ "asset": "EUR", "per_payment": payment, "per_day": "1.00 EUR" }]);
    for (path, value) in [
        (&["person"][..], json!("07")),
        (&["kind"], json!("robot")),
        (&["key", "public_key"], json!("00")),
        (&["key", "place"], json!("pocket")),
        (&["key", "limits"], limit("1.001 EUR")),
        (&["key", "limits"], limit("1.00 USD")),
        (&["key", "limits"], limit("-1.00 EUR")),
        (&["key", "colour"], json!("red")),
    ] {
        let (status, said) = wrong(path, value);
        assert_eq!((status, &said["code"]), (400, &json!("bad_field")), "{path:?}: {said}");
    }
    assert_eq!(node.stop(), Some(0));
}
