//! Money that is held until goods have come: how a contract holds, captures, releases, and reads statements.
//!
//! The buyer's money stays on the buyer's account and is nobody else's: it is set aside for the seller alone. What
//! time makes of a hold needs no handler; the chain ends it.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use alloc::vec;
use tenor_sdk::prelude::*;

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What buyer and seller sign.
#[terms]
pub struct Terms {
    /// Pays. The purchase may take its price once.
    #[fixed]
    #[debit(max = price, per = Lifetime)]
    pub buyer: Account,
    /// Is paid.
    #[fixed]
    pub seller: Account,
    /// What is paid when all has come.
    #[fixed]
    pub price: Money,
    /// Days until the seller must have delivered.
    #[fixed]
    pub days: u8,
}

/// Where the purchase stands.
#[lifecycle]
pub enum State {
    /// Agreed.
    #[initial]
    Agreed,
    /// The money is set aside.
    Reserved,
    /// All is paid, or given back.
    #[terminal]
    Settled,
}

/// What entries are for.
#[purposes]
pub enum Purpose {
    /// Goods that have come.
    Goods,
    /// What the buyer adds by choice.
    Tip,
}

/// Why a call says no.
#[errors]
pub enum Refusal {
    /// There is nothing held.
    NothingHeld,
}

/// Money that is held until goods have come.
#[contract(id = "escrow", version = "1.0.0", terms = Terms, state = State, errors = Refusal, purposes = Purpose)]
pub struct Escrow {
    /// The hold, by its bytes.
    hold: Item<Hash>,
}

#[actions]
impl Escrow {
    /// The buyer agrees.
    #[on(open, by = owner(terms.buyer))]
    fn open(&mut self, _cx: &mut Cx) {}

    /// The buyer sets the price aside.
    #[action(by = owner(terms.buyer), from(Agreed), to = Reserved)]
    fn reserve(&mut self, cx: &mut Cx) {
        let (buyer, seller, price) = (cx.terms().buyer, cx.terms().seller, cx.terms().price);
        let end = Timestamp(cx.time().0 + u64::from(cx.terms().days) * DAY_MS);
        let hold = cx.hold(vec![hold_line(buyer, seller, price)], end, Purpose::Goods);
        self.hold.set(&Hash(hold.0));
    }

    /// The buyer has got a part of the goods, and pays for it.
    #[action(by = owner(terms.buyer), from(Reserved))]
    fn accept(&mut self, cx: &mut Cx, part: Money) -> Result<(), Refusal> {
        let (hold, buyer) = (self.held()?, cx.terms().buyer);
        cx.capture_parts(hold, vec![(buyer, part.minor.unsigned_abs())], false, Purpose::Goods);
        Ok(())
    }

    /// The buyer has got the rest.
    #[exit]
    #[action(by = owner(terms.buyer), from(Reserved), to = Settled)]
    fn complete(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        cx.capture(self.held()?, Purpose::Goods);
        Ok(())
    }

    /// The seller cannot deliver the rest.
    #[exit]
    #[action(by = owner(terms.seller), from(Agreed, Reserved), to = Settled)]
    fn cancel(&mut self, cx: &mut Cx) {
        if let Ok(hold) = self.held() {
            cx.release(hold);
        }
    }

    /// The buyer gives as much of a tip as is there, once under a key of its own.
    #[action(by = owner(terms.buyer), from(Reserved))]
    fn tip(&mut self, cx: &mut Cx, most: Money, day: u32, choice: u64) -> bool {
        let (buyer, seller) = (cx.terms().buyer, cx.terms().seller);
        let entry = Entry::new(Purpose::Tip).debit_up_to(buyer, most).credit_rest(seller, most.currency);
        let mut own = [0; 12];
        own[4..].copy_from_slice(&choice.to_be_bytes());
        cx.post_once(entry, EntryKey::new(day, own)).new
    }

    /// What the seller holds by value dates up to a day, minor units.
    #[view]
    fn held_on(&self, cx: &View, day: Date) -> i128 {
        cx.balance_on(cx.terms().seller, day)
    }

    /// Amounts of the seller's postings, the oldest first, minor units.
    #[view]
    fn received(&self, cx: &View) -> Vec<u128> {
        cx.statement(cx.terms().seller, 0, 100).iter().map(|line| line.amount).collect()
    }
}

impl Escrow {
    fn held(&self) -> Result<HoldId, Refusal> {
        self.hold.get().map(|bytes| HoldId(bytes.0)).ok_or(Refusal::NothingHeld)
    }
}
