//! Whether a spec holds together: what the host relies on before it lets a contract in.

use crate::spec::{
    ABI_VERSION, Authority, Basic, CHECK, CallDef, CallKind, FieldDef, Operand, Setter, Spec, SpecError,
    StateKind, TYPES_OWN, TypeDef, TypeNumber,
};
use crate::text;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longest name of anything in a spec, in bytes.
pub const NAME_BYTES_MAX: usize = 48;
/// Longest name of a contract or a book: it becomes an account's purpose code.
pub const BOOK_NAME_BYTES_MAX: usize = 16;
/// Most terms, states, calls, errors, events, books, fields: each.
pub const LIST_MAX: usize = 128;

type Checked = Result<(), SpecError>;

/// What a rule compares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// Whole numbers.
    Number,
    /// Amounts of one currency.
    Money,
}

fn broken(place: impl Into<String>, rule: impl Into<String>) -> SpecError {
    SpecError::Rule { place: place.into(), rule: rule.into() }
}

fn ensure(holds: bool, place: impl FnOnce() -> String, rule: &str) -> Checked {
    if holds { Ok(()) } else { Err(broken(place(), rule)) }
}

impl Spec {
    /// Checks the spec against itself and against the calls that the module exports.
    ///
    /// # Errors
    /// [`SpecError::Rule`]: the first rule that is broken, and where.
    pub fn validate(&self, exports: &[String]) -> Checked {
        ensure(self.abi == ABI_VERSION, || "abi".into(), "built for another version of the host")?;
        ensure(is_kebab(&self.name, 32), || format!("name `{}`", self.name), "1 to 32 of a-z, 0-9 and -")?;
        self.check_lengths()?;
        self.check_texts()?;
        self.check_types()?;
        self.check_terms()?;
        self.check_states()?;
        self.check_books()?;
        self.check_schedules()?;
        self.calls.iter().enumerate().try_for_each(|(place, call)| self.check_call(place, call, exports))?;
        self.check_names()
    }

    fn check_lengths(&self) -> Checked {
        let lists = [
            ("types", self.types.len()),
            ("terms", self.terms.len()),
            ("states", self.states.len()),
            ("schedules", self.schedules.len()),
            ("books", self.books.len()),
            ("storage", self.storage.len()),
            ("calls", self.calls.len()),
            ("errors", self.errors.len()),
            ("events", self.events.len()),
            ("purposes", self.purposes.len()),
        ];
        match lists.into_iter().find(|(_, length)| *length > LIST_MAX) {
            Some((name, length)) => {
                Err(broken(name, format!("{length} entries, at most {LIST_MAX} allowed")))
            }
            None => Ok(()),
        }
    }

    /// People read these on terminals and in messages: what moves the cursor, hides or turns round what stands beside
    /// it could say something else there than what was admitted.
    fn check_texts(&self) -> Checked {
        fn fields(list: &[FieldDef]) -> impl Iterator<Item = &String> {
            list.iter().flat_map(|field| [&field.name, &field.doc])
        }
        let mut texts = Vec::from([&self.doc]);
        for ty in &self.types {
            match ty {
                TypeDef::Record { name, fields: list } => {
                    texts.extend([name].into_iter().chain(fields(list)))
                }
                TypeDef::Enum { name, variants } => texts.extend([name].into_iter().chain(variants)),
                TypeDef::Option(_) | TypeDef::List(_) => {}
            }
        }
        for term in &self.terms {
            texts.extend([&term.name, &term.doc].into_iter().chain(&term.default));
        }
        texts.extend(self.states.iter().map(|state| &state.name));
        texts.extend(self.schedules.iter().chain(&self.purposes));
        texts.extend(self.books.iter().map(|book| &book.gl));
        texts.extend(self.storage.iter().map(|field| &field.name));
        for call in &self.calls {
            texts.extend([&call.name, &call.doc].into_iter().chain(fields(&call.arguments)));
        }
        for message in self.errors.iter().chain(&self.events) {
            texts.extend([&message.name, &message.doc].into_iter().chain(fields(&message.fields)));
        }
        match texts.into_iter().find(|text| text.chars().any(text::is_hidden)) {
            Some(text) => {
                Err(broken(format!("text `{}`", text.escape_debug()), "has characters that cannot be seen"))
            }
            None => Ok(()),
        }
    }

