//! The desk: makes, signs and submits operations against an open folder, a block each or many to a block.

use crate::folder::Folder;
use crate::keys::VALIDATOR;
use crate::output::Progress;
use crate::refusal::explain;
use anyhow::{Context, Result, bail};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::id::{ChainId, PartyId};
use tenor_abi::spec::Spec;
use tenor_runtime::chain::{Chain, Replica, Solo};
use tenor_wire::block::Block;
use tenor_wire::crypto::SecretKey;
use tenor_wire::op::{Operation, Spend};
use tenor_wire::receipt::FullReceipt;
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

/// Gas that the command signs for.
pub const GAS_LIMIT: u64 = 200_000_000;

/// A desk over an open folder.
///
/// Blocks that are there already are read instead of made: a script that was interrupted runs again from
/// its beginning and finds what it did, up to the block it had not made.
pub struct Desk {
    folder: Folder,
    /// Signs blocks; none before the first that is made.
    solo: OnceCell<Solo>,
    /// Height that the script has come to; at most the chain's.
    cursor: u64,
    /// Time of the block at the cursor.
    time: Timestamp,
    keys: BTreeMap<String, (PartyId, Arc<SecretKey>)>,
}

impl Desk {
    /// A desk that goes on from the newest block.
    ///
    /// # Errors
    /// None now; what is needed to make a block is asked for when one is made.
    pub fn at_tip(folder: Folder) -> Result<Desk> {
        let (cursor, time) = (folder.chain.tip().height, folder.chain.tip().time);
        Desk::at(folder, cursor, time)
    }

    /// A desk that lives through the chain from its genesis.
    ///
    /// # Errors
    /// As [`Desk::at_tip`].
    pub fn from_genesis(folder: Folder) -> Result<Desk> {
        let time = folder.chain.genesis().time;
        Desk::at(folder, 0, time)
    }

    fn at(folder: Folder, cursor: u64, time: Timestamp) -> Result<Desk> {
        Ok(Desk { folder, solo: OnceCell::new(), cursor, time, keys: BTreeMap::new() })
    }

    /// The open folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The open folder, to change its names.
    pub fn folder_mut(&mut self) -> &mut Folder {
        &mut self.folder
    }

    /// Gives the folder back.
    pub fn into_folder(self) -> Folder {
        self.folder
    }

    /// Why a receipt says no, in this bank's names.
    pub fn explain(&self, receipt: &FullReceipt, spec: Option<&Spec>) -> String {
        explain(&self.folder.chain, &self.folder.names, receipt, spec)
    }

    /// The chain as it stood after the block of a height; how far making it has come is shown.
    ///
    /// # Errors
    /// As [`Folder::chain_at`].
    pub fn chain_at(&self, height: u64) -> Result<Chain> {
        let mut progress = Progress::new();
        let made =
            self.folder.chain_at(height, &mut |done, of| progress.at("making the older state", done, of));
        progress.end();
        made
    }

    /// The chain.
    pub fn chain_id(&self) -> ChainId {
        self.folder.chain.id()
    }

    /// The key that signs blocks.
    ///
    /// # Errors
    /// When the folder has none, or it is sealed.
    pub fn block_key(&self) -> Result<&SecretKey> {
        Ok(self.solo()?.key())
    }

    fn solo(&self) -> Result<&Solo> {
        if self.solo.get().is_none() {
            // A cell that is filled meanwhile holds the same key.
            let _ = self.solo.set(Solo::new(self.folder.keys.get(VALIDATOR)?));
        }
        self.solo.get().context("the key that signs blocks")
    }

    /// Time of the newest block the desk has come to.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Day of it.
    pub fn today(&self) -> Date {
        self.time.date()
    }

    /// Party and key of a name.
    ///
    /// # Errors
    /// When there is no such key or party.
    pub fn signer(&mut self, name: &str) -> Result<(PartyId, Arc<SecretKey>)> {
        if let Some((party, key)) = self.keys.get(name) {
            return Ok((*party, Arc::clone(key)));
        }
        let key = Arc::new(self.folder.keys.get(name)?);
        let party =
            self.folder.names.parties.get(name).with_context(|| format!("the key `{name}` is no party's"))?;
        let party: PartyId = party.parse()?;
        self.keys.insert(name.into(), (party, Arc::clone(&key)));
        Ok((party, key))
    }

