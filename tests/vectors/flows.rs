//! Formance's Numscript cases: its sources, destinations and shares are ours, its scripts are read here.

use crate::{Outcome, text};
use serde_json::Value;
use std::collections::BTreeMap;
use tenor_abi::flow::{Amount, FlowError, Leftover, Room, Share, Source, Target, flow};

/// Words that mean something that a flow of ours has not.
const BEYOND: [(&str, &str); 4] = [
    ("set_tx_meta", "metadata of transactions and accounts"),
    ("set_account_meta", "metadata of transactions and accounts"),
    ("with scaling", "conversion between scales of an asset"),
    ("get_amount", "functions that move nothing"),
];

/// What an expression comes to.
#[derive(Clone, PartialEq, Debug)]
enum Term {
    Number(i128),
    Money(String, i128),
    Account(String),
    Other(String),
}

type Balances = BTreeMap<(String, String), i128>;

pub fn numscript(_: &Value, case: &Value) -> Outcome {
    let program = text(case, "program");
    // What a script notes down beside its postings is left out where it has any.
    let moves = case["spec"].to_string().contains("expect.postings");
    let beyond =
        BEYOND.iter().find(|(word, _)| program.contains(word) && !(word.starts_with("set_") && moves));
    if let Some((_, why)) = beyond {
        return Outcome::Beyond(why);
    }
    let spec = &case["spec"];
    if spec.to_string().contains("e+") {
        return Outcome::Beyond("amounts that a JSON number of 64 bits does not hold");
    }
    let (mut ran, mut said) = (Vec::new(), Vec::new());
    for test in spec["testCases"].as_array().unwrap() {
        let of = |name: &str| if test[name].is_null() { &spec[name] } else { &test[name] };
        let mut variables = BTreeMap::new();
        for given in [&spec["variables"], &test["variables"]] {
            variables.extend(given.as_object().into_iter().flatten().map(|(name, value)| {
                (name.clone(), value.as_str().map_or_else(|| value.to_string(), String::from))
            }));
        }
        let balance = |row: &Value| {
            let amount = row["amount"].to_string().parse().unwrap();
            ((coloured(row, "account"), text(row, "asset").to_string()), amount)
        };
        let balances = [&spec["balances"], of("balances")].into_iter().filter_map(Value::as_array).flatten();
        let words = words(program);
        let metadata = serde_json::from_value(of("metadata").clone()).unwrap_or_default();
        let balances = balances.map(balance).collect();
        let mut script = Script { words, at: 0, variables, balances, metadata };
        ran.push(script.run().map_err(|error| match error {
            FlowError::Missing { .. } => "missing funds".to_string(),
            other => other.to_string(),
        }));
        let posting = |row: &Value| {
            let part = |name: &str| text(row, name).to_string();
            let amount = row["amount"].to_string().parse::<u128>().unwrap();
            (coloured(row, "source"), part("destination"), part("asset"), amount)
        };
        said.push(match test["expect.postings"].as_array() {
            _ if test["expect.error.missingFunds"] == true => Err("missing funds".to_string()),
            list => Ok(list.into_iter().flatten().map(posting).collect()),
        });
    }
    Outcome::of(ran, said)
}

/// A colour within an asset is an account of its own, beside the one without.
fn coloured(row: &Value, account: &str) -> String {
    match text(row, "color") {
        "" => text(row, account).to_string(),
        colour => format!("{}\\{colour}", text(row, account)),
    }
}

fn words(program: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in program.lines() {
        let line = line.split("//").next().unwrap_or_default();
        if line.starts_with("#!") {
            continue;
        }
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || "_:./%@$".contains(c);
            let length = match first {
                _ if first.is_whitespace() => first.len_utf8(),
                _ if is_word(first) => {
                    let end = rest.find(|c: char| !(is_word(c) || c == '-' && rest.starts_with('@')));
                    end.unwrap_or(rest.len())
                }
                _ => 1,
            };
            let (word, after) = rest.split_at(length);
            if !word.trim().is_empty() {
                words.push(word.to_string());
            }
            rest = after;
        }
    }
    words
}

