//! Where money comes from and where it goes: amounts that depend on what is there, shares, ordered sources with
//! caps. Pure: balances are asked for, nothing is booked; host and contracts compute the same.

use crate::entry::{Mode, Side};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Largest denominator of a share.
pub const SHARE_DENOMINATOR_MAX: u64 = 1_000_000_000;
/// Deepest nesting of sources and of targets.
pub const FLOW_DEPTH_MAX: u8 = 16;

/// Why a flow comes to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FlowError {
    /// The sources do not give what is needed.
    #[error("{needed} minor units are needed, the sources have {found}")]
    Missing {
        /// What is needed, minor units.
        needed: u128,
        /// What the sources give, minor units.
        found: u128,
    },
    /// Shares do not make a whole.
    #[error("shares must come to one, or to less with one `Rest`; denominators are 1 to 10^9")]
    Shares,
    /// Shares of all that is there are not known before it is there.
    #[error("the sources of all that is there cannot be shares")]
    AllInShares,
    /// Nested too deep, or an amount is too large to be shared.
    #[error("a flow nests at most 16 deep and moves at most 10^30 minor units")]
    TooLarge,
}

/// Where money comes from, over accounts named by `A`.
#[derive(Clone, PartialEq, Debug)]
pub enum Source<A> {
    /// An account, until its balance is down to a value, never below its floor; without one, down to the floor.
    From {
        /// The account.
        account: A,
        /// Lowest balance that this source leaves.
        down_to: Option<i128>,
    },
    /// At most so much of a source, minor units.
    AtMost(u128, Box<Source<A>>),
    /// One after the other until there is enough.
    InOrder(Vec<Source<A>>),
    /// The first that gives all by itself.
    OneOf(Vec<Source<A>>),
    /// A share of the amount from each.
    Shares(Vec<(Share, Source<A>)>),
}

/// Where money goes.
#[derive(Clone, PartialEq, Debug)]
pub enum Target<A> {
    /// To an account.
    To(A),
    /// Nowhere: it stays where it comes from.
    Keep,
    /// At most so much to each in order, minor units; the remainder to the last.
    InOrder(Vec<(u128, Target<A>)>, Box<Target<A>>),
    /// All to the first whose most it does not exceed, else to the last.
    OneOf(Vec<(u128, Target<A>)>, Box<Target<A>>),
    /// A share of the amount to each.
    Shares(Vec<(Share, Target<A>)>),
}

/// A share of an amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Numerator and denominator.
    Of(u64, u64),
    /// What the others leave of the whole; at most one.
    Rest,
}

/// Who gets the units that rounding down leaves over, one each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leftover {
    /// The largest fractions first; of equal ones the earlier.
    Largest,
    /// In the order of the list.
    InOrder,
}

/// How much is moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// So many minor units, or nothing at all.
    Exact(u128),
    /// As much of so many minor units as the sources give.
    AtMost(u128),
    /// All that the sources give.
    All,
}

/// A part of a flow: from an account to an account, minor units above zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move<A> {
    /// Account that pays.
    pub from: A,
    /// Account that receives.
    pub to: A,
    /// Minor units.
    pub amount: u128,
}

/// What an account holds and how low it may go, minor units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// What can be spent from, holds deducted.
    pub balance: i128,
    /// Lowest balance; none where there is no bound.
    pub floor: Option<i128>,
}

/// The moves of a flow, in the order of sources and of targets; each pair of accounts that follow one another once.
///
/// # Errors
/// [`FlowError`]; nothing of the flow is possible then.
pub fn flow<A: Ord + Copy>(
    amount: Amount,
    source: &Source<A>,
    target: &Target<A>,
    leftover: Leftover,
    room: impl FnMut(&A) -> Room,
) -> Result<Vec<Move<A>>, FlowError> {
    let mut drawing = Drawing { room, known: BTreeMap::new(), leftover };
    let most = match amount {
        Amount::Exact(minor) | Amount::AtMost(minor) => Some(minor),
        Amount::All => None,
    };
    if most.is_some_and(|most| most > crate::limit::AMOUNT_MAX) {
        return Err(FlowError::TooLarge);
    }
    let drawn = drawing.draw(source, most, 0)?;
    let found: u128 = drawn.iter().map(|(_, amount)| amount).sum();
    if let Amount::Exact(needed) = amount
        && found < needed
    {
        return Err(FlowError::Missing { needed, found });
    }
    let mut given = Vec::new();
    give(target, found, leftover, 0, &mut given)?;
    Ok(pair(drawn, given))
}

