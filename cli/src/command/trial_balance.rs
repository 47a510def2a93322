//! `tenor trial-balance`: debits and credits of all accounts by asset; each difference is zero.

use super::{Data, desk};
use crate::demo::report;
use crate::output::Output;
use crate::reading;
use anyhow::Result;
use clap::Args;
use serde_json::json;

/// `tenor trial-balance`.
#[derive(Debug, Args)]
pub struct TrialBalance {
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
        let document = json!({
            "height": chain.tip().height,
            "time": chain.tip().time.to_string(),
            "trial_balance": report::trial_balance(chain)?,
        });
        let text = format!(
            "as of block {}, {}\n\n{}\n{}",
            chain.tip().height,
            chain.tip().time,
            report::trial_table(&document),
            reading::books_table(chain)?
        );
        output.result(&document, &text)
    }
}
