//! The spec of a contract, made while the contract compiles.
//!
//! Attributes write constants ([`Source`]); [`build`] turns them into the bytes of
//! [`tenor_abi::spec::Spec`] by constant evaluation, so that a plain `cargo build` makes the custom section.
//! Types are entered once and named by number, whatever alias a contract gives them.

use tenor_abi::spec::{
    ABI_VERSION, Authority, Basic, BookSide, CallKind, DebitDef, FourEyes, MAGIC, Missed, Operand,
    SPEC_BYTES_MAX, Setter, Spacing, StateKind, StorageKind, TYPES_OWN,
};

/// Most types of its own that a spec may have.
const TYPES_MAX: usize = 128;
/// Magic and length in front of the spec.
const FRAME: usize = MAGIC.len() + 4;

/// The shape of a type, as far as its bytes go.
#[derive(Debug)]
pub enum Shape {
    /// One that everybody knows.
    Basic(Basic),
    /// A value or none.
    Option(&'static Shape),
    /// Values in order.
    List(&'static Shape),
    /// Named fields.
    Record {
        /// Name.
        name: &'static str,
        /// Fields.
        fields: &'static [Field],
    },
    /// Plain variants.
    Enum {
        /// Name.
        name: &'static str,
        /// Variants.
        variants: &'static [&'static str],
    },
}

/// A type that a spec can name.
pub trait Typed {
    /// Its shape.
    const SHAPE: &'static Shape;
}

/// A named field.
#[derive(Debug)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub shape: &'static Shape,
    /// What it is.
    pub doc: &'static str,
}

/// A term.
#[derive(Debug)]
pub struct Term {
    /// Name, type, text.
    pub field: Field,
    /// Who sets it.
    pub setter: Setter,
    /// Default as text.
    pub default: Option<&'static str>,
    /// Signing grants debits.
    pub debit: Option<DebitDef>,
}

/// A lifecycle state.
#[derive(Debug)]
pub struct State {
    /// Name.
    pub name: &'static str,
    /// Kind.
    pub kind: StateKind,
}

/// A book.
#[derive(Debug)]
pub struct Book {
    /// Name.
    pub name: &'static str,
    /// Side.
    pub side: BookSide,
    /// General-ledger key.
    pub gl: &'static str,
    /// Name of the term that says in which asset.
    pub asset: &'static str,
    /// Whether it may go below zero.
    pub negative: bool,
}

/// A storage field.
#[derive(Debug)]
pub struct Storage {
    /// Name.
    pub name: &'static str,
    /// Kind.
    pub kind: StorageKind,
    /// Key type.
    pub key: &'static Shape,
    /// Value type.
    pub value: &'static Shape,
}

/// A call.
#[derive(Debug)]
pub struct Call {
    /// Name and export.
    pub name: &'static str,
    /// What it is.
    pub kind: CallKind,
    /// Who may.
    pub by: &'static [Authority],
    /// States before.
    pub from: &'static [u16],
    /// State after.
    pub to: Option<u16>,
    /// States it may enter by itself.
    pub may_enter: &'static [u16],
    /// Second person.
    pub four_eyes: Option<FourEyes>,
    /// A way out.
    pub exit: bool,
    /// Arguments.
    pub arguments: &'static [Field],
    /// Answer.
    pub returns: &'static Shape,
    /// What it does.
    pub doc: &'static str,
}

/// A refusal or event.
#[derive(Debug)]
pub struct Message {
    /// Name.
    pub name: &'static str,
    /// Fields.
    pub fields: &'static [Field],
    /// Text.
    pub doc: &'static str,
}

/// Everything a spec is made from.
#[derive(Debug)]
pub struct Source {
    /// Contract id.
    pub id: &'static str,
    /// Major, minor, patch.
    pub version: [u16; 3],
    /// What it is.
    pub doc: &'static str,
    /// Terms.
    pub terms: &'static [Term],
    /// Lifecycle.
    pub states: &'static [State],
    /// Schedules.
    pub schedules: &'static [&'static str],
    /// Books.
    pub books: &'static [Book],
    /// Storage fields.
    pub storage: &'static [Storage],
    /// Calls.
    pub calls: &'static [Call],
    /// Refusals.
    pub errors: &'static [Message],
    /// Events.
    pub events: &'static [Message],
    /// Entry purposes.
    pub purposes: &'static [&'static str],
}

