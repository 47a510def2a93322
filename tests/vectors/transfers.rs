//! TigerBeetle's cases of accounts and transfers, on the ledger itself: its two-phase transfers are our holds, its
//! chains our savepoints, its limits our floors and ceilings.

use crate::{Outcome, text};
use serde_json::Value;
use std::collections::BTreeMap;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, Mode, Side};
use tenor_abi::flow::{Term, settle};
use tenor_abi::id::{AccountId, AssetId, Hash, HoldId, PartyId};
use tenor_abi::limit::{AMOUNT_MAX, COUNTER_MAX};
use tenor_abi::money::{Code, Currency};
use tenor_abi::refusal::Refusal;
use tenor_runtime::fault::Stop;
use tenor_runtime::ledger::{self, Capture, DatedBy, Draft, HoldPart, Line, Lines, Signed};
use tenor_runtime::state::record::{
    AccountRecord, AssetRecord, Counters, Holder, HookSet, PartyRecord, PurposeCode,
};
use tenor_runtime::state::{Committed, Overlay};
use tenor_testing::wire::op::{AccountKind, AssetKind, PartyKind, Spend};
use tenor_testing::wire::receipt::{Act, EntrySource};

const PARTY: PartyId = PartyId([7; 32]);
/// A hold without a time of its own lasts as long as holds may.
const HOLD_DAYS: u16 = 60;

/// Features of whole cases that the ledger has not.
const BEYOND: [(&str, &str); 3] = [
    ("account_already_closed", "accounts that a pending transfer closes: ours close at zero, for good"),
    ("imported", "events with times of the past: ours are booked at block time"),
    ("create_accounts: empty", "empty requests"),
];

/// Expected statuses of one form of a request that ours cannot have: its ids, flags, ledgers, codes and times are not
/// given by the asker, and a retry is told apart by its idempotency key.
fn is_form(status: &str) -> bool {
    let starts =
        ["exists", "id_", "flags_", "timestamp_", "reserved_", "imported_", "code_", "ledger_", "closing_"];
    let parts =
        ["must_not_be_zero", "must_not_be_int_max", "must_be_zero", "timeout", "overflows", "has_different"];
    starts.iter().any(|start| status.starts_with(start))
        || parts.iter().any(|part| status.contains(part))
        || ["transfer_must_have_the_same_ledger_as_accounts", "pending_id_must_be_different"]
            .contains(&status)
}

/// Our refusals and the statuses that say the same.
const SAME: [(&str, &[&str]); 9] = [
    ("InsufficientFunds", &["exceeds_credits"]),
    ("AboveCeiling", &["exceeds_debits"]),
    ("SameAccount", &["accounts_must_be_different"]),
    // Of two accounts that are one and are not there, we name the second thing first.
    (
        "UnknownAccount",
        &["debit_account_not_found", "credit_account_not_found", "accounts_must_be_different"],
    ),
    ("Unbalanced", &["accounts_must_have_the_same_ledger"]),
    ("AboveHold", &["exceeds_pending_transfer_amount"]),
    ("HoldResolved", &["pending_transfer_already_posted", "pending_transfer_already_voided"]),
    ("HoldExpired", &["pending_transfer_expired"]),
    (
        "UnknownHold",
        &["pending_transfer_not_found", "pending_transfer_not_pending", "pending_transfer_expired"],
    ),
];

struct World<'s> {
    state: Overlay<'s>,
    now: Timestamp,
    height: u64,
    entries: u32,
    holds: BTreeMap<String, HoldId>,
    amounts: BTreeMap<String, u128>,
    /// What stands for their largest number, 2^128 - 1: our largest amount in cases of such amounts, else our largest
    /// counter.
    largest: u128,
}

pub fn tigerbeetle(_: &Value, case: &Value) -> Outcome {
    let content = case.to_string();
    if let Some((_, why)) = BEYOND.iter().find(|(word, _)| content.contains(word)) {
        return Outcome::Beyond(why);
    }
    let base = Committed::in_memory();
    let mut world = World {
        state: Overlay::new(&base),
        now: Timestamp(1_000_000),
        height: 1,
        entries: 0,
        holds: BTreeMap::new(),
        amounts: BTreeMap::new(),
        largest: if content.contains("maxInt") { AMOUNT_MAX } else { COUNTER_MAX },
    };
    let person = PartyRecord { home: PARTY, kind: PartyKind::Bank, person: Hash::ZERO, name: Hash::ZERO };
    world.state.put(&PARTY.0, &person);
    let steps = case["steps"].as_array().unwrap();
    let mut at = 0;
    while at < steps.len() {
        // A chain stands or falls as a whole, so it is run as a whole.
        let length = steps[at..].iter().take_while(|step| has_flag(step, "linked")).count() + 1;
        let chain = &steps[at..(at + length).min(steps.len())];
        if let Err(how) = world.run(chain) {
            return Outcome::Other(format!("step {at}: {how}"));
        }
        at += chain.len();
    }
    Outcome::Same
}

