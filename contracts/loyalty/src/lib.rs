//! A loyalty programme: points earned on purchases in lots that expire, redeemed at a merchant.
//!
//! Members are rows of the programme. What they hold together is one book in the points asset, so the
//! ledger itself shows that lots and books agree; what a redemption is worth in money is booked in the same
//! entry as the points that it takes.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use tenor_sdk::abi::recurrence::Daily;
use tenor_sdk::prelude::*;

/// How points are counted: their asset must have this code and no decimals.
const POINTS: Currency = Currency::of("PTS", 0);
/// Most lots that one day's expiry takes; the others follow the next day.
const LOTS_PER_DAY: usize = 200;

/// What sponsor and bank agree on.
#[terms]
pub struct Terms {
    /// Account of the merchant: it books purchases and is paid for redemptions.
    #[fixed]
    pub merchant: Account,
    /// Account of the sponsor, which pays for redemptions.
    #[fixed]
    #[debit(max = funding_max, per = Month)]
    pub funding: Account,
    /// The most that redemptions may cost in a month.
    #[fixed]
    pub funding_max: Money,
    /// The points.
    #[fixed]
    pub points: AssetId,
    /// Points for each whole unit of currency that is spent.
    #[product(default = 1)]
    pub points_per_unit: u32,
    /// What a point is worth when it is redeemed.
    #[product(default = "0.01 EUR")]
    pub point_value: Money,
    /// Days after which a lot expires.
    #[product(default = 365)]
    pub lot_days: u16,
    /// Fewest points that can be redeemed at once.
    #[product(default = 100)]
    pub redeem_min: u64,
}

/// Where a programme stands.
#[lifecycle]
pub enum State {
    /// Points are earned and redeemed.
    #[initial]
    Running,
    /// Points are only redeemed.
    Closing,
    /// Over: no points are left.
    #[terminal]
    Closed,
}

/// What falls due.
#[schedules]
pub enum Due {
    /// Lots expire.
    Expire,
}

/// The programme's own accounts, in points.
#[books]
pub enum Book {
    /// Points put into circulation.
    #[book(side = Expense, gl = "5310", asset = points, negative)]
    Issued,
    /// Points that members hold.
    #[book(side = Liability, gl = "2310", asset = points)]
    Outstanding,
}

/// What entries are for.
#[purposes]
pub enum Purpose {
    /// Points for a purchase.
    Earned,
    /// Points for money.
    Redeemed,
    /// Points that ran out of time.
    Expired,
    /// Points of a purchase that was taken back.
    Reversed,
}

/// Why a programme says no.
#[errors]
pub enum Refusal {
    /// Rates and values must be above zero.
    BadTerms,
    /// The party is a member already.
    AlreadyMember,
    /// The party is no member.
    NotMember,
    /// The amount must be above zero, in the programme's currency.
    BadAmount,
    /// A purchase of this reference is booked already.
    DuplicatePurchase,
    /// There is no purchase of this reference, or it was taken back already.
    UnknownPurchase,
    /// Fewer points than can be redeemed at once.
    TooFew {
        /// The fewest.
        least: u64,
    },
    /// The member does not hold that many points.
    NotEnoughPoints {
        /// Points held.
        held: u64,
        /// Points needed.
        needed: u64,
    },
    /// The sponsor's account, or its limit for the month, does not cover the redemption.
    FundingShort {
        /// What was there, in minor units.
        available: u128,
        /// What was needed, in minor units.
        needed: u128,
    },
    /// Points are outstanding still.
    PointsOutstanding {
        /// How many.
        points: u64,
    },
}