type Moved = (String, String, String, u128);

struct Script {
    words: Vec<String>,
    at: usize,
    variables: BTreeMap<String, String>,
    balances: Balances,
    /// What is noted down beside accounts.
    metadata: BTreeMap<String, BTreeMap<String, String>>,
}

impl Script {
    fn peek(&self) -> &str {
        self.words.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.words[self.at - 1].clone()
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.peek() == word;
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, word: &str) {
        assert!(self.take(word), "`{word}` expected at `{}` of {:?}", self.peek(), self.words);
    }

    fn run(&mut self) -> Result<Vec<Moved>, FlowError> {
        let mut moved = Vec::new();
        while self.at < self.words.len() {
            match self.next().as_str() {
                "vars" => self.variables(),
                "save" => self.save(),
                "send" => moved.extend(self.send()?),
                "set_tx_meta" | "set_account_meta" => while self.next() != ")" {},
                other => panic!("`{other}` is no statement: {:?}", self.words),
            }
        }
        Ok(moved)
    }

    fn variables(&mut self) {
        self.expect("{");
        while !self.take("}") {
            let _type = self.next();
            let name = self.next().trim_start_matches('$').to_string();
            if self.take("=") {
                let value = match self.expression() {
                    Term::Money(asset, minor) => format!("{asset} {minor}"),
                    Term::Number(number) => number.to_string(),
                    Term::Account(text) | Term::Other(text) => text,
                };
                self.variables.insert(name, value);
            }
        }
    }

    /// What is saved is not there to be spent.
    fn save(&mut self) {
        let (asset, kept) = self.asset_and_amount();
        self.expect("from");
        let account = self.account();
        let balance = self.balances.entry((account, asset)).or_default();
        *balance = kept.map_or((*balance).min(0), |kept| *balance - kept);
    }

    fn send(&mut self) -> Result<Vec<Moved>, FlowError> {
        let (asset, amount) = self.asset_and_amount();
        self.expect("(");
        self.expect("source");
        self.expect("=");
        let source = self.source();
        self.expect("destination");
        self.expect("=");
        let target = self.target();
        self.expect(")");
        let amount = amount.map_or(Amount::All, |minor| Amount::Exact(minor.max(0) as u128));
        let known: BTreeMap<String, u32> = self.accounts(&source, &target);
        let names: Vec<String> = known.keys().cloned().collect();
        let balances = &self.balances;
        let room = |account: &u32| {
            let name = names[*account as usize].clone();
            Room { balance: balances.get(&(name, asset.clone())).copied().unwrap_or(0), floor: None }
        };
        let moves =
            flow(amount, &number(&source, &known), &number_target(&target, &known), Leftover::InOrder, room)?;
        let mut moved = Vec::new();
        for part in moves {
            let (from, to) = (names[part.from as usize].clone(), names[part.to as usize].clone());
            *self.balances.entry((from.clone(), asset.clone())).or_default() -= part.amount as i128;
            *self.balances.entry((to.clone(), asset.clone())).or_default() += part.amount as i128;
            moved.push((from, to, asset.clone(), part.amount));
        }
        Ok(moved)
    }

    fn accounts(&self, source: &Source<String>, target: &Target<String>) -> BTreeMap<String, u32> {
        let mut names = Vec::new();
        sources(source, &mut names);
        targets(target, &mut names);
        names.sort();
        names.dedup();
        names.into_iter().zip(0..).collect()
    }

    /// An asset and an amount of it; none means all.
    fn asset_and_amount(&mut self) -> (String, Option<i128>) {
        if self.peek() == "[" && self.words[self.at + 2] == "*" {
            self.expect("[");
            let asset = self.asset();
            self.expect("*");
            self.expect("]");
            return (asset, None);
        }
        match self.expression() {
            Term::Money(asset, minor) => (asset, Some(minor)),
            other => panic!("{other:?} is no money"),
        }
    }

    fn asset(&mut self) -> String {
        let word = self.next();
        word.strip_prefix('$').map_or(word.clone(), |name| self.variables[name].clone())
    }

