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

/// Asks every agreement; how many have a check.
///
/// # Errors
/// [`Fault::Books`] naming the agreement whose check does not hold.
pub fn check_agreements(state: &mut Overlay<'_>, block: &BlockContext<'_>) -> Result<u64, Fault> {
    let (mut from, mut asked) = (Kind::Agreement.full_key(&[]), 0);
    while let Some((full, _)) = state.next_row(&from, &[Kind::Agreement as u8 + 1])? {
        asked += u64::from(check(state, block, id_of(&full)?)?);
        from = full;
        from.push(0);
    }
    Ok(asked)
}

/// Asks the agreements whose storage a block has written, before it is done.
///
/// # Errors
/// As [`check_agreements`].
pub fn check_touched(state: &mut Overlay<'_>, block: &BlockContext<'_>) -> Result<(), Fault> {
    let ids: BTreeSet<AgreementId> =
        state.written(Kind::Storage, |full, _| id_of(full)).into_iter().collect::<Result<_, Fault>>()?;
    ids.into_iter().try_for_each(|id| check(state, block, id).map(|_| ()))
}

fn id_of(full_key: &[u8]) -> Result<AgreementId, Fault> {
    let id = full_key.get(1..).and_then(|key| key.first_chunk()).copied().map(AgreementId);
    id.ok_or_else(|| Fault::State("a key of an agreement is too short".into()))
}

/// Asks an agreement; false where it has no check.
fn check(state: &mut Overlay<'_>, block: &BlockContext<'_>, id: AgreementId) -> Result<bool, Fault> {
    let Some(record) = state.get::<AgreementRecord>(&id.0)? else { return Ok(false) };
    let contract = block.contracts.of_agreement(state, block.guest, &record).map_err(|stop| match stop {
        Stop::Fault(fault) => fault,
        Stop::Refused(refusal) => Fault::State(refusal.to_string()),
    })?;
    if !contract.spec.calls.iter().any(|call| call.kind == CallKind::View && call.name == CHECK) {
        return Ok(false);
    }
    let none = value::encode_fields(&[]);
    match view(state, block, id, CHECK, &none, block.parameters.limits.item_gas_max) {
        Ok(_) => Ok(true),
        Err(ViewError::Fault(fault)) => Err(fault),
        Err(ViewError::Contract { code, .. }) => {
            Err(Fault::Books(format!("{id} says of itself: {}", name_of(&contract.spec, code))))
        }
        Err(error) => Err(Fault::Books(format!("{id} cannot say whether its books hold: {error}"))),
    }
}

/// The name of a contract's refusal.
fn name_of(spec: &Spec, code: u16) -> String {
    let error = code.checked_sub(CODE_OWN).and_then(|number| spec.errors.get(usize::from(number)));
    error.map_or_else(|| format!("refusal {code}"), |error| error.name.clone())
}