/// Pairs what was drawn with what is given, in order; what is kept goes nowhere.
fn pair<A: Ord + Copy>(drawn: Vec<(A, u128)>, given: Vec<(Option<A>, u128)>) -> Vec<Move<A>> {
    let mut moves: Vec<Move<A>> = Vec::new();
    let mut drawn = drawn.into_iter().filter(|(_, amount)| *amount > 0).peekable();
    for (to, mut wanted) in given {
        while wanted > 0 {
            let Some((from, there)) = drawn.peek_mut() else { return moves };
            let (from, amount) = (*from, wanted.min(*there));
            wanted -= amount;
            *there -= amount;
            if *there == 0 {
                drawn.next();
            }
            let Some(to) = to else { continue };
            match moves.last_mut() {
                Some(last) if last.from == from && last.to == to => last.amount += amount,
                _ => moves.push(Move { from, to, amount }),
            }
        }
    }
    moves
}

struct Drawing<A, F> {
    room: F,
    known: BTreeMap<A, Room>,
    leftover: Leftover,
}

impl<A: Ord + Copy, F: FnMut(&A) -> Room> Drawing<A, F> {
    /// Draws up to an amount, or all; what an account gave is gone for the sources after it.
    fn draw(
        &mut self,
        source: &Source<A>,
        most: Option<u128>,
        depth: u8,
    ) -> Result<Vec<(A, u128)>, FlowError> {
        if depth == FLOW_DEPTH_MAX {
            return Err(FlowError::TooLarge);
        }
        match source {
            Source::From { account, down_to } => Ok(self.draw_account(*account, *down_to, most)),
            Source::AtMost(cap, source) => {
                self.draw(source, Some(most.map_or(*cap, |most| most.min(*cap))), depth + 1)
            }
            Source::InOrder(sources) => {
                let mut drawn = Vec::new();
                let mut left = most;
                for source in sources {
                    let part = self.draw(source, left, depth + 1)?;
                    let taken: u128 = part.iter().map(|(_, amount)| amount).sum();
                    left = left.map(|left| left - taken);
                    drawn.extend(part);
                }
                Ok(drawn)
            }
            Source::OneOf(sources) => {
                for (place, source) in sources.iter().enumerate() {
                    let kept = self.known.clone();
                    let drawn = self.draw(source, most, depth + 1)?;
                    let found: u128 = drawn.iter().map(|(_, amount)| amount).sum();
                    if most.is_none_or(|most| found >= most) || place + 1 == sources.len() {
                        return Ok(drawn);
                    }
                    self.known = kept;
                }
                Ok(Vec::new())
            }
            Source::Shares(shares) => {
                let most = most.ok_or(FlowError::AllInShares)?;
                let list: Vec<Share> = shares.iter().map(|(share, _)| *share).collect();
                let mut drawn = Vec::new();
                for (needed, (_, source)) in parts(most, &list, self.leftover)?.into_iter().zip(shares) {
                    let part = self.draw(source, Some(needed), depth + 1)?;
                    let found: u128 = part.iter().map(|(_, amount)| amount).sum();
                    if found < needed {
                        return Err(FlowError::Missing { needed, found });
                    }
                    drawn.extend(part);
                }
                Ok(drawn)
            }
        }
    }

