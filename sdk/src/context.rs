//! What a contract's code is given when it is called: who, when, under which terms, and what it may do.

use crate::contract::Lifecycle;
use crate::contract::{Books, Contract, Messages, Names};
use crate::host;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::marker::PhantomData;
use serde::de::DeserializeOwned;
use tenor_abi::calendar::BusinessDayConvention;
use tenor_abi::call::{Actor, Occurrence, Told};
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{
    AccountRef, Balance, BookedEntries, CaptureRequest, CollectRequest, EntryKey, EntryRequest, HoldLine,
    HoldRequest, Mode, PlannedEntry, Posted, Posting, Shortfall, Side, StatementLine,
};
use tenor_abi::id::{AccountId, AgreementId, CalendarId, Hash, HoldId, PartyId};
use tenor_abi::limit::STATEMENT_LINES_MAX;
use tenor_abi::money::{Currency, Money};
use tenor_abi::recurrence::Recurrence;

/// What every call can see; all that a view gets.
pub struct View<C: Contract> {
    told: Told,
    terms: OnceCell<C::Terms>,
}

/// What an action or handler gets: it sees what a view sees, and may act.
pub struct Cx<C: Contract> {
    view: View<C>,
}

impl<C: Contract> core::ops::Deref for Cx<C> {
    type Target = View<C>;
    fn deref(&self) -> &View<C> {
        &self.view
    }
}

pub(crate) fn own<T: DeserializeOwned>(bytes: &[u8]) -> T {
    // Without the error's text, here and in storage: showing it would be the largest thing in a small contract.
    let Ok(value) = codec::decode_own(bytes) else {
        panic!("the host hands over what its table of functions says")
    };
    value
}

/// An account or book as an argument of a call to the ledger.
pub trait InLedger {
    /// As the ledger names it.
    fn account(self) -> AccountRef;
}

impl InLedger for AccountId {
    fn account(self) -> AccountRef {
        AccountRef::Account(self)
    }
}

impl<B: Books> InLedger for B {
    fn account(self) -> AccountRef {
        AccountRef::Book(self.number())
    }
}

impl<C: Contract> View<C> {
    /// The call that the host hands over.
    pub fn read() -> View<C> {
        let told = Told::of(host::argument()).expect("the host hands over a call");
        View { told, terms: OnceCell::new() }
    }

    /// The terms as signed.
    pub fn terms(&self) -> &C::Terms {
        self.terms.get_or_init(|| own(self.told.terms()))
    }

    /// The arguments' bytes.
    pub fn arguments(&self) -> &[u8] {
        self.told.arguments()
    }

    /// This agreement.
    pub fn agreement(&self) -> AgreementId {
        self.told.agreement()
    }

    /// The bank that published the contract.
    pub fn bank(&self) -> PartyId {
        self.told.bank()
    }

    /// Who acts.
    pub fn actor(&self) -> Actor {
        self.told.actor()
    }

    /// The party that acts; none when the chain itself does.
    pub fn party(&self) -> Option<PartyId> {
        match self.told.actor() {
            Actor::Party(party) => Some(party),
            _ => None,
        }
    }

    /// Lifecycle state at the start of the call.
    pub fn state(&self) -> C::State {
        C::State::of(self.told.state()).expect("the host keeps to the states of the spec")
    }

    /// In an action block time, in a handler the due time.
    pub fn time(&self) -> Timestamp {
        self.told.time()
    }

    /// Business date of the product's bank; in a handler the attempt's due date.
    pub fn date(&self) -> Date {
        self.told.date()
    }

    /// Block time.
    pub fn booked_at(&self) -> Timestamp {
        self.told.booked_at()
    }

    /// The occurrence that a handler runs for.
    ///
    /// # Panics
    /// In a call that is no handler.
    pub fn occurrence(&self) -> Occurrence {
        self.told.occurrence().expect("only handlers have an occurrence")
    }

    /// The entry that a hook judges.
    ///
    /// # Panics
    /// In a call that is no hook before an entry.
    pub fn planned_entry(&self) -> PlannedEntry {
        own(self.told.arguments())
    }

    /// The postings that a hook is told of.
    ///
    /// # Panics
    /// In a call that is no hook after entries.
    pub fn booked_entries(&self) -> BookedEntries {
        own(self.told.arguments())
    }

    /// What an account or book holds.
    pub fn balance(&self, account: impl InLedger) -> Balance {
        own(&host::balance(&codec::encode(&account.account())))
    }

