//! stand-in
#![allow(missing_docs)]
use crate::{calendar::*, date::Date, id::CalendarId};
use serde::{Deserialize, Serialize};
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Recurrence {
    pub first: Date,
    pub convention: BusinessDayConvention,
    pub calendar: Option<CalendarId>,
    pub minutes: Option<u16>,
}
impl Recurrence {
    pub fn validate(&self) -> Result<(), CalendarError> {
        Ok(())
    }
    pub fn nth(&self, n: u32) -> Option<Date> {
        Some(self.first.add_days(n as i32))
    }
    pub fn adjusted(&self, n: u32, _c: Option<&Calendar>) -> Result<Option<Date>, CalendarError> {
        Ok(self.nth(n))
    }
}
