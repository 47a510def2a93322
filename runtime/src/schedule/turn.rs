//! How a schedule goes on: started, held, resumed, ended, and after each attempt at an occurrence.

use super::clock::{business_date, business_day_start, calendar, zone};
use crate::fault::{Fault, Stop};
use crate::state::record::{DueRow, ScheduleRecord, Waiting, ZoneRecord, key};
use crate::state::{Kind, Overlay};
use tenor_abi::calendar::{BusinessDayConvention, Calendar};
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AgreementId, Hash, PartyId};
use tenor_abi::recurrence::Recurrence;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{Missed, Spacing};
use tenor_wire::block::DueItem;

/// Days within which an occurrence moved from a holiday must find a business day.
const MOVE_DAYS_MAX: i32 = 10;

/// Which schedule, of whom, and the instant from which its next due time is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The agreement.
    pub agreement: AgreementId,
    /// Bank of its product; its zone and queue count.
    pub bank: PartyId,
    /// Number of the schedule.
    pub kind: u16,
    /// What time it is for whoever moves the schedule.
    pub now: Timestamp,
    /// Least milliseconds from then to a due time.
    pub ahead_ms: u64,
}

/// Occurrences that were passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Missing {
    /// The first one's number.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// A schedule was suspended: the date on which it goes on cannot be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Halt {
    /// Number of the occurrence whose date it is.
    pub number: u32,
    /// Code of the refusal that says why.
    pub code: u16,
}

/// Everything that dates are computed with.
struct Days {
    zone: ZoneRecord,
    calendar: Option<Calendar>,
}

impl Days {
    fn of(state: &Overlay<'_>, place: &Place, recurrence: &Recurrence) -> Result<Days, Stop> {
        let calendar = recurrence.calendar.as_ref().map(|id| calendar(state, id)).transpose()?;
        Ok(Days { zone: zone(state, &place.bank)?, calendar })
    }

    /// The adjusted day of an occurrence and the instant it is due; none after the last.
    fn due(&self, recurrence: &Recurrence, number: u32) -> Result<Option<(Date, Timestamp)>, Refusal> {
        let short = |error: &dyn core::fmt::Display| Refusal::CalendarShort { rule: error.to_string() };
        let date = recurrence.adjusted(number, self.calendar.as_ref()).map_err(|error| short(&error))?;
        Ok(date.map(|date| (date, self.instant(recurrence, date))))
    }

    /// What the occurrence at the record's place waits for; after the last the schedule has ended.
    fn next(&self, place: &Place, record: &ScheduleRecord) -> Result<Waiting, Refusal> {
        Ok(match self.due(&record.recurrence, record.place)? {
            Some((date, due)) => {
                let due = due.max(Timestamp(place.now.0 + place.ahead_ms));
                Waiting::Due { date, attempt_date: date, due, attempt: record.tried, moved: false }
            }
            None => Waiting::Ended,
        })
    }

    /// The instant of a retry so long after an attempt, and its day.
    fn again(
        &self,
        place: &Place,
        recurrence: &Recurrence,
        attempt_date: Date,
        every: Spacing,
    ) -> Result<(Date, Timestamp), Refusal> {
        let from = attempt_date.max(business_date(&self.zone, place.now));
        let next = match (every, &self.calendar) {
            (Spacing::Days(count), _) | (Spacing::BusinessDays(count), None) => {
                from.add_days(i32::from(count))
            }
            (Spacing::BusinessDays(count), Some(calendar)) => calendar
                .add_business_days(from, i32::from(count))
                .map_err(|error| Refusal::CalendarShort { rule: error.to_string() })?,
        };
        let due = self.instant(recurrence, next).max(Timestamp(place.now.0 + place.ahead_ms));
        Ok((next, due))
    }

    fn instant(&self, recurrence: &Recurrence, date: Date) -> Timestamp {
        let minutes = u64::from(recurrence.minutes.unwrap_or(0));
        Timestamp(business_day_start(&self.zone, date).0 + minutes * 60_000)
    }
}

impl ScheduleRecord {
    /// The attempt was made and there is no other one now: a number is never used for two.
    fn count_attempt(&mut self) {
        if let Waiting::Due { attempt, .. } = self.waiting {
            self.tried = attempt.saturating_add(1);
        }
    }

