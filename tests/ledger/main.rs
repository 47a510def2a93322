//! The ledger through signed transactions: accounts and what happens to them, holds, entries of all kinds, and each
//! thing that can be wrong with them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

mod accounts;
mod attacks;
mod entries;
mod holds;
mod wrong;

use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, Hash, HoldId};
use tenor_runtime::state::record::AccountRecord;
use tenor_testing::wire::op::{
    AccountChange, AccountChangeOp, BooksChange, BooksOp, EntryLineOp, EntryOp, HoldLineOp, HoldOp,
    Operation, Spend,
};
use tenor_testing::{Bank, Outcome, Person};

/// A bank with three customers: ada has 100.00, bob 20.00, the shop nothing.
pub(crate) struct World {
    pub bank: Bank,
    pub ada: Person,
    pub bob: Person,
    pub shop: Person,
}

impl World {
    pub(crate) fn new() -> World {
        World::at(Bank::new())
    }

    pub fn at(mut bank: Bank) -> World {
        let (ada, bob) = (bank.customer("ada", "100.00"), bank.customer("bob", "20.00"));
        let shop = bank.customer("shop", "0.00");
        World { bank, ada, bob, shop }
    }

    pub fn now(&self) -> Timestamp {
        self.bank.chain().tip().time
    }

    pub fn in_days(&self, days: u64) -> Timestamp {
        Timestamp(self.now().0 + days * DAY_MS)
    }

    pub fn change(&mut self, account: AccountId, change: AccountChange) -> Outcome {
        self.bank.staff(Operation::AccountChange(AccountChangeOp { account, change }))
    }

    pub fn limits(&mut self, account: AccountId, floor: i128, ceiling: Option<i128>) -> Outcome {
        self.change(account, AccountChange::Limits { floor, ceiling, holds_overdraft: false })
    }

    pub fn books(&mut self, change: BooksChange) -> Outcome {
        let bank = self.bank.bank.party;
        self.bank.staff(Operation::Books(BooksOp { bank, change }))
    }

    /// A hold by the payers of its lines, in cents, for a week.
    pub fn hold(&mut self, by: &[&Person], lines: &[(&Person, &Person, u128)]) -> Outcome {
        let expires_at = self.in_days(7);
        self.hold_until(by, lines, expires_at)
    }

    pub fn hold_until(
        &mut self,
        by: &[&Person],
        lines: &[(&Person, &Person, u128)],
        expires_at: Timestamp,
    ) -> Outcome {
        let line = |(from, to, amount): &(&Person, &Person, u128)| HoldLineOp {
            from: from.account,
            to: to.account,
            amount: *amount,
        };
        let op =
            HoldOp { lines: lines.iter().map(line).collect(), expires_at, narrative: None, reference: None };
        let spend = lines.iter().map(|(from, _, amount)| (from.account, *amount)).collect();
        self.run(by, Operation::Hold(op), spend)
    }

    pub fn held(&mut self, by: &Person, to: &Person, amount: u128) -> HoldId {
        codec::decode(&self.hold(&[by], &[(by, to, amount)]).done().data, 64).unwrap()
    }

    /// An entry of lines (account, side, cents).
    pub fn entry(&mut self, by: &[&Person], lines: &[(AccountId, Side, u128)]) -> Outcome {
        let op = self.entry_op(lines);
        self.run(by, Operation::Entry(op), World::spends(lines))
    }

    pub fn entry_op(&self, lines: &[(AccountId, Side, u128)]) -> EntryOp {
        let line = |(account, side, amount): &(AccountId, Side, u128)| EntryLineOp {
            account: *account,
            side: *side,
            amount: *amount,
        };
        EntryOp {
            lines: lines.iter().map(line).collect(),
            value_date: None,
            narrative: None,
            reference: None,
        }
    }

    pub fn spends(lines: &[(AccountId, Side, u128)]) -> Vec<(AccountId, u128)> {
        lines.iter().filter(|line| line.1 == Side::Debit).map(|line| (line.0, line.2)).collect()
    }

    pub fn run(&mut self, by: &[&Person], operation: Operation, spend: Vec<(AccountId, u128)>) -> Outcome {
        let mut spend: Vec<Spend> =
            spend.into_iter().map(|(account, amount)| Spend { account, amount }).collect();
        spend.sort();
        let tx = self.bank.signed_together(by[0], &by[1..], operation, spend);
        self.bank.submit(tx)
    }

    pub fn account(&self, id: AccountId) -> AccountRecord {
        self.bank.chain().record(&id.0).unwrap().unwrap()
    }

    /// Balance and pending debits and credits, in cents.
    pub fn counters(&self, person: &Person) -> (i128, u128, u128) {
        let record = self.account(person.account);
        (record.balance(), record.counters.debits_pending, record.counters.credits_pending)
    }

    /// The chain comes to the same when it is executed again.
    pub fn replays(&self) {
        assert_eq!(self.bank.fork().root(), self.bank.root());
    }
}

/// The entry that the newest block booked first.
pub fn newest_entry(bank: &Bank) -> EntryId {
    let block = bank.blocks().pop().unwrap();
    block.receipts[0].entries[0].id
}

/// An account that nobody has.
pub fn nobody() -> AccountId {
    AccountId([0x55; 32])
}

/// A hold that nobody placed.
pub fn no_hold() -> HoldId {
    HoldId([0x55; 32])
}

/// An entry that nobody booked.
pub fn no_entry() -> EntryId {
    EntryId { item: Hash([0x55; 32]), index: 0 }
}
