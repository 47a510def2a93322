//! Scenarios: files of steps over real wasm, with golden traces.
//!
//! A trace has two parts: the meaning (what was reported, what everybody holds) and the bytes (gas, state
//! root). `UPDATE_GOLDEN=1 cargo test --test scenarios` writes traces anew; a change in the second part
//! alone is a change of form and belongs into the changelog.

// A test that cannot read its own files has nothing better to do than to stop.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AgreementId, AssetId, CodeHash, ProposalId};
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{CODE_OWN, Spec};
use tenor_abi::value::Value;
use tenor_cli::products;
use tenor_cli::reading;
use tenor_cli::words::{self, Arguments};
use tenor_runtime::vm::{Engine, Guest, Settings};
use tenor_testing::wire::op::{AssetKind, InvokeOp, OpenOp, Operation, ProposeOp, Seen, Spend};
use tenor_testing::wire::receipt::Fate;
use tenor_testing::{Bank, Outcome, Person};

struct World {
    bank: Bank,
    people: BTreeMap<String, Person>,
    agreements: BTreeMap<String, (AgreementId, String)>,
    products: BTreeMap<String, (CodeHash, Spec)>,
    points: Option<AssetId>,
    proposal: Option<ProposalId>,
    trace: String,
}

impl World {
    fn on(guest: Arc<dyn Guest>) -> World {
        let bank = Bank::on(guest);
        let people = [
            ("officer", bank.officer.clone()),
            ("manager", bank.manager.clone()),
            ("bank", bank.bank.clone()),
        ];
        let people = people.map(|(name, person)| (name.to_string(), person)).into();
        World {
            bank,
            people,
            agreements: BTreeMap::new(),
            products: BTreeMap::new(),
            points: None,
            proposal: None,
            trace: String::new(),
        }
    }

    fn lookup(&self, asked: &str) -> Option<String> {
        let (kind, name) = asked.split_once(':')?;
        match kind {
            "party" => self.people.get(name).map(|person| person.party.to_string()),
            "account" => self.people.get(name).map(|person| person.account.to_string()),
            "calendar" => Some(self.bank.calendar.to_string()),
            "asset" => self.points.map(|points| points.to_string()),
            "decimals" => [("EUR", "2"), ("PTS", "0")]
                .into_iter()
                .find(|(code, _)| *code == name)
                .map(|(_, decimals)| decimals.into()),
            _ => None,
        }
    }

