//! Views: a contract answers a question; nothing is written.

use super::BlockContext;
use super::agreement::{Calling, Opened, call, check_arguments};
use super::run::{Run, Trouble};
use crate::fault::Fault;
use crate::state::Overlay;
use crate::vm::Context;
use tenor_abi::call::Actor;
use tenor_abi::id::{AgreementId, Hash};
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::spec::CallKind;

/// Why a view has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ViewError {
    /// The host says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The contract says no, with a code of its own.
    #[error("the contract refuses with code {code}")]
    Contract {
        /// Its code.
        code: u16,
        /// Its data.
        data: Vec<u8>,
    },
    /// It ran out of something or trapped.
    #[error("the view failed: {}", .0.name())]
    Failed(Failure),
    /// The replica is broken.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Asks a view of an agreement; `gas` bounds it.
///
/// # Errors
/// [`ViewError`].
pub fn view(
    state: &mut Overlay<'_>,
    block: &BlockContext<'_>,
    id: AgreementId,
    name: &str,
    arguments: &[u8],
    gas: u64,
) -> Result<Vec<u8>, ViewError> {
    let mut run = Run::of_chain(block, Hash::ZERO, gas);
    let mark = state.mark();
    let answer = ask(state, &mut run, id, name, arguments);
    state.roll_back(mark);
    answer.map_err(|trouble| match trouble {
        Trouble::Fault(fault) => fault.into(),
        Trouble::Failed(failure) => ViewError::Failed(failure),
        Trouble::Refused { code, data } => {
            match Refusal::from_data(&data).filter(|refusal| refusal.code() == code) {
                Some(refusal) => refusal.into(),
                None => ViewError::Contract { code, data },
            }
        }
    })
}

fn ask(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    id: AgreementId,
    name: &str,
    arguments: &[u8],
) -> Result<Vec<u8>, Trouble> {
    let opened = Opened::load(state, run, id)?;
    run.charge(opened.terms_gas(run))?;
    let contract = std::sync::Arc::clone(&opened.contract);
    let position =
        contract.spec.calls.iter().position(|call| call.name == name && call.kind == CallKind::View);
    let def =
        position.and_then(|at| contract.spec.calls.get(at)).ok_or(Refusal::UnknownCall { call: u16::MAX })?;
    check_arguments(&contract.spec, def, arguments)?;
    let date = run.business_date(state, &opened.record.bank)?;
    let calling = Calling {
        def,
        context: Context::View,
        actor: Actor::Schedule,
        time: run.time(),
        date,
        occurrence: None,
        arguments,
    };
    call(state, run, &opened, calling)
}
