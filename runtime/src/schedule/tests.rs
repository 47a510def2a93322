//! Whatever happens to a schedule, each of its numbers is settled once, in order, and none is left out: it runs, or
//! it is reported as missed.

use super::{
    Halt, Place, business_day_start, end, finish, give_up, heads, hold, of, passed_over, resume, retry,
};
use super::{start, suspend, zone};
use crate::fault::Stop;
use crate::state::record::{CalendarRecord, ScheduleRecord, Waiting};
use crate::state::{Nothing, Overlay};
use proptest::prelude::*;
use std::collections::BTreeSet;
use tenor_abi::calendar::{BusinessDayConvention, Calendar};
use tenor_abi::date::{Date, DayOfMonth, Timestamp};
use tenor_abi::id::{AgreementId, CalendarId, PartyId};
use tenor_abi::money::Code;
use tenor_abi::recurrence::{Daily, Monthly, Recurrence, Weekly};
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{Missed, Spacing};

const CALENDAR: CalendarId = CalendarId([3; 32]);
const AHEAD_MS: u64 = 1_000;

fn place(now: Timestamp) -> Place {
    Place { agreement: AgreementId([1; 32]), bank: PartyId([2; 32]), kind: 0, now, ahead_ms: AHEAD_MS }
}

/// What becomes of the occurrence whose turn it is, or of the schedule as it waits.
#[derive(Clone, Copy, Debug)]
enum Step {
    Done,
    Refused(Spacing),
    GivenUp,
    Trapped,
    Held,
    Resumed(Missed),
    CaughtUp(Missed),
    /// Ended and begun anew under another rule.
    Anew(Recurrence),
    Days(u8),
}

fn missed() -> impl Strategy<Value = Missed> {
    prop_oneof![Just(Missed::Each), Just(Missed::Latest), Just(Missed::Skip)]
}