    /// Passes over occurrences; whatever was tried of the one before no longer counts.
    fn go_on(&mut self, count: u32) {
        if count > 0 {
            self.place += count;
            self.tried = 0;
        }
    }

    /// Number of the next occurrence over the life of the schedule.
    pub fn number(&self) -> u32 {
        self.base + self.place
    }
}

/// Starts a schedule.
///
/// # Errors
/// Refused when it runs already, the recurrence is not sound, or its first day has passed.
pub fn start(state: &mut Overlay<'_>, place: Place, recurrence: Recurrence) -> Result<(), Stop> {
    let row = key::schedule(&place.agreement, place.kind);
    let (base, tried) = match state.get::<ScheduleRecord>(&row)? {
        None => (0, 0),
        Some(old) if old.waiting == Waiting::Ended => (old.number(), old.tried),
        Some(_) => return Err(Refusal::Exists { what: Hash(place.agreement.0) }.into()),
    };
    recurrence.validate().map_err(|error| Refusal::BadSchedule { rule: error.to_string() })?;
    let days = Days::of(state, &place, &recurrence)?;
    let today = business_date(&days.zone, place.now);
    if let Some((first, _)) = days.due(&recurrence, 0)?.filter(|(first, _)| *first < today) {
        let rule = format!("the first occurrence would be on {first}, which has passed; today is {today}");
        return Err(Refusal::BadSchedule { rule }.into());
    }
    let mut record = ScheduleRecord { recurrence, place: 0, base, tried, waiting: Waiting::Ended };
    record.waiting = days.next(&place, &record)?;
    wait(state, &place, &record);
    Ok(())
}

/// Holds a schedule: nothing of it falls due until it is resumed.
///
/// # Errors
/// Refused when it is not waiting.
pub fn hold(state: &mut Overlay<'_>, place: Place) -> Result<(), Stop> {
    let mut record = load(state, &place)?;
    let Waiting::Due { attempt, .. } = record.waiting else {
        let rule = format!("schedule {} cannot be held: it is not waiting", place.kind);
        return Err(Refusal::BadSchedule { rule }.into());
    };
    leave_queue(state, &place, &record);
    record.tried = attempt;
    record.waiting = Waiting::Held { since: place.now };
    store(state, &place, &record);
    Ok(())
}

/// Resumes a held or suspended schedule; what was missed meanwhile is treated by the spec's rule.
///
/// # Errors
/// Refused when it is neither held nor suspended.
pub fn resume(state: &mut Overlay<'_>, place: Place, missed: Missed) -> Result<Option<Missing>, Stop> {
    let mut record = load(state, &place)?;
    if !matches!(record.waiting, Waiting::Held { .. } | Waiting::Suspended { .. }) {
        let rule = format!("schedule {} cannot be resumed: it is not held", place.kind);
        return Err(Refusal::BadSchedule { rule }.into());
    }
    let days = Days::of(state, &place, &record.recurrence)?;
    let due = |place| days.due(&record.recurrence, place);
    let passed = match missed {
        Missed::Each => 0,
        Missed::Latest => count_passed(&record, place.now, due)?.saturating_sub(1),
        Missed::Skip => count_passed(&record, place.now, due)?,
    };
    let missing = (passed > 0).then_some(Missing { first: record.number(), count: passed });
    if passed == 0 && record.tried == u8::MAX {
        let rule = format!("occurrence {} was tried {} times; end the schedule", record.number(), u8::MAX);
        return Err(Refusal::BadSchedule { rule }.into());
    }
    record.go_on(passed);
    record.waiting = days.next(&place, &record)?;
    wait(state, &place, &record);
    Ok(missing)
}

/// Ends a schedule: no occurrence follows. Ending an ended one changes nothing.
///
/// # Errors
/// Refused when it was never started.
pub fn end(state: &mut Overlay<'_>, place: Place) -> Result<(), Stop> {
    let mut record = load(state, &place)?;
    leave_queue(state, &place, &record);
    if let Waiting::Due { attempt, .. } = record.waiting {
        record.tried = attempt;
    }
    record.waiting = Waiting::Ended;
    store(state, &place, &record);
    Ok(())
}