    fn draw_account(&mut self, account: A, down_to: Option<i128>, most: Option<u128>) -> Vec<(A, u128)> {
        let room = match self.known.get(&account) {
            Some(room) => *room,
            None => (self.room)(&account),
        };
        let lowest = match (down_to, room.floor) {
            (Some(to), Some(floor)) => Some(to.max(floor)),
            (to, floor) => to.or(floor),
        };
        let free = lowest.map(|lowest| room.balance.saturating_sub(lowest).max(0).unsigned_abs());
        // An account without a bound gives what is asked, and nothing where all is asked.
        let amount = match (free, most) {
            (Some(free), Some(most)) => free.min(most),
            (Some(free), None) => free,
            (None, Some(most)) => most,
            (None, None) => 0,
        };
        let balance = room.balance.saturating_sub(amount as i128);
        self.known.insert(account, Room { balance, ..room });
        alloc::vec![(account, amount)]
    }
}

fn give<A: Copy>(
    target: &Target<A>,
    amount: u128,
    leftover: Leftover,
    depth: u8,
    given: &mut Vec<(Option<A>, u128)>,
) -> Result<(), FlowError> {
    if depth == FLOW_DEPTH_MAX {
        return Err(FlowError::TooLarge);
    }
    match target {
        Target::To(account) => given.push((Some(*account), amount)),
        Target::Keep => given.push((None, amount)),
        Target::InOrder(capped, rest) => {
            let mut left = amount;
            for (cap, target) in capped {
                let part = left.min(*cap);
                left -= part;
                give(target, part, leftover, depth + 1, given)?;
            }
            give(rest, left, leftover, depth + 1, given)?;
        }
        Target::OneOf(capped, rest) => {
            let fits = capped.iter().find(|(most, _)| amount <= *most);
            give(fits.map_or(rest.as_ref(), |(_, target)| target), amount, leftover, depth + 1, given)?;
        }
        Target::Shares(shares) => {
            let list: Vec<Share> = shares.iter().map(|(share, _)| *share).collect();
            for (part, (_, target)) in parts(amount, &list, leftover)?.into_iter().zip(shares) {
                give(target, part, leftover, depth + 1, given)?;
            }
        }
    }
    Ok(())
}

/// An amount in shares, exact to the unit: each rounded down, then one unit more for as many as are left over.
///
/// # Errors
/// [`FlowError::Shares`], [`FlowError::TooLarge`].
pub fn parts(amount: u128, shares: &[Share], leftover: Leftover) -> Result<Vec<u128>, FlowError> {
    if amount > crate::limit::AMOUNT_MAX {
        return Err(FlowError::TooLarge);
    }
    let fractions = fractions(shares)?;
    let (mut parts, mut rests) = (Vec::new(), Vec::new());
    for (place, (over, under)) in fractions.into_iter().enumerate() {
        let (whole, rest) = share_of(amount, over, under);
        parts.push(whole);
        rests.push((place, rest, under));
    }
    if leftover == Leftover::Largest {
        // Stable: of equal fractions the earlier one stays in front.
        rests.sort_by(|(_, a, b), (_, c, d)| {
            (u128::from(*c) * u128::from(*b)).cmp(&(u128::from(*a) * u128::from(*d)))
        });
    }
    let left = amount - parts.iter().sum::<u128>();
    for at in 0..left as usize {
        parts[rests[at % rests.len()].0] += 1;
    }
    Ok(parts)
}

/// `amount * over / under` and the remainder, without overflow: both parts are below 2^30.
fn share_of(amount: u128, over: u64, under: u64) -> (u128, u64) {
    let (over, under) = (u128::from(over), u128::from(under));
    let (high, low) = (amount / under, amount % under);
    (high * over + low * over / under, (low * over % under) as u64)
}

