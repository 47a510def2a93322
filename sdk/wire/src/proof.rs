//! Proof bundles: one file that shows, offline, what became of an item, or what state held at a key.
//!
//! A bundle holds the receipt and its place in the block, or the record and its place in the state; the header; a
//! certificate or the header's place among the ancestors of a newer one. Verifying needs no store, no network and no trust in who made it.

use crate::block::{Certificate, CertificateError, Header, Item, ValidatorSet};
use crate::merkle::ListProof;
use crate::receipt::FullReceipt;
use crate::trie::{StateProof, StateProofError, owner_of};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use tenor_abi::codec::{self, CodecError};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, Hash};
use tenor_abi::tag;

/// Version of the bundle's form.
pub const BUNDLE_VERSION: u8 = 1;
/// Version of the form of a bundle about state; the high bit tells it from one about a receipt.
pub const STATE_BUNDLE_VERSION: u8 = 0x81;
/// Most bytes of an encoded bundle.
pub const BUNDLE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What a verifier trusts to begin with: the newest header it has verified, and who signs after it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The newest verified header; that of genesis at first.
    pub header: Header,
    /// Who signs the blocks after it.
    pub validators: ValidatorSet,
}

/// How the header in a bundle is shown to be of the chain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Link {
    /// A quorum signed it: for a header above the checkpoint.
    Signed(Certificate),
    /// It is an ancestor of the checkpoint's header.
    Ancestor(ListProof),
}

/// A receipt with everything that shows it is final.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Bundle {
    /// [`BUNDLE_VERSION`].
    pub version: u8,
    /// What the receipt is for.
    pub item: Item,
    /// Place of the item in its block.
    pub item_proof: ListProof,
    /// What became of it.
    pub receipt: FullReceipt,
    /// Place of the receipt in the block.
    pub receipt_proof: ListProof,
    /// The block's header.
    pub header: Header,
    /// What shows that the header is of the chain.
    pub link: Link,
}

/// What state held at a key after a block, with everything that shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StateBundle {
    /// [`STATE_BUNDLE_VERSION`].
    pub version: u8,
    /// The full key: the kind of record and its own key.
    #[serde(with = "codec::bytes")]
    pub key: Vec<u8>,
    /// What the state has there.
    pub proof: StateProof,
    /// The block's header.
    pub header: Header,
    /// What shows that the header is of the chain.
    pub link: Link,
}

/// What a verified bundle about state shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateShown<'b> {
    /// Height of the block.
    pub height: u64,
    /// Block time.
    pub time: Timestamp,
    /// The record after that block; none where there was none.
    pub record: Option<&'b [u8]>,
}

/// Why a bundle shows nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProofError {
    /// Not the bytes of a bundle.
    #[error("the bytes are not a proof bundle: {0}")]
    Codec(#[from] CodecError),
    /// A version from another time.
    #[error("bundle version {0} is not known, {BUNDLE_VERSION} and {STATE_BUNDLE_VERSION} are")]
    Version(u8),
    /// The header is of another chain.
    #[error("the header is of {given}, the checkpoint of {trusted}")]
    Chain {
        /// Chain of the header.
        given: ChainId,
        /// Chain of the checkpoint.
        trusted: ChainId,
    },
    /// The receipt's hashes do not stand for what is beside it.
    #[error("the receipt does not match its entries, events or data")]
    Receipt,
    /// The receipt is for another item.
    #[error("the receipt is for another item")]
    OtherItem,
    /// Item or receipt is not at the claimed place of the block.
    #[error("the {0} is not in the block at the claimed place")]
    NotInBlock(&'static str),
    /// A header at or below the checkpoint counts by ancestry only, one above it by certificate only.
    #[error("header {height} with a checkpoint at {checkpoint} needs {needed}")]
    WrongLink {
        /// Height of the header.
        height: u64,
        /// Height of the checkpoint.
        checkpoint: u64,
        /// What is needed.
        needed: &'static str,
    },
    /// The header is no ancestor of the checkpoint.
    #[error("the header is not an ancestor of the checkpoint")]
    NotAncestor,
    /// The certificate does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The record is not in the state at the claimed place.
    #[error("the state of block {height} has something else there: {why}")]
    State {
        /// Height of the block.
        height: u64,
        /// What does not hold.
        why: StateProofError,
    },
}

/// What a verified bundle shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Height of the block.
    pub height: u64,
    /// Block time.
    pub time: Timestamp,
    /// Id of the item.
    pub item: Hash,
}

