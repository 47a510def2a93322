//! Who holds which points until when. Four tables that fit each other after every call:
//!
//! - a lot row for points that a member holds, in order of member, last day, number;
//! - a last-day row for each lot and for each purchase, so that expiry reads only what has expired;
//! - a purchase row until the last day of its points, for reversal and against double reports;
//! - a member row with what the member owes.

use crate::{Loyalty, Refusal};
use tenor_sdk::prelude::*;
use tenor_sdk::storage::{Key, KeyBytes};

/// Points of one member with one last day.
#[record]
pub struct Lot {
    /// Last day on which they can be used.
    pub expires: Date,
    /// Number of the lot in the programme.
    pub number: u32,
    /// Points left.
    pub points: u64,
}

/// A member.
#[record]
pub struct Member {
    /// Points that the next earnings are taken for.
    pub owed: u64,
}

/// Where a lot stands.
#[record]
pub struct LotKey {
    /// Whose it is.
    pub member: PartyId,
    /// Last day.
    pub expires: Date,
    /// Number.
    pub number: u32,
}

impl Key for LotKey {
    fn write(&self, out: &mut KeyBytes) {
        self.member.write(out);
        self.expires.write(out);
        self.number.write(out);
    }
    fn read(bytes: &mut &[u8]) -> Option<LotKey> {
        let (member, expires) = (PartyId::read(bytes)?, Date::read(bytes)?);
        Some(LotKey { member, expires, number: u32::read(bytes)? })
    }
}

/// What ends with a last day.
#[record]
pub struct Ending {
    /// Whose lot.
    pub member: PartyId,
    /// The purchase that made the lot; none for a gift.
    pub purchase: Option<Hash>,
}

/// A purchase that can still be reversed.
#[record]
pub struct Purchase {
    /// Where its lot stands, or stood.
    pub lot: LotKey,
    /// Points that it earned, including those kept for what the member owed.
    pub points: u64,
}

impl Loyalty {
    /// The row of a member.
    pub(crate) fn member(&self, party: PartyId) -> Result<Member, Refusal> {
        self.members.get(&party).ok_or(Refusal::NotMember { party })
    }

    /// A member's lots, soonest to expire first.
    pub(crate) fn lots_of(&self, member: PartyId) -> impl Iterator<Item = Lot> {
        let from = LotKey { member, expires: Date::MIN, number: 0 };
        self.lots.iter_from(&from).take_while(move |(key, _)| key.member == member).map(|(key, points)| Lot {
            expires: key.expires,
            number: key.number,
            points,
        })
    }

    /// Points that a member can use on a day.
    pub(crate) fn usable(&self, member: PartyId, today: Date) -> u64 {
        // What members hold together fits, so what one of them holds does.
        self.lots_of(member).filter(|lot| lot.expires >= today).map(|lot| lot.points).sum()
    }

    /// Points of all lots.
    pub(crate) fn held(&self) -> u64 {
        self.lots.iter().fold(0, |sum, (_, points)| sum.saturating_add(points))
    }

    /// Makes a lot; one of no points only keeps its number and last day.
    pub(crate) fn add_lot(
        &mut self,
        member: PartyId,
        expires: Date,
        points: u64,
        purchase: Option<Hash>,
    ) -> Result<LotKey, Refusal> {
        let number = self.made.get_or_default();
        self.made.set(&number.checked_add(1).ok_or(Refusal::TooLarge)?);
        let key = LotKey { member, expires, number };
        if points > 0 {
            self.lots.set(&key, &points);
        }
        self.endings.set(&(expires, number), &Ending { member, purchase });
        Ok(key)
    }

    /// Takes up to so many points from a lot; returns how many.
    pub(crate) fn draw(&mut self, key: &LotKey, most: u64) -> u64 {
        let points = self.lots.get(key).unwrap_or(0);
        let drawn = points.min(most);
        if drawn < points {
            self.lots.set(key, &(points - drawn));
        } else if self.lots.remove(key) {
            let place = (key.expires, key.number);
            // The last-day row of a purchase stays, to end the purchase.
            if self.endings.get(&place).is_some_and(|ending| ending.purchase.is_none()) {
                self.endings.remove(&place);
            }
        }
        drawn
    }

    /// Takes up to so many points from a member's lots, soonest to expire first; returns the parts.
    pub(crate) fn draw_from(&mut self, member: PartyId, today: Date, most: u64) -> Vec<Lot> {
        let (mut left, mut chosen) = (most, Vec::new());
        for lot in self.lots_of(member).filter(|lot| lot.expires >= today) {
            if left == 0 {
                break;
            }
            let points = lot.points.min(left);
            left -= points;
            chosen.push(Lot { points, ..lot });
        }
        for part in &chosen {
            self.draw(&LotKey { member, expires: part.expires, number: part.number }, part.points);
        }
        chosen
    }

    /// Takes exactly so many points from a member.
    pub(crate) fn spend(&mut self, member: PartyId, today: Date, points: u64) -> Result<Vec<Lot>, Refusal> {
        let parts = self.draw_from(member, today, points);
        let drawn = total(&parts);
        if drawn < points {
            return Err(Refusal::NotEnoughPoints { available: drawn, needed: points });
        }
        Ok(parts)
    }

    /// Takes out what had its last day before a day, at most so many last-day rows; returns whose points.
    pub(crate) fn take_expired(&mut self, today: Date, most: usize) -> Vec<(PartyId, u64)> {
        let passed: Vec<((Date, u32), Ending)> =
            self.endings.iter().take_while(|((last, _), _)| *last < today).take(most).collect();
        let mut expired = Vec::new();
        for ((expires, number), ending) in passed {
            self.endings.remove(&(expires, number));
            if let Some(reference) = &ending.purchase {
                self.purchases.remove(reference);
            }
            let key = LotKey { member: ending.member, expires, number };
            if let Some(points) = self.lots.get(&key) {
                self.lots.remove(&key);
                expired.push((ending.member, points));
            }
        }
        expired
    }
}

/// Points of some lots together; they are part of what is outstanding, which fits.
pub(crate) fn total(lots: &[Lot]) -> u64 {
    lots.iter().map(|lot| lot.points).sum()
}
