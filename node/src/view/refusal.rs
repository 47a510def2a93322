//! Refusals as a bank's people read them: accounts by their names, amounts with their decimals, states by name.

use super::names::Names;
use super::{reading, words};
use tenor_abi::id::{AccountId, AgreementId, AssetId};
use tenor_abi::money::Decimal;
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::spec::{CODE_OWN, Spec};
use tenor_abi::value;
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::{AccountRecord, AssetRecord};
use tenor_wire::receipt::{Fate, FullReceipt};

/// Whom a refusal tells something about, which others are not told.
pub enum About {
    /// Nobody but who asked.
    Nobody,
    /// The owner of an account.
    Account(AccountId),
    /// All customers of a product.
    Product,
}

/// Whom a refusal of the host tells something about.
pub fn about(refusal: &Refusal) -> About {
    match refusal {
        Refusal::InsufficientFunds { account, .. }
        | Refusal::SpendMax { account, .. }
        | Refusal::GrantExceeded { account, .. }
        | Refusal::Frozen { account, .. }
        | Refusal::Closed { account }
        | Refusal::AboveCeiling { account, .. }
        | Refusal::NotEmpty { account, .. }
        | Refusal::AboveReverse { account, .. }
        | Refusal::HookRefused { account, .. }
        | Refusal::HookFailed { account, .. } => About::Account(*account),
        Refusal::ExposureExceeded { .. } => About::Product,
        _ => About::Nobody,
    }
}

/// What is said of a refusal to whom its reason is not told.
pub const HIDDEN: &str =
    "refused: what belongs to somebody else takes no part in this; why is theirs to know";

/// Why a receipt says no.
pub fn explain(chain: &Chain, names: &Names, receipt: &FullReceipt, spec: Option<&Spec>) -> String {
    let code = receipt.receipt.code;
    if receipt.receipt.fate == Fate::Failed {
        return format!("failed: {}", Failure::of(code).map_or("unknown", Failure::name));
    }
    let text = match (code < CODE_OWN, Refusal::from_data(&receipt.data)) {
        (false, _) => by_contract(receipt, spec),
        (true, None) => format!("refused with code {code}"),
        (true, Some(refusal)) => {
            let text = by_host(chain, spec, &refusal);
            format!("refused: {text} ({}, ISO 20022 {})", refusal.name(), refusal.iso20022())
        }
    };
    names.named(text)
}

fn by_contract(receipt: &FullReceipt, spec: Option<&Spec>) -> String {
    let code = receipt.receipt.code;
    match own_words(code, &receipt.data, spec) {
        Some(said) => format!("refused: {said}"),
        None => format!("refused by the contract with code {code:#06x}"),
    }
}

/// What a contract's own refusal says, by its spec.
fn own_words(code: u16, data: &[u8], spec: Option<&Spec>) -> Option<String> {
    let spec = spec?;
    let error = spec.errors.get(usize::from(code.checked_sub(CODE_OWN)?))?;
    let told = words::told_fields(spec, value::fields_of(&error.fields), data).unwrap_or_default();
    let shown = told.into_iter().map(|(name, text, _)| format!("{name} {text}"));
    let said = format!("{} ({}) {}", error.doc, error.name, shown.collect::<Vec<_>>().join(", "));
    Some(said.trim_end().to_string())
}