/// A recurrence that begins some days after the first of 2026.
fn recurrence() -> impl Strategy<Value = Recurrence> {
    let rule = prop_oneof![
        Just(Daily::from(Date::of(2026, 1, 1))),
        Just(Weekly::from(Date::of(2026, 1, 1))),
        (1u8..32).prop_map(|day| Monthly::on(DayOfMonth::of(day)).from(Date::of(2026, 1, 1))),
    ];
    let adjusted = prop_oneof![
        Just(None),
        Just(Some(BusinessDayConvention::Following)),
        Just(Some(BusinessDayConvention::Preceding)),
        Just(Some(BusinessDayConvention::ModifiedFollowing)),
    ];
    (rule, 1u16..4, prop::option::of(1u32..30), adjusted).prop_map(|(rule, every, count, adjusted)| {
        let rule = rule.every(every);
        let rule = count.map_or(rule, |count| rule.count(count));
        adjusted.map_or(rule, |convention| rule.adjust(convention, CALENDAR))
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let spacing = prop_oneof![(1u16..4).prop_map(Spacing::Days), (1u16..4).prop_map(Spacing::BusinessDays),];
    prop::collection::vec(
        prop_oneof![
            8 => Just(Step::Done),
            3 => spacing.prop_map(Step::Refused),
            1 => Just(Step::GivenUp),
            1 => Just(Step::Trapped),
            1 => Just(Step::Held),
            4 => missed().prop_map(Step::Resumed),
            2 => missed().prop_map(Step::CaughtUp),
            1 => recurrence().prop_map(Step::Anew),
            6 => (0u8..40).prop_map(Step::Days),
        ],
        1..120,
    )
}

/// A schedule with what was settled of it so far.
struct Lived<'b> {
    state: Overlay<'b>,
    now: Timestamp,
    /// The next number that must be settled.
    next: u32,
    /// Number and attempt of everything that was tried.
    tried: BTreeSet<(u32, u8)>,
}

impl Lived<'_> {
    fn record(&self) -> ScheduleRecord {
        of(&self.state, &place(self.now).agreement, 0).unwrap().unwrap()
    }

    /// Numbers settled by one step: they go on from what was settled before.
    fn settle(&mut self, first: u32, count: u32) {
        assert_eq!(first, self.next, "a number is left out or comes twice");
        self.next += count;
    }

    /// The queue holds what the record waits for, due as its rule says, and nothing else.
    fn check(&self) {
        let (record, heads) = (self.record(), heads(&self.state).unwrap());
        assert_eq!(record.number(), self.next);
        let Waiting::Due { date, due, attempt, .. } = record.waiting else {
            assert!(heads.is_empty(), "something falls due of a schedule that does not wait");
            return;
        };
        let [head] = heads.as_slice() else { panic!("{} rows of one schedule", heads.len()) };
        assert_eq!((head.due, head.item.number, head.item.attempt), (due, record.number(), attempt));
        let calendar = Calendar::named("TARGET", 2020, 2069).unwrap();
        let nominal = record.recurrence.nth(record.place).unwrap();
        let expected = match record.recurrence.calendar {
            Some(_) => calendar.adjust(nominal, record.recurrence.convention).unwrap(),
            None => nominal,
        };
        assert_eq!(date, expected);
        let zone = zone(&self.state, &place(self.now).bank).unwrap();
        assert!(due >= business_day_start(&zone, date), "before its day");
    }

    /// Places as execution has them: the occurrence's own time, and block time.
    fn take(&mut self, step: Step) {
        let record = self.record();
        let (late, number) = (place(self.now), record.number());
        let due = match record.waiting {
            Waiting::Due { due, attempt, .. } if due <= self.now => Some((due, attempt)),
            _ => None,
        };
        let waits = matches!(record.waiting, Waiting::Due { .. });
        let stands = matches!(record.waiting, Waiting::Held { .. } | Waiting::Suspended { .. });
        if let (Step::Done | Step::Refused(_) | Step::GivenUp | Step::Trapped, Some((_, attempt))) =
            (step, due)
        {
            assert!(self.tried.insert((number, attempt)), "attempt {attempt} at {number} comes twice");
        }
        match (step, due) {
            (Step::Days(days), _) => self.now.0 += u64::from(days) * 86_400_000,
            (Step::Done, Some((due, _))) => {
                self.settle(number, 1);
                finish(&mut self.state, place(due), 1).unwrap();
                self.is_ahead_of(due);
            }
            (Step::Refused(every), Some((due, attempt))) => {
                retry(&mut self.state, late, every).unwrap();
                let Waiting::Due { due: again, attempt: next, .. } = self.record().waiting else {
                    panic!("there is another attempt")
                };
                assert!(again > due && again > self.now && next == attempt + 1);
            }
            (Step::GivenUp, Some((due, _))) => give_up(&mut self.state, place(due)).unwrap(),
            (Step::Trapped, Some((due, _))) => suspend(&mut self.state, place(due), 7).unwrap(),
            (Step::CaughtUp(rule), Some((due, attempt))) if attempt == record.tried => {
                let count = passed_over(&self.state, &late, &record, rule).unwrap();
                if count > 0 {
                    self.settle(number, count);
                    finish(&mut self.state, place(due), count).unwrap();
                }
            }
            (Step::Held, _) => assert_eq!(hold(&mut self.state, late).is_ok(), waits),
            (Step::Resumed(rule), _) => match resume(&mut self.state, late, rule) {
                Ok(missing) => {
                    assert!(stands);
                    if let Some(missing) = missing {
                        self.settle(missing.first, missing.count);
                    }
                    self.is_ahead_of(self.now);
                }
                Err(_) => assert!(!stands),
            },
            (Step::Anew(recurrence), _) => {
                end(&mut self.state, late).unwrap();
                let first = Date::from_days((self.now.0 / 86_400_000) as i32 + 10);
                start(&mut self.state, late, Recurrence { first, ..recurrence }).unwrap();
                self.is_ahead_of(self.now);
            }
            _ => {}
        }
    }

    /// A due time lies at least a second after what made it.
    fn is_ahead_of(&self, made: Timestamp) {
        if let Waiting::Due { due, .. } = self.record().waiting {
            assert!(due.0 >= made.0 + AHEAD_MS);
        }
    }
}

proptest! {
    #[test]
    fn numbers_never_repeat_and_never_skip(first in recurrence(), steps in steps()) {
        let mut state = Overlay::new(&Nothing);
        let calendar = Calendar::named("TARGET", 2020, 2069).unwrap();
        let record = CalendarRecord { publisher: PartyId([2; 32]), code: Code::of("TARGET"), calendar };
        state.put(&CALENDAR.0, &record);
        let now = Date::of(2025, 12, 1).midnight();
        start(&mut state, place(now), first).unwrap();
        let mut lived = Lived { state, now, next: 0, tried: BTreeSet::new() };
        for step in steps {
            lived.take(step);
            lived.check();
        }
        // Left alone it runs to its end, every number of it.
        let record = lived.record();
        let last = match record.recurrence.end {
            tenor_abi::recurrence::End::Count(count) => record.base + count,
            _ => return Ok(()),
        };
        if record.waiting == Waiting::Ended {
            return Ok(());
        }
        lived.take(Step::Resumed(Missed::Each));
        lived.now = Date::of(2060, 1, 1).midnight();
        while lived.record().waiting != Waiting::Ended {
            lived.take(Step::Done);
            lived.check();
        }
        prop_assert_eq!(lived.next, last);
    }
}