/// How many occurrences of a late schedule are passed over by the spec's rule before one runs. One whose date cannot
/// be told has not passed.
///
/// # Errors
/// [`Fault`] of the store, or refused when there is no such calendar.
pub fn passed_over(
    state: &Overlay<'_>,
    place: &Place,
    record: &ScheduleRecord,
    catch_up: Missed,
) -> Result<u32, Stop> {
    if catch_up == Missed::Each {
        return Ok(0);
    }
    let days = Days::of(state, place, &record.recurrence)?;
    let today = business_date(&days.zone, place.now);
    let Waiting::Due { attempt_date, attempt, .. } = record.waiting else { return Ok(0) };
    if attempt != record.tried || attempt_date >= today {
        return Ok(0);
    }
    let known = |place| days.due(&record.recurrence, place).ok().flatten();
    let due = count_passed(record, place.now, |place| Ok(known(place)))?;
    let today_runs = known(record.place + due.saturating_sub(1)).is_some_and(|(date, _)| date >= today);
    Ok(match catch_up {
        Missed::Skip if !today_runs => due,
        _ => due.saturating_sub(1),
    })
}

/// The occurrence is over (done, given up, or passed over): `count` further, the next one waits, or the schedule is
/// suspended where its date cannot be told.
///
/// # Errors
/// [`Fault`] of the store, or refused when the schedule was never started.
pub fn finish(state: &mut Overlay<'_>, place: Place, count: u32) -> Result<Option<Halt>, Stop> {
    let mut record = load(state, &place)?;
    // The handler may have held or ended its own schedule; then only the number moves on.
    let waits = matches!(record.waiting, Waiting::Due { .. });
    leave_queue(state, &place, &record);
    record.go_on(count);
    if !waits {
        store(state, &place, &record);
        return Ok(None);
    }
    let next = Days::of(state, &place, &record.recurrence).and_then(|days| Ok(days.next(&place, &record)?));
    Ok(wait_or_suspend(state, &place, record, next)?)
}

/// The attempt was refused and there is another one.
///
/// Spaced from the attempt's due day, or from today where it ran late, so that an outage burns no retries. Where its
/// date cannot be told the occurrence keeps its place and the schedule is suspended.
///
/// # Errors
/// [`Fault`] of the store, or refused when the schedule was never started.
pub fn retry(state: &mut Overlay<'_>, place: Place, every: Spacing) -> Result<Option<Halt>, Stop> {
    let mut record = load(state, &place)?;
    let Waiting::Due { date, attempt_date, attempt, moved, .. } = record.waiting else { return Ok(None) };
    leave_queue(state, &place, &record);
    let days = Days::of(state, &place, &record.recurrence);
    let next = days.and_then(|days| {
        let (next, due) = days.again(&place, &record.recurrence, attempt_date, every)?;
        Ok(Waiting::Due { date, attempt_date: next, due, attempt: attempt + 1, moved })
    });
    if next.is_err() {
        record.count_attempt();
    }
    Ok(wait_or_suspend(state, &place, record, next)?)
}

/// The last attempt was refused: the occurrence keeps its place and the schedule is held.
///
/// # Errors
/// [`Fault`] of the store.
pub fn give_up(state: &mut Overlay<'_>, place: Place) -> Result<(), Stop> {
    let mut record = load(state, &place)?;
    leave_queue(state, &place, &record);
    record.count_attempt();
    record.waiting = Waiting::Held { since: place.now };
    store(state, &place, &record);
    Ok(())
}

/// The handler failed, or how the schedule goes on cannot be told: it waits for the bank.
///
/// # Errors
/// [`Fault`] of the store, or refused when it was never started.
pub fn suspend(state: &mut Overlay<'_>, place: Place, code: u16) -> Result<(), Stop> {
    let mut record = load(state, &place)?;
    leave_queue(state, &place, &record);
    record.count_attempt();
    record.waiting = Waiting::Suspended { code };
    store(state, &place, &record);
    Ok(())
}

