//! A till: how a contract calls another agreement.
//!
//! What the other one offers stands in an interface. The host compares its names and types with the other contract's
//! spec at each call, so that nothing is read as something that it is not.
#![cfg_attr(target_family = "wasm", no_std)]

use tenor_sdk::prelude::*;

/// The most gas that a call for a stamp may use; what it leaves comes back.
const STAMP_GAS: u64 = 300_000;

/// Agreements that keep cards of stamps.
#[interface]
pub trait Cards {
    /// Gives a customer a stamp; how many there are now.
    fn stamp(&mut self, customer: PartyId) -> u32;
    /// How many stamps a customer has.
    fn stamps_of(&self, customer: PartyId) -> u32;
}

/// What the shop signs.
#[terms]
pub struct Terms {
    /// Is paid.
    #[fixed]
    pub shop: Account,
}

/// Where the till stands.
#[lifecycle]
pub enum State {
    /// It sells.
    #[initial]
    Open,
    /// Over.
    #[terminal]
    Closed,
}

/// What entries are for.
#[purposes]
pub enum Purpose {
    /// Goods.
    Goods,
}

/// Why a call says no.
#[errors]
pub enum Refusal {
    /// There are no cards.
    NoCards,
    /// The agreement of the cards has no answer.
    NoStamp {
        /// The code that it ended with.
        code: u32,
    },
}

/// A till.
#[contract(id = "till", version = "1.0.0", terms = Terms, state = State, purposes = Purpose, errors = Refusal)]
pub struct Till {
    /// The agreement that keeps the cards.
    cards: Item<Agreement>,
}

#[actions]
impl Till {
    /// The shop sets the till up.
    #[on(open, by = owner(terms.shop))]
    fn open(&mut self, _cx: &mut Cx) {}

    /// The shop says which agreement keeps the cards.
    #[action(by = owner(terms.shop))]
    fn use_cards(&mut self, _cx: &mut Cx, cards: Agreement) {
        self.cards.set(&cards);
    }

    /// A customer buys, and gets a stamp where there is one to be had; how many there are then.
    #[action(by = anyone)]
    fn buy(&mut self, cx: &mut Cx, from: Account, price: Money) -> Option<u32> {
        let shop = cx.terms().shop;
        cx.post(Entry::new(Purpose::Goods).debit(from, price).credit(shop, price));
        let (cards, customer) = (self.cards.get()?, cx.party()?);
        // A card that is full, or cards that do not work, are no reason not to sell.
        Cards::at(cards, STAMP_GAS).stamp(cx, customer).ok()
    }

    /// A customer buys for the stamp: without one nothing is sold.
    #[action(by = anyone)]
    fn buy_for_stamp(&mut self, cx: &mut Cx, from: Account, price: Money) -> Result<u32, Refusal> {
        let shop = cx.terms().shop;
        cx.post(Entry::new(Purpose::Goods).debit(from, price).credit(shop, price));
        let (cards, customer) =
            (self.cards.get().ok_or(Refusal::NoCards)?, cx.party().ok_or(Refusal::NoCards)?);
        let stamped = Cards::at(cards, STAMP_GAS).stamp(cx, customer);
        stamped.map_err(|ended| Refusal::NoStamp { code: ended.code().into() })
    }

    /// The shop ends it.
    #[exit]
    #[action(by = owner(terms.shop), to = Closed)]
    fn close(&mut self, _cx: &mut Cx) {}

    /// How many stamps a customer has, as the cards say.
    #[view]
    fn stamps_of(&self, cx: &View, customer: PartyId) -> Result<u32, Refusal> {
        let cards = self.cards.get().ok_or(Refusal::NoCards)?;
        let answer = Cards::at(cards, STAMP_GAS).stamps_of(cx, customer);
        answer.map_err(|ended| Refusal::NoStamp { code: ended.code().into() })
    }
}