/// A state whose calendar ends with 2026.
fn short() -> Overlay<'static> {
    let mut state = Overlay::new(&Nothing);
    let calendar = Calendar::named("TARGET", 2026, 2026).unwrap();
    let record = CalendarRecord { publisher: PartyId([2; 32]), code: Code::of("TARGET"), calendar };
    state.put(&CALENDAR.0, &record);
    state
}

fn monthly(first: Date) -> Recurrence {
    Monthly::on(DayOfMonth::of(15)).from(first).adjust(BusinessDayConvention::Following, CALENDAR)
}

#[test]
fn a_schedule_whose_next_date_cannot_be_told_is_suspended_and_goes_on_with_a_longer_calendar() {
    let mut state = short();
    let begun = place(Date::of(2026, 10, 1).midnight());
    assert!(start(&mut state, begun, monthly(Date::of(2027, 1, 1))).is_err(), "its first date is unknown");
    assert!(heads(&state).unwrap().is_empty());
    start(&mut state, begun, monthly(Date::of(2026, 11, 1))).unwrap();
    let code = Refusal::CalendarShort { rule: String::new() }.code();
    for halt in [None, Some(Halt { number: 2, code })] {
        let due = heads(&state).unwrap()[0].due;
        assert_eq!(finish(&mut state, place(due), 1).unwrap(), halt);
    }
    let record = |state: &Overlay<'_>| of(state, &begun.agreement, 0).unwrap().unwrap();
    assert_eq!(record(&state).waiting, Waiting::Suspended { code });
    assert!(heads(&state).unwrap().is_empty());
    let late = place(Date::of(2027, 2, 1).midnight());
    for missed in [Missed::Each, Missed::Latest, Missed::Skip] {
        let said = resume(&mut state, late, missed).unwrap_err();
        assert!(matches!(said, Stop::Refused(Refusal::CalendarShort { .. })), "{said}");
    }
    let calendar = Calendar::named("TARGET", 2026, 2030).unwrap();
    let longer = CalendarRecord { publisher: PartyId([2; 32]), code: Code::of("TARGET"), calendar };
    state.put(&CALENDAR.0, &longer);
    assert_eq!(resume(&mut state, late, Missed::Each).unwrap(), None);
    assert_eq!((record(&state).number(), heads(&state).unwrap().len()), (2, 1), "none is left out");
}

#[test]
fn a_retry_whose_date_cannot_be_told_keeps_its_place() {
    let mut state = short();
    let now = place(Date::of(2026, 12, 1).midnight());
    start(&mut state, now, monthly(Date::of(2026, 12, 1))).unwrap();
    let code = Refusal::CalendarShort { rule: String::new() }.code();
    let due = heads(&state).unwrap()[0].due;
    assert_eq!(retry(&mut state, place(due), Spacing::BusinessDays(5)).unwrap(), None);
    let due = heads(&state).unwrap()[0].due;
    let said = retry(&mut state, place(due), Spacing::BusinessDays(20)).unwrap();
    assert_eq!(said, Some(Halt { number: 0, code }));
    let record = of(&state, &now.agreement, 0).unwrap().unwrap();
    assert_eq!((record.number(), record.tried, record.waiting), (0, 2, Waiting::Suspended { code }));
}

#[test]
fn what_is_late_and_has_no_known_date_has_not_passed() {
    let late = place(Date::of(2027, 3, 1).midnight());
    for (rule, passed) in [(Missed::Each, 0), (Missed::Latest, 1), (Missed::Skip, 2)] {
        let mut state = short();
        start(&mut state, place(Date::of(2026, 11, 1).midnight()), monthly(Date::of(2026, 11, 1))).unwrap();
        let record = of(&state, &late.agreement, 0).unwrap().unwrap();
        assert_eq!(passed_over(&state, &late, &record, rule).unwrap(), passed, "{rule:?}");
    }
}
