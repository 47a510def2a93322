//! `tenor node restart` and `tenor node clock`: what the chain itself cannot know is said by the bank's staff, in a
//! block that this command makes. The node must not be running.

use super::node::Told;
use super::random;
use crate::desk::GAS_LIMIT;
use crate::folder::Folder;
use crate::keys::VALIDATOR;
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};
use tenor_abi::codec;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{Hash, PartyId};
use tenor_node::config::Config;
use tenor_node::guard::Guard;
use tenor_runtime::chain::Replica;
use tenor_wire::block::{Block, Certificate};
use tenor_wire::hexadecimal::hex;
use tenor_wire::op::{ClockOp, Operation, RestartOp};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

/// Who signs.
#[derive(Debug, Args)]
struct Signers {
    /// Key of operations staff of the bank that signs blocks.
    #[arg(long = "as")]
    by: String,
    /// Key of another one; a sandbox needs none.
    #[arg(long)]
    with: Vec<String>,
    /// Time of the block; now where none is given, in a sandbox a millisecond after the newest block.
    #[arg(long)]
    time: Option<Timestamp>,
    #[command(flatten)]
    told: Told,
}

/// `tenor node restart`.
#[derive(Debug, Args)]
pub struct Restart {
    /// Height of the highest block that anybody is known to have seen of this chain: from the guard, the metrics, the
    /// receipts of customers. What lies above this folder's newest block is given up.
    #[arg(long)]
    abandoned: u64,
    /// The guard is lost: another one is made in its place.
    #[arg(long)]
    lost: bool,
    #[command(flatten)]
    signers: Signers,
}

/// `tenor node clock`.
#[derive(Debug, Args)]
pub struct SetClock {
    #[command(flatten)]
    signers: Signers,
}

/// A folder to which a block is added by hand.
struct Bench {
    folder: Folder,
    guard: Option<Guard>,
}

impl Restart {
    /// Begins the chain again from the newest block of the folder, as another chain.
    ///
    /// # Errors
    /// When too few sign, more was signed than is given up, or the folder cannot be opened.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let config = Config::of(&self.signers.told.settings()?)?;
        let folder = open(&config)?;
        let tip = folder.chain.tip().clone();
        let guard = match &config.guard {
            Some(path) => {
                if self.lost {
                    Guard::create(path, &tip)?;
                }
                Some(Guard::load(path)?)
            }
            None if self.lost => bail!("`--guard` names the file of the guard that is made"),
            None => None,
        };
        let least = guard.as_ref().map_or(0, Guard::height).max(tip.height);
        if self.abandoned < least {
            bail!(
                "block {} is given up; block {least} was signed, and the folder ends at block {}",
                self.abandoned,
                tip.height
            );
        }
        let mut bench = Bench { folder, guard };
        let time = bench.time(self.signers.time)?;
        let op = RestartOp { parent: tip.hash(), abandoned: self.abandoned, time, nonce: Hash(random()?) };
        let tx = self.signers.sign(&bench.folder, time, Operation::Restart(op))?;
        let block = bench.add(time, tx, |guard, block| Ok(guard.begin_again(&block.header, &op)?))?;
        let chain = block.header.chain.to_string();
        let checkpoint = hex(&codec::encode(&bench.folder.chain.first_checkpoint()?));
        let height = block.header.height;
        output.result(
            &json!({
                "chain": chain, "before": tip.chain.to_string(), "height": height, "abandoned": self.abandoned,
                "checkpoint": checkpoint,
            }),
            &format!(
                "begun again at block {height}\nchain      {chain}\nbefore     {}\ngiven up   up to block {}\n\
                 checkpoint {checkpoint}\nclients need the new checkpoint; what they signed for the chain before is signed again",
                tip.chain, self.abandoned
            ),
        )
    }
}

