//! What the numbers of a released contract mean, as a text that people read and version control compares.
//!
//! Signed calls, stored values, receipts and events name terms, calls, states and fields by number. A lock has
//! a line for each number: `term 2 = amount: Money`. Once released a line neither changes nor goes away; new
//! ones are added. Who may do something, when, and with which default is no number's meaning and stands in no
//! line.

use crate::spec::{
    Basic, BookDef, BookSide, CallDef, CallKind, FieldDef, MessageDef, Spec, StateKind, StorageDef,
    StorageKind, TypeDef, TypeNumber,
};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Name of the file beside the contract's manifest.
pub const FILE: &str = "spec.lock";

const HEAD: &str = "\
# What the numbers of this contract mean. A released line neither changes nor goes away; new ones are added.
# `tenor build` compares the code with this file, `tenor build --release` adds what is new.
";

/// Lists in which a new line must be an option, because values without it are signed or stored already.
const OPTIONS_ONLY: [&str; 3] = ["term", "argument", "field"];

/// One number and what it means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Which number of which list, like `term 2` or `call 5 argument 0`.
    pub place: String,
    /// Name and shape, like `amount: Money`.
    pub meaning: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.place, self.meaning)
    }
}

/// The meaning of every number of a contract.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Lock {
    lines: Vec<Line>,
}

/// Why there is no lock.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LockError {
    /// A line of the file is none.
    #[error("line {number}: `{text}` given, `place = meaning` expected, like `term 2 = amount: Money`")]
    Form {
        /// Line in the file, from 1.
        number: usize,
        /// What stands there.
        text: String,
    },
    /// Two lines for one number, or two types of one name.
    #[error("`{place}` stands twice; each number has one line, and each record or choice a name of its own")]
    Twice {
        /// The number.
        place: String,
    },
}

/// A released line that the code breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Conflict {
    /// The number means something else, or nothing any more.
    Changed {
        /// The line as it was released.
        was: Line,
        /// What the number means now.
        now: Option<String>,
        /// Where the old meaning stands now.
        moved_to: Option<String>,
    },
    /// A field that is new in something released, and is no option.
    NotOptional(Line),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::Changed { was, now, moved_to } => {
                write!(f, "`{was}` was released; now {} ", was.place)?;
                match now {
                    Some(now) => write!(f, "is `{now}`")?,
                    None => f.write_str("is gone")?,
                }
                moved_to.iter().try_for_each(|place| write!(f, ", and what it was stands as {place}"))
            }
            Conflict::NotOptional(line) => {
                write!(
                    f,
                    "`{line}` is new in what was released; make it an `Option`, or values without it cannot be read"
                )
            }
        }
    }
}

impl Lock {
    /// The lock of a spec.
    ///
    /// # Errors
    /// [`LockError::Twice`]: two types have one name.
    pub fn of(spec: &Spec) -> Result<Lock, LockError> {
        let mut lock = Lock::default();
        lock.add("contract", spec.name.clone());
        for (number, term) in spec.terms.iter().enumerate() {
            let debited = if term.debit.is_some() { ", debited" } else { "" };
            lock.add(&format!("term {number}"), format!("{}: {}{debited}", term.name, shown(spec, term.ty)));
        }
        for (number, state) in spec.states.iter().enumerate() {
            let kind = match state.kind {
                StateKind::Initial => ": initial",
                StateKind::Middle => "",
                StateKind::Terminal => ": terminal",
            };
            lock.add(&format!("state {number}"), format!("{}{kind}", state.name));
        }
        lock.add_names("schedule", &spec.schedules);
        for (number, book) in spec.books.iter().enumerate() {
            lock.add(&format!("book {number}"), shown_book(spec, book));
        }
        lock.add_names("purpose", &spec.purposes);
        for (number, field) in spec.storage.iter().enumerate() {
            lock.add(&format!("storage {number}"), shown_storage(spec, field));
        }
        for (number, call) in spec.calls.iter().enumerate() {
            let place = format!("call {number}");
            lock.add(&place, shown_call(spec, call));
            lock.add_fields(spec, &format!("{place} argument"), &call.arguments);
        }
        lock.add_messages(spec, "error", &spec.errors);
        lock.add_messages(spec, "event", &spec.events);
        lock.add_types(spec);
        lock.each_once()
    }