fn has_flag(step: &Value, flag: &str) -> bool {
    step["flags"].as_array().is_some_and(|flags| flags.iter().any(|one| one == flag))
}

fn key(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

fn amount(value: &Value) -> u128 {
    match value.as_str() {
        Some("max") => u128::MAX,
        Some(text) => text.strip_prefix("max-").map_or(0, |less| u128::MAX - less.parse::<u128>().unwrap()),
        None => value.as_u64().map_or(0, u128::from),
    }
}

fn account_of(id: &Value) -> AccountId {
    let mut bytes = [0; 32];
    let text = key(id);
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    AccountId(bytes)
}

fn asset_of(ledger: &Value) -> AssetId {
    let mut bytes = [9; 32];
    bytes[..8].copy_from_slice(&ledger.as_u64().unwrap_or(0).to_be_bytes());
    AssetId(bytes)
}

impl World<'_> {
    fn run(&mut self, chain: &[Value]) -> Result<(), String> {
        if chain.len() == 1 {
            return self.step(&chain[0]);
        }
        let mark = self.state.mark();
        let (entries, kept) = (self.entries, (self.holds.clone(), self.amounts.clone()));
        let breaks = |step: &Value| !["created", "linked_event_failed"].contains(&text(step, "status"));
        let Some(broken) = chain.iter().position(breaks) else {
            return chain.iter().try_for_each(|step| self.step(step));
        };
        // What stands before the event that fails took effect until then; the chain leaves nothing.
        for step in chain[..broken].iter().filter(|step| text(step, "op") == "create_transfer") {
            if let Ok(moved) = self.try_transfer(step) {
                self.amounts.insert(key(&step["id"]), moved);
            }
        }
        let said = self.step(&chain[broken]);
        self.state.roll_back(mark);
        (self.entries, (self.holds, self.amounts)) = (entries, kept);
        said
    }

    fn step(&mut self, step: &Value) -> Result<(), String> {
        match text(step, "op") {
            "create_account" => self.open(step),
            "create_transfer" => self.transfer(step),
            "set_balances" => self.set(step),
            "expect_account" => self.expect(step),
            "expect_transfer" => self.expect_transfer(step),
            "advance_time" => {
                let unit = match text(step, "unit") {
                    "seconds" => 1_000,
                    // Block time counts milliseconds.
                    _ => 0,
                };
                self.now = Timestamp(self.now.0 + key(&step["value"]).parse::<u64>().unwrap_or(0) * unit);
                self.expire()
            }
            "commit_batch" => Ok(()),
            other => Err(format!("what is {other}?")),
        }
    }

    /// A number: where theirs is the largest less some, ours is the largest less as much.
    fn number(&self, value: &Value) -> u128 {
        match amount(value) {
            large if large > COUNTER_MAX => self.largest - (u128::MAX - large),
            small => small,
        }
    }

    fn open(&mut self, step: &Value) -> Result<(), String> {
        if is_form(text(step, "status")) {
            return Ok(());
        }
        let asset = asset_of(&step["ledger"]);
        let code = Code::of("EUR");
        let known = AssetRecord {
            issuer: PARTY,
            code,
            scale: 2,
            kind: AssetKind::Money,
            freezable: false,
            clawback: false,
        };
        self.state.put(&asset.0, &known);
        let limit = COUNTER_MAX as i128;
        // Accounts of a case have ids of their own, so the record is written as an opening would.
        let record = AccountRecord {
            owner: Holder::Party(PARTY),
            asset,
            purpose: PurposeCode::of("case").unwrap(),
            currency: Currency { code, scale: 2 },
            kind: AccountKind::Plain,
            code: 0,
            control: None,
            counters: Counters::default(),
            floor: if has_flag(step, "debits_must_not_exceed_credits") { 0 } else { -limit },
            ceiling: has_flag(step, "credits_must_not_exceed_debits").then_some(0),
            holds_overdraft: true,
            frozen_in: None,
            frozen_out: None,
            closed: false,
            hooks: HookSet::default(),
            history_count: 0,
            history_root: Hash::ZERO,
        };
        self.state.put(&account_of(&step["id"]).0, &record);
        Ok(())
    }

    fn set(&mut self, step: &Value) -> Result<(), String> {
        let id = account_of(&step["account"]);
        let mut record: AccountRecord = self.state.get(&id.0).unwrap().unwrap();
        let field = |name: &str| self.number(&step[name]);
        record.counters.debits_pending = field("debits_pending");
        record.counters.credits_pending = field("credits_pending");
        record.counters.debits_posted = field("debits_posted");
        record.counters.credits_posted = field("credits_posted");
        self.state.put(&id.0, &record);
        Ok(())
    }

    fn expect(&mut self, step: &Value) -> Result<(), String> {
        let record: Option<AccountRecord> = self.state.get(&account_of(&step["id"]).0).unwrap();
        if step["exists"] == false {
            return if record.is_none() { Ok(()) } else { Err("an account that should not be there".into()) };
        }
        let record = record.ok_or("no account")?;
        let ours = [
            record.counters.debits_pending,
            record.counters.debits_posted,
            record.counters.credits_pending,
            record.counters.credits_posted,
        ];
        let names = ["debits_pending", "debits_posted", "credits_pending", "credits_posted"];
        let theirs = names.map(|name| self.number(&step[name]));
        if ours == theirs { Ok(()) } else { Err(format!("{}: {ours:?}, {theirs:?} expected", step["id"])) }
    }

    fn expect_transfer(&mut self, step: &Value) -> Result<(), String> {
        let ours = self.amounts.get(&key(&step["id"])).copied();
        if step["exists"] == false {
            return if ours.is_none() { Ok(()) } else { Err("a transfer that should not be there".into()) };
        }
        match (ours, step["amount"].is_null()) {
            (Some(ours), false) if ours != self.number(&step["amount"]) => {
                Err(format!("transfer {} moved {ours}, {} expected", step["id"], step["amount"]))
            }
            _ => Ok(()),
        }
    }

    fn draft(&mut self) -> Draft {
        self.entries += 1;
        let today = Date::of(2026, 1, 1);
        Draft {
            id: EntryId { item: Hash([1; 32]), index: self.entries },
            source: EntrySource::Party,
            act: Act::Post,
            booked_at: self.now,
            today,
            value_date: today,
            dated_by: DatedBy::Chain,
            lines: Lines::new(),
            narrative: None,
            reference: None,
        }
    }

    fn transfer(&mut self, step: &Value) -> Result<(), String> {
        let status = text(step, "status");
        // A release of ours names no amount.
        let names_amount =
            has_flag(step, "void_pending_transfer") && status == "exceeds_pending_transfer_amount";
        if is_form(status) || names_amount {
            return Ok(());
        }
        let (ours, moved) = match self.try_transfer(step) {
            Ok(moved) => ("created", Some(moved)),
            Err(Stop::Refused(refusal)) => (refusal.name(), None),
            Err(Stop::Fault(fault)) => return Err(fault.to_string()),
        };
        let same =
            ours == status || SAME.iter().any(|(name, statuses)| *name == ours && statuses.contains(&status));
        if let Some(moved) = moved {
            self.amounts.insert(key(&step["id"]), moved);
        }
        if same { Ok(()) } else { Err(format!("{ours}, {status} expected: {step}")) }
    }

    fn try_transfer(&mut self, step: &Value) -> Result<u128, Stop> {
        let asked = amount(&step["amount"]);
        if has_flag(step, "post_pending_transfer") || has_flag(step, "void_pending_transfer") {
            return self.resolve(step, asked);
        }
        let (from, to) = (account_of(&step["debit_account_id"]), account_of(&step["credit_account_id"]));
        let minor = self.settled(step, from, to, asked.min(AMOUNT_MAX))?;
        let line = |account, side| Line { account, side, minor: minor as i128, currency: None };
        let spends = vec![Spend { account: from, amount: u128::MAX }];
        let mut signed = Signed::by([&PARTY], &spends, None);
        let mut draft = self.draft();
        let plan = if has_flag(step, "pending") {
            let hold = HoldId(account_of(&step["id"]).0);
            let timeout = step["timeout"].as_u64().filter(|seconds| *seconds > 0);
            let last = timeout.map_or(u64::from(HOLD_DAYS) * 86_400_000, |seconds| seconds * 1_000 - 1);
            let expires_at = Timestamp(self.now.0 + last);
            draft.act = Act::Hold { hold, expires_at };
            self.holds.insert(key(&step["id"]), hold);
            // A transfer of nothing is judged and leaves nothing: ours are of something.
            if minor == 0 {
                return self.check(from, to).map(|()| 0);
            }
            let parts = [HoldPart { from, to, line: line(from, Side::Debit) }];
            ledger::plan_hold(&self.state, &mut draft, &parts, HOLD_DAYS, &signed)?
        } else {
            if minor == 0 {
                return self.check(from, to).map(|()| 0);
            }
            draft.lines = Lines::from([line(from, Side::Debit), line(to, Side::Credit)]);
            ledger::plan(&self.state, &draft, &signed)?
        };
        ledger::commit(&mut self.state, plan, &mut signed, self.height, &mut vec![])?;
        Ok(minor)
    }

    /// Both accounts are there, and are two.
    fn check(&self, from: AccountId, to: AccountId) -> Result<(), Stop> {
        if from == to {
            return Err(Refusal::SameAccount { account: from }.into());
        }
        for account in [from, to] {
            self.state.get::<AccountRecord>(&account.0)?.ok_or(Refusal::UnknownAccount { account })?;
        }
        Ok(())
    }

    /// The amount of a balancing transfer: what keeps the account's debits below its credits, or the other way.
    fn settled(&self, step: &Value, from: AccountId, to: AccountId, asked: u128) -> Result<u128, Stop> {
        let mut minor = asked;
        for (flag, account, side) in
            [("balancing_debit", from, Side::Debit), ("balancing_credit", to, Side::Credit)]
        {
            if !has_flag(step, flag) {
                continue;
            }
            let record: Option<AccountRecord> = self.state.get(&account.0)?;
            let record = record.ok_or(Refusal::UnknownAccount { account })?;
            let free = match side {
                Side::Debit => record.balance() - record.counters.debits_pending as i128,
                Side::Credit => -record.balance() - record.counters.credits_pending as i128,
            };
            let term = Term { account, asset: record.asset, side, mode: Mode::AtMost, minor: minor as i128 };
            let room = |_: &AccountId, _: Side| Some(free.max(0).unsigned_abs());
            minor = settle(&[term], room).map_or(0, |amounts| amounts[0].unsigned_abs());
        }
        Ok(minor)
    }

    fn resolve(&mut self, step: &Value, asked: u128) -> Result<u128, Stop> {
        let hold = self.holds.get(&key(&step["pending_id"])).copied();
        let hold = hold.unwrap_or(HoldId(account_of(&step["pending_id"]).0));
        // A hold of nothing was never placed, and ends without a trace.
        if self.amounts.get(&key(&step["pending_id"])) == Some(&0) {
            return Ok(0);
        }
        let mut signed = Signed::by([&PARTY], &[], None);
        let mut draft = self.draft();
        let is_post = has_flag(step, "post_pending_transfer");
        let held = self.amounts.get(&key(&step["pending_id"])).copied();
        if !is_post || asked == 0 {
            let plan = ledger::plan_release(&self.state, &mut draft, hold, &signed)?;
            ledger::commit(&mut self.state, plan, &mut signed, self.height, &mut vec![])?;
            return Ok(if is_post { 0 } else { held.unwrap_or(0) });
        }
        let from = ledger::hold_lines(&self.state, &hold)?.first().map(|(from, _)| *from);
        let from = from.ok_or(Refusal::UnknownHold { hold })?;
        let parts = if asked == u128::MAX { vec![] } else { vec![(from, asked)] };
        let capture = Capture { hold, parts: &parts, last: true };
        let plan = ledger::plan_capture(&self.state, &mut draft, &capture, &signed)?;
        let mut entries = vec![];
        ledger::commit(&mut self.state, plan, &mut signed, self.height, &mut entries)?;
        Ok(entries[0].postings[0].amount)
    }

    fn expire(&mut self) -> Result<(), String> {
        for hold in ledger::due_holds(&self.state, self.now, 1_000).map_err(|fault| fault.to_string())? {
            let mut draft = self.draft();
            let plan = ledger::expire(&self.state, &mut draft, hold).map_err(|stop| stop.to_string())?;
            let mut signed = Signed::default();
            ledger::commit(&mut self.state, plan, &mut signed, self.height, &mut vec![])
                .map_err(|fault| fault.to_string())?;
        }
        Ok(())
    }
}
