//! Published contracts as they are needed when running: the record with its spec decoded once.

use crate::fault::{Fault, Stop};
use crate::state::record::{AgreementRecord, CodeRecord, ContractRecord};
use crate::state::{Kind, Overlay};
use crate::vm::{Bounds, Guest};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tenor_abi::codec;
use tenor_abi::id::{CodeHash, PartyId};
use tenor_abi::refusal::Refusal;
use tenor_abi::spec::{CallDef, SPEC_BYTES_MAX, Spec};

/// A published contract.
#[derive(Debug)]
pub struct Contract {
    /// Its code.
    pub code: CodeHash,
    /// Bank that published it.
    pub bank: PartyId,
    /// Its spec.
    pub spec: Spec,
}

impl Contract {
    /// A call by its number.
    pub fn call(&self, number: u16) -> Option<&CallDef> {
        self.spec.calls.get(usize::from(number))
    }
}

/// Contracts read so far. A cache only: what is in it is in the state, and a code hash never changes meaning.
#[derive(Default, Debug)]
pub struct Contracts(Mutex<BTreeMap<CodeHash, Arc<Contract>>>);

impl Contracts {
    /// The contract of a code hash, loaded into the engine.
    ///
    /// # Errors
    /// Refused when nothing is published under it.
    pub fn get(
        &self,
        state: &Overlay<'_>,
        guest: &dyn Guest,
        code: &CodeHash,
    ) -> Result<Arc<Contract>, Stop> {
        // A rolled-back publication must not live on in the cache.
        let published = state.has(Kind::Contract, &code.0)?;
        match self.find(guest, code)?.filter(|_| published) {
            Some(found) => Ok(found),
            None => self.read(state, guest, code),
        }
    }

    /// The contract of an agreement, loaded into the engine: where the agreement is, it is published.
    ///
    /// # Errors
    /// As [`Contracts::get`].
    pub fn of_agreement(
        &self,
        state: &Overlay<'_>,
        guest: &dyn Guest,
        agreement: &AgreementRecord,
    ) -> Result<Arc<Contract>, Stop> {
        match self.find(guest, &agreement.code)? {
            Some(found) => Ok(found),
            None => self.read(state, guest, &agreement.code),
        }
    }

    /// One that was read before. An engine keeps a bounded number of modules; one that made room is loaded again.
    fn find(&self, guest: &dyn Guest, code: &CodeHash) -> Result<Option<Arc<Contract>>, Fault> {
        let found = self.lock()?.get(code).map(Arc::clone);
        Ok(found.filter(|_| guest.is_loaded(code)))
    }

    fn read(&self, state: &Overlay<'_>, guest: &dyn Guest, code: &CodeHash) -> Result<Arc<Contract>, Stop> {
        let record: ContractRecord = state.get(&code.0)?.ok_or(Refusal::UnknownContract { code: *code })?;
        let wasm: CodeRecord =
            state.get(&code.0)?.ok_or_else(|| Fault::State(format!("the module of {code} is missing")))?;
        guest.load(code, &wasm.wasm, Bounds::PUBLISHED)?;
        let spec = codec::decode(&record.spec, SPEC_BYTES_MAX)
            .map_err(|error| Fault::State(format!("the spec of {code}: {error}")))?;
        let contract = Arc::new(Contract { code: *code, bank: record.bank, spec });
        self.lock()?.insert(*code, Arc::clone(&contract));
        Ok(contract)
    }

    fn lock(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<CodeHash, Arc<Contract>>>, Fault> {
        self.0.lock().map_err(|_| Fault::Engine("the cache of contracts was left by a panic".into()))
    }
}