    /// The lock in a file.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn parse(text: &str) -> Result<Lock, LockError> {
        let mut lock = Lock::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let form = || LockError::Form { number: at + 1, text: line.into() };
            let (place, meaning) = line.split_once(" = ").ok_or_else(form)?;
            lock.add(place.trim(), meaning.trim().into());
        }
        lock.each_once()
    }

    /// What is new in the code over what was released.
    ///
    /// # Errors
    /// Every released line that the code breaks.
    pub fn additions(&self, now: &Lock) -> Result<Vec<Line>, Vec<Conflict>> {
        let mut conflicts = Vec::new();
        for was in &self.lines {
            let meaning = now.meaning(&was.place);
            if meaning != Some(was.meaning.as_str()) {
                let same =
                    |line: &&Line| list(&line.place) == list(&was.place) && line.meaning == was.meaning;
                conflicts.push(Conflict::Changed {
                    was: was.clone(),
                    now: meaning.map(String::from),
                    moved_to: now.lines.iter().find(same).map(|line| line.place.clone()),
                });
            }
        }
        let new = |line: &&Line| self.meaning(&line.place).is_none();
        let added: Vec<Line> = now.lines.iter().filter(new).cloned().collect();
        let breaks = |line: &&Line| self.must_be_optional(&line.place) && !is_option(&line.meaning);
        conflicts.extend(added.iter().filter(breaks).cloned().map(Conflict::NotOptional));
        if conflicts.is_empty() { Ok(added) } else { Err(conflicts) }
    }

    /// What a number means.
    pub fn meaning(&self, place: &str) -> Option<&str> {
        self.lines.iter().find(|line| line.place == place).map(|line| line.meaning.as_str())
    }

    /// The lines in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Whether a new line extends a record that is released: then values without it exist.
    fn must_be_optional(&self, place: &str) -> bool {
        let list = list(place);
        let (owner, kind) = list.rsplit_once(' ').unwrap_or(("contract", list));
        OPTIONS_ONLY.contains(&kind) && self.meaning(owner).is_some()
    }

    fn add(&mut self, place: &str, meaning: String) {
        self.lines.push(Line { place: place.into(), meaning });
    }

    fn add_names(&mut self, list: &str, names: &[String]) {
        for (number, name) in names.iter().enumerate() {
            self.add(&format!("{list} {number}"), name.clone());
        }
    }

    fn add_fields(&mut self, spec: &Spec, list: &str, fields: &[FieldDef]) {
        for (number, field) in fields.iter().enumerate() {
            self.add(&format!("{list} {number}"), format!("{}: {}", field.name, shown(spec, field.ty)));
        }
    }

    fn add_messages(&mut self, spec: &Spec, list: &str, messages: &[MessageDef]) {
        for (number, message) in messages.iter().enumerate() {
            let place = format!("{list} {number}");
            self.add(&place, message.name.clone());
            self.add_fields(spec, &format!("{place} field"), &message.fields);
        }
    }

    /// Records and choices stand under their names: a type's own number is inside one spec only.
    fn add_types(&mut self, spec: &Spec) {
        for ty in &spec.types {
            match ty {
                TypeDef::Option(_) | TypeDef::List(_) => {}
                TypeDef::Record { .. } if pair(ty).is_some() => {}
                TypeDef::Record { name, fields } => {
                    self.add(&format!("type {name}"), "record".into());
                    self.add_fields(spec, &format!("type {name} field"), fields);
                }
                TypeDef::Enum { name, variants } => {
                    self.add(&format!("type {name}"), "choice".into());
                    self.add_names(&format!("type {name} variant"), variants);
                }
            }
        }
    }

    fn each_once(self) -> Result<Lock, LockError> {
        let mut places: Vec<&str> = self.lines.iter().map(|line| line.place.as_str()).collect();
        places.sort_unstable();
        match places.windows(2).find(|two| two[0] == two[1]) {
            Some(two) => Err(LockError::Twice { place: two[0].into() }),
            None => Ok(self),
        }
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The list that a place is a number of: `call 5 argument` of `call 5 argument 0`.
fn list(place: &str) -> &str {
    place.rsplit_once(' ').map_or(place, |(list, _)| list)
}

fn is_option(meaning: &str) -> bool {
    meaning.split_once(": ").is_some_and(|(_, shape)| shape.starts_with("Option<"))
}

fn shown(spec: &Spec, ty: TypeNumber) -> String {
    if let Some(basic) = Basic::of(ty) {
        return format!("{basic:?}");
    }
    match spec.own_type(ty) {
        Some(TypeDef::Option(of)) => format!("Option<{}>", shown(spec, *of)),
        Some(TypeDef::List(of)) => format!("List<{}>", shown(spec, *of)),
        Some(own @ TypeDef::Record { name, .. }) => match pair(own) {
            Some([first, second]) => format!("({}, {})", shown(spec, first), shown(spec, second)),
            None => name.clone(),
        },
        Some(TypeDef::Enum { name, .. }) => name.clone(),
        None => "unknown".into(),
    }
}

/// The two types of a pair, which has no name of its own.
fn pair(ty: &TypeDef) -> Option<[TypeNumber; 2]> {
    match ty {
        TypeDef::Record { name, fields } if name == "Pair" => match fields.as_slice() {
            [first, second] if first.name == "first" && second.name == "second" => {
                Some([first.ty, second.ty])
            }
            _ => None,
        },
        _ => None,
    }
}

fn shown_book(spec: &Spec, book: &BookDef) -> String {
    let side = match book.side {
        BookSide::Asset => "asset",
        BookSide::Liability => "liability",
        BookSide::Income => "income",
        BookSide::Expense => "expense",
    };
    let currency = spec.terms.get(usize::from(book.asset)).map_or("?", |term| term.name.as_str());
    let negative = if book.negative { ", may be negative" } else { "" };
    format!("{}: {side}, in the asset of {currency}{negative}", book.name)
}

fn shown_storage(spec: &Spec, field: &StorageDef) -> String {
    let (key, value) = (shown(spec, field.key), shown(spec, field.value));
    let shape = match field.kind {
        StorageKind::Item => format!("Item<{value}>"),
        StorageKind::Map => format!("Map<{key}, {value}>"),
        StorageKind::Index => format!("Index<{key}>"),
        StorageKind::Log => format!("Log<{value}>"),
    };
    format!("{}: {shape}", field.name)
}

fn shown_call(spec: &Spec, call: &CallDef) -> String {
    let kind = match &call.kind {
        CallKind::Open => "open".to_string(),
        CallKind::Sign => "sign".into(),
        CallKind::Action => "action".into(),
        CallKind::Due { schedule, .. } => {
            format!("due {}", spec.schedules.get(usize::from(*schedule)).map_or("?", String::as_str))
        }
        CallKind::View => "view".into(),
        CallKind::Upgrade => "upgrade".into(),
        CallKind::BeforeEntry => "before entry".into(),
        CallKind::AfterEntries => "after entries".into(),
    };
    let answer = match Basic::of(call.returns) {
        Some(Basic::Unit) => String::new(),
        _ => format!(" -> {}", shown(spec, call.returns)),
    };
    format!("{}: {kind}{answer}", call.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const RELEASED: &str = "\
# a comment
contract = rent
term 0 = payer: Account, debited
term 1 = amount: Money
state 0 = Active: initial
call 0 = open: open
call 1 = raise: action
call 1 argument 0 = by: Money
event 0 = Paid
type Rhythm = choice
type Rhythm variant 0 = Weekly
type Owed = record
type Owed field 0 = total: Money
";

    /// What comparing with the code says, a line for each addition or conflict.
    fn said(now: &str) -> Vec<String> {
        let lock = |text: &str| Lock::parse(text).unwrap_or_else(|error| panic!("{error}"));
        match lock(RELEASED).additions(&lock(now)) {
            Ok(added) => added.iter().map(|line| format!("new {line}")).collect(),
            Err(conflicts) => conflicts.iter().map(ToString::to_string).collect(),
        }
    }

    /// The released text with one line put in the place of another.
    fn with(line: &str, instead: &str) -> String {
        assert!(RELEASED.contains(line), "{line}");
        RELEASED.replace(&format!("{line}\n"), instead)
    }

    #[test]
    fn what_is_released_keeps_its_meaning() {
        let cases = [
            ("# a comment", "", vec![]),
            ("term 1 = amount: Money", "", vec!["`term 1 = amount: Money` was released; now term 1 is gone"]),
            (
                "term 1 = amount: Money",
                "term 1 = amount: U64\n",
                vec!["`term 1 = amount: Money` was released; now term 1 is `amount: U64`"],
            ),
            (
                "term 1 = amount: Money",
                "term 1 = sum: Money\n",
                vec!["`term 1 = amount: Money` was released; now term 1 is `sum: Money`"],
            ),
            (
                "term 1 = amount: Money",
                "term 1 = note: Option<Text>\nterm 2 = amount: Money\n",
                vec![
                    "`term 1 = amount: Money` was released; now term 1 is `note: Option<Text>`, and what it was stands as term 2",
                    "`term 2 = amount: Money` is new in what was released; make it an `Option`, or values without it cannot be read",
                ],
            ),
            (
                "term 0 = payer: Account, debited",
                "term 0 = payer: Account\n",
                vec!["`term 0 = payer: Account, debited` was released; now term 0 is `payer: Account`"],
            ),
            (
                "contract = rent",
                "contract = lease\n",
                vec!["`contract = rent` was released; now contract is `lease`"],
            ),
            (
                "type Rhythm variant 0 = Weekly",
                "type Rhythm variant 0 = Daily\ntype Rhythm variant 1 = Weekly\n",
                vec![
                    "`type Rhythm variant 0 = Weekly` was released; now type Rhythm variant 0 is `Daily`, and what it was stands as type Rhythm variant 1",
                ],
            ),
        ];
        for (line, instead, expected) in cases {
            assert_eq!(said(&with(line, instead)), expected, "{line} -> {instead}");
        }
    }

    #[test]
    fn what_is_added_to_a_released_record_is_an_option() {
        let optional = |line: &str| {
            format!(
                "`{line}` is new in what was released; make it an `Option`, or values without it cannot be read"
            )
        };
        let cases = [
            ("term 2 = until: Option<Date>", None),
            ("term 2 = until: Date", Some("term 2 = until: Date")),
            ("call 1 argument 1 = from: Date", Some("call 1 argument 1 = from: Date")),
            ("event 0 field 0 = amount: Money", Some("event 0 field 0 = amount: Money")),
            ("type Owed field 1 = fees: Money", Some("type Owed field 1 = fees: Money")),
            ("type Owed field 1 = fees: Option<Money>", None),
            ("type Rhythm variant 1 = Daily", None),
            ("state 1 = Ended: terminal", None),
            ("call 2 = end: action", None),
            // What comes with something new has no values yet.
            ("call 2 = end: action\ncall 2 argument 0 = on: Date", None),
            ("event 1 = Ended\nevent 1 field 0 = on: Date", None),
            ("type Paid = record\ntype Paid field 0 = on: Date", None),
        ];
        for (added, refused) in cases {
            let expected = match refused {
                Some(line) => vec![optional(line)],
                None => added.lines().map(|line| format!("new {line}")).collect(),
            };
            assert_eq!(said(&format!("{RELEASED}{added}\n")), expected, "{added}");
        }
    }

    #[test]
    fn a_file_has_one_line_for_each_number() {
        let form = Lock::parse("\nterm 0: amount").map_err(|error| error.to_string());
        assert_eq!(
            form,
            Err("line 2: `term 0: amount` given, `place = meaning` expected, like `term 2 = amount: Money`"
                .into())
        );
        let twice = Lock::parse("term 0 = a: U8\nterm 0 = b: U8");
        assert_eq!(twice, Err(LockError::Twice { place: "term 0".into() }));
    }

    #[test]
    fn a_text_is_read_as_it_is_written() {
        let lock = Lock::parse(RELEASED).unwrap_or_default();
        assert_eq!(Lock::parse(&lock.to_string()), Ok(lock.clone()));
        assert_eq!(lock.meaning("call 1 argument 0"), Some("by: Money"));
        assert_eq!(lock.lines().len(), RELEASED.lines().count() - 1);
    }
}
