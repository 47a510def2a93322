//! What an agreement may take from an account: as much, as often and as long as its owner said, and no more.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use tenor_abi::codec;
use tenor_abi::date::Date;
use tenor_abi::id::{AgreementId, CodeHash};
use tenor_abi::spec::Period;
use tenor_cli::products;
use tenor_cli::words::{self, Arguments};
use tenor_testing::wire::op::{GrantOp, OpenOp, Operation, RevokeOp, Seen};
use tenor_testing::{Bank, Outcome, Person};

/// A weekly order of 10.00 from ada to bob, each Monday from 5 January on.
struct Order {
    bank: Bank,
    ada: Person,
    bob: Person,
    code: CodeHash,
    id: AgreementId,
}

impl Order {
    fn new() -> Order {
        let mut bank = Bank::new();
        let (ada, bob) = (bank.customer("ada", "1000.00"), bank.customer("bob", "0.00"));
        let module = products::find("recurring").unwrap().wasm;
        let code = bank.publish(module);
        let terms = [
            ("payer", ada.account.to_string()),
            ("payee", bob.account.to_string()),
            ("amount", "10.00 EUR".into()),
            ("rhythm", "weekly".into()),
            ("first", "2026-01-05".into()),
        ];
        let decimals = |word: &str| (word == "decimals:EUR").then(|| "2".to_string());
        let terms = words::terms(&words::spec_of(module).unwrap(), &Arguments::of(&terms), &decimals);
        let op = Operation::Open(OpenOp { code, terms: terms.unwrap(), arguments: vec![0] });
        let id = codec::decode(&bank.run(&ada, op, vec![]).done().data, 64).unwrap();
        Order { bank, ada, bob, code, id }
    }

    /// A grant on ada's account, in cents.
    fn grant(&mut self, by: &Person, per_entry: u128, per_period: u128, until: Option<Date>) -> Outcome {
        let op = GrantOp {
            seen: Seen { agreement: self.id, code: self.code, terms_version: 0 },
            account: self.ada.account,
            per_entry,
            per_period,
            period: Period::Month,
            expires_at: until.map(Date::midnight),
        };
        self.bank.run(by, Operation::Grant(op), vec![])
    }

    fn revoke(&mut self, by: &Person) -> Outcome {
        let op = RevokeOp { agreement: self.id, account: self.ada.account };
        self.bank.run(by, Operation::Revoke(op), vec![])
    }

    #[track_caller]
    fn paid_until(&mut self, date: Date, euros: &str) {
        self.bank.run_until(date);
        assert_eq!(self.bank.balance(self.bob.account), euros, "paid until {date}");
    }
}

#[test]
fn without_a_grant_nothing_is_taken() {
    let mut order = Order::new();
    let (ada, bob) = (order.ada.clone(), order.bob.clone());
    order.paid_until(Date::of(2026, 1, 12), "20.00");
    assert_eq!(order.revoke(&bob).refusal().name(), "NotAuthorised");
    order.revoke(&ada).done();
    assert_eq!(order.revoke(&ada).refusal().name(), "DebitNotAllowed");
    // Tried and tried again, then suspended.
    order.paid_until(Date::of(2026, 1, 23), "20.00");
    assert_eq!(order.bank.state(order.id), "Suspended");
    order.grant(&ada, 1_000, 1_000, None).done();
    order.bank.invoke(&ada, order.id, "resume", &[]).done();
    order.paid_until(Date::of(2026, 1, 26), "30.00");
}

#[test]
fn a_grant_is_by_the_owner_and_has_its_limits() {
    let mut order = Order::new();
    let (ada, bob) = (order.ada.clone(), order.bob.clone());
    assert_eq!(order.grant(&bob, 1_000, 1_000, None).refusal().name(), "NotAuthorised");
    for (per_entry, per_period) in [(0, 1_000), (1_000, 999)] {
        assert_eq!(order.grant(&ada, per_entry, per_period, None).refusal().name(), "BadValue");
    }
    // 25.00 in a month: two payments, and none for what is left of it.
    order.grant(&ada, 1_000, 2_500, None).done();
    order.paid_until(Date::of(2026, 1, 31), "20.00");
    assert_eq!(order.bank.state(order.id), "Suspended");
    // Another month begins anew.
    order.bank.invoke(&ada, order.id, "resume", &[]).done();
    order.paid_until(Date::of(2026, 2, 9), "40.00");
    // A cent too little for a payment.
    order.grant(&ada, 999, 100_000, None).done();
    order.paid_until(Date::of(2026, 2, 20), "40.00");
    assert_eq!(order.bank.state(order.id), "Suspended");
}

#[test]
fn a_grant_ends_on_its_day() {
    let mut order = Order::new();
    let ada = order.ada.clone();
    order.grant(&ada, 1_000, 10_000, Some(Date::of(2026, 1, 19))).done();
    order.paid_until(Date::of(2026, 1, 19), "30.00");
    order.paid_until(Date::of(2026, 3, 1), "30.00");
    assert_eq!(order.bank.state(order.id), "Suspended");
}
