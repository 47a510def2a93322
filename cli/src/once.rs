//! Acts with a name: repeated under it, an act is not done again but told what became of it.
//!
//! Whoever does not know whether a command came through (a kill, a lost connection) types it again. The name
//! becomes the idempotency key, so it is the chain that remembers, for as many days as it keeps keys.

use crate::command::{Refused, random};
use crate::desk::Desk;
use crate::output::say;
use anyhow::{Result, bail};
use clap::Args;
use tenor_abi::date::DAY_MS;
use tenor_abi::spec::Spec;
use tenor_abi::tag;
use tenor_runtime::state::record::{IdempotencyRecord, key};
use tenor_wire::crypto::hash;
use tenor_wire::receipt::{Fate, FullReceipt};
use tenor_wire::tx::{IdempotencyKey, Transaction};

/// The name of an act, where it has one.
#[derive(Clone, Debug, Args)]
pub struct Once {
    /// Name of this act: typed again with the same name, it is done once only.
    #[arg(long, value_name = "NAME")]
    once: Option<String>,
}

impl Once {
    /// The chosen part of the idempotency key.
    ///
    /// # Errors
    /// When there is no name and the system gives no random bytes.
    pub fn choice(&self) -> Result<[u8; 12]> {
        let Some(name) = &self.once else { return random() };
        let mut choice = [0; 12];
        choice.copy_from_slice(&hash(tag::SEED, &[b"once", name.as_bytes()]).0[..12]);
        Ok(choice)
    }

    /// What became of the act earlier, if it was done.
    ///
    /// # Errors
    /// When the name stands for another act, or what was done was refused.
    pub fn earlier(&self, desk: &Desk, tx: &Transaction, spec: Option<&Spec>) -> Result<Option<FullReceipt>> {
        let Some(name) = &self.once else { return Ok(None) };
        let chain = &desk.folder().chain;
        let (choice, actor) = (self.choice()?, tx.body.actor());
        let today = (desk.time().0 / DAY_MS) as u32;
        let oldest = today.saturating_sub(chain.genesis().parameters.limits.idempotency_days);
        for day in oldest..=today + 1 {
            let row = key::idempotency(&actor, &IdempotencyKey::new(day, choice));
            let Some(used) = chain.record::<IdempotencyRecord>(&row)? else { continue };
            let place = format!("in block {} at {}", used.height, used.index);
            if used.operation != tx.body.operation_hash() {
                bail!("`{name}` was another act, {place}; choose another name");
            }
            let receipt = desk.receipt(used.height, used.index)?;
            if receipt.receipt.fate != Fate::Done {
                let why = desk.explain(&receipt, spec);
                return Err(
                    Refused(format!("{why}; so it was {place}, choose another name to try anew")).into()
                );
            }
            say(&format!("`{name}` was done before, {place}; nothing is done now"));
            return Ok(Some(receipt));
        }
        Ok(None)
    }
}