/// Moves an occurrence whose day has become a holiday to the next business day, once.
///
/// # Errors
/// [`Stop`] of the calendar.
pub fn move_from_holiday(state: &mut Overlay<'_>, place: Place) -> Result<bool, Stop> {
    let mut record = load(state, &place)?;
    let Waiting::Due { date, attempt, moved: false, .. } = record.waiting else { return Ok(false) };
    if attempt != record.tried || record.recurrence.convention == BusinessDayConvention::Unadjusted {
        return Ok(false);
    }
    let days = Days::of(state, &place, &record.recurrence)?;
    let Some(calendar) = &days.calendar else { return Ok(false) };
    let open = |day: Date| calendar.is_business_day(day).unwrap_or(true);
    if open(date) {
        return Ok(false);
    }
    let Some(next) = (1..=MOVE_DAYS_MAX).map(|ahead| date.add_days(ahead)).find(|day| open(*day)) else {
        return Ok(false);
    };
    leave_queue(state, &place, &record);
    let due = days.instant(&record.recurrence, next).max(Timestamp(place.now.0 + place.ahead_ms));
    record.waiting = Waiting::Due { date: next, attempt_date: next, due, attempt, moved: true };
    wait(state, &place, &record);
    Ok(true)
}

/// How many occurrences from the next one on are due at or before an instant.
fn count_passed(
    record: &ScheduleRecord,
    now: Timestamp,
    due: impl Fn(u32) -> Result<Option<(Date, Timestamp)>, Refusal>,
) -> Result<u32, Refusal> {
    let mut count = 0;
    while due(record.place + count)?.is_some_and(|(_, due)| due <= now) {
        count += 1;
    }
    Ok(count)
}

/// Keeps the record, and puts what it waits for into the queue.
fn wait(state: &mut Overlay<'_>, place: &Place, record: &ScheduleRecord) {
    enter_queue(state, place, record);
    store(state, place, record);
}

/// The record waits as was found out, or is suspended for what was refused.
fn wait_or_suspend(
    state: &mut Overlay<'_>,
    place: &Place,
    mut record: ScheduleRecord,
    next: Result<Waiting, Stop>,
) -> Result<Option<Halt>, Fault> {
    let (waiting, halt) = match next {
        Ok(waiting) => (waiting, None),
        Err(Stop::Refused(refusal)) => {
            let code = refusal.code();
            (Waiting::Suspended { code }, Some(Halt { number: record.number(), code }))
        }
        Err(Stop::Fault(fault)) => return Err(fault),
    };
    record.waiting = waiting;
    wait(state, place, &record);
    Ok(halt)
}

fn queue_row(place: &Place, record: &ScheduleRecord) -> Option<Vec<u8>> {
    let Waiting::Due { due, attempt, .. } = record.waiting else { return None };
    let item = DueItem { agreement: place.agreement, kind: place.kind, number: record.number(), attempt };
    Some(key::due(&place.bank, due, &item))
}

fn enter_queue(state: &mut Overlay<'_>, place: &Place, record: &ScheduleRecord) {
    if let Some(row) = queue_row(place, record) {
        state.put(&row, &DueRow {});
    }
}

fn leave_queue(state: &mut Overlay<'_>, place: &Place, record: &ScheduleRecord) {
    if let Some(row) = queue_row(place, record) {
        state.delete(Kind::Due, &row);
    }
}

fn load(state: &Overlay<'_>, place: &Place) -> Result<ScheduleRecord, Stop> {
    let record = state.get(&key::schedule(&place.agreement, place.kind))?;
    let rule = || Refusal::BadSchedule { rule: format!("schedule {} was never started", place.kind) };
    record.ok_or_else(|| rule().into())
}

fn store(state: &mut Overlay<'_>, place: &Place, record: &ScheduleRecord) {
    state.put(&key::schedule(&place.agreement, place.kind), record);
}

/// A schedule of an agreement, if it was ever started.
///
/// # Errors
/// [`Fault`] of the store.
pub fn of(state: &Overlay<'_>, agreement: &AgreementId, kind: u16) -> Result<Option<ScheduleRecord>, Fault> {
    state.get(&key::schedule(agreement, kind))
}