    /// Types refer only to basic types and to earlier ones of their own, so they cannot nest without end.
    fn check_types(&self) -> Checked {
        for (place, ty) in self.types.iter().enumerate() {
            let earlier = |number: &TypeNumber| self.is_type_before(*number, place);
            let sound = match ty {
                TypeDef::Option(of) => earlier(of) && !matches!(self.own_type(*of), Some(TypeDef::Option(_))),
                TypeDef::List(of) => earlier(of) && *of != Basic::Unit as u16,
                // A field that takes no byte would let a few bytes stand for any number of values.
                TypeDef::Record { fields, .. } => {
                    let sound = |field: &FieldDef| earlier(&field.ty) && field.ty != Basic::Unit as u16;
                    fields.len() <= LIST_MAX && fields.iter().all(sound)
                }
                TypeDef::Enum { variants, .. } => !variants.is_empty() && variants.len() <= LIST_MAX,
            };
            ensure(sound, || format!("type {place}"), "names a type that does not stand before it")?;
        }
        let fields = |list: &[FieldDef]| list.iter().map(|field| field.ty).collect::<Vec<_>>();
        let used = (self.terms.iter().map(|term| term.ty))
            .chain(self.storage.iter().flat_map(|field| [field.key, field.value]))
            .chain(self.calls.iter().flat_map(|call| fields(&call.arguments)))
            .chain(self.calls.iter().map(|call| call.returns))
            .chain(self.errors.iter().chain(&self.events).flat_map(|message| fields(&message.fields)));
        for number in used {
            ensure(
                self.is_type_before(number, self.types.len()),
                || format!("type {number}"),
                "is used and not defined",
            )?;
        }
        Ok(())
    }

    fn is_type_before(&self, number: TypeNumber, place: usize) -> bool {
        match number.checked_sub(TYPES_OWN) {
            Some(own) => usize::from(own) < place,
            None => Basic::of(number).is_some(),
        }
    }

    fn term_is(&self, number: u16, basics: &[Basic]) -> bool {
        let ty = self.terms.get(usize::from(number)).map(|term| term.ty);
        ty.and_then(Basic::of).is_some_and(|basic| basics.contains(&basic))
    }

    fn check_terms(&self) -> Checked {
        for term in &self.terms {
            if let Some(default) = &term.default {
                text::parse(self, term.ty, default).map_err(|error| {
                    broken(format!("default of term `{}`", term.name), format!("{error}"))
                })?;
            }
        }
        // What staff open without the customer binds the customer only once the customer has signed it.
        let customers = self.terms.iter().find(|term| term.setter == Setter::Customer);
        let by_staff =
            self.opening().is_some_and(|call| call.by.iter().any(|by| matches!(by, Authority::Role(_))));
        let signs = self.calls.iter().any(|call| call.kind == CallKind::Sign);
        if let Some(term) = customers.filter(|_| by_staff && !signs) {
            let rule = "is the customer's to set, but staff may open and no call lets the customer sign";
            return Err(broken(format!("term `{}`", term.name), rule));
        }
        for term in &self.terms {
            let Some(debit) = &term.debit else { continue };
            ensure(
                Basic::of(term.ty) == Some(Basic::Account),
                || format!("term `{}`", term.name),
                "only an account can be debited",
            )?;
            ensure(
                self.term_is(debit.max, &[Basic::Money]),
                || format!("term `{}`", term.name),
                "the most that is debited must be a term of money",
            )?;
        }
        Ok(())
    }

    fn check_states(&self) -> Checked {
        let count = |kind| self.states.iter().filter(|state| state.kind == kind).count();
        ensure(count(StateKind::Initial) == 1, || "states".into(), "exactly one state is initial")?;
        for (number, state) in self.states.iter().enumerate() {
            let exits = || {
                self.calls
                    .iter()
                    .any(|call| call.exit && (call.from.is_empty() || call.from.contains(&(number as u16))))
            };
            let sound = state.kind == StateKind::Terminal || exits();
            ensure(
                sound,
                || format!("state `{}`", state.name),
                "has no exit: a customer could not get out of it",
            )?;
        }
        Ok(())
    }

    fn check_books(&self) -> Checked {
        for book in &self.books {
            let place = || format!("book `{}`", book.name);
            ensure(is_kebab(&book.name, BOOK_NAME_BYTES_MAX), place, "1 to 16 of a-z, 0-9 and -")?;
            ensure(
                self.term_is(book.asset, &[Basic::Account, Basic::Asset]),
                place,
                "its asset must be a term that is an account or an asset",
            )?;
        }
        Ok(())
    }