    fn step(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["customer", name, euros] => {
                let person = self.bank.customer(name, euros);
                self.people.insert(name.to_string(), person);
            }
            ["points"] => self.points = Some(self.bank.asset("PTS", 0, AssetKind::Points)),
            ["publish", name] => {
                let product = products::find(name).unwrap_or_else(|| panic!("no product {name}"));
                let assets: Vec<AssetId> = [self.bank.eur].into_iter().chain(self.points).collect();
                let code = self.bank.publish_with(product.wasm, &assets);
                self.products.insert(name.to_string(), (code, words::spec_of(product.wasm).unwrap()));
            }
            ["open", name, product, "by", who, "with", other, terms @ ..] => {
                self.open(name, product, who, &[other], terms)
            }
            ["open", name, product, "by", who, terms @ ..] => self.open(name, product, who, &[], terms),
            ["pay", from, to, euros] => {
                let (from, to) = (self.people[*from].clone(), self.people[*to].account);
                let outcome = self.bank.transfer(&from, to, euros);
                self.note(line, outcome, None);
            }
            ["until", date] => self.bank.run_until(date.parse().unwrap()),
            ["late", date] => self.bank.run_late(date.parse().unwrap()),
            ["ask", agreement, view] => self.ask(line, agreement, view),
            [who, "proposes", agreement, call, arguments @ ..] => {
                let operation = Box::new(self.calling(agreement, call, arguments).0);
                let expires_at = Timestamp(self.bank.chain().tip().time.0 + 7 * DAY_MS);
                let propose = ProposeOp { operation, gas_limit: 50_000_000, spend_max: vec![], expires_at };
                let outcome = self.bank.run(&self.people[*who].clone(), Operation::Propose(propose), vec![]);
                self.proposal =
                    outcome.receipt.as_ref().ok().and_then(|full| codec::decode(&full.data, 64).ok());
                self.note(line, outcome, None);
            }
            [who, "approves"] => {
                let proposal = self.proposal.unwrap_or_else(|| panic!("nothing was proposed"));
                let outcome = self.bank.approve(&self.people[*who].clone(), proposal);
                self.note(line, outcome, None);
            }
            [who, agreement, call, arguments @ ..] => self.invoke(line, who, agreement, call, arguments),
            _ => panic!("not a step: {line}"),
        }
    }

    fn arguments(given: &[&str]) -> (Arguments, Option<String>) {
        let spend = given.iter().find_map(|word| word.strip_prefix("spend=")).map(String::from);
        let pairs: Vec<(&str, String)> = given
            .iter()
            .filter(|word| !word.starts_with("spend="))
            .map(|word| word.split_once('=').unwrap_or_else(|| panic!("not name=value: {word}")))
            .map(|(name, value)| match value.strip_prefix('#') {
                Some(word) => (name, words::hash_text(word.as_bytes())),
                None => (name, value.replace('_', " ")),
            })
            .collect();
        (Arguments::of(&pairs), spend)
    }

    fn open(&mut self, name: &str, product: &str, who: &str, with: &[&str], terms: &[&str]) {
        let (code, spec) = &self.products[product];
        let terms = words::terms(spec, &World::arguments(terms).0, &|word| self.lookup(word)).unwrap();
        let op = OpenOp { code: *code, terms, arguments: vec![0] };
        let with: Vec<&Person> = with.iter().map(|name| &self.people[*name]).collect();
        let tx = self.bank.signed_together(&self.people[who], &with, Operation::Open(op), vec![]);
        let outcome = self.bank.submit(tx);
        if let Some(receipt) = outcome.receipt.as_ref().ok().filter(|full| full.receipt.fate == Fate::Done) {
            let id = codec::decode(&receipt.data, 64).unwrap();
            self.agreements.insert(name.into(), (id, product.into()));
        }
        self.note(&format!("open {name} by {who}"), outcome, Some(product));
    }

    /// A call as an operation, what its signer allows, and the product that it is of.
    fn calling(&self, agreement: &str, call: &str, given: &[&str]) -> (Operation, Option<String>, String) {
        let (id, product) = self.agreements[agreement].clone();
        let (code, spec) = &self.products[&product];
        let number =
            spec.calls.iter().position(|def| def.name == call).unwrap_or_else(|| panic!("no call {call}"));
        let (given, spend) = World::arguments(given);
        let arguments =
            words::arguments(spec, &spec.calls[number], &given, &|word| self.lookup(word)).unwrap();
        let op = InvokeOp {
            seen: Seen { agreement: id, code: *code, terms_version: 0 },
            call: number as u16,
            arguments,
        };
        let signs = spec.calls[number].kind == tenor_abi::spec::CallKind::Sign;
        (if signs { Operation::Sign(op) } else { Operation::Invoke(op) }, spend, product)
    }

    fn invoke(&mut self, line: &str, who: &str, agreement: &str, call: &str, given: &[&str]) {
        let (operation, spend, product) = self.calling(agreement, call, given);
        let person = self.people[who].clone();
        let spend = spend.map(|euros| Spend {
            account: person.account,
            amount: tenor_testing::money(&euros).minor.unsigned_abs(),
        });
        let outcome = self.bank.run(&person, operation, spend.into_iter().collect());
        self.note(line, outcome, Some(&product));
    }

    /// What a view without arguments answers: a row each for a list.
    fn ask(&mut self, line: &str, agreement: &str, view: &str) {
        let (spec, ty, answer) = reading::ask(self.bank.chain(), self.agreements[agreement].0, view).unwrap();
        let _ = match &answer {
            Value::List(_) => writeln!(self.trace, "{} {line}:", self.bank.today()),
            one => writeln!(self.trace, "{} {line}: {}", self.bank.today(), words::show(&spec, ty, one)),
        };
        for row in if let Value::List(rows) = &answer { rows.as_slice() } else { &[] } {
            let _ = writeln!(self.trace, "  {}", reading::cells(&spec, ty, row).join(", "));
        }
    }

    fn note(&mut self, line: &str, outcome: Outcome, product: Option<&str>) {
        let receipt = outcome.receipt.unwrap_or_else(|rejection| panic!("{line}: {rejection}"));
        let code = receipt.receipt.code;
        let own = product.and_then(|product| {
            self.products[product].1.errors.get(usize::from(code.wrapping_sub(CODE_OWN)))
        });
        let what = match receipt.receipt.fate {
            Fate::Done => "done".into(),
            Fate::Refused if code >= CODE_OWN => {
                own.map_or_else(|| code.to_string(), |error| format!("refused {}", error.name))
            }
            Fate::Refused => Refusal::from_data(&receipt.data)
                .map_or_else(|| code.to_string(), |refusal| format!("refused {}", refusal.name())),
            Fate::Failed => format!("failed {code:#x}"),
        };
        let _ = writeln!(self.trace, "{} {line}: {what}", self.bank.today());
    }

    fn finish(mut self) -> String {
        for (name, (id, _)) in &self.agreements {
            let events = self.bank.events(*id).join(" ");
            let _ = writeln!(self.trace, "{name} is {}; events: {events}", self.bank.state(*id));
        }
        for (name, person) in
            self.people.iter().filter(|(name, _)| !["officer", "manager"].contains(&name.as_str()))
        {
            let _ = writeln!(self.trace, "{name} holds {}", self.bank.balance(person.account));
        }
        let gas: u64 =
            self.bank.blocks().iter().flat_map(|block| &block.receipts).map(|full| full.receipt.gas).sum();
        let _ = writeln!(self.trace, "--- bytes\ngas {gas}\nroot {}", self.bank.root());
        self.trace
    }
}

/// What the steps of a file leave.
fn trace(file: &Path, guest: Arc<dyn Guest>) -> String {
    let mut world = World::on(guest);
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .for_each(|line| world.step(line));
    world.finish()
}

#[test]
fn every_scenario_leaves_its_golden_trace_however_its_contracts_are_compiled() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "scenarios are gone");
    let plain = Settings { optimise: false, kept_max: 0, copy_on_write: false, ..Settings::default() };
    let plain: Arc<dyn Guest> = Arc::new(Engine::with(plain).unwrap());
    for file in files {
        let (left, golden) = (trace(&file, tenor_testing::engine()), file.with_extension("trace"));
        assert_eq!(left, trace(&file, Arc::clone(&plain)), "{}: compiled otherwise", file.display());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &left).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        let meaning = |trace: &str| trace.split("--- bytes").next().unwrap_or_default().to_string();
        assert_eq!(meaning(&left), meaning(&expected), "{}: another meaning", file.display());
        assert_eq!(left, expected, "{}: the same meaning in other bytes", file.display());
    }
}
