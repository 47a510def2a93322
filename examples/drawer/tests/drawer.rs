//! What a contract keeps is what plain collections keep, on wasm and natively.

use drawer::{Kept, TWIN, Terms};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use tenor_testing::abi::codec::encode;
use tenor_testing::abi::date::{Date, Timestamp};
use tenor_testing::abi::id::{AccountId, AgreementId};
use tenor_testing::wire::op::{AccountKind, AccountOp, Operation, account_id};
use tenor_testing::{Bank, Person, both, money};

/// A drawer whose keeper has 100.00, with a safe for 30.00.
struct Desk<'b> {
    bank: &'b mut Bank,
    id: AgreementId,
    keeper: Person,
    safe: AccountId,
}

impl Desk<'_> {
    fn act(&mut self, action: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
        let keeper = self.keeper.clone();
        self.bank.invoke(&keeper, self.id, action, arguments).done().data
    }

    fn move_up_to(&mut self, action: &str, most: &str) -> (String, String) {
        let spend = vec![(self.keeper.account, "100.00"), (self.safe, "100.00")];
        let keeper = self.keeper.clone();
        self.bank.invoke_spending(&keeper, self.id, action, &[encode(&money(most))], spend).done();
        (self.bank.balance(keeper.account), self.bank.balance(self.safe))
    }
}

fn check(scenario: impl Fn(Desk<'_>)) {
    both(&tenor_testing::wasm(env!("CARGO_MANIFEST_DIR")), &TWIN, |bank, code| {
        let keeper = bank.customer("ada", "100.00");
        let (asset, ceiling) = (bank.eur, Some(30_00));
        let (owner, purpose, kind) = (keeper.party, "safe".to_string(), AccountKind::Plain);
        bank.staff(Operation::Account(AccountOp { owner, asset, purpose, floor: 0, ceiling, kind })).done();
        let safe = account_id(&owner.0, &asset, "safe");
        let id = bank.opened(&keeper, code, &Terms { keeper: keeper.account, safe });
        scenario(Desk { bank, id, keeper, safe });
    });
}

#[derive(Clone, Debug)]
enum Step {
    Write(Option<String>),
    Put(Date, String, u64),
    Take(Date, String),
    Forget(String),
    List(u32, u64),
}

/// Days before and after 1970.
fn day() -> impl Strategy<Value = Date> {
    prop::sample::select(vec![-400i32, -1, 0, 1, 20_000]).prop_map(Date::from_days)
}

/// Names that begin alike, with the bytes in them that a key must keep in order.
fn name() -> impl Strategy<Value = String> {
    let name = |pieces: Vec<&str>| pieces.concat();
    prop::collection::vec(prop::sample::select(vec!["a", "b", "\0", "\u{1}", "\u{ff}", "\u{10ffff}"]), 0..3)
        .prop_map(name)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => prop::option::of(name()).prop_map(Step::Write),
        6 => (day(), name(), any::<u64>()).prop_map(|(day, name, count)| Step::Put(day, name, count)),
        3 => (day(), name()).prop_map(|(day, name)| Step::Take(day, name)),
        2 => name().prop_map(Step::Forget),
        2 => (0u32..4, any::<u64>()).prop_map(|(number, line)| Step::List(number, line)),
    ]
}

/// What the drawer should keep.
#[derive(Default)]
struct Model {
    note: Option<String>,
    things: BTreeMap<(Date, String), u64>,
    names: BTreeSet<String>,
    lines: Vec<u64>,
}

impl Model {
    /// Takes a step here and in the drawer, which must say the same.
    fn take(&mut self, desk: &mut Desk<'_>, step: Step) {
        match step {
            Step::Write(note) => {
                assert_eq!(desk.act("write", &[encode(&note)]), encode(&()));
                self.note = note;
            }
            Step::Put(day, name, count) => {
                let said = desk.act("put", &[encode(&day), encode(&name), encode(&count)]);
                self.names.insert(name.clone());
                assert_eq!(said, encode(&self.things.insert((day, name), count)));
            }
            Step::Take(day, name) => {
                let said = desk.act("take", &[encode(&day), encode(&name)]);
                assert_eq!(said, encode(&self.things.remove(&(day, name)).is_some()));
            }
            Step::Forget(name) => {
                assert_eq!(desk.act("forget", &[encode(&name)]), encode(&self.names.remove(&name)));
            }
            Step::List(number, line) => {
                match self.lines.get_mut(number as usize) {
                    Some(there) => *there = line,
                    None => self.lines.push(line),
                }
                let said = desk.act("list", &[encode(&number), encode(&line)]);
                assert_eq!(said, encode(&(self.lines.len() as u32)));
            }
        }
    }

