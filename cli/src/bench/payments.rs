//! Signed, durable transfers per second over many accounts, beside what the machine can verify.

use super::signer::Signer;
use super::{Figure, Measured, Ratio, verify};
use crate::demo::cast::Cast;
use crate::desk::Desk;
use crate::folder::Folder;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AccountId, ChainId};
use tenor_wire::op::{AccountOp, Operation, Spend, TransferOp, account_id};
use tenor_wire::receipt::Fate;
use tenor_wire::tx::Transaction;

/// Accounts that pay each other.
const ACCOUNTS: usize = 1_000;
/// Transfers of a block.
const BLOCK: usize = 500;
/// Blocks that are signed ahead, so that signing is not measured.
const AHEAD: usize = 16;

pub(super) fn measure(seconds: u64) -> Result<Measured> {
    let ceiling = verify::all_cores(seconds)?;
    let scratch = std::env::temp_dir().join(format!("tenor-bench-{}", std::process::id()));
    let measured = payments(&scratch, seconds);
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch).with_context(|| format!("clearing {}", scratch.display()))?;
    }
    let rate = measured?;
    Ok(Measured {
        figures: vec![
            Figure { name: "payments_per_second", value: rate, unit: "/s" },
            Figure { name: "verify_per_second_all_cores", value: ceiling, unit: "/s" },
        ],
        ratios: vec![Ratio {
            name: "of_verify_ceiling",
            value: rate / ceiling,
            of: "payments_per_second",
            to: "verify_per_second_all_cores",
        }],
    })
}

/// Somebody with a key in memory and an account.
struct Payer {
    signer: Signer,
    account: AccountId,
}

impl Payer {
    fn new(cast: &Cast, number: usize) -> Result<Payer> {
        let signer = Signer::numbered(number)?;
        let account = account_id(&signer.party.0, &cast.eur, "main");
        Ok(Payer { signer, account })
    }

    fn enrolment(&self, cast: &Cast) -> [Operation; 2] {
        let (owner, asset) = (self.signer.party, cast.eur);
        let account = AccountOp { owner, asset, purpose: "main".into(), floor: 0, ceiling: None };
        [self.signer.enrolment(cast), Operation::Account(account)]
    }

    /// A signed transfer of one cent.
    fn pay(&self, chain: ChainId, time: Timestamp, to: &Payer, number: u64) -> Transaction {
        let (from, amount) = (self.account, 1);
        let op = TransferOp { from, to: to.account, amount, narrative: None, reference: None };
        self.signer.sign(chain, time, number, vec![Spend { account: from, amount }], Operation::Transfer(op))
    }
}

/// Enrols and funds everybody, a block for each hundred.
fn set_up(desk: &mut Desk, cast: &Cast, payers: &[Payer]) -> Result<()> {
    let mut number = 0u64;
    for group in payers.chunks(100) {
        let mut transactions = vec![];
        for payer in group {
            let (from, amount) = (cast.funding(), 1_000_000);
            let op = TransferOp { from, to: payer.account, amount, narrative: None, reference: None };
            let funding = ("bank", Operation::Transfer(op), vec![Spend { account: from, amount }]);
            let enrolment = payer.enrolment(cast).map(|operation| ("officer", operation, vec![]));
            for (by, operation, spend) in enrolment.into_iter().chain([funding]) {
                number += 1;
                let choice = cast.choice(&format!("bench/{number}"));
                transactions.push(desk.sign(by, operation, spend, choice)?);
            }
        }
        let receipts = desk.submit(transactions)?;
        if receipts.iter().any(|full| full.receipt.fate != Fate::Done) {
            bail!("an account could not be set up");
        }
    }
    Ok(())
}

fn payments(scratch: &Path, seconds: u64) -> Result<f64> {
    let cast = Cast::new(1);
    Folder::create(scratch, &cast.genesis(), &cast.keys(), &cast.names())?;
    let mut desk = Desk::at_tip(Folder::open(scratch)?)?;
    let payers = (0..ACCOUNTS).map(|number| Payer::new(&cast, number)).collect::<Result<Vec<_>>>()?;
    set_up(&mut desk, &cast, &payers)?;
    let (mut measured, mut done, mut number) = (Duration::ZERO, 0usize, 0usize);
    while measured < Duration::from_secs(seconds.max(1)) {
        let (chain, time) = (desk.chain_id(), desk.time());
        let mut next = || {
            number += 1;
            let from = number % ACCOUNTS;
            // A step of 1 to 13 never comes back to the payer.
            let to = (from + 1 + number / ACCOUNTS % 13) % ACCOUNTS;
            payers[from].pay(chain, time, &payers[to], number as u64)
        };
        let blocks: Vec<Vec<Transaction>> =
            (0..AHEAD).map(|_| (0..BLOCK).map(|_| next()).collect()).collect();
        let start = Instant::now();
        for transactions in blocks {
            let block = desk.block(Timestamp(desk.time().0 + 1), transactions)?;
            if block.receipts.iter().any(|full| full.receipt.fate != Fate::Done) {
                bail!("a payment was not done");
            }
            done += block.receipts.len();
        }
        // The clock stops when the store has caught up with the log.
        desk.folder_mut().chain.flush()?;
        measured += start.elapsed();
    }
    Ok(done as f64 / measured.as_secs_f64())
}
