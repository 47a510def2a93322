//! Whoever may not debit an account is told nothing of what is on it.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod modules;

use modules::{Module, call};
use tenor_abi::codec;
use tenor_abi::entry::{AccountRef, CollectRequest, EntryRequest, Mode, Posting, Side};
use tenor_abi::id::{AccountId, AgreementId};
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{Authority, CallKind, Period};
use tenor_testing::wire::op::{GrantOp, Operation, Seen};
use tenor_testing::{Bank, Person, money};

/// As much as there may be.
const ALL: i128 = 10i128.pow(30);

fn posting(account: AccountId, side: Side, mode: Mode, minor: i128) -> Posting {
    let money = money("0.01").with_minor(minor);
    Posting { account: AccountRef::Account(account), side, mode, money }
}

/// A module whose calls ask in several ways for all that is on an account of somebody else.
fn asker(own: AccountId, other: AccountId) -> Vec<u8> {
    let all = posting(other, Side::Debit, Mode::AtMost, ALL);
    let post = |with| EntryRequest {
        postings: vec![all, with],
        purpose: 0,
        narrative: None,
        reference: None,
        value_date: None,
        key: None,
    };
    let unbalanced = codec::encode(&post(posting(own, Side::Credit, Mode::Exact, 1)));
    let balancing = codec::encode(&post(posting(own, Side::Credit, Mode::Balancing, 0)));
    let money = money("0.01").with_minor(ALL);
    let (from, to) = (AccountRef::Account(other), AccountRef::Account(own));
    let collect = codec::encode(&CollectRequest { from, to, money, purpose: 0 });
    let huge = posting(own, Side::Debit, Mode::Exact, i128::MAX);
    let huge = [huge, huge, huge, posting(own, Side::Debit, Mode::Balancing, 0)];
    let huge = codec::encode(&EntryRequest { postings: huge.to_vec(), ..post(all) });
    let by = || vec![Authority::Anyone];
    let body = |name: &str, at: usize, bytes: &[u8]| {
        format!("(drop (call ${name} (i32.const {at}) (i32.const {}))) i32.const 0", bytes.len())
    };
    let def = |name| tenor_abi::spec::CallDef { by: by(), ..call(name, CallKind::Action) };
    Module::new("asker")
        .data(1024, &unbalanced)
        .data(2048, &balancing)
        .data(3072, &collect)
        .data(4096, &huge)
        .call(def("huge"), &body("post", 4096, &huge))
        .call(def("unbalanced"), &body("post", 1024, &unbalanced))
        .call(def("balancing"), &body("post", 2048, &balancing))
        .call(def("collect"), &format!(
            "(drop (call $collect_up_to (i32.const 3072) (i32.const {}) (i32.const 8192) (i32.const 64))) i32.const 0",
            collect.len()
        ))
        .build()
}

fn asked(bank: &mut Bank, by: &Person, agreement: AgreementId, other: AccountId) -> [String; 3] {
    let spend = || vec![(by.account, "1.00")];
    ["unbalanced", "balancing", "collect"].map(|call| {
        let outcome = bank.invoke_spending(by, agreement, call, &[], spend());
        match outcome.receipt {
            Ok(receipt) => match Refusal::from_data(&receipt.data) {
                Some(Refusal::DebitNotAllowed { account }) if account == other => "not allowed".into(),
                said => format!("{:?} {said:?}", receipt.receipt.fate),
            },
            Err(rejected) => panic!("{rejected:?}"),
        }
    })
}

#[test]
fn whoever_may_not_debit_an_account_is_told_nothing_of_it() {
    for there in ["0.00", "1000.00"] {
        let mut bank = Bank::new();
        let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", there));
        let code = bank.publish(&asker(ada.account, bob.account));
        let agreement = bank.opened(&ada, code, &0u8);
        assert_eq!(asked(&mut bank, &ada, agreement, bob.account), ["not allowed"; 3], "{there}");
    }
}

#[test]
fn an_amount_that_is_none_is_refused_with_its_value() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "5.00"));
    let code = bank.publish(&asker(ada.account, bob.account));
    let agreement = bank.opened(&ada, code, &0u8);
    let said = bank.invoke_spending(&ada, agreement, "huge", &[], vec![(ada.account, "1.00")]).refusal();
    assert_eq!(said, Refusal::BadAmount { minor: i128::MAX });
}

#[test]
fn under_a_grant_what_is_there_is_taken() {
    let mut bank = Bank::new();
    let (ada, bob) = (bank.customer("ada", "10.00"), bank.customer("bob", "5.00"));
    let code = bank.publish(&asker(ada.account, bob.account));
    let agreement = bank.opened(&ada, code, &0u8);
    let op = GrantOp {
        seen: Seen { agreement, code, terms_version: 0 },
        account: bob.account,
        per_entry: 100_000,
        per_period: 100_000,
        period: Period::Month,
        expires_at: None,
    };
    bank.run(&bob, Operation::Grant(op), vec![]).done();
    for call in ["balancing", "collect"] {
        bank.invoke_spending(&ada, agreement, call, &[], vec![(ada.account, "1.00")]).done();
        assert_eq!((bank.balance(ada.account), bank.balance(bob.account)), ("15.00".into(), "0.00".into()));
    }
    assert_eq!(bank.replayed(), bank.root());
}
