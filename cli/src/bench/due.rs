//! Standing orders that all fall due in the same second: the real product as wasm, durable and authenticated.
//!
//! As many payers as orders pay a thousand payees; three of a hundred have no money and are refused. The clock
//! runs from the first block of that second until the last one is durable in the log, and until the state on disk
//! has reached it.

use super::payments::in_parts;
use super::signer::Signer;
use super::{Figure, Measured, Scratch, thread_cpu};
use crate::demo::cast::Cast;
use crate::folder::engine;
use crate::keys::VALIDATOR;
use crate::{products, words};
use anyhow::{Context, Result, ensure};
use std::time::Instant;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AccountId, CodeHash};
use tenor_abi::spec::Spec;
use tenor_abi::value::{self, Value};
use tenor_runtime::chain::{Chain, Solo};
use tenor_runtime::execute::Candidate;
use tenor_runtime::state::Room;
use tenor_wire::op::{OpenOp, Operation, PublishOp, account_id};
use tenor_wire::receipt::Fate;
use tenor_wire::tx::Transaction;

/// Accounts that are paid.
const PAYEES: usize = 1_000;
/// One of so many payers, three times, has no money.
const OF: usize = 100;
const WITHOUT_MONEY: usize = 3;
/// Overdraft in cents of those that have.
const FLOOR: i128 = -1_000_000;
/// Agreements opened in a block.
const BLOCK: usize = 1_000;

pub(super) fn measure(orders: usize, room: Room) -> Result<Measured> {
    let scratch = Scratch::new()?;
    let mut bank = Bank::founded(&scratch, orders, room)?;
    bank.open_all()?;
    let due = bank.chain.next_wake()?.context("nothing falls due")?;
    // Nothing of making the orders is left to be written when the clock begins.
    bank.chain.flush()?;
    let (begun, spent) = (Instant::now(), thread_cpu());
    let (mut done, mut refused, mut failed, mut blocks) = (0, 0, 0, 0);
    bank.solo.produce_due(&mut bank.chain, due, |block| {
        blocks += 1;
        for full in &block.receipts {
            match full.receipt.fate {
                Fate::Done => done += 1,
                Fate::Refused => refused += 1,
                Fate::Failed => failed += 1,
            }
        }
    })?;
    let (at_tip, executing) = (begun.elapsed(), thread_cpu() - spent);
    bank.chain.flush()?;
    let at_mark = begun.elapsed();
    ensure!(failed == 0, "{failed} occurrences failed");
    ensure!(done + refused == orders, "{done} were done and {refused} refused, of {orders}");
    let count = orders as f64;
    let figure = |name: &str, value, unit| Figure { name: name.into(), value, unit };
    Ok(Measured {
        figures: vec![
            figure("occurrences_per_second", count / at_tip.as_secs_f64(), "/s"),
            figure("occurrences_per_second_at_mark", count / at_mark.as_secs_f64(), "/s"),
            figure("execute_us", executing.as_secs_f64() * 1e6 / count, "us"),
            figure("orders", count, "1"),
            figure("refused", refused as f64, "1"),
            figure("blocks", f64::from(blocks), "1"),
        ],
        ratios: vec![],
    })
}

struct Bank {
    chain: Chain,
    solo: Solo,
    cast: Cast,
    payers: Vec<(AccountId, Signer)>,
    spec: Spec,
}

