//! What a contract is told when it is called.

use crate::date::{Date, Timestamp};
use crate::id::{AgreementId, PartyId};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The occasion of a call; decides which host functions there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Actor {
    /// A party that signed the transaction first.
    Party(PartyId),
    /// Another agreement.
    Agreement(AgreementId),
    /// The chain itself, when an occurrence is due.
    Schedule,
}

/// One run of a schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Occurrence {
    /// Number of the schedule's kind in the spec.
    pub kind: u16,
    /// From 0, without gaps, never again.
    pub number: u32,
    /// The occurrence's own day, before it was moved to a business day.
    pub nominal: Date,
    /// The occurrence's day, after it was moved to a business day.
    pub date: Date,
    /// 0 for the first attempt.
    pub attempt: u8,
    /// Whether the retry policy ends with this attempt.
    pub last_attempt: bool,
}

/// Everything that a call is told.
///
/// `arg_read` hands it over in a form that is read where it lies: a head of fixed length, the terms, the arguments. A
/// contract takes out of it what it asks for and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call<'c> {
    /// The agreement called.
    pub agreement: AgreementId,
    /// Bank that published the contract.
    pub bank: PartyId,
    /// Who acts.
    pub actor: Actor,
    /// In an action block time, in a handler the occurrence's due time.
    pub time: Timestamp,
    /// Business date of the product's bank; in a handler the attempt's due date.
    pub date: Date,
    /// Block time.
    pub booked_at: Timestamp,
    /// Number of the lifecycle state.
    pub state: u16,
    /// Terms as signed, in the encoding of the spec.
    pub terms: &'c [u8],
    /// In a handler the occurrence.
    pub occurrence: Option<Occurrence>,
    /// Arguments, in the encoding of the spec.
    pub arguments: &'c [u8],
}

/// Bytes of the head. Its fields lie one behind the other, numbers with their lowest byte first:
///
/// | from | bytes | |
/// |---|---|---|
/// | 0 | 32 | agreement |
/// | 32 | 32 | bank |
/// | 64 | 32 | who acts: the id; zeros for the chain itself |
/// | 96 | 8 | time |
/// | 104 | 8 | block time |
/// | 112 | 4 | date, in days since 1970 |
/// | 116 | 2 | lifecycle state |
/// | 118 | 1 | what acts: 0 a party, 1 an agreement, 2 the chain itself |
/// | 119 | 1 | 1 where there is an occurrence; without one its fields are zeros |
/// | 120 | 4 | length of the terms |
/// | 124 | 4 | occurrence: number |
/// | 128 | 4 | its nominal day |
/// | 132 | 4 | its day |
/// | 136 | 2 | number of the schedule's kind |
/// | 138 | 1 | attempt |
/// | 139 | 1 | 1 at the last attempt |
pub const HEAD_BYTES: usize = 140;

impl Call<'_> {
    /// Appends the bytes that `arg_read` hands over.
    pub fn append(&self, bytes: &mut Vec<u8>) {
        let (kind, actor) = match self.actor {
            Actor::Party(party) => (0, party.0),
            Actor::Agreement(agreement) => (1, agreement.0),
            Actor::Schedule => (2, [0; 32]),
        };
        let none = Occurrence {
            kind: 0,
            number: 0,
            nominal: Date::from_days(0),
            date: Date::from_days(0),
            attempt: 0,
            last_attempt: false,
        };
        let occurrence = self.occurrence.unwrap_or(none);
        let mut head = [0; HEAD_BYTES];
        let mut rest = head.as_mut_slice();
        let mut put = |field: &[u8]| {
            let (to, behind) = core::mem::take(&mut rest).split_at_mut(field.len());
            to.copy_from_slice(field);
            rest = behind;
        };
        put(&self.agreement.0);
        put(&self.bank.0);
        put(&actor);
        put(&self.time.0.to_le_bytes());
        put(&self.booked_at.0.to_le_bytes());
        put(&self.date.days().to_le_bytes());
        put(&self.state.to_le_bytes());
        put(&[kind, u8::from(self.occurrence.is_some())]);
        put(&(self.terms.len() as u32).to_le_bytes());
        put(&occurrence.number.to_le_bytes());
        put(&occurrence.nominal.days().to_le_bytes());
        put(&occurrence.date.days().to_le_bytes());
        put(&occurrence.kind.to_le_bytes());
        put(&[occurrence.attempt, u8::from(occurrence.last_attempt)]);
        bytes.reserve(HEAD_BYTES + self.terms.len() + self.arguments.len());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(self.terms);
        bytes.extend_from_slice(self.arguments);
    }
}

/// What a call was told, read where it lies.
#[derive(Clone, Debug)]
pub struct Told(Vec<u8>);