    fn expression(&mut self) -> Term {
        let mut term = self.operand();
        while let sign @ ("+" | "-") = self.peek() {
            let sign = if sign == "+" { 1 } else { -1 };
            self.at += 1;
            term = match (term, self.operand()) {
                (Term::Number(a), Term::Number(b)) => Term::Number(a + sign * b),
                (Term::Money(asset, a), Term::Money(_, b)) => Term::Money(asset, a + sign * b),
                other => panic!("{other:?} do not add up"),
            };
        }
        term
    }

    fn operand(&mut self) -> Term {
        let word = self.next();
        if word == "[" {
            let asset = self.asset();
            let Term::Number(minor) = self.expression() else { panic!("no number") };
            self.expect("]");
            return Term::Money(asset, minor);
        }
        if word == "-" {
            let Term::Number(number) = self.operand() else { panic!("no number") };
            return Term::Number(-number);
        }
        if word == "meta" {
            self.expect("(");
            let account = self.account();
            self.expect(",");
            self.expect("\"");
            let name = self.next();
            self.expect("\"");
            self.expect(")");
            return read(&self.metadata[&account][&name]);
        }
        if word == "balance" || word == "overdraft" {
            self.expect("(");
            let account = self.account();
            self.expect(",");
            let asset = self.asset();
            self.expect(")");
            let held = self.balances.get(&(account, asset.clone())).copied().unwrap_or(0);
            return Term::Money(asset, if word == "balance" { held } else { (-held).max(0) });
        }
        if let Some(name) = word.strip_prefix('$') {
            let value = self.variables.get(name).unwrap_or_else(|| panic!("no value of {name}")).clone();
            return read(&value);
        }
        match word.strip_prefix('@') {
            Some(account) => Term::Account(account.to_string()),
            None => read(&word),
        }
    }

    fn account(&mut self) -> String {
        match self.operand() {
            Term::Account(account) | Term::Other(account) => account,
            other => panic!("{other:?} is no account"),
        }
    }

    fn money(&mut self) -> i128 {
        match self.expression() {
            Term::Money(_, minor) | Term::Number(minor) => minor,
            other => panic!("{other:?} is no money"),
        }
    }

    /// A share, when one stands here.
    fn share(&mut self) -> Option<Share> {
        let word = self.peek().to_string();
        if word == "remaining" {
            self.at += 1;
            return Some(Share::Rest);
        }
        let plain = match word.strip_prefix('$') {
            Some(name) if !word.contains('/') => self.variables.get(name)?.clone(),
            _ => word,
        };
        let part = |text: &str| -> Option<u64> {
            match text.strip_prefix('$') {
                Some(name) => self.variables.get(name)?.parse().ok(),
                None => text.parse().ok(),
            }
        };
        let share = match (plain.strip_suffix('%'), plain.split_once('/')) {
            (Some(percent), _) => {
                let decimals = percent.split_once('.').map_or(0, |(_, decimals)| decimals.len());
                Share::Of(percent.replace('.', "").parse().ok()?, 100 * 10u64.pow(decimals as u32))
            }
            (None, Some((over, under))) => Share::Of(part(over)?, part(under)?),
            _ => return None,
        };
        self.at += 1;
        Some(share)
    }

    fn source(&mut self) -> Source<String> {
        let one_of = self.take("oneof");
        if self.take("{") {
            let (mut list, mut shares) = (Vec::new(), Vec::new());
            while !self.take("}") {
                match self.share() {
                    Some(share) => {
                        self.expect("from");
                        shares.push((share, self.source()));
                    }
                    None => list.push(self.source()),
                }
            }
            return match (one_of, shares.is_empty()) {
                (true, _) => Source::OneOf(list),
                (_, true) => Source::InOrder(list),
                _ => Source::Shares(shares),
            };
        }
        if self.take("max") {
            let cap = self.money().max(0) as u128;
            self.expect("from");
            return Source::AtMost(cap, Box::new(self.source()));
        }
        let mut account = self.account();
        let mut down_to = if account == "world" { None } else { Some(0) };
        if self.take("\\") {
            self.expect("\"");
            if !self.take("\"") {
                account = format!("{account}\\{}", self.next());
                self.expect("\"");
            }
        }
        if self.take("allowing") {
            if self.take("unbounded") {
                self.expect("overdraft");
                down_to = None;
            } else {
                self.expect("overdraft");
                self.expect("up");
                self.expect("to");
                down_to = Some(-self.money().max(0));
            }
        }
        Source::From { account, down_to }
    }