fn fractions(shares: &[Share]) -> Result<Vec<(u64, u64)>, FlowError> {
    let (mut sum, mut rest_at, mut found) = ((0u128, 1u128), None, Vec::new());
    for (place, share) in shares.iter().enumerate() {
        match *share {
            Share::Of(over, under) if (1..=SHARE_DENOMINATOR_MAX).contains(&under) && over <= under => {
                let (a, b) =
                    (sum.0 * u128::from(under) + u128::from(over) * sum.1, sum.1 * u128::from(under));
                let by = gcd(a, b);
                sum = (a / by, b / by);
                if sum.0 > sum.1 || sum.1 > u128::from(SHARE_DENOMINATOR_MAX) {
                    return Err(FlowError::Shares);
                }
                found.push((over, under));
            }
            Share::Rest if rest_at.is_none() => {
                rest_at = Some(place);
                found.push((0, 1));
            }
            _ => return Err(FlowError::Shares),
        }
    }
    match rest_at {
        Some(place) => found[place] = ((sum.1 - sum.0) as u64, sum.1 as u64),
        None if sum.0 != sum.1 => return Err(FlowError::Shares),
        None => {}
    }
    Ok(found)
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

/// A line of an entry before its amount is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Term<A, S> {
    /// Where.
    pub account: A,
    /// In what.
    pub asset: S,
    /// Debit or credit.
    pub side: Side,
    /// How the amount is meant.
    pub mode: Mode,
    /// Minor units.
    pub minor: i128,
}

/// Why the lines of an entry have no amounts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettleError<S> {
    /// An amount that is asked for, or that would balance the others, is none of 1 to 10^30; at most may also be
    /// nothing.
    #[error("{minor} minor units are no amount")]
    Amount {
        /// The amount, minor units; the largest number where it is larger.
        minor: i128,
    },
    /// The balancing lines of an asset are two, or would have to be on the other side.
    #[error("an asset cannot be balanced")]
    Unbalanced(S),
}

/// The amounts of an entry's lines in minor units: what is at most is cut to the room that its account has besides
/// the exact lines, in their order; what balances takes what is left of its asset. A line at most, or that balances,
/// may come to zero.
///
/// # Errors
/// [`SettleError`]; amounts are judged before any room is asked for.
pub fn settle<A: Ord + Copy, S: Ord + Copy>(
    terms: &[Term<A, S>],
    mut room: impl FnMut(&A, Side) -> Option<u128>,
) -> Result<Vec<i128>, SettleError<S>> {
    for &Term { mode, minor, .. } in terms.iter().filter(|term| term.mode != Mode::Balancing) {
        let least = if mode == Mode::AtMost { 0 } else { 1 };
        if minor < least || minor.unsigned_abs() > crate::limit::AMOUNT_MAX {
            return Err(SettleError::Amount { minor });
        }
    }
    let mut used: BTreeMap<(A, Side), u128> = BTreeMap::new();
    for term in terms.iter().filter(|term| term.mode == Mode::Exact) {
        let used = used.entry((term.account, term.side)).or_default();
        *used = sum(*used, term.minor)?;
    }
    let mut amounts: Vec<i128> = terms.iter().map(|term| term.minor).collect();
    for (term, amount) in terms.iter().zip(&mut amounts).filter(|(term, _)| term.mode == Mode::AtMost) {
        let used = used.entry((term.account, term.side)).or_default();
        if let Some(room) = room(&term.account, term.side) {
            // No more than the amount that is asked for, so it is one again.
            *amount = room.saturating_sub(*used).min(term.minor.unsigned_abs()) as i128;
        }
        *used = sum(*used, *amount)?;
    }
    let mut open: BTreeMap<S, usize> = BTreeMap::new();
    for (place, term) in terms.iter().enumerate().filter(|(_, term)| term.mode == Mode::Balancing) {
        if open.insert(term.asset, place).is_some() {
            return Err(SettleError::Unbalanced(term.asset));
        }
    }
    for (asset, place) in open {
        let (mut own, mut other) = (0, 0);
        for (at, (term, amount)) in terms.iter().zip(&amounts).enumerate() {
            if at != place && term.asset == asset {
                let side = if term.side == terms[place].side { &mut own } else { &mut other };
                *side = sum(*side, *amount)?;
            }
        }
        let missing = other.checked_sub(own).ok_or(SettleError::Unbalanced(asset))?;
        amounts[place] = i128::try_from(missing)
            .ok()
            .filter(|minor| minor.unsigned_abs() <= crate::limit::AMOUNT_MAX)
            .ok_or(SettleError::Amount { minor: i128::try_from(missing).unwrap_or(i128::MAX) })?;
    }
    Ok(amounts)
}

