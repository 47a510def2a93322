//! Business dates: block time moved by a bank's offset and cut-off, never a wall clock.

use crate::fault::{Fault, Stop};
use crate::state::Overlay;
use crate::state::record::{CalendarRecord, ZoneRecord, ZoneRow};
use tenor_abi::calendar::Calendar;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{CalendarId, PartyId};
use tenor_abi::refusal::Refusal;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// A bank's zone; a bank without one counts by UTC midnight.
///
/// # Errors
/// [`Fault`] of the store.
pub fn zone(state: &Overlay<'_>, bank: &PartyId) -> Result<ZoneRecord, Fault> {
    let utc =
        || ZoneRecord { rows: vec![ZoneRow { from: Timestamp(0), offset_minutes: 0, cutoff_minutes: 0 }] };
    Ok(state.get(&bank.0)?.unwrap_or_else(utc))
}

/// The business date at an instant: date(time + offset − cut-off).
pub fn business_date(zone: &ZoneRecord, time: Timestamp) -> Date {
    let row = zone.rows.iter().rev().find(|row| row.from <= time).or(zone.rows.first());
    let shift = row.map_or(0, shift_ms);
    Date::from_days(((time.0 as i64 + shift).div_euclid(DAY_MS)) as i32)
}

/// The business date of a bank at an instant.
///
/// # Errors
/// [`Fault`] of the store.
pub fn business_date_of(state: &Overlay<'_>, bank: &PartyId, time: Timestamp) -> Result<Date, Fault> {
    let utc = ZoneRecord { rows: vec![] };
    state.read(&bank.0, |zone: Option<&ZoneRecord>| business_date(zone.unwrap_or(&utc), time))
}

/// The first millisecond at which the business date is this day or a later one.
pub fn business_day_start(zone: &ZoneRecord, date: Date) -> Timestamp {
    let midnight = i64::from(date.days()) * DAY_MS;
    let starts = zone.rows.iter().map(|row| {
        let start = Timestamp((midnight - shift_ms(row)).max(0) as u64);
        start.max(row.from)
    });
    let reached = starts.filter(|start| business_date(zone, *start) >= date).min();
    reached.unwrap_or(Timestamp(midnight.max(0) as u64))
}

fn shift_ms(row: &ZoneRow) -> i64 {
    (i64::from(row.offset_minutes) - i64::from(row.cutoff_minutes)) * MINUTE_MS
}

/// A calendar on the chain.
///
/// # Errors
/// Refused when there is none of this id.
pub fn calendar(state: &Overlay<'_>, id: &CalendarId) -> Result<Calendar, Stop> {
    let record: Option<CalendarRecord> = state.get(&id.0)?;
    let none = || Refusal::CalendarShort { rule: format!("there is no calendar {id}") };
    Ok(record.ok_or_else(none)?.calendar)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(offset_minutes: i16, cutoff_minutes: u16) -> ZoneRecord {
        ZoneRecord { rows: vec![ZoneRow { from: Timestamp(0), offset_minutes, cutoff_minutes }] }
    }

    #[test]
    fn a_day_starts_at_its_first_millisecond() {
        let day = Date::of(2026, 3, 1);
        for zone in [zone(0, 0), zone(60, 0), zone(-300, 17 * 60), zone(840, 1439)] {
            let start = business_day_start(&zone, day);
            assert_eq!(business_date(&zone, start), day);
            assert_eq!(business_date(&zone, Timestamp(start.0 - 1)), day.add_days(-1));
        }
    }

    #[test]
    fn a_change_of_zone_moves_no_day_back() {
        let change = Timestamp(business_day_start(&zone(0, 0), Date::of(2026, 3, 29)).0 + 3_600_000);
        let mut changing = zone(60, 0);
        changing.rows.push(ZoneRow { from: change, offset_minutes: 120, cutoff_minutes: 0 });
        for day in 27..=31 {
            let day = Date::of(2026, 3, day);
            assert_eq!(business_date(&changing, business_day_start(&changing, day)), day);
        }
    }
}
