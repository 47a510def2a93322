//! `tenor config`: what a node would be told, and where each value comes from.

use super::node::Told;
use crate::output::{Output, Table};
use anyhow::Result;
use clap::Args;
use serde_json::json;

/// `tenor config`.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    told: Told,
    /// Says where each value comes from.
    #[arg(long)]
    sources: bool,
}

impl Show {
    /// Prints the values.
    ///
    /// # Errors
    /// When a key or a value is none.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let settings = self.told.settings()?;
        tenor_node::config::Config::of(&settings)?;
        let headings: &[&str] =
            if self.sources { &["key", "value", "from", "what"] } else { &["key", "value", "what"] };
        let mut table = Table::new(headings);
        let mut documents = vec![];
        for (key, value, source) in settings.rows() {
            let source = source.to_string();
            documents.push(json!({ "key": key.name, "value": value, "from": source, "doc": key.doc }));
            let from = self.sources.then_some(source);
            let cells =
                [Some(key.name.to_string()), Some(format!("`{value}`")), from, Some(key.doc.to_string())];
            table.row(cells.into_iter().flatten().collect());
        }
        output.result(&json!({ "settings": documents }), &table.to_string())
    }
}