impl Told {
    /// The bytes that `arg_read` handed over; none when they are no call.
    pub fn of(bytes: Vec<u8>) -> Option<Told> {
        let told = Told(bytes);
        let terms =
            told.0.get(..HEAD_BYTES)?.get(120..124)?.first_chunk().copied().map(u32::from_le_bytes)?;
        (terms as usize <= told.0.len() - HEAD_BYTES).then_some(told)
    }

    #[inline]
    fn field<const LENGTH: usize>(&self, from: usize) -> [u8; LENGTH] {
        let head: Option<&[u8; HEAD_BYTES]> = self.0.first_chunk();
        let field = head.and_then(|head| head[from..].first_chunk());
        *field.expect("a call has a head")
    }

    /// As in [`Call`].
    #[inline]
    pub fn agreement(&self) -> AgreementId {
        AgreementId(self.field(0))
    }

    /// As in [`Call`].
    #[inline]
    pub fn bank(&self) -> PartyId {
        PartyId(self.field(32))
    }

    /// As in [`Call`].
    #[inline]
    pub fn actor(&self) -> Actor {
        match self.field(118) {
            [0] => Actor::Party(PartyId(self.field(64))),
            [1] => Actor::Agreement(AgreementId(self.field(64))),
            _ => Actor::Schedule,
        }
    }

    /// As in [`Call`].
    #[inline]
    pub fn time(&self) -> Timestamp {
        Timestamp(u64::from_le_bytes(self.field(96)))
    }

    /// As in [`Call`].
    #[inline]
    pub fn booked_at(&self) -> Timestamp {
        Timestamp(u64::from_le_bytes(self.field(104)))
    }

    /// As in [`Call`].
    #[inline]
    pub fn date(&self) -> Date {
        self.day(112)
    }

    /// As in [`Call`].
    #[inline]
    pub fn state(&self) -> u16 {
        u16::from_le_bytes(self.field(116))
    }

    /// As in [`Call`].
    pub fn occurrence(&self) -> Option<Occurrence> {
        let [is_there] = self.field(119);
        let ([attempt], [last_attempt]) = (self.field(138), self.field(139));
        (is_there == 1).then(|| Occurrence {
            kind: u16::from_le_bytes(self.field(136)),
            number: u32::from_le_bytes(self.field(124)),
            nominal: self.day(128),
            date: self.day(132),
            attempt,
            last_attempt: last_attempt == 1,
        })
    }

    /// As in [`Call`].
    #[inline]
    pub fn terms(&self) -> &[u8] {
        &self.0[HEAD_BYTES..self.arguments_from()]
    }

    /// As in [`Call`].
    #[inline]
    pub fn arguments(&self) -> &[u8] {
        &self.0[self.arguments_from()..]
    }

    fn day(&self, from: usize) -> Date {
        Date::from_days(i32::from_le_bytes(self.field(from)))
    }

    #[inline]
    fn arguments_from(&self) -> usize {
        HEAD_BYTES + u32::from_le_bytes(self.field(120)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn actor() -> impl Strategy<Value = Actor> {
        prop_oneof![
            any::<[u8; 32]>().prop_map(|id| Actor::Party(PartyId(id))),
            any::<[u8; 32]>().prop_map(|id| Actor::Agreement(AgreementId(id))),
            Just(Actor::Schedule),
        ]
    }

    fn occurrence() -> impl Strategy<Value = Occurrence> {
        any::<(u16, u32, i32, i32, u8, bool)>().prop_map(
            |(kind, number, nominal, date, attempt, last_attempt)| Occurrence {
                kind,
                number,
                nominal: Date::from_days(nominal),
                date: Date::from_days(date),
                attempt,
                last_attempt,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_was_handed_over(
            (agreement, bank, time, date, booked_at, state) in any::<([u8; 32], [u8; 32], u64, i32, u64, u16)>(),
            (actor, occurrence) in (actor(), prop::option::of(occurrence())),
            (terms, arguments) in any::<(Vec<u8>, Vec<u8>)>(),
        ) {
            let call = Call {
                agreement: AgreementId(agreement),
                bank: PartyId(bank),
                actor,
                time: Timestamp(time),
                date: Date::from_days(date),
                booked_at: Timestamp(booked_at),
                state,
                terms: &terms,
                occurrence,
                arguments: &arguments,
            };
            let mut bytes = vec![];
            call.append(&mut bytes);
            for length in 0..HEAD_BYTES + terms.len() {
                prop_assert!(Told::of(bytes[..length].to_vec()).is_none(), "a call was read from a part of it");
            }
            let told = Told::of(bytes).unwrap();
            let read = Call {
                agreement: told.agreement(),
                bank: told.bank(),
                actor: told.actor(),
                time: told.time(),
                date: told.date(),
                booked_at: told.booked_at(),
                state: told.state(),
                terms: told.terms(),
                occurrence: told.occurrence(),
                arguments: told.arguments(),
            };
            prop_assert_eq!(read, call);
        }
    }
}
