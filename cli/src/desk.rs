//! The desk: makes and signs operations; an open folder's are run here, a block each or many to a block, those of a chain
//! that a node has are handed in there.

use crate::folder::Folder;
use crate::keys::VALIDATOR;
use crate::output::Progress;
use crate::refusal::explain;
use crate::remote::Node;
use anyhow::{Context, Result, bail};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::id::{ChainId, PartyId};
use tenor_abi::spec::Spec;
use tenor_node::view::check_made;
use tenor_runtime::chain::{Chain, Replica, Solo};
use tenor_wire::block::Block;
use tenor_wire::crypto::SecretKey;
use tenor_wire::op::{Operation, Spend};
use tenor_wire::receipt::{Fate, FullReceipt};
use tenor_wire::tx::{Authoriser, BODY_VERSION, Body, IdempotencyKey, Transaction};

/// Gas that the command signs for.
pub const GAS_LIMIT: u64 = 200_000_000;

/// Who makes the blocks.
enum Maker {
    /// This process, with the folder's key; none before the first block.
    Here(OnceCell<Solo>),
    /// A node.
    There(Arc<Node>),
}

/// A desk over a folder.
///
/// Blocks that are there already are read instead of made: a script that was interrupted runs again from
/// its beginning and finds what it did, up to the block it had not made.
pub struct Desk {
    folder: Folder,
    maker: Maker,
    /// Height that the script has come to; at most the chain's.
    cursor: u64,
    /// Time of the block at the cursor; where a node makes the blocks, what time it has.
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

    /// A desk over a chain that a node has; names and keys come from a folder.
    ///
    /// # Errors
    /// When the node cannot be reached, or says no.
    pub fn over(node: Arc<Node>, data: &Path, passphrases: Option<&Path>) -> Result<Desk> {
        let chain = node.chain(None)?;
        let (cursor, time) = (chain.tip().height, node.time()?.max(chain.tip().time));
        let folder = Folder::beside(data, chain)?.keys_opened_by(passphrases);
        Ok(Desk { folder, maker: Maker::There(node), cursor, time, keys: BTreeMap::new() })
    }

    fn at(folder: Folder, cursor: u64, time: Timestamp) -> Result<Desk> {
        Ok(Desk { folder, maker: Maker::Here(OnceCell::new()), cursor, time, keys: BTreeMap::new() })
    }