impl Bank {
    /// A bank with its customers and their accounts.
    fn founded(scratch: &Scratch, orders: usize, room: Room) -> Result<Bank> {
        let cast = Cast::new(1);
        let signers = in_parts(orders.max(PAYEES), Signer::numbered)?;
        let mut genesis = cast.genesis();
        let mut payers = vec![];
        for (number, signer) in signers.into_iter().enumerate() {
            let has_money = number % OF >= WITHOUT_MONEY;
            let floor = if has_money { FLOOR } else { 0 };
            // Who is paid holds another account than who pays, so that nobody lives on what came in.
            genesis.operations.extend([signer.enrolment(&cast), signer.account(&cast, "main", floor)]);
            if number < PAYEES {
                genesis.operations.push(signer.account(&cast, "income", 0));
            }
            payers.push((account_id(&signer.party.0, &cast.eur, "main"), signer));
        }
        let chain = Chain::create(scratch.path(), genesis, engine()?, room)?;
        let solo = Solo::new(cast.key(VALIDATOR));
        let product = products::find("recurring").context("the command carries standing orders")?;
        Ok(Bank { chain, solo, cast, payers, spec: words::spec_of(product.wasm)? })
    }

    /// Opens one order for each payer, due tomorrow.
    fn open_all(&mut self) -> Result<()> {
        let code = self.publish()?;
        let template = self.template()?;
        let (chain, time, payers, cast) =
            (self.chain.id(), Timestamp(self.chain.tip().time.0 + 1), &self.payers, &self.cast);
        let signed = in_parts(payers.len(), |number| {
            let (payer, signer) = &payers[number];
            let payee = account_id(&payers[number % PAYEES].1.party.0, &cast.eur, "income");
            let mut terms = template.clone();
            terms[0] = Value::Account(*payer);
            terms[1] = Value::Account(payee);
            let op = OpenOp { code, terms: value::encode_fields(&terms), arguments: vec![0] };
            Ok(signer.sign(chain, time, number as u64, vec![], Operation::Open(op)))
        })?;
        let mut waiting: Vec<Candidate> = signed.into_iter().map(Candidate::from).collect();
        while !waiting.is_empty() {
            let later = waiting.split_off(BLOCK.min(waiting.len()));
            let mut postponed = self.produce(waiting)?;
            postponed.extend(later);
            waiting = postponed;
        }
        Ok(())
    }

    fn publish(&mut self) -> Result<CodeHash> {
        let product = products::find("recurring").context("the command carries standing orders")?;
        let officer = Signer::of(&self.cast, "officer");
        let publish =
            PublishOp { bank: self.cast.party("bank"), wasm: product.wasm.to_vec(), exposure: vec![] };
        let time = Timestamp(self.chain.tip().time.0 + 1);
        let tx: Transaction = officer.sign(self.chain.id(), time, 0, vec![], Operation::Publish(publish));
        let (_, block) = self.solo.produce(&mut self.chain, time, vec![tx.into()])?;
        let full = block.receipts.first().context("the contract was not taken")?;
        ensure!(full.receipt.fate == Fate::Done, "the contract was not published");
        Ok(codec::decode_own(&full.data)?)
    }

    /// The terms of an order, but for who pays whom.
    fn template(&self) -> Result<Vec<Value>> {
        let somebody = self.payers[0].0.to_string();
        let terms = words::terms(
            &self.spec,
            &words::Arguments::of(&[
                ("payer", somebody.clone()),
                ("payee", somebody),
                ("amount", "1.00 EUR".into()),
                ("rhythm", "Monthly".into()),
                ("first", Date::of(2026, 1, 2).to_string()),
                ("day", "2".into()),
            ]),
            &|word| (word == "EUR").then(|| self.cast.eur.to_string()),
        )?;
        Ok(value::decode_fields(&self.spec, value::terms_of(&self.spec), &terms)?)
    }

    fn produce(&mut self, candidates: Vec<Candidate>) -> Result<Vec<Candidate>> {
        let time = Timestamp(self.chain.tip().time.0 + 1);
        let (built, block) = self.solo.produce(&mut self.chain, time, candidates)?;
        ensure!(built.rejected.is_empty(), "an order was rejected: {:?}", built.rejected.first());
        let open = block.receipts.iter().find(|full| full.receipt.fate != Fate::Done);
        ensure!(open.is_none(), "an order was not opened: {:?}", open.map(|full| &full.receipt));
        Ok(built.postponed)
    }
}