    fn check_schedules(&self) -> Checked {
        for (number, name) in self.schedules.iter().enumerate() {
            let handlers = self.calls.iter().filter(
                |call| matches!(call.kind, CallKind::Due { schedule, .. } if usize::from(schedule) == number),
            );
            ensure(handlers.count() == 1, || format!("schedule `{name}`"), "needs exactly one handler")?;
        }
        let known = |number: u16| usize::from(number) < self.schedules.len();
        let sound = self
            .calls
            .iter()
            .all(|call| !matches!(call.kind, CallKind::Due { schedule, .. } if !known(schedule)));
        ensure(sound, || "calls".into(), "a handler names a schedule that does not exist")?;
        let openings = self.calls.iter().filter(|call| call.kind == CallKind::Open).count();
        ensure(openings == 1, || "calls".into(), "exactly one call opens an agreement")
    }

    fn check_call(&self, _place: usize, call: &CallDef, exports: &[String]) -> Checked {
        let place = || format!("call `{}`", call.name);
        let state = |number: &u16| usize::from(*number) < self.states.len();
        ensure(exports.contains(&call.name), place, "the module does not export it")?;
        ensure(
            call.from.iter().chain(&call.to).chain(&call.may_enter).all(state),
            place,
            "names a state that does not exist",
        )?;
        ensure(!call.from.iter().any(|from| self.is_terminal(*from)), place, "starts from a terminal state")?;
        let by_party = matches!(call.kind, CallKind::Open | CallKind::Sign | CallKind::Action);
        ensure(
            by_party != call.by.is_empty(),
            place,
            "who may call it must be said, and only where a party calls",
        )?;
        let sound = call.by.iter().all(|by| match by {
            Authority::Owner(term) => self.term_is(*term, &[Basic::Account]),
            Authority::Party(term) => self.term_is(*term, &[Basic::Party]),
            Authority::Agreement(term) => self.term_is(*term, &[Basic::Agreement]),
            Authority::Anyone | Authority::Role(_) => true,
        });
        ensure(
            sound,
            place,
            "an owner is that of a term that is an account, a party or an agreement that of a term that is one",
        )?;
        if matches!(call.kind, CallKind::BeforeEntry | CallKind::AfterEntries) {
            let plain =
                call.arguments.is_empty() && call.returns == Basic::Unit as u16 && call.four_eyes.is_none();
            ensure(plain, place, "a hook has no arguments of its own, no answer and no second person")?;
            let once = self.calls.iter().filter(|other| other.kind == call.kind).count() == 1;
            ensure(once, place, "a contract has one hook of a kind")?;
            let only_reads =
                call.kind != CallKind::BeforeEntry || (call.to.is_none() && call.may_enter.is_empty());
            ensure(only_reads, place, "a hook before an entry only reads: it enters no state")?;
        }
        if call.kind == CallKind::View && call.name == CHECK {
            let plain = call.arguments.is_empty() && call.returns == Basic::Unit as u16;
            ensure(
                plain,
                place,
                "the view that checks a product has no arguments and no answer: it refuses",
            )?;
        }
        if let CallKind::Due { retry: Some(retry), .. } = &call.kind {
            ensure(state(&retry.then), place, "names a state that does not exist")?;
            ensure(
                self.counted(&retry.count, &[]) == Some(Counted::Number),
                place,
                "the number of retries is a number, or a term that is one",
            )?;
        }
        if let Some(rule) = &call.four_eyes {
            let counted = |operand| self.counted(operand, &call.arguments);
            let is_number = |operand: &Operand| matches!(operand, Operand::Constant(_));
            let sound = match (&rule.amount, &rule.above) {
                (Some(amount), Some(above)) => {
                    let alike = counted(amount) == counted(above) || is_number(amount) || is_number(above);
                    counted(amount).is_some() && counted(above).is_some() && alike
                }
                (amount, above) => amount.is_none() && above.is_none(),
            };
            ensure(
                sound,
                place,
                "four eyes compare two amounts or two whole numbers, each a term, an argument or a number: neither may be missing",
            )?;
        }
        Ok(())
    }

