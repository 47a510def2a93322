//! Reading a chain: receipts, proofs, lists. Nothing here writes.

use super::{Chain, Replica};
use crate::execute::{self, BlockContext, Candidate, Checked, Contracts, Ending, Rejection, ViewError};
use crate::fault::Fault;
use crate::state::record::{
    AccountRecord, HistoryRecord, IdempotencyRecord, Record, RestartRecord, from_bytes, key, to_bytes,
};
use crate::vm::Guest;
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AccountId, AgreementId, Hash, PartyId};
use tenor_abi::tag;
use tenor_wire::block::{Block, Certificate, Header};
use tenor_wire::crypto::SecretKey;
use tenor_wire::merkle::{ListProof, Mmr};
use tenor_wire::multiproof::MultiProof;
use tenor_wire::proof::{BUNDLE_VERSION, Bundle, Checkpoint, Link, STATE_BUNDLE_VERSION, StateBundle};
use tenor_wire::receipt::FullReceipt;
use tenor_wire::tx::{Body, IdempotencyKey, Transaction};

impl Chain {
    /// Every record of a kind, in key order, its key without the kind.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn records<R: Record>(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, R)>, Fault> {
        let mut from = R::KIND.full_key(prefix);
        let mut end = from.clone();
        // The first key after all that begin with the prefix.
        while let Some(last) = end.pop() {
            if last < 0xff {
                end.push(last + 1);
                break;
            }
        }
        let mut found = Vec::new();
        while let Some((full, bytes)) = self.base.next(&from, &end)? {
            found.push((full[1..].to_vec(), from_bytes(&full, &bytes)?));
            from = full;
            from.push(0);
        }
        Ok(found)
    }

    /// Every posting of an account, the oldest first, as its leaf says.
    ///
    /// # Errors
    /// [`Fault`] of the store, or when a posting is missing or another one.
    pub fn history(&self, account: &AccountId) -> Result<Vec<HistoryRecord>, Fault> {
        let rows: Vec<HistoryRecord> = self.records(&account.0)?.into_iter().map(|(_, row)| row).collect();
        let mut tree = Mmr::default();
        rows.iter().for_each(|row| tree.push(tag::HISTORY, &to_bytes(row)));
        let record: Option<AccountRecord> = self.record(&account.0)?;
        if tree.root(tag::HISTORY) != record.map_or(Hash::ZERO, |record| record.history_root) {
            return Err(self.base.distrust(&format!("the history of {account} is not what its leaf says")));
        }
        Ok(rows)
    }

    /// One record.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn record<R: Record>(&self, key: &[u8]) -> Result<Option<R>, Fault> {
        self.state().get(key)
    }

    /// Where the receipt of a used idempotency key stands: height and place.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn outcome_of(&self, party: &PartyId, key: &IdempotencyKey) -> Result<Option<(u64, u32)>, Fault> {
        let row: Option<IdempotencyRecord> = self.record(&key::idempotency(party, key))?;
        Ok(row.map(|row| (row.height, row.index)))
    }

    /// The receipt at a place.
    ///
    /// # Errors
    /// [`Fault`] of the log.
    pub fn receipt(&self, height: u64, index: u32) -> Result<Option<FullReceipt>, Fault> {
        Ok(self.block(height)?.and_then(|block| block.receipts.into_iter().nth(index as usize)))
    }

    /// Asks a view of an agreement as of the newest block.
    ///
    /// # Errors
    /// [`ViewError`].
    pub fn view(&self, agreement: AgreementId, name: &str, arguments: &[u8]) -> Result<Vec<u8>, ViewError> {
        let context = self.context(Timestamp(self.tip.time.0 + 1));
        let gas = context.parameters.limits.due_gas;
        execute::view(&mut self.state(), &context, agreement, name, arguments, gas)
    }

    /// Asks every agreement whether its storage and its books fit each other.
    ///
    /// # Errors
    /// [`Fault`] of the store or the engine.
    pub fn check_agreements(&self) -> Result<Checked, Fault> {
        execute::check_agreements(&mut self.state(), &self.context(Timestamp(self.tip.time.0 + 1)))
    }

    /// What would become of a transaction in a block of its own at a time; nothing of it is kept.
    ///
    /// # Errors
    /// The outer one is a [`Fault`], the inner one says why it would be rejected.
    pub fn prepare(&self, time: Timestamp, tx: Transaction) -> Result<Result<FullReceipt, Rejection>, Fault> {
        self.prepare_in(&self.context(time), tx)
    }

    /// As [`Chain::prepare`], its contracts run by another engine: one that profiles.
    ///
    /// # Errors
    /// As [`Chain::prepare`].
    pub fn prepare_on(
        &self,
        guest: &dyn Guest,
        time: Timestamp,
        tx: Transaction,
    ) -> Result<Result<FullReceipt, Rejection>, Fault> {
        let contracts = Contracts::default();
        self.prepare_in(&BlockContext { guest, contracts: &contracts, ..self.context(time) }, tx)
    }

    fn prepare_in(
        &self,
        context: &BlockContext<'_>,
        tx: Transaction,
    ) -> Result<Result<FullReceipt, Rejection>, Fault> {
        let mut state = self.state();
        match execute::door::check(&state, context, tx.into())? {
            Ok(checked) => Ok(execute::transaction(&mut state, context, &checked, 0)?.map(Ending::receipt)),
            Err(rejection) => Ok(Err(rejection)),
        }
    }

    /// As [`Chain::prepare`], of a body that nobody has signed yet.
    ///
    /// # Errors
    /// As [`Chain::prepare`].
    pub fn rehearse(&self, time: Timestamp, body: Body) -> Result<Result<FullReceipt, Rejection>, Fault> {
        let (context, mut state) = (self.context(time), self.state());
        match execute::door::rehearse(&state, &context, body)? {
            Ok(checked) => Ok(execute::transaction(&mut state, &context, &checked, 0)?.map(Ending::receipt)),
            Err(rejection) => Ok(Err(rejection)),
        }
    }

    /// A transaction whose signatures were checked here, once: what a block asks again is only what may have changed.
    ///
    /// # Errors
    /// As [`Chain::prepare`].
    pub fn admit(&self, time: Timestamp, tx: Transaction) -> Result<Result<Candidate, Rejection>, Fault> {
        let (context, state) = (self.context(time), self.state());
        let mut candidate = Candidate::from(tx);
        if let Some(keys) = candidate.keys(&state)? {
            candidate.check_under(keys);
        }
        let checked = execute::door::check(&state, &context, candidate)?;
        Ok(checked.map(execute::CheckedTransaction::into_candidate))
    }

    /// Where the chain was begun again, the newest last: the height of its first block as what it became, and what it
    /// was before.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn restarts(&self) -> Result<Vec<(u64, RestartRecord)>, Fault> {
        let height = |key: Vec<u8>| {
            let bytes: Result<[u8; 8], _> = key.as_slice().try_into();
            bytes.map(u64::from_be_bytes).map_err(|_| Fault::State("a restart has no height".into()))
        };
        self.records(&[])?.into_iter().map(|(key, record)| Ok((height(key)?, record))).collect()
    }

    /// Height of the first block under the chain's id: that of its genesis, or of its newest restart.
    fn first_height(&self) -> Result<u64, Fault> {
        Ok(self.restarts()?.last().map_or(0, |(height, _)| *height))
    }

    /// What a verifier begins with who trusts the genesis document, or whoever began the chain again.
    ///
    /// # Errors
    /// [`Fault`] of the log.
    pub fn first_checkpoint(&self) -> Result<Checkpoint, Fault> {
        let height = self.first_height()?;
        let missing = || Fault::Log(format!("block {height} is missing"));
        let block = self.block(height)?.ok_or_else(missing)?;
        Ok(Checkpoint { header: block.header, validators: self.genesis.validators.clone() })
    }

    /// What shows a verifier with the first checkpoint that a block is of the chain: its certificate, or, where it is
    /// of what the chain was before a restart, its place among the ancestors of the restart's block.
    fn link(&self, header: &Header, key: Option<&SecretKey>) -> Result<Option<Link>, Fault> {
        let first = self.first_height()?;
        if header.height >= first {
            return Ok(self.certificate(header, key)?.map(Link::Signed));
        }
        let mut hashes = vec![];
        for height in 0..first {
            let block = self.block(height)?;
            hashes.push(block.ok_or_else(|| Fault::Log(format!("block {height} is missing")))?.header.hash());
        }
        let leaves: Vec<&[u8]> = hashes.iter().map(|hash| &hash.0[..]).collect();
        Ok(ListProof::of(tag::ANCESTRY, &leaves, header.height).map(Link::Ancestor))
    }

    /// The certificate of a block; that of the newest one is made again when it was not yet written.
    ///
    /// # Errors
    /// [`Fault`] of the log.
    pub fn certificate(
        &self,
        header: &Header,
        key: Option<&SecretKey>,
    ) -> Result<Option<Certificate>, Fault> {
        let kept = self.journal.certificate(header.height)?;
        Ok(kept.or_else(|| key.map(|key| Certificate::solo(header, key))))
    }

    /// The offline proof of a receipt, for a verifier whose checkpoint is older than the block.
    ///
    /// # Errors
    /// [`Fault`] of the log.
    pub fn prove_receipt(
        &self,
        height: u64,
        index: u32,
        key: Option<&SecretKey>,
    ) -> Result<Option<Bundle>, Fault> {
        let Some(block) = self.block(height)? else { return Ok(None) };
        let Some(link) = self.link(&block.header, key)? else { return Ok(None) };
        Ok(bundle(&block, index, link))
    }

    /// The offline proof of what state held at a full key after this chain's newest block. A fork at an older block
    /// gives that block's.
    ///
    /// # Errors
    /// [`Fault`] of the store or the log.
    pub fn prove_offline(
        &self,
        full_key: &[u8],
        key: Option<&SecretKey>,
    ) -> Result<Option<StateBundle>, Fault> {
        let header = self.tip.clone();
        // A fork may stand below a restart that it does not know of; its certificate is of the chain that it knows.
        let Some(link) = self.link(&header, key)? else { return Ok(None) };
        let bundle =
            |proof| StateBundle { version: STATE_BUNDLE_VERSION, key: full_key.into(), proof, header, link };
        Ok(self.base.prove(full_key)?.map(bundle))
    }

    /// One proof of what state holds at several full keys, under the newest header.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn prove_states(&self, full_keys: &[Vec<u8>]) -> Result<Option<MultiProof>, Fault> {
        self.base.prove_all(full_keys)
    }
}

fn bundle(block: &Block, index: u32, link: Link) -> Option<Bundle> {
    let items: Vec<Vec<u8>> = block.items.iter().map(codec::encode).collect();
    let receipts: Vec<Vec<u8>> = block.receipts.iter().map(|full| codec::encode(&full.receipt)).collect();
    let proof = |tags, leaves: &[Vec<u8>]| {
        let leaves: Vec<&[u8]> = leaves.iter().map(Vec::as_slice).collect();
        ListProof::of(tags, &leaves, u64::from(index))
    };
    Some(Bundle {
        version: BUNDLE_VERSION,
        item: block.items.get(index as usize)?.clone(),
        item_proof: proof(tag::ITEMS, &items)?,
        receipt: block.receipts.get(index as usize)?.clone(),
        receipt_proof: proof(tag::RECEIPTS, &receipts)?,
        header: block.header.clone(),
        link,
    })
}
