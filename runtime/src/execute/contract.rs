//! Published contracts as they are needed when running: the record with its spec decoded once.

use crate::fault::{Fault, Stop};
use crate::state::record::{AgreementRecord, CodeRecord, ContractRecord};
use crate::state::{Kind, Overlay};
use crate::vm::{Bounds, Guest, price};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tenor_abi::codec;
use tenor_abi::id::{CodeHash, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{CallDef, SPEC_BYTES_MAX, Spec};

/// A published contract.
#[derive(Debug)]
pub struct Contract {
    /// Its module.
    pub module: Arc<Module>,
    /// Bank that published it.
    pub bank: PartyId,
    /// Its spec.
    pub spec: Spec,
}

/// The module of a contract, as a block counts it.
#[derive(PartialEq, Eq, Debug)]
pub struct Module {
    /// Its code hash.
    pub code: CodeHash,
    /// Its bytes in the state.
    pub bytes: u32,
}

impl Contract {
    /// A call by its number.
    pub fn call(&self, number: u16) -> Option<&CallDef> {
        self.spec.calls.get(usize::from(number))
    }
}

/// Bytes of specs that are held decoded, at least those of what a block counts as loaded; the one that was used longest ago
/// makes room. Decoded they take up to twenty times as much.
const SPEC_BYTES_HELD: usize = price::MODULES_HELD as usize;

/// Contracts read so far. A cache only: what is in it is in the state, and a code hash never changes meaning.
#[derive(Default, Debug)]
pub struct Contracts(Mutex<Held>);

/// Contracts by code hash, and a clock of their uses.
#[derive(Default, Debug)]
struct Held {
    uses: u64,
    /// Of each when it was used last, its spec's bytes, and itself.
    contracts: BTreeMap<CodeHash, (u64, usize, Arc<Contract>)>,
    spec_bytes: usize,
}

impl Held {
    fn find(&mut self, code: &CodeHash) -> Option<Arc<Contract>> {
        self.uses += 1;
        let (used, _, contract) = self.contracts.get_mut(code)?;
        *used = self.uses;
        Some(Arc::clone(contract))
    }

    fn add(&mut self, contract: &Arc<Contract>, spec_bytes: usize) {
        self.uses += 1;
        self.spec_bytes += spec_bytes;
        if let Some((_, bytes, _)) =
            self.contracts.insert(contract.module.code, (self.uses, spec_bytes, Arc::clone(contract)))
        {
            self.spec_bytes -= bytes;
        }
        while self.spec_bytes > SPEC_BYTES_HELD && self.contracts.len() > 1 {
            let oldest = self.contracts.iter().min_by_key(|(_, (used, ..))| *used).map(|(code, _)| *code);
            let Some((_, bytes, _)) = oldest.and_then(|code| self.contracts.remove(&code)) else { break };
            self.spec_bytes -= bytes;
        }
    }
}

impl Contracts {
    /// The contract of a code hash.
    ///
    /// # Errors
    /// Refused when nothing is published under it.
    pub fn get(&self, state: &Overlay<'_>, code: &CodeHash) -> Result<Arc<Contract>, Stop> {
        // A rolled-back publication must not live on in the cache.
        let published = state.has(Kind::Contract, &code.0)?;
        let found = self.held()?.find(code);
        match found.filter(|_| published) {
            Some(found) => Ok(found),
            None => self.read(state, code),
        }
    }

    /// The contract of an agreement: where the agreement is, it is published.
    ///
    /// # Errors
    /// As [`Contracts::get`].
    pub fn of_agreement(
        &self,
        state: &Overlay<'_>,
        agreement: &AgreementRecord,
    ) -> Result<Arc<Contract>, Stop> {
        let found = self.held()?.find(&agreement.code);
        match found {
            Some(found) => Ok(found),
            None => self.read(state, &agreement.code),
        }
    }

    fn read(&self, state: &Overlay<'_>, code: &CodeHash) -> Result<Arc<Contract>, Stop> {
        let record: ContractRecord = state.get(&code.0)?.ok_or(Refusal::UnknownContract { code: *code })?;
        let spec = codec::decode(&record.spec, SPEC_BYTES_MAX)
            .map_err(|error| Fault::State(format!("the spec of {code}: {error}")))?;
        let bytes = state.row_bytes(&Kind::Code.full_key(&code.0))?;
        let bytes = bytes.and_then(|bytes| u32::try_from(bytes).ok());
        let bytes = bytes.ok_or_else(|| Fault::State(format!("the module of {code} is missing")))?;
        let module = Arc::new(Module { code: *code, bytes });
        let contract = Arc::new(Contract { module, bank: record.bank, spec });
        self.held()?.add(&contract, record.spec.len());
        Ok(contract)
    }

    fn held(&self) -> Result<MutexGuard<'_, Held>, Fault> {
        self.0.lock().map_err(|_| Fault::Engine("the cache of contracts was left by a panic".into()))
    }
}

/// Makes a contract's module callable. An engine holds a bounded number of them; one that made room is loaded again.
pub(super) fn load(state: &Overlay<'_>, guest: &dyn Guest, code: &CodeHash) -> Result<(), Fault> {
    if guest.is_ready(code)? {
        return Ok(());
    }
    let wasm: Option<CodeRecord> = state.get(&code.0)?;
    let wasm = wasm.ok_or_else(|| Fault::State(format!("the module of {code} is missing")))?;
    guest.load(code, &wasm.wasm, Bounds::PUBLISHED)
}
