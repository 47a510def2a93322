//! A loyalty programme: members earn points by buying at a merchant and pay there with them; a sponsor funds it.
//!
//! Points are an asset on the ledger. What members hold together is always the balance of one book.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod lots;
mod terms;

pub use lots::{Ending, Lot, LotKey, Member, Purchase};
pub use terms::{Book, Due, Event, Purpose, Refusal, State, Terms};

use lots::total;
use tenor_sdk::abi::recurrence::Daily;
use tenor_sdk::prelude::*;

/// Most lots and purchases that one day's expiry ends; the rest waits for the next day and cannot be used.
pub const EXPIRY_MAX: usize = 200;

/// Points for purchases at a merchant, paid for by a sponsor.
#[contract(
    id = "loyalty",
    version = "1.0.0",
    terms = Terms,
    state = State,
    schedules = Due,
    books = Book,
    purposes = Purpose,
    errors = Refusal,
    events = Event
)]
pub struct Loyalty {
    members: Map<PartyId, Member>,
    lots: Map<LotKey, u64>,
    endings: Map<(Date, u32), Ending>,
    purchases: Map<Hash, Purchase>,
    made: Item<u32>,
}

#[actions]
impl Loyalty {
    /// The sponsor sets up the programme.
    #[on(open, by = owner(terms.funding))]
    fn open(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let t = cx.terms();
        if t.points_per_unit == 0 || t.redeem_min == 0 || !t.point_value.is_positive() {
            return Err(Refusal::TermNotPositive);
        }
        if t.points_unit.scale != 0 {
            return Err(Refusal::PointsWithDecimals);
        }
        if t.merchant == t.funding {
            return Err(Refusal::SameAccount);
        }
        t.in_currency(t.funding_max)?;
        // Nothing is outstanding, so this books nothing; the host refuses it when the code is not the asset's.
        let one = t.in_points(1);
        let probe = Entry::new(Purpose::Expiry).debit(Book::Outstanding, one).credit(Book::Issued, one);
        let _ = cx.try_post(probe);
        cx.every(Due::Expire, Daily::from(cx.date().add_days(1)));
        Ok(())
    }

    /// Becomes a member.
    #[action(by = anyone, from(Running))]
    fn join(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let member = actor(cx);
        if self.members.get(&member).is_some() {
            return Err(Refusal::AlreadyMember);
        }
        self.members.set(&member, &Member { owed: 0 });
        cx.emit(Event::Joined { member });
        Ok(())
    }

    /// The merchant reports a purchase: the member gets points for it, less what it owes.
    #[action(by = owner(terms.merchant), from(Running))]
    fn purchase(
        &mut self,
        cx: &mut Cx,
        member: PartyId,
        amount: Money,
        reference: Hash,
    ) -> Result<(), Refusal> {
        let mut row = self.member(member)?;
        let earned = cx.terms().earned(amount)?;
        if self.purchases.get(&reference).is_some() {
            return Err(Refusal::DuplicatePurchase { reference });
        }
        let last = cx.date().checked_add_days(i32::from(cx.terms().lot_days)).ok_or(Refusal::TooLarge)?;
        let repaid = earned.min(row.owed);
        let points = earned - repaid;
        outstanding(cx).checked_add(points).ok_or(Refusal::TooLarge)?;
        if repaid > 0 {
            row.owed -= repaid;
            self.members.set(&member, &row);
        }
        let lot = self.add_lot(member, last, points, Some(reference))?;
        self.purchases.set(&reference, &Purchase { lot, points: earned });
        if points > 0 {
            let money = cx.terms().in_points(points);
            cx.post(Entry::new(Purpose::Earning).debit(Book::Issued, money).credit(Book::Outstanding, money));
        }
        cx.emit(Event::Earned { member, reference, points, repaid });
        Ok(())
    }

    /// The merchant takes a purchase back: its points go, first those left of it, then others of the member;
    /// what is missing is owed.
    #[action(by = owner(terms.merchant), from(Running, Closing))]
    fn reverse(&mut self, cx: &mut Cx, reference: Hash) -> Result<(), Refusal> {
        let today = cx.date();
        let known = self.purchases.get(&reference).filter(|purchase| purchase.lot.expires >= today);
        let purchase = known.ok_or(Refusal::UnknownPurchase { reference })?;
        let member = purchase.lot.member;
        let own = self.draw(&purchase.lot, purchase.points);
        let points = own + total(&self.draw_from(member, today, purchase.points - own));
        let owed = purchase.points - points;
        if owed > 0 {
            let mut row = self.member(member)?;
            row.owed = row.owed.checked_add(owed).ok_or(Refusal::TooLarge)?;
            self.members.set(&member, &row);
        }
        self.purchases.remove(&reference);
        self.endings.remove(&(purchase.lot.expires, purchase.lot.number));
        burn(cx, Purpose::Reversal, points);
        cx.emit(Event::Reversed { member, reference, points, owed });
        Ok(())
    }