/// What a programme reports.
#[events]
pub enum Event {
    /// A party joined.
    Joined {
        /// Who.
        member: PartyId,
    },
    /// Points were earned.
    Earned {
        /// By whom.
        member: PartyId,
        /// How many.
        points: u64,
        /// Last day that they count.
        until: Date,
    },
    /// Points were redeemed.
    Redeemed {
        /// By whom.
        member: PartyId,
        /// How many.
        points: u64,
        /// What the merchant was paid.
        value: Money,
    },
    /// Points ran out of time.
    Expired {
        /// Whose.
        member: PartyId,
        /// How many.
        points: u64,
    },
    /// A purchase was taken back.
    Reversed {
        /// Whose.
        member: PartyId,
        /// Points taken now.
        points: u64,
        /// Points that the member owes, taken from what is earned next.
        debt: u64,
    },
    /// Points were given to another member.
    Given {
        /// By whom.
        from: PartyId,
        /// To whom.
        to: PartyId,
        /// How many.
        points: u64,
    },
}

/// A member.
#[record]
pub struct Member {
    /// Points held.
    pub points: u64,
    /// Points owed after a reversal.
    pub debt: u64,
}

/// A lot of points.
#[record]
pub struct Lot {
    /// Last day that it counts.
    pub until: Date,
    /// Points left in it.
    pub points: u64,
}

/// A booked purchase.
#[record]
pub struct Purchase {
    /// Who bought.
    pub member: PartyId,
    /// Number of its lot; none when no point was earned.
    pub lot: u64,
    /// Last day of its lot.
    pub until: Date,
    /// Points that it earned.
    pub points: u64,
}

/// A programme of one merchant.
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
    /// Points left of each lot, by member, then by last day, then by number.
    lots: Map<(PartyId, (Date, u64)), u64>,
    /// Whose lot it is, by last day and number.
    expiry: Map<(Date, u64), PartyId>,
    purchases: Map<Hash, Purchase>,
    lots_made: Item<u64>,
}

#[actions]
impl Loyalty {
    /// The sponsor starts the programme.
    #[on(open, by = owner(terms.funding))]
    fn open(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let t = cx.terms();
        let sound = t.points_per_unit > 0
            && t.lot_days > 0
            && t.point_value.is_positive()
            && t.funding_max.is_positive();
        if !sound || t.point_value.currency != t.funding_max.currency {
            return Err(Refusal::BadTerms);
        }
        let tomorrow = cx.date().add_days(1);
        cx.every(Due::Expire, Daily::from(tomorrow));
        Ok(())
    }

    /// A party becomes a member.
    #[action(by = anyone, from(Running))]
    fn join(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        let member = cx.party().ok_or(Refusal::NotMember)?;
        if self.members.get(&member).is_some() {
            return Err(Refusal::AlreadyMember);
        }
        self.members.set(&member, &Member { points: 0, debt: 0 });
        cx.emit(Event::Joined { member });
        Ok(())
    }

    /// The merchant books a member's purchase.
    #[action(by = owner(terms.merchant), from(Running))]
    fn purchase(
        &mut self,
        cx: &mut Cx,
        member: PartyId,
        amount: Money,
        reference: Hash,
    ) -> Result<(), Refusal> {
        let (rate, value) = (cx.terms().points_per_unit, cx.terms().point_value);
        let until = cx.date().add_days(i32::from(cx.terms().lot_days));
        if !amount.is_positive() || amount.currency != value.currency {
            return Err(Refusal::BadAmount);
        }
        if self.purchases.get(&reference).is_some() {
            return Err(Refusal::DuplicatePurchase);
        }
        let mut row = self.members.get(&member).ok_or(Refusal::NotMember)?;
        let unit = 10i128.pow(u32::from(amount.currency.scale));
        let earned = u64::try_from(amount.minor * i128::from(rate) / unit).map_err(|_| Refusal::BadAmount)?;
        let kept = earned - earned.min(row.debt);
        row.debt -= earned - kept;
        row.points += kept;
        self.members.set(&member, &row);
        let lot = self.add_lot(&member, until, kept);
        self.purchases.set(&reference, &Purchase { member, lot, until, points: earned });
        self.issue(cx, kept);
        cx.emit(Event::Earned { member, points: kept, until });
        Ok(())
    }