    /// The open folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The open folder, to change its names.
    pub fn folder_mut(&mut self) -> &mut Folder {
        &mut self.folder
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
        if let Maker::There(node) = &self.maker {
            check_made(&self.folder.chain, height)?;
            return node.chain(Some(height));
        }
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

    /// The receipt at a place.
    ///
    /// # Errors
    /// When there is none.
    pub fn receipt(&self, height: u64, index: u32) -> Result<FullReceipt> {
        match &self.maker {
            Maker::Here(_) => self.folder.chain.receipt(height, index)?.context("a receipt is missing"),
            Maker::There(node) => node.receipt(height, index),
        }
    }

    /// The key that signs blocks, where blocks are made here.
    ///
    /// # Errors
    /// When the folder has none, or it is sealed.
    pub fn block_key(&self) -> Result<Option<&SecretKey>> {
        match &self.maker {
            Maker::Here(solo) => Ok(Some(opened(solo, &self.folder)?.key())),
            Maker::There(_) => Ok(None),
        }
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
        // A node's clock and its newest block may lie a little apart.
        let early_ms = if matches!(self.maker, Maker::There(_)) { DAY_MS / 2 } else { 0 };
        let body = Body {
            version: BODY_VERSION,
            chain: self.chain_id(),
            authorisers: signers.iter().map(|(party, _)| Authoriser { party: *party, key: 0 }).collect(),
            key: IdempotencyKey::new((self.time.0 / DAY_MS) as u32, choice),
            valid_from: Timestamp(self.time.0.saturating_sub(early_ms)),
            valid_until: Timestamp(self.time.0 + DAY_MS - early_ms),
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
        let Maker::Here(solo) = &self.maker else { bail!("a node makes its own blocks") };
        let block = if self.cursor < self.folder.chain.tip().height {
            let block = self.folder.chain.block(self.cursor + 1)?.context("a block is missing")?;
            if block.header.time != time {
                bail!("block {} was made by something else than this", block.header.height);
            }
            block
        } else {
            let candidates = transactions.into_iter().map(Into::into).collect();
            let solo = opened(solo, &self.folder)?;
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

    /// Runs transactions in a block a millisecond after the last one; their receipts in order. A node is handed one
    /// after the other, up to the first that is not done.
    ///
    /// # Errors
    /// As [`Desk::block`].
    pub fn submit(&mut self, transactions: Vec<Transaction>) -> Result<Vec<FullReceipt>> {
        if let Maker::There(node) = &self.maker {
            let mut receipts = vec![];
            for tx in &transactions {
                receipts.push(node.submit(tx)?);
                if receipts.last().is_some_and(|full: &FullReceipt| full.receipt.fate != Fate::Done) {
                    break;
                }
            }
            self.follow()?;
            return Ok(receipts);
        }
        let ids: Vec<_> = transactions.iter().map(|tx| tx.id().0).collect();
        let block = self.block(Timestamp(self.time.0 + 1), transactions)?;
        let find = |id: &[u8; 32]| block.receipts.iter().find(|full| full.receipt.item.0 == *id).cloned();
        ids.iter().map(|id| find(id).context("a transaction left no receipt")).collect()
    }

    /// Comes to the newest block of a node.
    fn follow(&mut self) -> Result<()> {
        if let Maker::There(node) = &self.maker {
            self.folder.chain = node.chain(None)?;
            self.cursor = self.folder.chain.tip().height;
            self.time = node.time()?.max(self.folder.chain.tip().time);
        }
        Ok(())
    }

    /// Lives on until an instant: a block whenever something falls due, one at the end.
    ///
    /// # Errors
    /// As [`Desk::block`].
    pub fn advance(&mut self, end: Timestamp, mut seen: impl FnMut(&Block)) -> Result<()> {
        if let Maker::There(node) = &self.maker {
            let first = self.cursor + 1;
            if self.time < end {
                node.advance(end)?;
            }
            self.follow()?;
            for height in first..=self.cursor {
                seen(&self.folder.chain.block(height)?.context("a block is missing")?);
            }
            return Ok(());
        }
        while self.cursor < self.folder.chain.tip().height {
            let next = self.folder.chain.block(self.cursor + 1)?.context("a block is missing")?.header.time;
            if next > end {
                break;
            }
            seen(&self.block(next, vec![])?);
        }
        let Desk { folder, maker: Maker::Here(solo), cursor, time, .. } = self else {
            bail!("a node makes its own blocks")
        };
        if *cursor == folder.chain.tip().height && folder.chain.next_wake()?.is_some_and(|wake| wake <= end) {
            opened(solo, folder)?.produce_due(&mut folder.chain, end, |block| {
                (*cursor, *time) = (block.header.height, block.header.time);
                seen(&block);
            })?;
        }
        if self.time < end {
            seen(&self.block(end, vec![])?);
        }
        Ok(())
    }
}

/// Whoever signs a sandbox's blocks, its key opened once.
fn opened<'s>(solo: &'s OnceCell<Solo>, folder: &Folder) -> Result<&'s Solo> {
    if !folder.chain.genesis().parameters.sandbox {
        bail!("this is a bank's chain: a node with its guard makes its blocks; ask one with `--node`");
    }
    if solo.get().is_none() {
        let key = folder.keys.get(VALIDATOR)?;
        if folder.chain.genesis().validators.validators.first().map(|signs| signs.key) != Some(key.public()) {
            bail!(
                "the key `{VALIDATOR}` is not the one that signs this chain's blocks: it is another chain's, or changed"
            );
        }
        // A cell that is filled meanwhile holds the same key.
        let _ = solo.set(Solo::new(key));
    }
    solo.get().context("the key that signs blocks")
}