/// The bytes of a section in a buffer that is long enough for any.
#[derive(Debug)]
pub struct Built {
    bytes: [u8; SPEC_BYTES_MAX],
    /// Bytes used.
    pub length: usize,
}

/// The section of a spec, cut to its length.
pub const fn cut<const LENGTH: usize>(built: &Built) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        bytes[at] = built.bytes[at];
        at += 1;
    }
    bytes
}

/// Makes the section of a spec.
///
/// # Panics
/// While compiling: when a schedule has no handler, a state cannot be reached or left, a name is wrong.
pub const fn build(source: &Source) -> Built {
    check(source);
    let mut types = Types { list: [None; TYPES_MAX], count: 0 };
    types.collect(source);
    let mut out = Writer { bytes: [0; SPEC_BYTES_MAX], at: FRAME };
    out.spec(source, &types);
    let length = out.at;
    out.at = 0;
    out.raw(&MAGIC);
    out.raw(&((length - FRAME) as u32).to_le_bytes());
    Built { bytes: out.bytes, length }
}

const fn check(source: &Source) {
    let mut at = 0;
    while at < source.schedules.len() {
        assert!(
            handlers(source, at as u16) == 1,
            "every schedule needs exactly one `#[on(due = …)]` handler"
        );
        at += 1;
    }
    at = 0;
    let mut initial = 0;
    while at < source.states.len() {
        match source.states[at].kind {
            StateKind::Initial => initial += 1,
            _ => assert!(
                is_entered(source, at as u16),
                "a lifecycle state is never entered: no `to`, `may_enter` or `then` names it"
            ),
        }
        let terminal = matches!(source.states[at].kind, StateKind::Terminal);
        assert!(
            terminal || has_exit(source, at as u16),
            "a lifecycle state has no `#[exit]`: a customer could not get out of it"
        );
        at += 1;
    }
    assert!(initial == 1, "exactly one lifecycle state is `#[initial]`");
}

const fn handlers(source: &Source, schedule: u16) -> usize {
    let (mut at, mut found) = (0, 0);
    while at < source.calls.len() {
        if let CallKind::Due { schedule: of, .. } = &source.calls[at].kind
            && *of == schedule
        {
            found += 1;
        }
        at += 1;
    }
    found
}

const fn is_entered(source: &Source, state: u16) -> bool {
    let mut at = 0;
    while at < source.calls.len() {
        let call = &source.calls[at];
        if matches!(call.to, Some(to) if to == state) || contains(call.may_enter, state) {
            return true;
        }
        if let CallKind::Due { retry: Some(retry), .. } = &call.kind
            && retry.then == state
        {
            return true;
        }
        at += 1;
    }
    false
}

const fn has_exit(source: &Source, state: u16) -> bool {
    let mut at = 0;
    while at < source.calls.len() {
        let call = &source.calls[at];
        if call.exit && (call.from.is_empty() || contains(call.from, state)) {
            return true;
        }
        at += 1;
    }
    false
}