    /// What an account or book holds by value dates up to and with a day, in minor units: what interest is
    /// computed on. A handler asks it for its own date and gets the same, however late it runs.
    pub fn balance_on(&self, account: impl InLedger, date: Date) -> i128 {
        own(&host::balance_on(&codec::encode(&(account.account(), date))))
    }

    /// Postings of an account or book from a place in its history on: at most 100, the oldest first.
    pub fn statement(&self, account: impl InLedger, from: u64, count: u16) -> Vec<StatementLine> {
        let count = count.min(STATEMENT_LINES_MAX as u16);
        own(&host::statement(&codec::encode(&(account.account(), from)), count))
    }

    /// The date of a schedule's next attempt.
    pub fn next_due(&self, schedule: C::Schedules) -> Option<Date> {
        host::next_due(schedule.number()).map(|bytes| own(&bytes))
    }

    /// A date moved to a business day of a calendar.
    pub fn business_day(&self, date: Date, convention: BusinessDayConvention, calendar: CalendarId) -> Date {
        own(&host::business_day(&codec::encode(&(date, convention, calendar))))
    }
}

impl<C: Contract> Cx<C> {
    /// The call that the host hands over.
    pub fn read() -> Cx<C> {
        Cx { view: View::read() }
    }

    /// Books an entry; a ledger refusal ends the call.
    pub fn post(&mut self, entry: Entry<C>) {
        host::post(&codec::encode(&entry.request));
    }

    /// Books an entry, or says what is missing and books nothing.
    ///
    /// # Errors
    /// The [`Shortfall`] when an account cannot give, or a grant does not allow, that much.
    pub fn try_post(&mut self, entry: Entry<C>) -> Result<(), Shortfall> {
        match host::try_post(&codec::encode(&entry.request)) {
            None => Ok(()),
            Some(bytes) => Err(own(&bytes)),
        }
    }

    /// Books an entry once under an external key of the agreement: what stands under it already, with the same
    /// postings, is returned and nothing is booked.
    pub fn post_once(&mut self, entry: Entry<C>, key: EntryKey) -> Posted {
        let request = EntryRequest { key: Some(key), ..entry.request };
        own(&host::post_entry(&codec::encode(&request)))
    }

    /// Sets money aside on accounts for payees, until an instant: all lines or none, each with another payer. A
    /// ledger refusal ends the call.
    pub fn hold(&mut self, lines: Vec<HoldLine>, expires_at: Timestamp, purpose: C::Purposes) -> HoldId {
        let request = HoldRequest { lines, expires_at, purpose: purpose.number() };
        own(&host::hold(&codec::encode(&request)))
    }

    /// Pays all that is left of a hold that this agreement placed.
    pub fn capture(&mut self, hold: HoldId, purpose: C::Purposes) {
        self.capture_parts(hold, Vec::new(), true, purpose);
    }

    /// Pays parts of a hold that this agreement placed; with `last` the rest is released.
    pub fn capture_parts(
        &mut self,
        hold: HoldId,
        parts: Vec<(AccountId, u128)>,
        last: bool,
        purpose: C::Purposes,
    ) {
        host::capture(&codec::encode(&CaptureRequest { hold, parts, last, purpose: purpose.number() }));
    }

    /// Releases what is left of a hold that this agreement placed.
    pub fn release(&mut self, hold: HoldId) {
        host::release(&codec::encode(&hold));
    }

    /// Takes what is there, up to an amount; returns what was taken.
    pub fn collect_up_to(
        &mut self,
        from: AccountId,
        to: impl InLedger,
        most: Money,
        purpose: C::Purposes,
    ) -> Money {
        if !most.is_positive() {
            return Money::zero(most.currency);
        }
        let request = CollectRequest {
            from: AccountRef::Account(from),
            to: to.account(),
            money: most,
            purpose: purpose.number(),
        };
        let taken: u128 = own(&host::collect_up_to(&codec::encode(&request)));
        most.with_minor(taken as i128)
    }

    /// Reports an event.
    pub fn emit(&mut self, event: C::Events) {
        host::emit(event.number(), &event.data());
    }

    /// Starts a schedule.
    pub fn every(&mut self, schedule: C::Schedules, recurrence: impl Into<Recurrence>) {
        host::schedule_start(&codec::encode(&(schedule.number(), recurrence.into())));
    }

    /// Holds a schedule: nothing of it falls due.
    pub fn hold_schedule(&mut self, schedule: C::Schedules) {
        host::schedule_hold(schedule.number());
    }

