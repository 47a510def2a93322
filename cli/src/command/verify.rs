//! `tenor verify`: executes the whole chain again and compares.

use super::{Data, desk};
use crate::demo::report::{trial_balance, trial_table};
use crate::folder::{Folder, engine};
use crate::keys::VALIDATOR;
use crate::output::{Output, Progress};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use tenor_abi::tag;
use tenor_runtime::chain::{Chain, Replica, replay_on, snapshot_heights};
use tenor_runtime::fault::Fault;
use tenor_wire::block::{Block, Header};
use tenor_wire::receipt::{FullReceipt, Receipt, list_root};

/// `tenor verify`.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    data: Data,
    /// Checks log, headers, certificates, state root, books and products' own checks, and executes nothing again.
    #[arg(long)]
    quick: bool,
}

impl Verify {
    /// Checks log, state, certificates, books, what products say of their own books, and unless asked to be quick that
    /// executing every item again gives the same root.
    ///
    /// # Errors
    /// The first thing that does not hold; of products' own checks all, after the result.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        let folder = desk.folder();
        let chain = &folder.chain;
        let tip = chain.tip().clone();
        let validators = &chain.genesis().validators;
        let key = folder.keys.get(VALIDATOR);
        let oldest = chain.journal().oldest();
        let first = chain.block(oldest)?.with_context(|| format!("block {oldest} is missing"))?;
        let mut parent = if oldest == 0 { first.header } else { check_content(first)? };
        for height in oldest + 1..=tip.height {
            let block = chain.block(height)?.with_context(|| format!("block {height} is missing"))?;
            let header = check_content(block)?;
            if header.parent != parent.hash() {
                bail!("block {height} does not follow block {}", height - 1);
            }
            // The newest block's certificate is made again where the process ended before it was written.
            let newest = key.as_ref().ok().filter(|_| height == tip.height);
            let none = || match &key {
                Err(error) if height == tip.height => {
                    format!("block {height} has no certificate yet, and none can be made: {error:#}")
                }
                _ => format!("block {height} has no certificate"),
            };
            let certificate = chain.certificate(&header, newest)?.with_context(none)?;
            certificate
                .verify(&header, validators)
                .with_context(|| format!("certificate of block {height}"))?;
            parent = header;
        }
        let (from, items) = match self.quick {
            true => (None, None),
            false => execute_again(folder).map(|(from, items)| (Some(from), Some(items)))?,
        };
        let checked = chain.check_agreements()?;
        let books = trial_balance(chain)?;
        if let Some((code, _)) = books.as_object().into_iter().flatten().find(|(_, row)| {
            row["difference"].as_str().is_none_or(|d| d.bytes().any(|b| b.is_ascii_digit() && b != b'0'))
        }) {
            bail!("{code} is out of balance");
        }
        let document = json!({
            "height": tip.height,
            "oldest": oldest,
            "executed_from": from,
            "items": items,
            "products_checked": checked.hold,
            "products_broken": checked.broken.iter().map(|(id, said)| json!({ "agreement": id.to_string(), "check": said })).collect::<Vec<_>>(),
            "state_root": tip.state.to_string(),
            "cut_bytes": folder.opened.torn.bytes,
            "redone_blocks": folder.opened.redone,
            "state_rebuilt": folder.opened.rebuilt,
            "trial_balance": books,
        });
        let again = items.map_or_else(|| "none, as asked".to_string(), |items| items.to_string());
        let broken: Vec<String> =
            checked.broken.iter().map(|(id, said)| format!("the check of {id} {said}")).collect();
        let own = match broken.len() {
            0 => format!("{} hold", checked.hold),
            count => format!("{} hold, {count} do not\n{}", checked.hold, broken.join("\n")),
        };
        let begins = match (oldest, from) {
            (0, _) => String::new(),
            (_, None) => format!("the log begins at block {oldest}: what was before was let go\n"),
            (_, Some(from)) => format!(
                "the log begins at block {oldest}: what was before was let go; executed again from the state of block {from} on\n"
            ),
        };
        let text = format!(
            "consistent to block {}\n{begins}items executed again  {again}\nproducts' own checks  {own}\nstate root            {}\ntail cut              {} bytes\nblocks redone         {}\n\n{}",
            tip.height,
            tip.state,
            folder.opened.torn.bytes,
            folder.opened.redone,
            trial_table(&document)
        );
        output.result(&document, &text)?;
        match broken.first() {
            None => Ok(()),
            Some(first) => bail!("{} products' own checks do not hold; {first}", broken.len()),
        }
    }
}

/// The header of a block whose items and receipts are those that the header names.
fn check_content(block: Block) -> Result<Header> {
    let header = block.header;
    let receipts: Vec<Receipt> = block.receipts.iter().map(|full| full.receipt).collect();
    if list_root(tag::ITEMS, &block.items) != header.items {
        bail!("the items of block {} are not those that its header names", header.height);
    }
    if list_root(tag::RECEIPTS, &receipts) != header.receipts
        || !block.receipts.iter().all(FullReceipt::is_whole)
    {
        bail!("the receipts of block {} are not those that its header names", header.height);
    }
    Ok(header)
}

/// Executes every block in an empty memory, or, where the log no longer begins at block 0, those behind the oldest
/// snapshot in it on the state of that; the height before the first one, and the number of items.
fn execute_again(folder: &Folder) -> Result<(u64, u64)> {
    let (chain, oldest) = (&folder.chain, folder.chain.journal().oldest());
    let tip = chain.tip();
    let mut progress = Progress::new();
    let from = match oldest {
        0 => 0,
        _ => {
            let heights = snapshot_heights(&folder.path)?.into_iter();
            let within = heights.filter(|height| (oldest..=tip.height).contains(height)).min();
            within.with_context(|| {
                format!(
                    "the log begins at block {oldest}, and no snapshot stands above it: `--quick` executes nothing"
                )
            })?
        }
    };
    let base = match oldest {
        0 => Chain::in_memory(chain.genesis().clone(), engine()?)?,
        _ => folder.chain_at(from, &mut |done, of| progress.at("making the state", done, of))?,
    };
    let blocks = (from + 1..=tip.height)
        .map(|height| chain.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing"))));
    let replayed = replay_on(base, blocks, |height| progress.at("executing again", height, tip.height))?;
    progress.end();
    if replayed.root != tip.state {
        bail!("executing again gives {}, the newest header says {}", replayed.root, tip.state);
    }
    Ok((from, replayed.items))
}
