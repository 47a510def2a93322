//! What happens: two years of a small bank, month by month.

use super::cast::{CUSTOMERS, Cast, EUR};
use super::plot::Point;
use crate::desk::{Desk, GAS_LIMIT};
use crate::output::Progress;
use crate::products;
use crate::words::{self, Arguments};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::entry::Side;
use tenor_abi::event::EventBody;
use tenor_abi::id::{AccountId, AgreementId, CodeHash, ProposalId};
use tenor_abi::money::Money;
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::Spec;
use tenor_wire::block::{Block, Item};
use tenor_wire::op::{
    AccountKind, AccountOp, ExposureLimit, InvokeOp, OpenOp, Operation, PartyKind, ProposeOp, PublishOp,
    Seen, Spend, TransferOp, account_id,
};
use tenor_wire::receipt::{Fate, FullReceipt};

/// Months that the demo lives through.
pub const MONTHS: i32 = 24;
/// Customers with a loan.
const LOANS: usize = 20;
/// Who has no money for half of a month, and in which: an instalment is missed, standing orders are suspended.
const UNLUCKY: &str = "customer-01";
const DRY_MONTH: i32 = 8;
/// Where customers buy.
const MERCHANT: &str = "merchant";

/// What the script leaves besides the chain.
pub struct Lived {
    /// The seed.
    pub seed: u64,
    /// Agreements by name.
    pub names: BTreeMap<String, String>,
    /// Transactions that stand in blocks.
    pub transactions: u64,
    /// Occurrences that stand in blocks.
    pub occurrences: u64,
    /// What was outstanding at the end of each day with a block.
    pub curve: Vec<Point>,
    /// Place of a customer's payment, to prove.
    pub receipt: (u64, u32),
    /// The loan shown in the report.
    pub loan: AgreementId,
    /// The programme.
    pub programme: AgreementId,
}

struct Product {
    code: CodeHash,
    spec: Spec,
}

struct Script<'c> {
    desk: Desk,
    cast: &'c Cast,
    products: BTreeMap<&'static str, Product>,
    names: BTreeMap<String, AgreementId>,
    steps: u64,
    counts: Counts,
    receipt: (u64, u32),
}

/// What is counted from the blocks as they pass.
#[derive(Default)]
struct Counts {
    transactions: u64,
    occurrences: u64,
    /// Books of principal, and what they came to.
    loans: BTreeSet<AccountId>,
    principal: i128,
    /// Book of points outstanding, and what it came to.
    programme: Option<AccountId>,
    points: i128,
    curve: Vec<Point>,
    /// An account, and what it came to.
    unlucky: Option<AccountId>,
    held: i128,
    /// State that each agreement entered last.
    states: BTreeMap<AgreementId, u16>,
}

/// Lives through the script.
///
/// # Errors
/// When a step does not come to what it should.
pub fn live(desk: Desk, cast: &Cast, progress: &mut Progress) -> Result<(Desk, Lived)> {
    let mut script = Script::new(desk, cast);
    script.counts.unlucky = Some(cast.account(UNLUCKY));
    let mut people = cast.customers();
    people.push(MERCHANT.into());
    script.enrol(&people)?;
    script.publish()?;
    script.open_programme(MERCHANT)?;
    script.join_programme()?;
    script.open_orders()?;
    script.open_loans()?;
    for month in 0..MONTHS {
        script.month(month)?;
        progress.at("living through 24 months", month as u64 + 1, MONTHS as u64);
    }
    let find = |name: &str| script.names.get(name).copied().with_context(|| format!("no agreement {name}"));
    let (loan, programme) = (find("loan-01")?, find("programme")?);
    let lived = Lived {
        seed: cast.seed,
        names: script.names.iter().map(|(name, id)| (name.clone(), id.to_string())).collect(),
        transactions: script.counts.transactions,
        occurrences: script.counts.occurrences,
        curve: script.counts.curve,
        receipt: script.receipt,
        loan,
        programme,
    };
    Ok((script.desk, lived))
}