    fn target(&mut self) -> Target<String> {
        let one_of = self.take("oneof");
        if !self.take("{") {
            return Target::To(self.account());
        }
        let (mut capped, mut shares) = (Vec::new(), Vec::new());
        while !self.take("}") {
            if self.take("max") {
                let cap = self.money().max(0) as u128;
                let target = self.kept_or_to();
                capped.push((cap, target));
                continue;
            }
            let share = self.share().unwrap_or_else(|| panic!("no share at {}", self.peek()));
            let target = self.kept_or_to();
            shares.push((share, target));
        }
        match (capped.is_empty(), one_of) {
            (true, _) => Target::Shares(shares),
            (false, false) => Target::InOrder(capped, Box::new(shares.remove(0).1)),
            (false, true) => Target::OneOf(capped, Box::new(shares.remove(0).1)),
        }
    }

    fn kept_or_to(&mut self) -> Target<String> {
        if self.take("kept") {
            return Target::Keep;
        }
        self.expect("to");
        self.target()
    }
}

fn read(text: &str) -> Term {
    if let Ok(number) = text.replace('_', "").parse() {
        return Term::Number(number);
    }
    match text.split_once(' ').and_then(|(asset, minor)| Some((asset, minor.parse().ok()?))) {
        Some((asset, minor)) => Term::Money(asset.to_string(), minor),
        None => Term::Other(text.to_string()),
    }
}

fn sources(source: &Source<String>, names: &mut Vec<String>) {
    match source {
        Source::From { account, .. } => names.push(account.clone()),
        Source::AtMost(_, source) => sources(source, names),
        Source::InOrder(list) | Source::OneOf(list) => list.iter().for_each(|source| sources(source, names)),
        Source::Shares(list) => list.iter().for_each(|(_, source)| sources(source, names)),
    }
}

fn targets(target: &Target<String>, names: &mut Vec<String>) {
    match target {
        Target::To(account) => names.push(account.clone()),
        Target::Keep => {}
        Target::InOrder(list, rest) | Target::OneOf(list, rest) => {
            list.iter().for_each(|(_, target)| targets(target, names));
            targets(rest, names);
        }
        Target::Shares(list) => list.iter().for_each(|(_, target)| targets(target, names)),
    }
}

/// The same source over numbers, as flows of ours name accounts by something small.
fn number(source: &Source<String>, known: &BTreeMap<String, u32>) -> Source<u32> {
    let all = |list: &Vec<Source<String>>| list.iter().map(|source| number(source, known)).collect();
    match source {
        Source::From { account, down_to } => Source::From { account: known[account], down_to: *down_to },
        Source::AtMost(cap, source) => Source::AtMost(*cap, Box::new(number(source, known))),
        Source::InOrder(list) => Source::InOrder(all(list)),
        Source::OneOf(list) => Source::OneOf(all(list)),
        Source::Shares(list) => {
            Source::Shares(list.iter().map(|(share, source)| (*share, number(source, known))).collect())
        }
    }
}

fn number_target(target: &Target<String>, known: &BTreeMap<String, u32>) -> Target<u32> {
    let all = |list: &Vec<(u128, Target<String>)>| {
        list.iter().map(|(cap, target)| (*cap, number_target(target, known))).collect()
    };
    match target {
        Target::To(account) => Target::To(known[account]),
        Target::Keep => Target::Keep,
        Target::InOrder(list, rest) => Target::InOrder(all(list), Box::new(number_target(rest, known))),
        Target::OneOf(list, rest) => Target::OneOf(all(list), Box::new(number_target(rest, known))),
        Target::Shares(list) => Target::Shares(
            list.iter().map(|(share, target)| (*share, number_target(target, known))).collect(),
        ),
    }
}
