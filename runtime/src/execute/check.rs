//! Products' own checks: what a contract says must always hold between its storage and its books.
//!
//! A contract has one when it exports a view named [`CHECK`], which refuses where something does not hold. It is
//! no part of any block: a replica asks it when it examines itself.

use super::BlockContext;
use super::view::{ViewError, view};
use crate::fault::{Fault, Stop};
use crate::state::record::AgreementRecord;
use crate::state::{Kind, Overlay};
use std::collections::BTreeSet;
use tenor_abi::id::AgreementId;
use tenor_abi::spec::{CHECK, CODE_OWN, CallKind, Spec};
use tenor_abi::value;

/// What products' own checks came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// How many hold.
    pub hold: u64,
    /// Agreements whose check does not hold or gives no answer, ascending, and what it said.
    pub broken: Vec<(AgreementId, String)>,
}

/// What the check of an agreement came to.
enum Said {
    /// It has none.
    Nothing,
    Holds,
    Broken(String),
}

/// Asks every agreement.
///
/// # Errors
/// [`Fault`] of the store or the engine.
pub fn check_agreements(state: &mut Overlay<'_>, block: &BlockContext<'_>) -> Result<Checked, Fault> {
    let (mut from, mut checked) = (Kind::Agreement.full_key(&[]), Checked::default());
    while let Some((full, _)) = state.next_row(&from, &[Kind::Agreement as u8 + 1])? {
        let id = id_of(&full)?;
        match check(state, block, id)? {
            Said::Nothing => {}
            Said::Holds => checked.hold += 1,
            Said::Broken(said) => checked.broken.push((id, said)),
        }
        from = full;
        from.push(0);
    }
    Ok(checked)
}

/// Asks the agreements whose storage a block has written, before it is done.
///
/// # Errors
/// [`Fault::Books`] naming the agreement whose check does not hold, and as [`check_agreements`].
pub fn check_touched(state: &mut Overlay<'_>, block: &BlockContext<'_>) -> Result<(), Fault> {
    let ids: BTreeSet<AgreementId> =
        state.written(Kind::Storage, |full, _| id_of(full)).into_iter().collect::<Result<_, Fault>>()?;
    ids.into_iter().try_for_each(|id| match check(state, block, id)? {
        Said::Nothing | Said::Holds => Ok(()),
        Said::Broken(said) => Err(Fault::Books(format!("the check of {id} {said}"))),
    })
}

fn id_of(full_key: &[u8]) -> Result<AgreementId, Fault> {
    let id = full_key.get(1..).and_then(|key| key.first_chunk()).copied().map(AgreementId);
    id.ok_or_else(|| Fault::State("a key of an agreement is too short".into()))
}

/// Asks an agreement.
fn check(state: &mut Overlay<'_>, block: &BlockContext<'_>, id: AgreementId) -> Result<Said, Fault> {
    let Some(record) = state.get::<AgreementRecord>(&id.0)? else { return Ok(Said::Nothing) };
    let contract = block.contracts.of_agreement(state, &record).map_err(|stop| match stop {
        Stop::Fault(fault) => fault,
        Stop::Refused(refusal) => Fault::State(refusal.to_string()),
    })?;
    if !contract.spec.calls.iter().any(|call| call.kind == CallKind::View && call.name == CHECK) {
        return Ok(Said::Nothing);
    }
    let none = value::encode_fields(&[]);
    match view(state, block, id, CHECK, &none, block.parameters.limits.item_gas_max) {
        Ok(_) => Ok(Said::Holds),
        Err(ViewError::Fault(fault)) => Err(fault),
        Err(ViewError::Contract { code, .. }) => {
            Ok(Said::Broken(format!("says: {}", name_of(&contract.spec, code))))
        }
        Err(error) => Ok(Said::Broken(format!("gives no answer: {error}"))),
    }
}

/// The name of a contract's refusal.
fn name_of(spec: &Spec, code: u16) -> String {
    let error = code.checked_sub(CODE_OWN).and_then(|number| spec.errors.get(usize::from(number)));
    error.map_or_else(|| format!("refusal {code}"), |error| error.name.clone())
}