    /// A signed operation under an idempotency key of today.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn sign(
        &mut self,
        name: &str,
        operation: Operation,
        spend_max: Vec<Spend>,
        choice: [u8; 12],
    ) -> Result<Transaction> {
        self.sign_together(name, &[], operation, spend_max, choice)
    }

    /// As [`Desk::sign`], with others who sign the same: the first acts, all of them agree.
    ///
    /// # Errors
    /// When there is no such key, or one signs twice.
    pub fn sign_together(
        &mut self,
        name: &str,
        with: &[String],
        operation: Operation,
        mut spend_max: Vec<Spend>,
        choice: [u8; 12],
    ) -> Result<Transaction> {
        let first = self.signer(name)?;
        let mut others = with.iter().map(|other| self.signer(other)).collect::<Result<Vec<_>>>()?;
        others.sort_by_key(|(party, _)| *party);
        let signers: Vec<_> = [first].into_iter().chain(others).collect();
        for (place, (party, _)) in signers.iter().enumerate() {
            if signers[..place].iter().any(|(earlier, _)| earlier == party) {
                bail!("{party} would sign twice; one signature is enough");
            }
        }
        spend_max.sort();
        let body = Body {
            version: BODY_VERSION,
            chain: self.chain_id(),
            authorisers: signers.iter().map(|(party, _)| Authoriser { party: *party, key: 0 }).collect(),
            key: IdempotencyKey::new((self.time.0 / DAY_MS) as u32, choice),
            valid_from: self.time,
            valid_until: Timestamp(self.time.0 + DAY_MS),
            gas_limit: GAS_LIMIT,
            spend_max,
            operation,
        };
        Ok(body.sign(&signers.iter().map(|(_, key)| key.as_ref()).collect::<Vec<_>>()))
    }

    /// Makes the next block at a time, or reads it where it is there already.
    ///
    /// # Errors
    /// When the replica is broken, or a transaction is rejected.
    pub fn block(&mut self, time: Timestamp, transactions: Vec<Transaction>) -> Result<Block> {
        let block = if self.cursor < self.folder.chain.tip().height {
            let block = self.folder.chain.block(self.cursor + 1)?.context("a block is missing")?;
            if block.header.time != time {
                bail!("block {} was made by something else than this", block.header.height);
            }
            block
        } else {
            if !self.folder.chain.genesis().parameters.sandbox {
                bail!(
                    "this is a bank's chain: a node with its guard makes its blocks; ask one with `--node`"
                );
            }
            let candidates = transactions.into_iter().map(Into::into).collect();
            self.solo()?;
            let solo = self.solo.get().context("the key that signs blocks")?;
            let (built, block) = solo.produce(&mut self.folder.chain, time, candidates)?;
            if let Some((id, rejection)) = built.rejected.first() {
                return Err(anyhow::Error::new(rejection.clone()).context(format!("{id} was rejected")));
            }
            if let Some(candidate) = built.postponed.first() {
                bail!("{} did not fit the block", candidate.transaction().id());
            }
            block
        };
        self.cursor = block.header.height;
        self.time = block.header.time;
        Ok(block)
    }

    /// Runs transactions in a block a millisecond after the last one; their receipts in order.
    ///
    /// # Errors
    /// As [`Desk::block`].
    pub fn submit(&mut self, transactions: Vec<Transaction>) -> Result<Vec<FullReceipt>> {
        let ids: Vec<_> = transactions.iter().map(|tx| tx.id().0).collect();
        let block = self.block(Timestamp(self.time.0 + 1), transactions)?;
        let find = |id: &[u8; 32]| block.receipts.iter().find(|full| full.receipt.item.0 == *id).cloned();
        ids.iter().map(|id| find(id).context("a transaction left no receipt")).collect()
    }

    /// Lives on until an instant: a block whenever something falls due, one at the end.
    ///
    /// # Errors
    /// As [`Desk::block`].
    pub fn advance(&mut self, end: Timestamp, mut seen: impl FnMut(&Block)) -> Result<()> {
        loop {
            let next = if self.cursor < self.folder.chain.tip().height {
                self.folder.chain.block(self.cursor + 1)?.map(|block| block.header.time)
            } else {
                self.folder.chain.next_wake()?.map(|wake| wake.max(Timestamp(self.time.0 + 1)))
            };
            let Some(next) = next.filter(|next| *next <= end) else { break };
            seen(&self.block(next, vec![])?);
        }
        if self.time < end {
            seen(&self.block(end, vec![])?);
        }
        Ok(())
    }
}