const fn contains(list: &[u16], number: u16) -> bool {
    let mut at = 0;
    while at < list.len() {
        if list[at] == number {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn same_shape(a: &Shape, b: &Shape) -> bool {
    match (a, b) {
        (Shape::Basic(a), Shape::Basic(b)) => *a as u16 == *b as u16,
        (Shape::Option(a), Shape::Option(b)) | (Shape::List(a), Shape::List(b)) => same_shape(a, b),
        (Shape::Record { name: a, fields: x }, Shape::Record { name: b, fields: y }) => {
            same(a, b) && same_fields(x, y)
        }
        (Shape::Enum { name: a, .. }, Shape::Enum { name: b, .. }) => same(a, b),
        _ => false,
    }
}

const fn same_fields(a: &[Field], b: &[Field]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if !same(a[at].name, b[at].name) || !same_shape(a[at].shape, b[at].shape) {
            return false;
        }
        at += 1;
    }
    true
}

/// The spec's own types, each once, those that others need before them.
struct Types {
    list: [Option<&'static Shape>; TYPES_MAX],
    count: usize,
}

impl Types {
    const fn number(&self, shape: &Shape) -> u16 {
        if let Shape::Basic(basic) = shape {
            return *basic as u16;
        }
        let mut at = 0;
        while at < self.count {
            if let Some(known) = self.list[at]
                && same_shape(known, shape)
            {
                return TYPES_OWN + at as u16;
            }
            at += 1;
        }
        u16::MAX
    }

    const fn enter(&mut self, shape: &'static Shape) {
        if self.number(shape) != u16::MAX {
            return;
        }
        match shape {
            Shape::Option(of) | Shape::List(of) => self.enter(of),
            Shape::Record { fields, .. } => self.enter_fields(fields),
            Shape::Enum { .. } | Shape::Basic(_) => {}
        }
        assert!(self.count < TYPES_MAX, "a spec has at most 128 types of its own");
        self.list[self.count] = Some(shape);
        self.count += 1;
    }

    const fn enter_fields(&mut self, fields: &'static [Field]) {
        let mut at = 0;
        while at < fields.len() {
            self.enter(fields[at].shape);
            at += 1;
        }
    }

    const fn enter_messages(&mut self, messages: &'static [Message]) {
        let mut at = 0;
        while at < messages.len() {
            self.enter_fields(messages[at].fields);
            at += 1;
        }
    }

    const fn collect(&mut self, source: &Source) {
        let mut at = 0;
        while at < source.terms.len() {
            self.enter(source.terms[at].field.shape);
            at += 1;
        }
        at = 0;
        while at < source.storage.len() {
            self.enter(source.storage[at].key);
            self.enter(source.storage[at].value);
            at += 1;
        }
        at = 0;
        while at < source.calls.len() {
            self.enter_fields(source.calls[at].arguments);
            self.enter(source.calls[at].returns);
            at += 1;
        }
        self.enter_messages(source.errors);
        self.enter_messages(source.events);
    }
}

/// postcard, as far as a spec needs it, in constant evaluation.
struct Writer {
    bytes: [u8; SPEC_BYTES_MAX],
    at: usize,
}

impl Writer {
    const fn byte(&mut self, byte: u8) {
        assert!(self.at < SPEC_BYTES_MAX, "a spec has at most 64 KiB");
        self.bytes[self.at] = byte;
        self.at += 1;
    }

    const fn raw(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            self.byte(bytes[at]);
            at += 1;
        }
    }

    const fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    const fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    const fn texts(&mut self, texts: &[&str]) {
        self.number(texts.len() as u64);
        let mut at = 0;
        while at < texts.len() {
            self.text(texts[at]);
            at += 1;
        }
    }

    const fn numbers(&mut self, numbers: &[u16]) {
        self.number(numbers.len() as u64);
        let mut at = 0;
        while at < numbers.len() {
            self.number(numbers[at] as u64);
            at += 1;
        }
    }

    const fn spec(&mut self, source: &Source, types: &Types) {
        self.number(ABI_VERSION as u64);
        self.text(source.id);
        self.number(source.version[0] as u64);
        self.number(source.version[1] as u64);
        self.number(source.version[2] as u64);
        self.text(source.doc);
        self.types(types);
        self.terms(source, types);
        self.states(source.states);
        self.texts(source.schedules);
        self.books(source);
        self.storage(source.storage, types);
        self.number(source.calls.len() as u64);
        let mut at = 0;
        while at < source.calls.len() {
            self.call(&source.calls[at], types);
            at += 1;
        }
        self.messages(source.errors, types);
        self.messages(source.events, types);
        self.texts(source.purposes);
    }

    const fn types(&mut self, types: &Types) {
        self.number(types.count as u64);
        let mut at = 0;
        while at < types.count {
            match types.list[at] {
                Some(Shape::Option(of)) => {
                    self.number(0);
                    self.number(types.number(of) as u64);
                }
                Some(Shape::List(of)) => {
                    self.number(1);
                    self.number(types.number(of) as u64);
                }
                Some(Shape::Record { name, fields }) => {
                    self.number(2);
                    self.text(name);
                    self.fields(fields, types);
                }
                Some(Shape::Enum { name, variants }) => {
                    self.number(3);
                    self.text(name);
                    self.texts(variants);
                }
                _ => {}
            }
            at += 1;
        }
    }

    const fn fields(&mut self, fields: &[Field], types: &Types) {
        self.number(fields.len() as u64);
        let mut at = 0;
        while at < fields.len() {
            self.text(fields[at].name);
            self.number(types.number(fields[at].shape) as u64);
            self.text(fields[at].doc);
            at += 1;
        }
    }

    const fn terms(&mut self, source: &Source, types: &Types) {
        self.number(source.terms.len() as u64);
        let mut at = 0;
        while at < source.terms.len() {
            let term = &source.terms[at];
            self.text(term.field.name);
            self.number(types.number(term.field.shape) as u64);
            self.number(term.setter as u64);
            match term.default {
                Some(text) => {
                    self.byte(1);
                    self.text(text);
                }
                None => self.byte(0),
            }
            match &term.debit {
                Some(debit) => {
                    self.byte(1);
                    self.number(debit.max as u64);
                    self.number(debit.per as u64);
                }
                None => self.byte(0),
            }
            self.text(term.field.doc);
            at += 1;
        }
    }

    const fn states(&mut self, states: &[State]) {
        self.number(states.len() as u64);
        let mut at = 0;
        while at < states.len() {
            self.text(states[at].name);
            self.number(states[at].kind as u64);
            at += 1;
        }
    }

    const fn books(&mut self, source: &Source) {
        self.number(source.books.len() as u64);
        let mut at = 0;
        while at < source.books.len() {
            let book = &source.books[at];
            self.text(book.name);
            self.number(book.side as u64);
            self.text(book.gl);
            self.number(term_number(source, book.asset) as u64);
            self.byte(book.negative as u8);
            at += 1;
        }
    }

    const fn storage(&mut self, fields: &[Storage], types: &Types) {
        self.number(fields.len() as u64);
        let mut at = 0;
        while at < fields.len() {
            self.text(fields[at].name);
            self.number(fields[at].kind as u64);
            self.number(types.number(fields[at].key) as u64);
            self.number(types.number(fields[at].value) as u64);
            at += 1;
        }
    }

    const fn call(&mut self, call: &Call, types: &Types) {
        self.text(call.name);
        self.kind(&call.kind);
        self.number(call.by.len() as u64);
        let mut at = 0;
        while at < call.by.len() {
            self.authority(&call.by[at]);
            at += 1;
        }
        self.numbers(call.from);
        match call.to {
            Some(state) => {
                self.byte(1);
                self.number(state as u64);
            }
            None => self.byte(0),
        }
        self.numbers(call.may_enter);
        match &call.four_eyes {
            Some(rule) => {
                self.byte(1);
                self.number(rule.role as u64);
                self.maybe_operand(&rule.amount);
                self.maybe_operand(&rule.above);
            }
            None => self.byte(0),
        }
        self.byte(call.exit as u8);
        self.fields(call.arguments, types);
        self.number(types.number(call.returns) as u64);
        self.text(call.doc);
    }

    const fn kind(&mut self, kind: &CallKind) {
        match kind {
            CallKind::Open => self.number(0),
            CallKind::Sign => self.number(1),
            CallKind::Action => self.number(2),
            CallKind::Due { schedule, retry, catch_up, missed } => {
                self.number(3);
                self.number(*schedule as u64);
                match retry {
                    Some(retry) => {
                        self.byte(1);
                        self.operand(&retry.count);
                        match retry.every {
                            Spacing::Days(days) => {
                                self.number(0);
                                self.number(days as u64);
                            }
                            Spacing::BusinessDays(days) => {
                                self.number(1);
                                self.number(days as u64);
                            }
                        }
                        self.number(retry.then as u64);
                    }
                    None => self.byte(0),
                }
                self.missed(*catch_up);
                self.missed(*missed);
            }
            CallKind::View => self.number(4),
            CallKind::Upgrade => self.number(5),
            CallKind::BeforeEntry => self.number(6),
            CallKind::AfterEntries => self.number(7),
        }
    }

    const fn missed(&mut self, missed: Missed) {
        self.number(missed as u64);
    }

    const fn authority(&mut self, by: &Authority) {
        match by {
            Authority::Anyone => self.number(0),
            Authority::Owner(term) => {
                self.number(1);
                self.number(*term as u64);
            }
            Authority::Party(term) => {
                self.number(2);
                self.number(*term as u64);
            }
            Authority::Role(role) => {
                self.number(3);
                self.number(*role as u64);
            }
            Authority::Agreement(term) => {
                self.number(4);
                self.number(*term as u64);
            }
        }
    }

    const fn maybe_operand(&mut self, operand: &Option<Operand>) {
        match operand {
            Some(operand) => {
                self.byte(1);
                self.operand(operand);
            }
            None => self.byte(0),
        }
    }

    const fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Term(number) => {
                self.number(0);
                self.number(*number as u64);
            }
            Operand::Argument(number) => {
                self.number(1);
                self.number(*number as u64);
            }
            Operand::Constant(number) => {
                self.number(2);
                self.number(*number);
            }
        }
    }

    const fn messages(&mut self, messages: &[Message], types: &Types) {
        self.number(messages.len() as u64);
        let mut at = 0;
        while at < messages.len() {
            self.text(messages[at].name);
            self.fields(messages[at].fields, types);
            self.text(messages[at].doc);
            at += 1;
        }
    }
}