impl Bundle {
    /// The bundle that bytes from outside hold.
    ///
    /// # Errors
    /// [`ProofError::Codec`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Bundle, ProofError> {
        Ok(codec::decode(bytes, BUNDLE_BYTES_MAX)?)
    }

    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Checks everything, from the receipt up to the checkpoint.
    ///
    /// # Errors
    /// [`ProofError`]: the first link that does not hold.
    pub fn verify(&self, trusted: &Checkpoint) -> Result<Shown, ProofError> {
        if self.version != BUNDLE_VERSION {
            return Err(ProofError::Version(self.version));
        }
        self.verify_receipt()?;
        verify_link(&self.header, &self.link, trusted)?;
        Ok(Shown { height: self.header.height, time: self.header.time, item: self.receipt.receipt.item })
    }

    fn verify_receipt(&self) -> Result<(), ProofError> {
        if !self.receipt.is_whole() {
            return Err(ProofError::Receipt);
        }
        if self.receipt.receipt.item != self.item.id() || self.item_proof.index != self.receipt_proof.index {
            return Err(ProofError::OtherItem);
        }
        let (header, core) = (&self.header, codec::encode(&self.receipt.receipt));
        let items = u64::from(header.items_count) == self.item_proof.count
            && self.item_proof.verify(tag::ITEMS, &codec::encode(&self.item), &header.items);
        let receipts = u64::from(header.receipts_count) == self.receipt_proof.count
            && self.receipt_proof.verify(tag::RECEIPTS, &core, &header.receipts);
        match (items, receipts) {
            (true, true) => Ok(()),
            (false, _) => Err(ProofError::NotInBlock("item")),
            (_, false) => Err(ProofError::NotInBlock("receipt")),
        }
    }
}

impl StateBundle {
    /// The bundle that bytes from outside hold.
    ///
    /// # Errors
    /// [`ProofError::Codec`].
    pub fn from_bytes(bytes: &[u8]) -> Result<StateBundle, ProofError> {
        Ok(codec::decode(bytes, BUNDLE_BYTES_MAX)?)
    }

    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Checks everything, from the record up to the checkpoint.
    ///
    /// # Errors
    /// [`ProofError`]: the first link that does not hold.
    pub fn verify(&self, trusted: &Checkpoint) -> Result<StateShown<'_>, ProofError> {
        if self.version != STATE_BUNDLE_VERSION {
            return Err(ProofError::Version(self.version));
        }
        let Header { height, time, state, .. } = self.header;
        let shown = self.proof.verify(&state, owner_of(&self.key), &self.key);
        let record = shown.map_err(|why| ProofError::State { height, why })?;
        verify_link(&self.header, &self.link, trusted)?;
        Ok(StateShown { height, time, record })
    }
}

