//! Publishing a contract: the module is admitted, its spec checked, its exposure limited.

use super::run::{Run, Trouble};
use crate::params::Limits;
use crate::state::Overlay;
use crate::state::record::{AssetRecord, CodeRecord, ContractRecord, ExposureRecord, NameRow, key};
use crate::vm::{self, Admitted, Bounds, Examined, Expected, Finding};
use tenor_abi::codec;
use tenor_abi::id::Hash;
use tenor_abi::limit::AMOUNT_MAX;
use tenor_abi::refusal::Refusal;
use tenor_abi::role::Role;
use tenor_abi::spec::Spec;
use tenor_wire::op::{PublishOp, Published};

/// A module that was judged: what is wrong with it, its functions, its spec where it can be read.
#[derive(Clone, PartialEq, Debug)]
pub struct Judged {
    /// What is wrong, in the order in which it was found; none when it may be published.
    pub findings: Vec<Finding>,
    /// Functions that it has code for or imports.
    pub functions: u32,
    /// What it says of itself.
    pub spec: Option<Spec>,
}

/// Judges a module as a contract, or as any module: the one decision, which a deploy and `tenor check` share.
pub fn judge(wasm: &[u8], expected: Expected, limits: &Limits) -> Judged {
    let Examined { mut findings, functions, admitted } = vm::examine(wasm, expected);
    let spec = match expected {
        Expected::Contract if findings.is_empty() => match judge_spec(&admitted, limits) {
            Ok(spec) => Some(spec),
            Err(finding) => {
                findings.push(finding);
                None
            }
        },
        _ => None,
    };
    Judged { findings, functions, spec }
}

fn judge_spec(admitted: &Admitted, limits: &Limits) -> Result<Spec, Finding> {
    let wrong = |error: &dyn std::fmt::Display| Finding::new("spec", 0, error.to_string());
    let spec = Spec::from_section(&admitted.spec).map_err(|error| wrong(&error))?;
    let called = |name: &String| spec.calls.iter().any(|call| call.name == *name);
    if let Some((name, at)) = admitted.other_exports.iter().find(|(name, _)| called(name)) {
        let text =
            format!("export `{name}` is a call by the spec: it must take no parameters and return an i32");
        return Err(Finding::new("export", *at, text));
    }
    spec.validate(&admitted.exports).map_err(|error| wrong(&error))?;
    let (schedules, most) = (spec.schedules.len(), limits.schedules_max);
    if schedules > usize::from(most) {
        return Err(wrong(&format!("{schedules} schedules, at most {most} allowed")));
    }
    Ok(spec)
}

/// The spec of a module that may be published: admitted, in agreement with itself and with its exports.
///
/// # Errors
/// [`Refusal::NotAdmitted`]: the first rule that is broken.
pub fn admit(wasm: &[u8], limits: &Limits) -> Result<Spec, Refusal> {
    let Judged { findings, spec, .. } = judge(wasm, Expected::Contract, limits);
    match (findings.into_iter().next(), spec) {
        (Some(finding), _) => Err(finding.refusal()),
        (None, Some(spec)) => Ok(spec),
        (None, None) => Err(Finding::new("spec", 0, "the module says nothing of itself").refusal()),
    }
}

/// Publishes a contract. By product managers of the bank.
pub(super) fn publish(
    state: &mut Overlay<'_>,
    run: &mut Run<'_>,
    op: &PublishOp,
) -> Result<Vec<u8>, Trouble> {
    run.staff(state, &op.bank, Role::ProductManager)?;
    let code = Published::code(&op.bank, &op.wasm);
    let spec = admit(&op.wasm, &run.block.parameters.limits)?;
    let name = key::name(&op.bank, &spec.name, &spec.version);
    if state.get::<ContractRecord>(&code.0)?.is_some() || state.get::<NameRow>(&name)?.is_some() {
        return Err(Refusal::Exists { what: Hash(code.0) }.into());
    }
    limit_exposure(state, op, &spec)?;
    let record = ContractRecord {
        bank: op.bank,
        name: spec.name.clone(),
        version: spec.version,
        spec: codec::encode(&spec),
        height: run.block.height,
    };
    state.put(&code.0, &record);
    state.put(&code.0, &CodeRecord { wasm: op.wasm.clone() });
    state.put(&name, &NameRow { code });
    // While one validator makes the blocks it compiles before it includes the publication.
    let bounds = if run.block.is_new { Bounds::NEW } else { Bounds::PUBLISHED };
    run.block.guest.load(&code, &op.wasm, bounds)?;
    Ok(codec::encode(&code))
}

/// Sets the most that the product may have outstanding; only the issuer of an asset can.
fn limit_exposure(state: &mut Overlay<'_>, op: &PublishOp, spec: &Spec) -> Result<(), Trouble> {
    if !op.exposure.is_sorted_by(|a, b| a.asset < b.asset) {
        return Err(
            Refusal::BadValue { rule: "exposure limits must ascend by asset, each once".into() }.into()
        );
    }
    for limit in &op.exposure {
        let asset: AssetRecord =
            state.get(&limit.asset.0)?.ok_or(Refusal::UnknownAsset { asset: limit.asset })?;
        if asset.issuer != op.bank || limit.limit > AMOUNT_MAX {
            let rule = format!(
                "only the issuer of {} limits a product's exposure in it, to at most 10^30",
                limit.asset
            );
            return Err(Refusal::BadValue { rule }.into());
        }
        let row = key::exposure(&op.bank, &limit.asset, &spec.name);
        let used = state.get::<ExposureRecord>(&row)?.map_or(0, |old| old.used);
        state.put(&row, &ExposureRecord { limit: limit.limit, used });
    }
    Ok(())
}