/// The number of a term by its name.
const fn term_number(source: &Source, name: &str) -> u16 {
    let mut at = 0;
    while at < source.terms.len() {
        if same(source.terms[at].field.name, name) {
            return at as u16;
        }
        at += 1;
    }
    panic!("a book's asset names a term that does not exist")
}

/// The number of a term by its name, for attributes; see [`Source`].
pub const fn term(terms: &[Term], name: &str) -> u16 {
    let mut at = 0;
    while at < terms.len() {
        if same(terms[at].field.name, name) {
            return at as u16;
        }
        at += 1;
    }
    panic!("an attribute names a term that does not exist")
}

macro_rules! typed {
    ($($ty:ty => $basic:ident;)*) => {
        $(impl Typed for $ty { const SHAPE: &'static Shape = &Shape::Basic(Basic::$basic); })*
    };
}

typed! {
    () => Unit;
    bool => Bool;
    u8 => U8;
    u16 => U16;
    u32 => U32;
    u64 => U64;
    u128 => U128;
    i64 => I64;
    i128 => I128;
    alloc::string::String => Text;
    tenor_abi::money::Money => Money;
    tenor_abi::money::Currency => Currency;
    tenor_abi::rate::Rate => Rate;
    tenor_abi::date::Date => Date;
    tenor_abi::date::Timestamp => Timestamp;
    tenor_abi::date::DayOfMonth => DayOfMonth;
    tenor_abi::date::Weekday => Weekday;
    tenor_abi::daycount::DayCount => DayCount;
    tenor_abi::calendar::BusinessDayConvention => Convention;
    tenor_abi::id::PartyId => Party;
    tenor_abi::id::AccountId => Account;
    tenor_abi::id::AssetId => Asset;
    tenor_abi::id::AgreementId => Agreement;
    tenor_abi::id::CalendarId => Calendar;
    tenor_abi::id::Hash => Hash;
    tenor_abi::recurrence::Recurrence => Recurrence;
}

impl<T: Typed> Typed for Option<T> {
    const SHAPE: &'static Shape = &Shape::Option(T::SHAPE);
}

impl<T: Typed> Typed for alloc::vec::Vec<T> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);
}

/// The place of a name in a list, for attributes.
pub const fn place(names: &[&str], name: &str) -> u16 {
    let mut at = 0;
    while at < names.len() {
        if same(names[at], name) {
            return at as u16;
        }
        at += 1;
    }
    panic!("an attribute names something that is not in its list")
}

/// The place of a lifecycle state, for attributes.
pub const fn state(states: &[State], name: &str) -> u16 {
    let mut at = 0;
    while at < states.len() {
        if same(states[at].name, name) {
            return at as u16;
        }
        at += 1;
    }
    panic!("an attribute names a lifecycle state that does not exist")
}