/// A refusal of the host; what it says in numbers is said in the words of chain and contract where they are known.
fn by_host(chain: &Chain, spec: Option<&Spec>, refusal: &Refusal) -> String {
    let said = match refusal {
        Refusal::WrongState { state, possible } => spec.map(|spec| {
            let all = (0..spec.states.len() as u16).filter(|state| !spec.is_terminal(*state));
            let states: Vec<u16> = if possible.is_empty() { all.collect() } else { possible.clone() };
            let names: Vec<&str> = states.iter().map(|state| spec.state_name(*state)).collect();
            format!("not possible in state {}; possible in {}", spec.state_name(*state), names.join(", "))
        }),
        Refusal::InsufficientFunds { account, available, needed } => held(chain, account).map(|amount| {
            format!("{account} has {} available, {} needed", amount(*available), amount(*needed))
        }),
        Refusal::SpendMax { account, bound, asked } => held(chain, account).map(|amount| {
            let (bound, asked) = (amount(*bound), amount(*asked));
            format!(
                "{account}: the signer allowed {bound}, {asked} asked; --spend 'account={asked}' allows it"
            )
        }),
        Refusal::Frozen { account, outgoing, reason } => {
            let way = if *outgoing { "out of" } else { "into" };
            Some(format!("{account} is frozen, nothing goes {way} it; reason: {reason}"))
        }
        Refusal::AboveHold { hold, account, left, asked } => held(chain, account).map(|amount| {
            let (left, asked) = (amount(*left), amount(*asked));
            format!("{hold} has {left} of {account} left, {asked} asked")
        }),
        Refusal::AboveReverse { account, sequence, left, asked } => held(chain, account).map(|amount| {
            let (left, asked) = (amount(*left), amount(*asked));
            format!("{left} of posting {sequence} of {account} can still be taken back, {asked} asked")
        }),
        Refusal::GrantExceeded { account, max, used, asked } => held(chain, account).map(|amount| {
            let (max, used, asked) = (amount(*max), amount(*used), amount(*asked));
            format!("the grant on {account} allows {max} per period, {used} used, {asked} asked")
        }),
        Refusal::HookRefused { account, hook, code, data } => Some(by_hook(chain, account, hook, *code, data)),
        Refusal::HookFailed { account, hook, code } => {
            let failure = Failure::of(*code).map_or("unknown", Failure::name);
            Some(format!(
                "the hook {hook} of {account} could not judge the entry: {failure}; who attached it can detach it: \
                 tenor account unhook ACCOUNT"
            ))
        }
        Refusal::KeyLimit { key, asset, allowed, asked } => issued(chain, asset).map(|amount| {
            let (allowed, asked) = (amount(*allowed), amount(*asked));
            format!("key {key} may move {allowed} now, {asked} asked")
        }),
        Refusal::ExposureExceeded { asset, limit: 0, .. } => issued(chain, asset).map(|amount| {
            format!(
                "the product has no exposure limit in {asset}, and has books there that may go below zero; it is \
                 given where the product is published: tenor deploy PRODUCT --exposure '{}'",
                amount(10u128.pow(6))
            )
        }),
        Refusal::ExposureExceeded { asset, limit, would_be } => issued(chain, asset).map(|amount| {
            let (limit, would_be) = (amount(*limit), amount(*would_be));
            format!("the product's exposure would be {would_be}, the bank allowed {limit}")
        }),
        _ => None,
    };
    said.unwrap_or_else(|| refusal.to_string())
}

/// What a hook says, in the words of its own contract where they are known.
fn by_hook(chain: &Chain, account: &AccountId, hook: &AgreementId, code: u16, data: &[u8]) -> String {
    let spec = reading::agreement(chain, hook).ok().map(|(_, spec)| spec);
    let said = match (code < CODE_OWN, Refusal::from_data(data)) {
        (true, Some(refusal)) => refusal.to_string(),
        _ => own_words(code, data, spec.as_ref()).unwrap_or_else(|| format!("code {code:#06x}")),
    };
    format!("the hook {hook} of {account} refuses the entry: {said}")
}

/// How amounts on an account are written.
pub(super) fn held(chain: &Chain, account: &AccountId) -> Option<impl Fn(u128) -> String> {
    let currency = chain.record::<AccountRecord>(&account.0).ok()??.currency;
    Some(move |minor: u128| format!("{} {}", decimal(minor, currency.scale), currency.code))
}

/// How amounts of an asset are written.
pub(super) fn issued(chain: &Chain, asset: &AssetId) -> Option<impl Fn(u128) -> String> {
    let asset: AssetRecord = chain.record(&asset.0).ok()??;
    Some(move |minor: u128| format!("{} {}", decimal(minor, asset.scale), asset.code))
}

fn decimal(minor: u128, scale: u8) -> String {
    i128::try_from(minor).map_or_else(|_| minor.to_string(), |minor| Decimal(minor, scale).to_string())
}
