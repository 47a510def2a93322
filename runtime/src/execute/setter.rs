//! Who may give which term at opening. Fixed and customer's terms are agreed by the signatures that open an
//! agreement and sign it; the product's stay at their defaults unless the bank agrees to another value.

use super::contract::Contract;
use super::run::{Run, Trouble};
use crate::state::Overlay;
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_abi::spec::Setter;
use tenor_abi::text;
use tenor_abi::value::{self, Fields};

/// The role that agrees to other values than the product's: the one that publishes products.
const ROLE: Role = Role::ProductManager;

/// Checks the terms that an agreement is opened with.
pub(super) fn check(
    state: &Overlay<'_>,
    run: &Run<'_>,
    contract: &Contract,
    terms: Fields<'_>,
) -> Result<(), Trouble> {
    let (spec, bank) = (&contract.spec, contract.bank);
    let mut products = (0u16..).zip(&spec.terms).filter(|(_, term)| term.setter == Setter::Product);
    let is_default = |number, term| {
        text::default_of(spec, term).is_some_and(|value| value::encode(&value) == terms.bytes(number))
    };
    let Some((_, term)) = products.find(|(number, term)| !is_default(*number, term)) else {
        return Ok(());
    };
    if run.has(&bank) || run.has_role(state, &bank, ROLE)? {
        return Ok(());
    }
    Err(Refusal::NotYourTerm { term: term.name.clone(), role: ROLE, bank }.into())
}