/// Makes a bank without customers: its people have accounts, the products are published, the programme runs at a shop.
///
/// # Errors
/// When a step does not come to what it should.
pub fn found(desk: Desk, cast: &Cast, shop: &str) -> Result<Desk> {
    let mut script = Script::new(desk, cast);
    script.enrol(&cast.people)?;
    script.publish()?;
    script.open_programme(shop)?;
    script.desk.folder_mut().names.agreements =
        script.names.iter().map(|(name, id)| (name.clone(), id.to_string())).collect();
    Ok(script.desk)
}

fn euro(text: &str) -> Money {
    EUR.parse(text).expect("the script's amounts are amounts")
}

impl<'c> Script<'c> {
    fn new(desk: Desk, cast: &'c Cast) -> Script<'c> {
        let (products, names) = (BTreeMap::new(), BTreeMap::new());
        Script { desk, cast, products, names, steps: 0, counts: Counts::default(), receipt: (0, 0) }
    }

    fn count(&mut self, block: &Block) {
        count(&mut self.counts, block);
    }

    /// Signs and runs operations in one block; each must be done.
    fn run(&mut self, operations: Vec<(&str, Operation, Vec<Spend>)>) -> Result<Vec<FullReceipt>> {
        let mut transactions = vec![];
        for (name, operation, spend) in operations {
            self.steps += 1;
            let choice = self.cast.choice(&self.steps.to_string());
            transactions.push(self.desk.sign(name, operation, spend, choice)?);
        }
        let ids: Vec<_> = transactions.iter().map(|tx| tx.id().0).collect();
        let block = self.desk.block(Timestamp(self.desk.time().0 + 1), transactions)?;
        self.count(&block);
        let mut receipts = vec![];
        for id in ids {
            let index = block
                .receipts
                .iter()
                .position(|full| full.receipt.item.0 == id)
                .context("a transaction left no receipt")?;
            let full = block.receipts[index].clone();
            if full.receipt.fate != Fate::Done {
                let why =
                    Refusal::from_data(&full.data).map_or_else(String::new, |refusal| refusal.to_string());
                bail!(
                    "a step of the demo was {:?} with code {:#x} {why}",
                    full.receipt.fate,
                    full.receipt.code
                );
            }
            self.receipt = (block.header.height, index as u32);
            receipts.push(full);
        }
        Ok(receipts)
    }

    fn enrol(&mut self, people: &[String]) -> Result<()> {
        let cast = self.cast;
        let parties = people.iter().map(|name| {
            let is_person = name.starts_with("customer");
            let kind = if is_person { PartyKind::Person } else { PartyKind::Organisation };
            ("officer", Operation::Party(cast.party_op(name, kind)), vec![])
        });
        self.run(parties.collect())?;
        let accounts = people.iter().map(|name| {
            let op = AccountOp {
                owner: cast.party(name),
                asset: cast.eur,
                purpose: "main".into(),
                floor: 0,
                ceiling: None,
                kind: AccountKind::Plain,
            };
            ("officer", Operation::Account(op), vec![])
        });
        self.run(accounts.collect())?;
        self.pay_in(people, "2000.00")
    }

    /// Pays money into accounts, from the bank's funding.
    fn pay_in(&mut self, people: &[String], amount: &str) -> Result<()> {
        let (cast, amount) = (self.cast, euro(amount).minor.unsigned_abs());
        let payments = people.iter().map(|name| {
            let op = TransferOp {
                from: cast.funding(),
                to: cast.account(name),
                amount,
                narrative: None,
                reference: None,
            };
            ("bank", Operation::Transfer(op), vec![Spend { account: cast.funding(), amount }])
        });
        self.run(payments.collect())?;
        Ok(())
    }

    fn publish(&mut self) -> Result<()> {
        for product in products::ALL {
            let limit = |asset| ExposureLimit { asset, limit: 10u128.pow(12) };
            let mut exposure = vec![limit(self.cast.eur), limit(self.cast.points)];
            exposure.sort_by_key(|limit| limit.asset);
            let op = PublishOp { bank: self.cast.party("bank"), wasm: product.wasm.to_vec(), exposure };
            let receipts = self.run(vec![("officer", Operation::Publish(op), vec![])])?;
            let code: CodeHash = codec::decode(&receipts[0].data, 64)?;
            let spec = words::spec_of(product.wasm)?;
            self.products.insert(product.name, Product { code, spec });
        }
        Ok(())
    }

    fn product(&self, name: &str) -> Result<&Product> {
        self.products.get(name).with_context(|| format!("no product {name}"))
    }

    fn open(&mut self, name: &str, product: &str, by: &str, terms: &[(&str, String)]) -> Result<AgreementId> {
        let product = self.product(product)?;
        let terms =
            words::terms(&product.spec, &Arguments::of(terms), &|word| self.desk.folder().lookup(word))?;
        let op = OpenOp { code: product.code, terms, arguments: vec![0] };
        let receipts = self.run(vec![(by, Operation::Open(op), vec![])])?;
        let id: AgreementId = codec::decode(&receipts[0].data, 64)?;
        self.names.insert(name.into(), id);
        Ok(id)
    }

    fn calling(
        &self,
        product: &str,
        agreement: AgreementId,
        call: &str,
        arguments: &[(&str, String)],
    ) -> Result<InvokeOp> {
        let product = self.product(product)?;
        let number = product
            .spec
            .calls
            .iter()
            .position(|def| def.name == call)
            .with_context(|| format!("no call {call}"))?;
        let arguments = words::arguments(
            &product.spec,
            &product.spec.calls[number],
            &Arguments::of(arguments),
            &|word| self.desk.folder().lookup(word),
        )?;
        Ok(InvokeOp {
            seen: Seen { agreement, code: product.code, terms_version: 0 },
            call: number as u16,
            arguments,
        })
    }

    fn open_orders(&mut self) -> Result<()> {
        let (cast, customers) = (self.cast, self.cast.customers());
        for (number, name) in customers.iter().enumerate() {
            let amount =
                format!("{}.{:02} EUR", 80 + cast.pick("rent", number, 120), cast.pick("cents", number, 100));
            let day = 1 + cast.pick("day", number, 31);
            let terms = [
                ("payer", cast.account(name).to_string()),
                ("payee", cast.account("merchant").to_string()),
                ("amount", amount),
                ("rhythm", "Monthly".into()),
                ("first", "2026-01-05".into()),
                ("day", if day > 30 { "last".into() } else { day.to_string() }),
                ("calendar", cast.calendar().to_string()),
            ];
            self.open(&format!("rent-{:02}", number + 1), "recurring", name, &terms)?;
            let friend = &customers[(number + 1) % CUSTOMERS];
            let terms = [
                ("payer", cast.account(name).to_string()),
                ("payee", cast.account(friend).to_string()),
                ("amount", format!("{}.00 EUR", 1 + cast.pick("gift", number, 5))),
                ("rhythm", "Weekly".into()),
                ("first", format!("2026-01-{:02}", 6 + cast.pick("weekday", number, 7))),
            ];
            self.open(&format!("weekly-{:02}", number + 1), "recurring", name, &terms)?;
        }
        Ok(())
    }

    fn open_loans(&mut self) -> Result<()> {
        let customers = self.cast.customers();
        for (number, name) in customers.iter().take(LOANS).enumerate() {
            let large = number == 1;
            let principal =
                if large { 60_000 } else { 1_000 + 500 * self.cast.pick("principal", number, 10) };
            let terms = [
                ("borrower", self.cast.account(name).to_string()),
                ("principal", format!("{principal}.00 EUR")),
                ("rate", format!("{}.25%", 3 + self.cast.pick("rate", number, 6))),
                ("day_count", ["30/360", "act/365f", "act/360"][number % 3].into()),
                ("instalments", if large { "240" } else { ["12", "18", "36"][number % 3] }.into()),
                ("first_due", format!("2026-02-{:02}", 1 + self.cast.pick("due", number, 28))),
                ("collection_max", "5000.00 EUR".into()),
                ("calendar", self.cast.calendar().to_string()),
            ];
            let loan = self.open(&format!("loan-{:02}", number + 1), "loan", "officer", &terms)?;
            self.counts.loans.insert(account_id(&loan.0, &self.cast.eur, "principal"));
            let accept = self.calling("loan", loan, "accept", &[])?;
            let disburse = self.calling("loan", loan, "disburse", &[])?;
            self.run(vec![(name, Operation::Sign(accept), vec![])])?;
            if large {
                self.with_four_eyes(Operation::Invoke(disburse))?
            } else {
                self.run(vec![("officer", Operation::Invoke(disburse), vec![])]).map(drop)?
            }
        }
        Ok(())
    }

    fn with_four_eyes(&mut self, operation: Operation) -> Result<()> {
        let expires_at = Timestamp(self.desk.time().0 + DAY_MS);
        let op =
            ProposeOp { operation: Box::new(operation), gas_limit: GAS_LIMIT, spend_max: vec![], expires_at };
        let receipts = self.run(vec![("officer", Operation::Propose(op), vec![])])?;
        let proposal: ProposalId = codec::decode(&receipts[0].data, 64)?;
        self.run(vec![("manager", Operation::Approve(proposal), vec![])])?;
        Ok(())
    }

    fn open_programme(&mut self, merchant: &str) -> Result<()> {
        let terms = [
            ("merchant", self.cast.account(merchant).to_string()),
            ("funding", self.cast.account("bank").to_string()),
            ("funding_max", "100000.00 EUR".into()),
            ("points", self.cast.points.to_string()),
            ("points_unit", "PTS".into()),
            ("points_per_unit", "2".into()),
            ("point_value", "0.01 EUR".into()),
            ("lot_days", "365".into()),
            ("redeem_min", "100".into()),
        ];
        self.pay_in(&["bank".into()], "50000.00")?;
        let programme = self.open("programme", "loyalty", "bank", &terms)?;
        self.counts.programme = Some(account_id(&programme.0, &self.cast.points, "outstanding"));
        Ok(())
    }

    fn join_programme(&mut self) -> Result<()> {
        let programme = self.names["programme"];
        for name in self.cast.customers() {
            let join = self.calling("loyalty", programme, "join", &[])?;
            self.run(vec![(&name, Operation::Invoke(join), vec![])])?;
        }
        Ok(())
    }

    /// A month: salaries on the second, purchases with points in the middle, a few redemptions, an early repayment
    /// and somebody out of money; everything else happens by itself.
    fn month(&mut self, month: i32) -> Result<()> {
        let first = Date::of(2026, 1, 1).add_months(month);
        let mut people = self.cast.customers();
        self.advance(first.add_days(1))?;
        if month == DRY_MONTH {
            people.retain(|name| name != UNLUCKY);
            self.spend_everything()?;
        }
        self.pay_in(&people, "900.00")?;
        self.advance(first.add_days(11))?;
        self.purchases(month, &people)?;
        self.advance(first.add_days(19))?;
        if month == DRY_MONTH {
            self.recover()?;
        }
        if month % 6 == 5 {
            self.redemptions()?;
        }
        if month == 5 {
            self.repay_early("loan-01", UNLUCKY)?;
        }
        self.advance(first.add_months(1))
    }

    fn advance(&mut self, to: Date) -> Result<()> {
        let counts = &mut self.counts;
        self.desk.advance(to.midnight(), |block| count(counts, block))
    }

    /// Customers pay the merchant by signed transfers, and the merchant books their points.
    fn purchases(&mut self, month: i32, customers: &[String]) -> Result<()> {
        let (cast, programme) = (self.cast, self.names["programme"]);
        let mut payments = vec![];
        let mut bookings = vec![];
        for (number, name) in customers.iter().enumerate() {
            let what = format!("basket/{month}");
            let amount = 500 + u128::from(cast.pick(&what, number, 9_500));
            let op = TransferOp {
                from: cast.account(name),
                to: cast.account("merchant"),
                amount,
                narrative: None,
                reference: None,
            };
            payments.push((
                name.as_str(),
                Operation::Transfer(op),
                vec![Spend { account: cast.account(name), amount }],
            ));
            let arguments = [
                ("member", cast.party(name).to_string()),
                ("amount", EUR.parse("0.00").map(|zero| zero.with_minor(amount as i128).to_string())?),
                ("reference", words::hash_text(&cast.choice(&format!("{what}/{number}")))),
            ];
            bookings.push((
                "merchant",
                Operation::Invoke(self.calling("loyalty", programme, "purchase", &arguments)?),
                vec![],
            ));
        }
        self.run(bookings)?;
        self.run(payments)?;
        Ok(())
    }

    /// The unlucky one pays all there is to the merchant.
    fn spend_everything(&mut self) -> Result<()> {
        let (from, to) = (self.cast.account(UNLUCKY), self.cast.account("merchant"));
        let amount = self.counts.held.unsigned_abs();
        let op = TransferOp { from, to, amount, narrative: None, reference: None };
        self.run(vec![(UNLUCKY, Operation::Transfer(op), vec![Spend { account: from, amount }])])?;
        Ok(())
    }

    /// Money comes, and the orders that were suspended are resumed.
    fn recover(&mut self) -> Result<()> {
        self.pay_in(&[UNLUCKY.into()], "2000.00")?;
        for order in ["rent-01", "weekly-01"].map(|name| self.names[name]) {
            let state = self.counts.states.get(&order);
            if state.is_some_and(|state| self.products["recurring"].spec.state_name(*state) == "Suspended") {
                let resume = self.calling("recurring", order, "resume", &[])?;
                self.run(vec![(UNLUCKY, Operation::Invoke(resume), vec![])])?;
            }
        }
        Ok(())
    }

    fn redemptions(&mut self) -> Result<()> {
        let programme = self.names["programme"];
        let customers = self.cast.customers();
        for name in customers.iter().step_by(7) {
            let redeem = self.calling("loyalty", programme, "redeem", &[("points", "150".into())])?;
            self.run(vec![(name, Operation::Invoke(redeem), vec![])])?;
        }
        Ok(())
    }

    fn repay_early(&mut self, loan: &str, name: &str) -> Result<()> {
        let (loan, account) = (self.names[loan], self.cast.account(name));
        let repay = self.calling("loan", loan, "repay", &[("amount", "50.00 EUR".into())])?;
        self.run(vec![(name, Operation::Invoke(repay), vec![Spend { account, amount: 5_000 }])])?;
        Ok(())
    }
}

/// Counts a block's items, and follows the books of principal and points through its entries.
fn count(counts: &mut Counts, block: &Block) {
    for item in &block.items {
        match item {
            Item::Due(_) | Item::Expiry(_) => counts.occurrences += 1,
            Item::Tx(_) => counts.transactions += 1,
        }
    }
    for posting in block.receipts.iter().flat_map(|full| &full.entries).flat_map(|entry| &entry.postings) {
        let change = match posting.side {
            Side::Credit => posting.amount as i128,
            Side::Debit => -(posting.amount as i128),
        };
        if counts.loans.contains(&posting.account) {
            counts.principal -= change;
        }
        if counts.programme == Some(posting.account) {
            counts.points += change;
        }
        if counts.unlucky == Some(posting.account) {
            counts.held += change;
        }
    }
    for event in block.receipts.iter().flat_map(|full| &full.events) {
        if let EventBody::State { to, .. } = event.body {
            counts.states.insert(event.agreement, to);
        }
    }
    let (day, principal, points) = (block.header.time.date(), counts.principal, counts.points);
    match counts.curve.last_mut().filter(|last| last.day == day) {
        Some(last) => (last.principal, last.points) = (principal, points),
        None => counts.curve.push(Point { day, principal, points }),
    }
}