    /// The merchant takes a purchase back: its lot first, then what expires soonest, the rest as a debt.
    #[action(by = owner(terms.merchant), from(Running, Closing))]
    fn reverse(&mut self, cx: &mut Cx, reference: Hash) -> Result<(), Refusal> {
        let purchase = self.purchases.get(&reference).ok_or(Refusal::UnknownPurchase)?;
        self.purchases.remove(&reference);
        let member = purchase.member;
        let mut row = self.members.get(&member).ok_or(Refusal::NotMember)?;
        let own = (purchase.until, purchase.lot);
        let left = self.lots.get(&(member, own)).unwrap_or(0).min(purchase.points);
        if left > 0 {
            self.shrink_lot(&member, own, left);
        }
        let others = (purchase.points - left).min(row.points - left);
        self.take(&member, others);
        let taken = left + others;
        row.points -= taken;
        row.debt += purchase.points - taken;
        self.members.set(&member, &row);
        self.withdraw(cx, Purpose::Reversed, taken);
        cx.emit(Event::Reversed { member, points: taken, debt: row.debt });
        Ok(())
    }

    /// A member redeems points, those that expire soonest first; the merchant is paid in the same entry.
    #[exit]
    #[action(by = anyone, from(Running, Closing))]
    fn redeem(&mut self, cx: &mut Cx, points: u64) -> Result<(), Refusal> {
        let member = cx.party().ok_or(Refusal::NotMember)?;
        let mut row = self.members.get(&member).ok_or(Refusal::NotMember)?;
        let (least, value) = (cx.terms().redeem_min, cx.terms().point_value);
        let (merchant, funding) = (cx.terms().merchant, cx.terms().funding);
        if points == 0 || points < least {
            return Err(Refusal::TooFew { least });
        }
        if points > row.points {
            return Err(Refusal::NotEnoughPoints { held: row.points, needed: points });
        }
        let paid = value.checked_mul(i128::from(points)).ok_or(Refusal::BadAmount)?;
        let amount = Loyalty::points(points);
        let entry = Entry::new(Purpose::Redeemed)
            .debit(Book::Outstanding, amount)
            .credit(Book::Issued, amount)
            .debit(funding, paid)
            .credit(merchant, paid);
        cx.try_post(entry)
            .map_err(|short| Refusal::FundingShort { available: short.available, needed: short.needed })?;
        self.take(&member, points);
        row.points -= points;
        self.members.set(&member, &row);
        cx.emit(Event::Redeemed { member, points, value: paid });
        Ok(())
    }

    /// A member gives points to another; each keeps its last day.
    #[action(by = anyone, from(Running, Closing))]
    fn give(&mut self, cx: &mut Cx, to: PartyId, points: u64) -> Result<(), Refusal> {
        let from = cx.party().ok_or(Refusal::NotMember)?;
        let mut giver = self.members.get(&from).ok_or(Refusal::NotMember)?;
        if points == 0 || from == to {
            return Err(Refusal::TooFew { least: 1 });
        }
        if points > giver.points {
            return Err(Refusal::NotEnoughPoints { held: giver.points, needed: points });
        }
        let mut taker = self.members.get(&to).ok_or(Refusal::NotMember)?;
        for (until, part) in self.take(&from, points) {
            self.add_lot(&to, until, part);
        }
        giver.points -= points;
        taker.points += points;
        self.members.set(&from, &giver);
        self.members.set(&to, &taker);
        cx.emit(Event::Given { from, to, points });
        Ok(())
    }

    /// Nothing is earned any more; points can still be redeemed.
    #[exit]
    #[action(by = owner(terms.funding), from(Running), to = Closing)]
    fn close(&mut self, _cx: &mut Cx) {}

    /// Ends the programme once no points are left.
    #[exit]
    #[action(by = owner(terms.funding), from(Closing), to = Closed)]
    fn finish(&mut self, cx: &mut Cx) -> Result<(), Refusal> {
        match self.held(cx) {
            0 => Ok(()),
            points => Err(Refusal::PointsOutstanding { points }),
        }
    }