    /// What an operand counts; nothing where it is not there, or may be something that cannot be compared.
    fn counted(&self, operand: &Operand, arguments: &[FieldDef]) -> Option<Counted> {
        let ty = match operand {
            Operand::Term(number) => self.terms.get(usize::from(*number))?.ty,
            Operand::Argument(number) => arguments.get(usize::from(*number))?.ty,
            Operand::Constant(_) => return Some(Counted::Number),
        };
        match Basic::of(ty)? {
            Basic::Money => Some(Counted::Money),
            Basic::U8 | Basic::U16 | Basic::U32 | Basic::U64 | Basic::U128 | Basic::I64 | Basic::I128 => {
                Some(Counted::Number)
            }
            _ => None,
        }
    }

    fn check_names(&self) -> Checked {
        let names = |list: Vec<&String>, what: &str| -> Checked {
            for (place, name) in list.iter().enumerate() {
                let sound = !name.is_empty() && name.len() <= NAME_BYTES_MAX && !list[..place].contains(name);
                ensure(sound, || format!("{what} `{name}`"), "a name is 1 to 48 bytes and stands once")?;
            }
            Ok(())
        };
        names(self.terms.iter().map(|t| &t.name).collect(), "term")?;
        names(self.states.iter().map(|s| &s.name).collect(), "state")?;
        names(self.schedules.iter().collect(), "schedule")?;
        names(self.books.iter().map(|b| &b.name).collect(), "book")?;
        names(self.calls.iter().map(|c| &c.name).collect(), "call")?;
        names(self.errors.iter().map(|e| &e.name).collect(), "error")?;
        names(self.events.iter().map(|e| &e.name).collect(), "event")
    }
}

fn is_kebab(name: &str, longest: usize) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !name.is_empty() && name.len() <= longest && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;
    use crate::spec::{FourEyes, TypeDef};
    use crate::text::tests::spec;

    fn broken_rule(checked: Checked) -> Option<String> {
        checked.err().map(|error| format!("{error}"))
    }

    #[test]
    fn a_spec_has_no_characters_that_cannot_be_seen() {
        let hidden = ["\u{1b}[2J", "a\nb", "gnp\u{202e}.exe", "\u{200b}", "\u{7f}", "\u{feff}"];
        for text in hidden {
            let place: [fn(&mut Spec, String); 4] = [
                |spec, text| spec.doc = text,
                |spec, text| spec.purposes = [text].into(),
                |spec, text| {
                    spec.types = [TypeDef::Enum { name: String::new(), variants: [text].into() }].into()
                },
                |spec, text| spec.schedules = [text].into(),
            ];
            for put in place {
                let mut spec = spec();
                put(&mut spec, text.into());
                let told = broken_rule(spec.check_texts()).expect("it is refused");
                assert!(told.ends_with("has characters that cannot be seen"), "{told}");
                assert!(!told.chars().any(text::is_hidden), "{told:?}");
            }
        }
        let mut spec = spec();
        spec.doc = "Für 5 € – «ça va» 日本".into();
        assert_eq!(spec.check_texts(), Ok(()));
    }

    #[test]
    fn four_eyes_compare_what_can_be_compared() {
        let field = |ty| FieldDef { name: "amount".into(), ty, doc: String::new() };
        // Option<U8> is the spec's second type of its own.
        let arguments =
            [Basic::Money as u16, Basic::U64 as u16, Basic::Text as u16, TYPES_OWN + 1].map(field);
        let [money, number, words, maybe] = [0, 1, 2, 3].map(Operand::Argument);
        let cases = [
            (Some(money), Some(Operand::Constant(10_000)), true),
            (Some(number), Some(Operand::Constant(100)), true),
            (Some(money), Some(money), true),
            (None, None, true),
            (Some(money), Some(number), false),
            (Some(words), Some(Operand::Constant(1)), false),
            (Some(maybe), Some(Operand::Constant(1)), false),
            (Some(money), Some(maybe), false),
            (Some(Operand::Argument(4)), Some(Operand::Constant(1)), false),
            (Some(money), None, false),
        ];
        for (amount, above, sound) in cases {
            let call = CallDef {
                name: "pay".into(),
                kind: CallKind::Action,
                by: [Authority::Anyone].into(),
                from: Vec::new(),
                to: None,
                may_enter: Vec::new(),
                four_eyes: Some(FourEyes { role: Role::Operations, amount, above }),
                exit: false,
                arguments: arguments.clone().into(),
                returns: 0,
                doc: String::new(),
            };
            let told = broken_rule(spec().check_call(0, &call, &["pay".into()]));
            assert_eq!(told.is_none(), sound, "{amount:?} {above:?}: {told:?}");
        }
    }
}