/// A sum with an amount that is not below zero.
fn sum<S>(sum: u128, minor: i128) -> Result<u128, SettleError<S>> {
    sum.checked_add(minor.max(0).unsigned_abs()).ok_or(SettleError::Amount { minor: i128::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn shares(list: &[(u64, u64)]) -> Vec<Share> {
        list.iter().map(|(over, under)| Share::Of(*over, *under)).collect()
    }

    #[test]
    fn leftover_units_go_by_the_rule() {
        let list = shares(&[(80, 100), (8, 100), (12, 100)]);
        assert_eq!(parts(15, &list, Leftover::InOrder), Ok(vec![13, 1, 1]));
        assert_eq!(parts(15, &list, Leftover::Largest), Ok(vec![12, 1, 2]));
        let thirds = shares(&[(1, 3), (1, 3), (1, 3)]);
        assert_eq!(parts(100, &thirds, Leftover::Largest), Ok(vec![34, 33, 33]), "the earlier of equals");
        assert_eq!(parts(10, &[Share::Of(1, 3), Share::Rest], Leftover::Largest), Ok(vec![3, 7]));
        for wrong in
            [vec![Share::Of(1, 2)], vec![Share::Of(2, 3), Share::Of(2, 3)], vec![Share::Rest, Share::Rest]]
        {
            assert_eq!(parts(10, &wrong, Leftover::Largest), Err(FlowError::Shares));
        }
    }

    #[test]
    fn first_from_points_then_from_the_overdraft_up_to_a_bound() {
        let rooms = |account: &char| match account {
            'p' => Room { balance: 30, floor: Some(0) },
            _ => Room { balance: 50, floor: Some(-1_000) },
        };
        let from = |account, down_to| Source::From { account, down_to };
        let source = Source::InOrder(vec![from('p', None), from('m', Some(0)), from('m', Some(-200))]);
        let asked = |minor| flow(Amount::Exact(minor), &source, &Target::To('s'), Leftover::Largest, rooms);
        let moved = |from, amount| Move { from, to: 's', amount };
        assert_eq!(asked(100), Ok(vec![moved('p', 30), moved('m', 70)]));
        assert_eq!(asked(280), Ok(vec![moved('p', 30), moved('m', 250)]));
        assert_eq!(asked(281), Err(FlowError::Missing { needed: 281, found: 280 }));
    }

    #[test]
    fn modes_are_settled_together() {
        let term = |account, side, mode, minor| Term { account, asset: 0, side, mode, minor };
        let (debit, credit) = (Side::Debit, Side::Credit);
        let room = |account: &char, side| match (account, side) {
            ('a', Side::Debit) => Some(70),
            ('c', Side::Credit) => Some(5),
            _ => None,
        };
        let lines = [
            term('a', debit, Mode::Exact, 20),
            term('a', debit, Mode::AtMost, 100),
            term('c', credit, Mode::AtMost, 30),
            term('b', credit, Mode::Balancing, 0),
        ];
        assert_eq!(settle(&lines, room), Ok(vec![20, 50, 5, 65]));
        let unbalanced = Err(SettleError::Unbalanced(0));
        assert_eq!(settle(&[lines[2], term('b', credit, Mode::Balancing, 0)], room), unbalanced);
        assert_eq!(settle(&[lines[3], lines[3]], room), unbalanced);
    }

    #[test]
    fn amounts_that_are_none_are_refused_before_anything_is_added_up() {
        let term = |account, mode, minor| Term { account, asset: 0, side: Side::Debit, mode, minor };
        let balancing = term('a', Mode::Balancing, 0);
        let asked = |terms: &[Term<char, u8>]| settle(terms, |_, _| panic!("no room is asked for"));
        for (mode, minor) in [
            (Mode::Exact, i128::MAX),
            (Mode::Exact, i128::MIN),
            (Mode::Exact, 0),
            (Mode::Exact, AMOUNT_MAX + 1),
            (Mode::AtMost, i128::MAX),
            (Mode::AtMost, -1),
        ] {
            let line = term('b', mode, minor);
            let said = Err(SettleError::Amount { minor });
            assert_eq!(asked(&[line, line, line, balancing]), said, "{mode:?}");
        }
        // What balances is an amount itself.
        let credit = Term { side: Side::Credit, ..term('b', Mode::Exact, AMOUNT_MAX) };
        assert_eq!(asked(&[credit, balancing]), Ok(vec![AMOUNT_MAX, AMOUNT_MAX]));
        let said = Err(SettleError::Amount { minor: 2 * AMOUNT_MAX });
        assert_eq!(asked(&[credit, credit, balancing]), said);
    }

    const AMOUNT_MAX: i128 = crate::limit::AMOUNT_MAX as i128;

    fn extreme() -> impl Strategy<Value = i128> {
        prop_oneof![
            prop::sample::select(vec![i128::MIN, i128::MIN + 1, -AMOUNT_MAX, -1, 0, 1, i128::MAX]),
            prop::sample::select(vec![AMOUNT_MAX - 1, AMOUNT_MAX, AMOUNT_MAX + 1]),
            0..1_000i128,
        ]
    }

    fn terms() -> impl Strategy<Value = Vec<Term<u8, u8>>> {
        let mode = prop::sample::select(vec![Mode::Exact, Mode::AtMost, Mode::Balancing]);
        let side = prop::sample::select(vec![Side::Debit, Side::Credit]);
        let term = (0u8..3, 0u8..2, side, mode, extreme());
        let term =
            term.prop_map(|(account, asset, side, mode, minor)| Term { account, asset, side, mode, minor });
        prop::collection::vec(term, 0..8)
    }

    proptest! {
        #[test]
        fn whatever_is_asked_is_settled_or_refused(terms in terms(), rooms in prop::collection::vec(prop::option::of(any::<u128>()), 3)) {
            let Ok(amounts) = settle(&terms, |account, _| rooms[usize::from(*account)]) else { return Ok(()) };
            for (term, amount) in terms.iter().zip(&amounts) {
                prop_assert!((0..=AMOUNT_MAX).contains(amount));
                match term.mode {
                    Mode::Exact => prop_assert_eq!(*amount, term.minor),
                    Mode::AtMost => prop_assert!(*amount <= term.minor),
                    Mode::Balancing => {
                        let of = |side| terms.iter().zip(&amounts).filter(move |(other, _)| other.asset == term.asset && other.side == side);
                        let sum = |side| of(side).map(|(_, amount)| amount).sum::<i128>();
                        prop_assert_eq!(sum(Side::Debit), sum(Side::Credit));
                    }
                }
            }
        }

        #[test]
        fn nothing_is_lost_in_shares(amount in 0..10u128.pow(30), weights in prop::collection::vec(1u64..1_000, 1..20), first: bool) {
            let sum = weights.iter().sum::<u64>();
            let list: Vec<Share> = weights.iter().map(|weight| Share::Of(*weight, sum)).collect();
            let leftover = if first { Leftover::InOrder } else { Leftover::Largest };
            let parts = parts(amount, &list, leftover).unwrap();
            prop_assert_eq!(parts.iter().sum::<u128>(), amount);
            for (part, weight) in parts.iter().zip(&weights) {
                let (down, rest) = share_of(amount, *weight, sum);
                prop_assert!(*part == down || *part == down + 1 && rest > 0 || leftover == Leftover::InOrder);
            }
        }
    }
}