    /// Lots whose last day has passed expire.
    #[on(due = Expire, in_state(Running, Closing), catch_up = latest, missed = latest)]
    fn expire(&mut self, cx: &mut Cx) {
        let today = cx.date();
        let due: Vec<_> =
            self.expiry.iter().take_while(|((until, _), _)| *until < today).take(LOTS_PER_DAY).collect();
        for (lot, member) in due {
            let points = self.lots.get(&(member, lot)).unwrap_or(0);
            self.shrink_lot(&member, lot, points);
            if let Some(mut row) = self.members.get(&member) {
                row.points -= points;
                self.members.set(&member, &row);
            }
            self.withdraw(cx, Purpose::Expired, points);
            cx.emit(Event::Expired { member, points });
        }
    }

    /// Points that a member holds; none for a party that is no member.
    #[view]
    fn balance(&self, _cx: &View, member: PartyId) -> u64 {
        self.members.get(&member).map_or(0, |row| row.points)
    }

    /// A member's lots, those that expire soonest first.
    #[view]
    fn lots(&self, _cx: &View, member: PartyId) -> Vec<Lot> {
        self.lots.iter_under(&member).map(|((_, (until, _)), points)| Lot { until, points }).collect()
    }

    /// Points that all members hold.
    #[view]
    fn outstanding(&self, cx: &View) -> u64 {
        self.held(cx)
    }

    /// What redeeming every point would cost.
    #[view]
    fn liability(&self, cx: &View) -> Option<Money> {
        cx.terms().point_value.checked_mul(i128::from(self.held(cx)))
    }
}

impl Loyalty {
    fn held(&self, cx: &View) -> u64 {
        u64::try_from(cx.balance(Book::Outstanding).posted).unwrap_or(0)
    }

    fn points(points: u64) -> Money {
        Money::new(i128::from(points), POINTS)
    }

    fn issue(&self, cx: &mut Cx, points: u64) {
        if points > 0 {
            let amount = Loyalty::points(points);
            cx.post(
                Entry::new(Purpose::Earned).debit(Book::Issued, amount).credit(Book::Outstanding, amount),
            );
        }
    }

    fn withdraw(&self, cx: &mut Cx, purpose: Purpose, points: u64) {
        if points > 0 {
            let amount = Loyalty::points(points);
            cx.post(Entry::new(purpose).debit(Book::Outstanding, amount).credit(Book::Issued, amount));
        }
    }

    /// A new lot; none for no points. Returns its number.
    fn add_lot(&mut self, member: &PartyId, until: Date, points: u64) -> u64 {
        let number = self.lots_made.get().unwrap_or(0);
        if points > 0 {
            self.lots_made.set(&(number + 1));
            self.lots.set(&(*member, (until, number)), &points);
            self.expiry.set(&(until, number), member);
        }
        number
    }

    /// Takes points out of a lot; an empty lot is gone.
    fn shrink_lot(&mut self, member: &PartyId, lot: (Date, u64), points: u64) {
        let left = self.lots.get(&(*member, lot)).unwrap_or(0) - points;
        if left > 0 {
            self.lots.set(&(*member, lot), &left);
        } else {
            self.lots.remove(&(*member, lot));
            self.expiry.remove(&lot);
        }
    }

    /// Takes points from a member's lots, soonest to expire first; what was taken, by last day.
    fn take(&mut self, member: &PartyId, mut points: u64) -> Vec<(Date, u64)> {
        let mut taken = Vec::new();
        let lots: Vec<_> = self.lots.iter_under(member).collect();
        for ((_, lot), held) in lots {
            if points == 0 {
                break;
            }
            let part = held.min(points);
            self.shrink_lot(member, lot, part);
            points -= part;
            taken.push((lot.0, part));
        }
        taken
    }
}
