//! `tenor trial-balance`: debits and credits of all accounts by asset; each difference is zero.

use super::{Data, desk};
use crate::demo::report;
use crate::output::Output;
use crate::reading;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use tenor_node::view::check_made;
use tenor_runtime::chain::{Chain, Replica};

/// `tenor trial-balance`.
#[derive(Debug, Args)]
pub struct TrialBalance {
    /// As it was after the block of this height.
    #[arg(long)]
    at: Option<u64>,
    #[command(flatten)]
    data: Data,
}

impl TrialBalance {
    /// Prints the trial balance and what the books of all agreements hold.
    ///
    /// # Errors
    /// When the chain cannot be read.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        let chain = &desk.folder().chain;
        self.at.map_or(Ok(()), |height| check_made(chain, height))?;
        if let Some(height) = self.at.filter(|height| *height < chain.tip().height) {
            return past(chain, height, output);
        }
        let document = json!({
            "height": chain.tip().height,
            "time": chain.tip().time.to_string(),
            "trial_balance": report::trial_balance(chain)?,
            "issued": report::issued(chain)?,
        });
        let issued = document["issued"].as_object().into_iter().flatten();
        let issued: Vec<String> = issued
            .map(|(code, amount)| {
                format!("issued {} {code}, all of it outstanding\n", amount.as_str().unwrap_or(""))
            })
            .collect();
        let books = reading::books_table(chain)?;
        let text = format!(
            "as of block {}, {}\n\n{}{}\n{}",
            chain.tip().height,
            chain.tip().time,
            report::trial_table(&document),
            issued.concat(),
            if books.is_empty() { "no product has books yet\n".into() } else { books.to_string() }
        );
        output.result(&document, &text)
    }
}

/// The books of agreements are not shown of the past: a name may have had none yet.
fn past(chain: &Chain, height: u64, output: &mut Output<'_>) -> Result<()> {
    let block = chain.block(height)?.with_context(|| format!("there is no block {height}"))?;
    let time = block.header.time;
    let document = json!({
        "height": height, "time": time.to_string(), "trial_balance": report::trial_balance_at(chain, height)?,
    });
    let text = format!("as of block {height}, {time}\n\n{}", report::trial_table(&document));
    output.result(&document, &text)
}
