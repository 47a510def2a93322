//! `tenor show`: shows one thing by its id or name.

use super::{Data, desk};
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tenor_abi::id::ProposalId;
use tenor_node::view::find::{find_account, find_agreement, find_contract, find_party};
use tenor_node::view::party::party;
use tenor_node::view::proposal::proposal;
use tenor_node::view::receipt::receipt;
use tenor_node::view::show;

/// What can be shown.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum What {
    /// An agreement: terms, state, books.
    Agreement,
    /// An account: balance, limits, newest postings.
    Account,
    /// A contract: its calls, who may make them, and with what.
    Contract,
    /// A block by height.
    Block,
    /// A receipt by height/index.
    Receipt,
    /// An open proposal: what would be done.
    Proposal,
    /// A party: keys, roles, accounts, agreements.
    Party,
}

/// `tenor show`.
#[derive(Debug, Args)]
pub struct Show {
    /// What to show.
    what: What,
    /// Its id, name, height, or height/index.
    id: String,
    /// Of an account or an agreement: as it was after the block of this height.
    #[arg(long)]
    at: Option<u64>,
    #[command(flatten)]
    data: Data,
}

impl Show {
    /// Shows the thing.
    ///
    /// # Errors
    /// When there is no such thing.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        let (chain, names) = (&desk.folder().chain, &desk.folder().names);
        let shown = match (self.what, self.at) {
            (What::Account, Some(height)) => show::account_at(chain, find_account(names, &self.id)?, height),
            (What::Agreement, Some(height)) => {
                show::agreement(&desk.chain_at(height)?, find_agreement(names, &self.id)?)
            }
            (_, Some(_)) => bail!("`--at` is for accounts and agreements"),
            (What::Agreement, None) => show::agreement(chain, find_agreement(names, &self.id)?),
            (What::Account, None) => show::account(chain, names, find_account(names, &self.id)?),
            (What::Contract, None) => show::contract(chain, find_contract(chain, &self.id)?),
            (What::Block, None) => show::block(chain, height(&self.id)?, 0..usize::MAX),
            (What::Receipt, None) => {
                let (height, index) = place(&self.id)?;
                receipt(chain, names, height, index)
            }
            (What::Proposal, None) => proposal(chain, names, proposal_id(&self.id)?),
            (What::Party, None) => party(chain, find_party(names, &self.id)?, usize::MAX),
        }?;
        output.result(&shown.document, &shown.text)
    }
}

fn height(asked: &str) -> Result<u64> {
    asked.parse().with_context(|| format!("a height is a number, `{asked}` given"))
}

fn place(asked: &str) -> Result<(u64, u32)> {
    let place = asked.split_once('/');
    let place = place.and_then(|(height, index)| Some((height.parse().ok()?, index.parse().ok()?)));
    place.with_context(|| format!("a receipt is named height/index, `{asked}` given"))
}

fn proposal_id(asked: &str) -> Result<ProposalId> {
    asked.parse().with_context(|| {
        format!("a proposal's id is needed, `{asked}` given; `tenor list proposals` shows them")
    })
}
