//! A drawer: every way in which a contract keeps something, and those ways to book and to be called that no other
//! example has.
//!
//! What it keeps is compared with what plain collections keep in `tests/drawer.rs`.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

use alloc::string::String;
use tenor_sdk::abi::recurrence::Daily;
use tenor_sdk::prelude::*;

/// What the keeper signs.
#[terms]
pub struct Terms {
    /// The keeper's account.
    #[fixed]
    pub keeper: Account,
    /// An account with a ceiling.
    #[fixed]
    pub safe: Account,
}

/// Where the drawer stands.
#[lifecycle]
pub enum State {
    /// In use.
    #[initial]
    Open,
    /// Over.
    #[terminal]
    Closed,
}

/// What falls due.
#[schedules]
pub enum Due {
    /// The bell.
    Bell,
}

/// What entries are for.
#[purposes]
pub enum Purpose {
    /// Money goes into the safe.
    Saving,
    /// Money comes out of it.
    Spending,
}

/// Something in the drawer.
#[record]
pub struct Kept {
    /// Of which day.
    pub day: Date,
    /// What.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// A drawer.
#[contract(id = "drawer", version = "1.0.0", terms = Terms, state = State, schedules = Due, purposes = Purpose)]
pub struct Drawer {
    /// One value: a note on the front.
    note: Item<String>,
    /// Values by key, the days in order, and the names of a day in order.
    things: Map<(Date, String), u64>,
    /// Keys without values: every name that was ever used.
    names: Index<String>,
    /// Values by number: lines of a list.
    lines: Log<u64>,
    /// When the bell rang.
    rang: Log<Timestamp>,
}

#[actions]
impl Drawer {
    /// The keeper gets the drawer.
    #[on(open, by = owner(terms.keeper))]
    fn open(&mut self, _cx: &mut Cx) {}

    /// Writes the note, or wipes it.
    #[action(by = owner(terms.keeper))]
    fn write(&mut self, _cx: &mut Cx, note: Option<String>) {
        match note {
            Some(note) => self.note.set(&note),
            None => self.note.clear(),
        }
    }

    /// Puts so many of something in, instead of what was there; how many that were.
    #[action(by = owner(terms.keeper))]
    fn put(&mut self, _cx: &mut Cx, day: Date, name: String, count: u64) -> Option<u64> {
        self.names.add(&name);
        let key = (day, name);
        let before = self.things.get(&key);
        self.things.set(&key, &count);
        before
    }

    /// Takes something out; whether it was there.
    #[action(by = owner(terms.keeper))]
    fn take(&mut self, _cx: &mut Cx, day: Date, name: String) -> bool {
        self.things.remove(&(day, name))
    }

    /// Forgets a name; whether it was known.
    #[action(by = owner(terms.keeper))]
    fn forget(&mut self, _cx: &mut Cx, name: String) -> bool {
        self.names.remove(&name)
    }

    /// Adds a line to the list, or replaces one that is there; how many there are.
    #[action(by = owner(terms.keeper))]
    fn list(&mut self, _cx: &mut Cx, number: u32, line: u64) -> u32 {
        match self.lines.get(number) {
            Some(_) => self.lines.replace(number, &line),
            None => self.lines.push(&line),
        }
        self.lines.len()
    }

    /// Puts as much of an amount into the safe as fits in.
    #[action(by = owner(terms.keeper))]
    fn save(&mut self, cx: &mut Cx, most: Money) {
        let (keeper, safe) = (cx.terms().keeper, cx.terms().safe);
        cx.post(Entry::new(Purpose::Saving).credit_up_to(safe, most).debit_rest(keeper, most.currency));
    }

    /// Takes as much of an amount out of the safe as there is.
    #[action(by = owner(terms.keeper))]
    fn spend(&mut self, cx: &mut Cx, most: Money) {
        let (keeper, safe) = (cx.terms().keeper, cx.terms().safe);
        cx.post(Entry::new(Purpose::Spending).debit_up_to(safe, most).credit_rest(keeper, most.currency));
    }

    /// Has the bell rung on some days, so many minutes after they begin.
    #[action(by = owner(terms.keeper))]
    fn set_bell(&mut self, cx: &mut Cx, minutes: u16, days: u32) {
        let today = cx.date();
        cx.every(Due::Bell, Daily::from(today).count(days).at_minutes(minutes));
    }

    /// The keeper gives the drawer back.
    #[exit]
    #[action(by = owner(terms.keeper), from(Open), to = Closed)]
    fn close(&mut self, _cx: &mut Cx) {}

    /// The bell rings.
    #[on(due = Bell, in_state(Open), catch_up = each, missed = skip)]
    fn ring(&mut self, cx: &mut Cx, _occurrence: Occurrence) {
        let due = cx.time();
        self.rang.push(&due);
    }

    /// The note.
    #[view]
    fn note(&self, _cx: &View) -> Option<String> {
        self.note.get()
    }

    /// Everything in it.
    #[view]
    fn all(&self, _cx: &View) -> Vec<Kept> {
        self.things.iter().map(kept).collect()
    }

    /// Everything from a place on.
    #[view]
    fn all_from(&self, _cx: &View, day: Date, name: String) -> Vec<Kept> {
        self.things.iter_from(&(day, name)).map(kept).collect()
    }

    /// Everything of a day.
    #[view]
    fn all_of(&self, _cx: &View, day: Date) -> Vec<Kept> {
        self.things.iter_under(&day).map(kept).collect()
    }

    /// Every name that is known.
    #[view]
    fn names(&self, _cx: &View) -> Vec<String> {
        self.names.iter().collect()
    }

    /// Whether a name is known.
    #[view]
    fn knows(&self, _cx: &View, name: String) -> bool {
        self.names.has(&name)
    }

    /// The list.
    #[view]
    fn lines(&self, _cx: &View) -> Vec<u64> {
        self.lines.iter().collect()
    }

    /// The first business day of a calendar from a day on.
    #[view]
    fn open_from(&self, cx: &View, day: Date, calendar: CalendarId) -> Date {
        cx.business_day(day, BusinessDayConvention::Following, calendar)
    }

    /// When the bell rang.
    #[view]
    fn rang(&self, _cx: &View) -> Vec<Timestamp> {
        self.rang.iter().collect()
    }
}

fn kept(((day, name), count): ((Date, String), u64)) -> Kept {
    Kept { day, name, count }
}
