//! A card of stamps: what one agreement offers to another.
//!
//! The till that may give stamps is an agreement, named in the terms. No signature of a customer or of staff can
//! stand in for it.
#![cfg_attr(target_family = "wasm", no_std)]

use tenor_sdk::prelude::*;

/// What the shop signs.
#[terms]
pub struct Terms {
    /// The shop.
    #[fixed]
    pub shop: PartyId,
    /// The agreement that gives stamps.
    #[fixed]
    pub till: Agreement,
    /// Stamps of a full card.
    #[fixed]
    pub full: u32,
}

/// Where the cards stand.
#[lifecycle]
pub enum State {
    /// Stamps are given.
    #[initial]
    Open,
    /// Over.
    #[terminal]
    Closed,
}

/// Why a call says no.
#[errors]
pub enum Refusal {
    /// The card is full: it must be handed in first.
    Full {
        /// Stamps on it.
        stamps: u32,
    },
}

/// What a receipt reports.
#[events]
pub enum Event {
    /// A stamp was given.
    Stamped {
        /// To whom.
        customer: PartyId,
    },
}

/// Cards of stamps.
#[contract(id = "stamps", version = "1.0.0", terms = Terms, state = State, errors = Refusal, events = Event)]
pub struct Stamps {
    /// Stamps by customer.
    cards: Map<PartyId, u32>,
}

#[actions]
impl Stamps {
    /// The shop sets the cards up.
    #[on(open, by = party(terms.shop))]
    fn open(&mut self, _cx: &mut Cx) {}

    /// The till gives a customer a stamp; how many there are now.
    #[action(by = agreement(terms.till))]
    fn stamp(&mut self, cx: &mut Cx, customer: PartyId) -> Result<u32, Refusal> {
        let stamps = self.cards.get(&customer).unwrap_or(0);
        self.cards.set(&customer, &(stamps + 1));
        cx.emit(Event::Stamped { customer });
        // Refused after it has written: nothing of it stays.
        if stamps >= cx.terms().full { Err(Refusal::Full { stamps }) } else { Ok(stamps + 1) }
    }

    /// A customer hands a card in.
    #[action(by = anyone)]
    fn hand_in(&mut self, cx: &mut Cx) {
        if let Some(customer) = cx.party() {
            self.cards.set(&customer, &0);
        }
    }

    /// The shop ends it.
    #[exit]
    #[action(by = party(terms.shop), to = Closed)]
    fn close(&mut self, _cx: &mut Cx) {}

    /// How many stamps a customer has.
    #[view]
    fn stamps_of(&self, _cx: &View, customer: PartyId) -> u32 {
        self.cards.get(&customer).unwrap_or(0)
    }
}