    /// A member pays the merchant with points, soonest to expire first.
    #[exit]
    #[action(by = anyone, from(Running, Closing))]
    fn redeem(&mut self, cx: &mut Cx, points: u64) -> Result<(), Refusal> {
        let (member, today) = (actor(cx), cx.date());
        self.member(member)?;
        let t = cx.terms();
        if points < t.redeem_min {
            return Err(Refusal::BelowMinimum { points, minimum: t.redeem_min });
        }
        let paid = t.worth(points)?;
        let (funding, merchant, burnt) = (t.funding, t.merchant, t.in_points(points));
        self.spend(member, today, points)?;
        let entry = Entry::new(Purpose::Redemption)
            .debit(Book::Outstanding, burnt)
            .credit(Book::Issued, burnt)
            .debit(funding, paid)
            .credit(merchant, paid);
        cx.try_post(entry)
            .map_err(|short| Refusal::FundingShort { available: short.available, needed: short.needed })?;
        cx.emit(Event::Redeemed { member, points, paid });
        Ok(())
    }

    /// A member gives points to another; they keep their last days.
    #[action(by = anyone, from(Running, Closing))]
    fn give(&mut self, cx: &mut Cx, to: PartyId, points: u64) -> Result<(), Refusal> {
        let from = actor(cx);
        self.member(from)?;
        self.member(to)?;
        if from == to {
            return Err(Refusal::GiftToSelf);
        }
        if points == 0 {
            return Err(Refusal::NoPoints);
        }
        for part in self.spend(from, cx.date(), points)? {
            self.add_lot(to, part.expires, part.points, None)?;
        }
        cx.emit(Event::Given { from, to, points });
        Ok(())
    }

    /// Takes out points whose last day has passed.
    #[on(due = Expire, in_state(Running, Closing), catch_up = latest, missed = latest)]
    fn expire(&mut self, cx: &mut Cx) {
        let expired = self.take_expired(cx.date(), EXPIRY_MAX);
        burn(cx, Purpose::Expiry, expired.iter().map(|(_, points)| points).sum());
        for (member, points) in expired {
            cx.emit(Event::Expired { member, points });
        }
    }

    /// The sponsor ends earning; members can still redeem until their points expire.
    #[exit]
    #[action(by = owner(terms.funding), from(Running), to = Closing)]
    fn close(&mut self, _cx: &mut Cx) {}

    /// The sponsor ends the programme once no points are left.
    #[exit]
    #[action(by = owner(terms.funding), from(Closing), to = Closed)]
    fn finish(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        match outstanding(cx) {
            0 => Ok(()),
            points => Err(Refusal::StillOutstanding { points }),
        }
    }

    /// Points that a member can use today.
    #[view]
    fn points(&self, cx: &View, member: PartyId) -> u64 {
        self.usable(member, cx.date())
    }

    /// A member's lots, soonest to expire first.
    #[view]
    fn lots(&self, _cx: &View, member: PartyId) -> Vec<Lot> {
        self.lots_of(member).collect()
    }

    /// Points that the member's next earnings are taken for.
    #[view]
    fn owed(&self, _cx: &View, member: PartyId) -> Result<u64, Refusal> {
        Ok(self.member(member)?.owed)
    }

    /// Points that all members hold.
    #[view]
    fn outstanding(&self, cx: &View) -> u64 {
        outstanding(cx)
    }

    /// What the points that all members hold are worth.
    #[view]
    fn liability(&self, cx: &View) -> Result<Money, Refusal> {
        cx.terms().worth(outstanding(cx))
    }

    /// All lots together are what is outstanding.
    #[view]
    fn check(&self, cx: &View) -> Result<(), Refusal> {
        let (held, booked) = (self.held(), outstanding(cx));
        if held == booked { Ok(()) } else { Err(Refusal::NotAsBooked { held, booked }) }
    }
}

/// The party that acts; every action is a party's.
fn actor(cx: &Cx) -> PartyId {
    cx.party().expect("the host lets only parties act")
}

/// Points that members hold, as the ledger has it.
fn outstanding(cx: &View) -> u64 {
    u64::try_from(cx.balance(Book::Outstanding).posted).expect("every purchase checks that this fits")
}

/// Points leave the books.
fn burn(cx: &mut Cx, purpose: Purpose, points: u64) {
    if points > 0 {
        let money = cx.terms().in_points(points);
        cx.post(Entry::new(purpose).debit(Book::Outstanding, money).credit(Book::Issued, money));
    }
}

impl Terms {
    /// Refuses an amount that is not in the programme's currency.
    fn in_currency(&self, money: Money) -> Result<(), Refusal> {
        let (given, needed) = (money.currency, self.point_value.currency);
        if given == needed { Ok(()) } else { Err(Refusal::WrongCurrency { given, needed }) }
    }

    /// Points as the ledger counts them.
    fn in_points(&self, points: u64) -> Money {
        Money::new(i128::from(points), self.points_unit)
    }

    /// Whole points for an amount that was spent; a part of a point is not counted.
    fn earned(&self, amount: Money) -> Result<u64, Refusal> {
        self.in_currency(amount)?;
        if !amount.is_positive() {
            return Err(Refusal::AmountNotPositive);
        }
        let unit = 10i128.checked_pow(u32::from(amount.currency.scale)).ok_or(Refusal::TooLarge)?;
        let product = amount.minor.checked_mul(i128::from(self.points_per_unit)).ok_or(Refusal::TooLarge)?;
        u64::try_from(product / unit).map_err(|_| Refusal::TooLarge)
    }

    /// What points are worth.
    fn worth(&self, points: u64) -> Result<Money, Refusal> {
        self.point_value.checked_mul(i128::from(points)).ok_or(Refusal::TooLarge)
    }
}