/// Whether a header is of the checkpoint's chain.
fn verify_link(header: &Header, link: &Link, trusted: &Checkpoint) -> Result<(), ProofError> {
    // An ancestor may be of the chain that this one was before it was begun again: the root over all ancestors says so.
    let (height, checkpoint) = (header.height, trusted.header.height);
    let is_older = height < checkpoint && matches!(link, Link::Ancestor(_));
    if header.chain != trusted.header.chain && !is_older {
        return Err(ProofError::Chain { given: header.chain, trusted: trusted.header.chain });
    }
    let wrong = |needed| ProofError::WrongLink { height, checkpoint, needed };
    match link {
        Link::Signed(certificate) if height > checkpoint => {
            certificate.verify(header, &trusted.validators)?;
            Ok(())
        }
        Link::Ancestor(proof) if height < checkpoint => {
            let sound = proof.index == height
                && proof.count == checkpoint
                && proof.verify(tag::ANCESTRY, &header.hash().0, &trusted.header.ancestry);
            if sound { Ok(()) } else { Err(ProofError::NotAncestor) }
        }
        _ if height == checkpoint => {
            if *header == trusted.header {
                Ok(())
            } else {
                Err(ProofError::NotAncestor)
            }
        }
        Link::Signed(_) => Err(wrong("the proof that it is an ancestor of the checkpoint")),
        Link::Ancestor(_) => Err(wrong("a certificate")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::HEADER_VERSION;
    use crate::crypto::plain_hash;
    use crate::trie::{End, Path, Step, leaf_hash, node_hash};
    use alloc::string::ToString;
    use alloc::vec;
    use tenor_abi::id::PartyId;

    /// An account (kind 5) beside one other leaf, under block 7 of a chain.
    fn bundle() -> StateBundle {
        let key: Vec<u8> = [5].into_iter().chain([9; 32]).collect();
        let (path, sibling) = (Path::of(&[9; 32], &key), Hash([3; 32]));
        let leaf = leaf_hash(&path, &key, b"record");
        let (left, right) = if path.bit(4) { (sibling, leaf) } else { (leaf, sibling) };
        let header = Header {
            version: HEADER_VERSION,
            protocol: 1,
            chain: ChainId([2; 32]),
            height: 7,
            time: Timestamp(99),
            parent: Hash([1; 32]),
            ancestry: Hash([4; 32]),
            items: Hash::ZERO,
            items_count: 0,
            receipts: Hash::ZERO,
            receipts_count: 0,
            state: node_hash(4, &left, &right),
            outbox: Hash::ZERO,
            validators: Hash([5; 32]),
            parameters: Hash([6; 32]),
            proposer: PartyId([7; 32]),
        };
        let proof = StateProof { steps: vec![Step { bit: 4, sibling }], end: End::Found(b"record".to_vec()) };
        let link = Link::Ancestor(ListProof { index: 7, count: 9, siblings: vec![Hash([8; 32])] });
        StateBundle { version: STATE_BUNDLE_VERSION, key, proof, header, link }
    }

    #[test]
    fn a_bundle_about_state_has_golden_bytes_and_one_form() {
        let bundle = bundle();
        let bytes = bundle.to_bytes();
        assert_eq!(bytes[0], 0x81, "no bundle about a receipt begins so");
        assert_eq!(plain_hash(&[&bytes]).to_string(), GOLDEN);
        assert_eq!(StateBundle::from_bytes(&bytes), Ok(bundle));
    }

    const GOLDEN: &str = "hash14sufg9a60x4xqj8kdx2wcwrysw6t3d94cn2yvfpy0lmaxhfgh6usqxqqru";

    #[test]
    fn a_bundle_about_state_is_held_against_the_checkpoint() {
        let bundle = bundle();
        let validators = ValidatorSet { validators: vec![], quorum: 0 };
        let trusted = Checkpoint { header: bundle.header.clone(), validators };
        assert_eq!(bundle.verify(&trusted).unwrap().record, Some(&b"record"[..]));
        let other = Header { state: Hash::ZERO, ..bundle.header.clone() };
        let moved = StateBundle { header: other, ..bundle.clone() };
        assert!(matches!(moved.verify(&trusted), Err(ProofError::State { height: 7, .. })));
        let newer = Checkpoint { header: Header { height: 9, ..trusted.header.clone() }, ..trusted.clone() };
        assert_eq!(bundle.verify(&newer), Err(ProofError::NotAncestor));
        let older = Checkpoint { header: Header { height: 3, ..trusted.header.clone() }, ..trusted.clone() };
        assert!(matches!(bundle.verify(&older), Err(ProofError::WrongLink { .. })));
        let chain = Header { chain: ChainId([9; 32]), ..trusted.header.clone() };
        let elsewhere = Checkpoint { header: chain, ..trusted.clone() };
        assert!(matches!(bundle.verify(&elsewhere), Err(ProofError::Chain { .. })));
        // The owner follows from the key: one of another kind lies elsewhere.
        let mut kind = bundle.clone();
        kind.key[0] = 4;
        assert!(matches!(kind.verify(&trusted), Err(ProofError::State { .. })));
        let version = StateBundle { version: 1, ..bundle };
        assert_eq!(version.verify(&trusted), Err(ProofError::Version(1)));
    }
}
