//! stand-in
#![allow(missing_docs)]
use crate::date::Date;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum BusinessDayConvention {
    Unadjusted,
    Following,
}
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Calendar {
    pub holidays: Vec<Date>,
}
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("calendar")]
pub struct CalendarError;
impl Calendar {
    pub fn is_business_day(&self, _d: Date) -> Result<bool, CalendarError> {
        Ok(true)
    }
    pub fn adjust(&self, d: Date, _c: BusinessDayConvention) -> Result<Date, CalendarError> {
        Ok(d)
    }
    pub fn add_business_days(&self, d: Date, n: i32) -> Result<Date, CalendarError> {
        Ok(d.add_days(n))
    }
    pub fn validate(&self) -> Result<(), CalendarError> {
        Ok(())
    }
    pub fn first_difference(&self, _o: &Calendar) -> Option<Date> {
        None
    }
}
