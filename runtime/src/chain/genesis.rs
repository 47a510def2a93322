//! Genesis: the document that a chain begins with; its hash is the chain's id.

use crate::execute::apply_genesis;
use crate::fault::Stop;
use crate::params::Parameters;
use crate::state::Overlay;
use crate::state::record::ZoneRow;
use serde::{Deserialize, Serialize};
use tenor_abi::codec::{self, CodecError};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, PartyId};
use tenor_abi::tag;
use tenor_wire::block::ValidatorSet;
use tenor_wire::crypto::hash;
use tenor_wire::op::Operation;

/// Version of the document's form.
pub const GENESIS_VERSION: u8 = 1;
/// Most bytes of a genesis document.
pub const GENESIS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a chain begins with.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Genesis {
    /// [`GENESIS_VERSION`].
    pub version: u8,
    /// Time of block 0.
    pub time: Timestamp,
    /// Parameters in force from block 1 on.
    pub parameters: Parameters,
    /// Who signs block 1.
    pub validators: ValidatorSet,
    /// Zones of the banks, ascending by bank.
    pub zones: Vec<(PartyId, ZoneRow)>,
    /// Parties, roles, assets, accounts and calendars to begin with, in order, needing nobody's authority.
    pub operations: Vec<Operation>,
}

impl Genesis {
    /// The chain's id.
    pub fn chain_id(&self) -> ChainId {
        ChainId(hash(tag::GENESIS, &[&self.to_bytes()]).0)
    }

    /// Canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The document that bytes hold.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Genesis, CodecError> {
        codec::decode(bytes, GENESIS_BYTES_MAX)
    }

    /// Writes the first state.
    ///
    /// # Errors
    /// Refused when an operation of the document breaks a rule.
    pub fn apply(&self, state: &mut Overlay<'_>) -> Result<(), Stop> {
        for (bank, row) in &self.zones {
            state.put(&bank.0, &crate::state::record::ZoneRecord { rows: vec![*row] });
        }
        self.operations.iter().try_for_each(|operation| apply_genesis(state, operation, self.time))
    }
}