impl SetClock {
    /// Makes a block at a time that lies further behind the newest one than a block does by itself.
    ///
    /// # Errors
    /// When too few sign, the guard does not fit, or the folder cannot be opened.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let config = Config::of(&self.signers.told.settings()?)?;
        let folder = open(&config)?;
        let tip = folder.chain.tip().clone();
        let restart = folder.chain.block(tip.height)?.and_then(|block| block.restart().copied());
        let guard = config.guard.as_deref().map(|path| Guard::open(path, &tip, restart.as_ref()));
        let mut bench = Bench { folder, guard: guard.transpose()? };
        let time = bench.time(self.signers.time)?;
        let op = ClockOp { parent: tip.hash(), time };
        let tx = self.signers.sign(&bench.folder, time, Operation::Clock(op))?;
        let block = bench.add(time, tx, |guard, block| Ok(guard.remember(&block.header)?))?;
        let height = block.header.height;
        output.result(
            &json!({ "height": height, "time": time.to_string() }),
            &format!("block {height} is of {time}"),
        )
    }
}

fn open(config: &Config) -> Result<Folder> {
    let folder = Folder::open(&config.data, config.room)?.keys_opened_by(config.passphrases.as_deref());
    super::warn_of(&folder.opened);
    if config.guard.is_none() && !folder.chain.genesis().parameters.sandbox {
        bail!("`--guard` is needed: this chain is no sandbox");
    }
    Ok(folder)
}

impl Signers {
    fn sign(&self, folder: &Folder, time: Timestamp, operation: Operation) -> Result<Transaction> {
        let signer = |name: &String| -> Result<_> {
            let party = folder.names.parties.get(name);
            let party: PartyId = party.with_context(|| format!("the key `{name}` is no party's"))?.parse()?;
            Ok((party, folder.keys.get(name)?))
        };
        let first = signer(&self.by)?;
        let mut others = self.with.iter().map(signer).collect::<Result<Vec<_>>>()?;
        others.sort_by_key(|(party, _)| *party);
        let signers: Vec<_> = [first].into_iter().chain(others).collect();
        let body = Body {
            version: BODY_VERSION,
            chain: folder.chain.id(),
            authorisers: signers.iter().map(|(party, _)| Authoriser { party: *party, key: 0 }).collect(),
            key: IdempotencyKey::new((time.0 / DAY_MS) as u32, random()?),
            valid_from: time,
            valid_until: Timestamp(time.0 + DAY_MS),
            gas_limit: GAS_LIMIT,
            spend_max: vec![],
            operation,
        };
        Ok(body.sign(&signers.iter().map(|(_, key)| key).collect::<Vec<_>>()))
    }
}

impl Bench {
    /// The time of the next block.
    fn time(&self, given: Option<Timestamp>) -> Result<Timestamp> {
        let (tip, sandbox) = (self.folder.chain.tip().time, self.folder.chain.genesis().parameters.sandbox);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock lies before 1970")?;
        let usual = if sandbox { Timestamp(tip.0 + 1) } else { Timestamp(u64::try_from(now.as_millis())?) };
        let time = given.unwrap_or(usual);
        if time <= tip {
            bail!("the newest block is of {tip}; the next one is later, {time} given");
        }
        Ok(time)
    }

    /// Adds a block around a transaction: written, guarded, signed, committed.
    fn add(
        &mut self,
        time: Timestamp,
        tx: Transaction,
        guard: impl FnOnce(&mut Guard, &Block) -> Result<()>,
    ) -> Result<Block> {
        let key = self.folder.keys.get(VALIDATOR)?;
        let chain = &mut self.folder.chain;
        // The log holds every block that was signed, so signing its newest one again signs nothing new.
        chain.recertify(&|header| Certificate::solo(header, &key))?;
        let built = chain.build(time, vec![tx.into()])?;
        if let Some((_, rejection)) = built.rejected.first() {
            bail!("{rejection}");
        }
        chain.persist(&built.header.hash())?;
        let written = chain.block(built.header.height)?.context("the block that was written is missing")?;
        if let Some(kept) = &mut self.guard {
            guard(kept, &written)?;
        }
        let block = chain.commit(Certificate::solo(&built.header, &key))?;
        chain.flush()?;
        Ok(block)
    }
}