    /// Resumes a held schedule; the handler's `missed` says what becomes of what was missed.
    pub fn resume_schedule(&mut self, schedule: C::Schedules) {
        host::schedule_resume(schedule.number());
    }

    /// Ends a schedule.
    pub fn end_schedule(&mut self, schedule: C::Schedules) {
        host::schedule_end(schedule.number());
    }

    /// Enters a state that the call declares with `may_enter`.
    pub fn enter(&mut self, state: C::State) {
        host::enter_state(state.number());
    }
}

/// A line of a hold: who will pay whom, and how much.
pub fn hold_line(from: impl InLedger, to: impl InLedger, money: Money) -> HoldLine {
    HoldLine { from: from.account(), to: to.account(), money }
}

/// An entry in the making: all its postings are booked, or none.
#[derive(Clone, Debug)]
pub struct Entry<C: Contract> {
    request: EntryRequest,
    _contract: PhantomData<fn() -> C>,
}

impl<C: Contract> Entry<C> {
    /// An entry for a purpose of the contract's list.
    pub fn new(purpose: C::Purposes) -> Entry<C> {
        let (narrative, reference, value_date, key) = (None, None, None, None);
        let (postings, purpose) = (Vec::new(), purpose.number());
        let request = EntryRequest { postings, purpose, narrative, reference, value_date, key };
        Entry { request, _contract: PhantomData }
    }

    /// A debit; none when the amount is zero.
    pub fn debit(self, account: impl InLedger, money: Money) -> Entry<C> {
        self.line(account.account(), Side::Debit, Mode::Exact, money)
    }

    /// A credit; none when the amount is zero.
    pub fn credit(self, account: impl InLedger, money: Money) -> Entry<C> {
        self.line(account.account(), Side::Credit, Mode::Exact, money)
    }

    /// A debit of as much of an amount as the account can give above its floor.
    pub fn debit_up_to(self, account: impl InLedger, most: Money) -> Entry<C> {
        self.line(account.account(), Side::Debit, Mode::AtMost, most)
    }

    /// A credit of as much of an amount as the account can take below its ceiling.
    pub fn credit_up_to(self, account: impl InLedger, most: Money) -> Entry<C> {
        self.line(account.account(), Side::Credit, Mode::AtMost, most)
    }

    /// A debit of what balances the other lines in a currency.
    pub fn debit_rest(self, account: impl InLedger, currency: Currency) -> Entry<C> {
        self.push(account.account(), Side::Debit, Mode::Balancing, Money::zero(currency))
    }

    /// A credit of what balances the other lines in a currency.
    pub fn credit_rest(self, account: impl InLedger, currency: Currency) -> Entry<C> {
        self.push(account.account(), Side::Credit, Mode::Balancing, Money::zero(currency))
    }

    /// A commitment to a narrative that travels beside the block.
    pub fn narrative(mut self, commitment: Hash) -> Entry<C> {
        self.request.narrative = Some(commitment);
        self
    }

    /// A commitment to an end-to-end reference that travels beside the block.
    pub fn reference(mut self, commitment: Hash) -> Entry<C> {
        self.request.reference = Some(commitment);
        self
    }

    /// The day that it counts from, where that is later than the call's date.
    pub fn value_date(mut self, date: Date) -> Entry<C> {
        self.request.value_date = Some(date);
        self
    }

    fn line(self, account: AccountRef, side: Side, mode: Mode, money: Money) -> Entry<C> {
        if money.is_zero() { self } else { self.push(account, side, mode, money) }
    }

    fn push(mut self, account: AccountRef, side: Side, mode: Mode, money: Money) -> Entry<C> {
        self.request.postings.push(Posting { account, side, mode, money });
        self
    }
}

/// Ends a call: what the export returns to the host.
pub fn finish<T: serde::Serialize, E: Messages>(result: Result<T, E>) -> i32 {
    match result {
        Ok(answer) => {
            let bytes = codec::encode(&answer);
            if !bytes.is_empty() {
                host::answer(&bytes);
            }
            0
        }
        Err(refusal) => {
            host::refuse(tenor_abi::spec::CODE_OWN + refusal.number(), &refusal.data());
            1
        }
    }
}

/// Reads a call's arguments.
///
/// # Panics
/// When they are not what the spec says, which the host has checked.
pub fn arguments<T: DeserializeOwned>(bytes: &[u8]) -> T {
    own(bytes)
}