    fn kept(&self, from: Bound<(Date, String)>, is_meant: impl Fn(&Date) -> bool) -> Vec<u8> {
        let rows = self.things.range((from, Bound::Unbounded)).filter(|((day, _), _)| is_meant(day));
        let kept = |((day, name), count): (&(Date, String), &u64)| Kept {
            day: *day,
            name: name.clone(),
            count: *count,
        };
        encode(&rows.map(kept).collect::<Vec<_>>())
    }

    /// Compares everything that can be seen.
    fn compare(&self, Desk { bank, id, .. }: &Desk<'_>, (day, name): (Date, String)) {
        assert_eq!(bank.view::<Option<String>>(*id, "note"), self.note);
        assert_eq!(bank.view::<Vec<u64>>(*id, "lines"), self.lines);
        assert_eq!(bank.view::<Vec<String>>(*id, "names"), self.names.iter().cloned().collect::<Vec<_>>());
        let knows = bank.view_with::<bool>(*id, "knows", &[encode(&name)]);
        assert_eq!(knows, self.names.contains(&name));
        let all = bank.view::<Vec<Kept>>(*id, "all");
        assert_eq!(encode(&all), self.kept(Bound::Unbounded, |_| true));
        let from = bank.view_with::<Vec<Kept>>(*id, "all_from", &[encode(&day), encode(&name)]);
        assert_eq!(encode(&from), self.kept(Bound::Included((day, name)), |_| true));
        let of = bank.view_with::<Vec<Kept>>(*id, "all_of", &[encode(&day)]);
        assert_eq!(encode(&of), self.kept(Bound::Unbounded, |other| *other == day));
    }
}

#[test]
fn it_keeps_what_plain_collections_keep() {
    let config =
        Config { cases: 6, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Config::default() };
    let steps = prop::collection::vec((step(), day(), name()), 1..40);
    TestRunner::new(config)
        .run(&steps, |steps| {
            check(|mut desk| {
                let mut model = Model::default();
                for (step, day, name) in steps.clone() {
                    model.take(&mut desk, step);
                    model.compare(&desk, (day, name));
                }
            });
            Ok(())
        })
        .unwrap();
}

#[test]
fn as_much_is_moved_as_fits_and_as_there_is() {
    check(|mut desk| {
        let moved = |balances: (&str, &str)| (balances.0.to_string(), balances.1.to_string());
        assert_eq!(desk.move_up_to("save", "20.00"), moved(("80.00", "20.00")));
        assert_eq!(desk.move_up_to("save", "20.00"), moved(("70.00", "30.00")));
        assert_eq!(desk.move_up_to("save", "0.01"), moved(("70.00", "30.00")));
        assert_eq!(desk.move_up_to("spend", "10.01"), moved(("80.01", "19.99")));
        assert_eq!(desk.move_up_to("spend", "99.00"), moved(("100.00", "0.00")));
        assert_eq!(desk.move_up_to("spend", "99.00"), moved(("100.00", "0.00")));
    });
}

#[test]
fn the_bell_rings_at_its_time_of_day() {
    check(|mut desk| {
        let today = desk.bank.today();
        let at = |days: i32, minutes: u64| Timestamp(today.add_days(days).midnight().0 + minutes * 60_000);
        desk.act("set_bell", &[encode(&1_439u16), encode(&3u32)]);
        let rang = |desk: &Desk<'_>| desk.bank.view::<Vec<Timestamp>>(desk.id, "rang");
        desk.bank.run_until(today.add_days(1));
        assert_eq!(rang(&desk), [at(0, 1_439)]);
        desk.bank.run_for(1_438 * 60_000);
        assert_eq!(rang(&desk), [at(0, 1_439)]);
        desk.bank.run_until(today.add_days(9));
        assert_eq!(rang(&desk), [0, 1, 2].map(|days| at(days, 1_439)));
        let keeper = desk.keeper.clone();
        let late =
            desk.bank.invoke(&keeper, desk.id, "set_bell", &[encode(&1_440u16), encode(&1u32)]).refusal();
        assert!(late.to_string().contains("1440"), "{late}");
    });
}

#[test]
fn a_day_is_moved_by_a_calendar() {
    check(|desk| {
        let calendar = encode(&desk.bank.calendar);
        let open_from =
            |day: Date| desk.bank.view_with::<Date>(desk.id, "open_from", &[encode(&day), calendar.clone()]);
        let december = |day| Date::of(2026, 12, day);
        assert_eq!([24, 25, 26, 27].map(|day| open_from(december(day))), [24, 28, 28, 28].map(december));
    });
}
