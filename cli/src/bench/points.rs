//! A chain with points that many people hold: what calls are measured on.

use super::signer::Signer;
use crate::demo::cast::Cast;
use crate::keys::VALIDATOR;
use crate::words;
use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use tenor_abi::codec::{self, encode};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AgreementId, CodeHash};
use tenor_abi::spec::Spec;
use tenor_runtime::chain::{Chain, Genesis, Solo};
use tenor_wire::op::{InvokeOp, OpenOp, Operation, PublishOp, Seen};
use tenor_wire::receipt::{Fate, FullReceipt};
use tenor_wire::tx::Transaction;

/// The example contract, as built with the command.
pub(super) const POINTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/points.wasm"));
/// Parties that pass points to each other.
pub(super) const HOLDERS: usize = 1_000;
/// Points of each at the beginning.
pub(super) const HELD: u64 = 1_000_000;

/// A chain with points that everybody holds some of.
pub(super) struct Points {
    pub(super) chain: Chain,
    pub(super) solo: Solo,
    pub(super) cast: Cast,
    pub(super) holders: Vec<Signer>,
    pub(super) spec: Spec,
    pub(super) seen: Seen,
}

impl Points {
    /// Points on a chain that is made of a genesis.
    pub(super) fn issued(create: impl FnOnce(Genesis) -> Result<Chain>) -> Result<Points> {
        let cast = Cast::new(1);
        let holders = (0..HOLDERS).map(Signer::numbered).collect::<Result<Vec<_>>>()?;
        let mut genesis = cast.genesis();
        genesis.operations.extend(holders.iter().map(|holder| holder.enrolment(&cast)));
        let chain = create(genesis)?;
        let solo = Solo::new(cast.key(VALIDATOR));
        let seen = Seen { agreement: AgreementId([0; 32]), code: CodeHash([0; 32]), terms_version: 0 };
        let mut points = Points { chain, solo, cast, holders, spec: words::spec_of(POINTS)?, seen };
        let code = points.publish(POINTS.to_vec())?;
        points.seen = points.open(code)?;
        points.issue()?;
        Ok(points)
    }

    /// Publishes a contract that has the spec of points.
    pub(super) fn publish(&mut self, wasm: Vec<u8>) -> Result<CodeHash> {
        let publish = PublishOp { bank: self.cast.party("bank"), wasm, exposure: vec![] };
        self.answer("officer", Operation::Publish(publish))
    }

    /// Opens an agreement of such a contract.
    pub(super) fn open(&mut self, code: CodeHash) -> Result<Seen> {
        let terms = encode(&(1u16, self.cast.party("bank")));
        let agreement =
            self.answer("bank", Operation::Open(OpenOp { code, terms, arguments: encode(&0u16) }))?;
        Ok(Seen { agreement, code, terms_version: 0 })
    }

    fn issue(&mut self) -> Result<()> {
        let bank = Signer::of(&self.cast, "bank");
        let issues = self.holders.iter().enumerate().map(|(number, holder)| {
            let call = self.call(self.seen, "issue", encode(&(2u16, holder.party, HELD)))?;
            Ok(bank.sign(self.chain.id(), self.time(), number as u64, vec![], call))
        });
        let issues = issues.collect::<Result<Vec<_>>>()?;
        self.produce(issues).map(|_| ())
    }

    /// The signed transfer of a number, by an agreement with the spec of points.
    pub(super) fn transfer(&self, seen: Seen, number: usize) -> Result<Transaction> {
        let from = &self.holders[number % HOLDERS];
        // A step of 1 to 13 never comes back to who pays.
        let to = &self.holders[(number + 1 + number / HOLDERS % 13) % HOLDERS];
        let arguments = encode(&(3u16, from.party, to.party, 1 + number as u64 % 7));
        let call = self.call(seen, "transfer", arguments)?;
        Ok(from.sign(self.chain.id(), self.time(), number as u64, vec![], call))
    }

    /// Time of the next block.
    pub(super) fn time(&self) -> Timestamp {
        Timestamp(self.chain.tip().time.0 + 1)
    }

    fn call(&self, seen: Seen, name: &str, arguments: Vec<u8>) -> Result<Operation> {
        let number = self.spec.calls.iter().position(|call| call.name == name);
        let call = number.with_context(|| format!("points have no call `{name}`"))? as u16;
        Ok(Operation::Invoke(InvokeOp { seen, call, arguments }))
    }

    /// What one operation of somebody of the cast answers.
    fn answer<T: DeserializeOwned>(&mut self, name: &str, operation: Operation) -> Result<T> {
        let signer = Signer::of(&self.cast, name);
        let height = self.chain.tip().height;
        let tx = signer.sign(self.chain.id(), self.time(), u64::MAX - height, vec![], operation);
        let receipts = self.produce(vec![tx])?;
        let first = receipts.first().context("one transaction leaves one receipt")?;
        Ok(codec::decode_own(&first.data)?)
    }

    /// Makes a block of transactions, each of which is done.
    pub(super) fn produce(&mut self, transactions: Vec<Transaction>) -> Result<Vec<FullReceipt>> {
        let (time, count) = (self.time(), transactions.len());
        let candidates = transactions.into_iter().map(Into::into).collect();
        let (_, block) = self.solo.produce(&mut self.chain, time, candidates)?;
        let is_done = |full: &&FullReceipt| full.receipt.fate == Fate::Done;
        if let Some(full) = block.receipts.iter().find(|full| !is_done(full)) {
            let text = String::from_utf8_lossy(&full.data);
            bail!("a transaction ended {:?} {:#x}: {text}", full.receipt.fate, full.receipt.code);
        }
        ensure!(block.receipts.len() == count, "{} of {count} transactions were taken", block.receipts.len());
        Ok(block.receipts)
    }
}
