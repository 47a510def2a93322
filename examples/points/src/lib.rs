//! Points that people hold and pass on: a first contract to read, and the one that `tenor bench invoke` measures.
//!
//! A contract is types and calls. Who may call what, and when, stands in the attributes; the host checks it
//! before any of this code runs. A call that refuses or traps leaves nothing behind.
#![cfg_attr(target_family = "wasm", no_std)]

use tenor_sdk::prelude::*;

/// What is signed when points are set up.
#[terms]
pub struct Terms {
    /// Who issues them.
    #[fixed]
    pub issuer: PartyId,
}

/// Where the points stand.
#[lifecycle]
pub enum State {
    /// They are issued and passed on.
    #[initial]
    Open,
    /// Over.
    #[terminal]
    Closed,
}

/// Why a call says no. A refusal's fields reach whoever called, in the receipt.
#[errors]
pub enum Refusal {
    /// Points are passed on by who holds them.
    NotHolder,
    /// There are fewer than asked for.
    NotEnough {
        /// How many there are.
        held: u128,
    },
    /// Nobody can hold that many.
    TooMany,
}

/// What a receipt reports.
#[events]
pub enum Event {
    /// Points came to somebody new.
    Transferred {
        /// Who held them.
        from: PartyId,
        /// Who holds them now.
        to: PartyId,
        /// How many.
        amount: u64,
    },
}

/// Points that people hold and pass on.
#[contract(id = "points", version = "1.0.0", terms = Terms, state = State, errors = Refusal, events = Event)]
pub struct Points {
    /// Storage is typed; its keys follow from the field's place.
    held: Map<PartyId, u128>,
}

#[actions]
impl Points {
    /// The issuer sets the points up.
    #[on(open, by = party(terms.issuer))]
    fn open(&mut self, _cx: &mut Cx) {}

    /// The issuer hands out new points.
    #[action(by = party(terms.issuer), from(Open))]
    fn issue(&mut self, _cx: &mut Cx, to: PartyId, amount: u64) -> Result<(), Refusal> {
        self.credit(to, amount)
    }

    /// A holder passes points on.
    #[action(by = anyone, from(Open))]
    fn transfer(&mut self, cx: &mut Cx, from: PartyId, to: PartyId, amount: u64) -> Result<(), Refusal> {
        if cx.party() != Some(from) {
            return Err(Refusal::NotHolder);
        }
        let held = self.balance_of(from);
        let left = held.checked_sub(u128::from(amount)).ok_or(Refusal::NotEnough { held })?;
        self.held.set(&from, &left);
        self.credit(to, amount)?;
        cx.emit(Event::Transferred { from, to, amount });
        Ok(())
    }

    /// The issuer ends it; what is held stays to be seen.
    #[exit]
    #[action(by = party(terms.issuer), from(Open), to = Closed)]
    fn close(&mut self, _cx: &mut Cx) {}

    /// How many points somebody holds.
    #[view]
    fn balance(&self, _cx: &View, holder: PartyId) -> u128 {
        self.balance_of(holder)
    }
}

impl Points {
    fn balance_of(&self, holder: PartyId) -> u128 {
        self.held.get(&holder).unwrap_or(0)
    }

    fn credit(&mut self, to: PartyId, amount: u64) -> Result<(), Refusal> {
        let sum = self.balance_of(to).checked_add(u128::from(amount)).ok_or(Refusal::TooMany)?;
        self.held.set(&to, &sum);
        Ok(())
    }
}
