//! `tenor query`: asks a view of an agreement.

use super::{Data, desk};
use crate::output::Output;
use crate::words::{self, Arguments};
use crate::{near, reading};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use tenor_abi::spec::CallKind;
use tenor_abi::value::{self, ValueError};
use tenor_node::view::find::find_agreement;

/// `tenor query`.
#[derive(Debug, Args)]
pub struct Query {
    /// Agreement: id or name.
    agreement: String,
    /// View of its contract.
    view: String,
    /// Arguments, as name=value.
    arguments: Vec<String>,
    #[command(flatten)]
    data: Data,
}

impl Query {
    /// Asks the view.
    ///
    /// # Errors
    /// When there is no such view, or it refuses.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let desk = desk(&self.data)?;
        let chain = &desk.folder().chain;
        let id = find_agreement(&desk.folder().names, &self.agreement)?;
        let (_, spec) = reading::agreement(chain, &id)?;
        let mut views = spec.calls.iter().filter(|def| def.kind == CallKind::View);
        let Some(def) = views.clone().find(|def| def.name == self.view) else {
            bail!(
                "`{}` is no view of {}{}",
                self.view,
                spec.name,
                near::hint(&self.view, views.by_ref().map(|def| def.name.as_str()))
            );
        };
        let folder = desk.folder();
        let arguments =
            words::arguments(&spec, def, &Arguments::parse(&self.arguments)?, &|word| folder.lookup(word))
                .map_err(|error| folder.names.hint(error))?;
        let bytes = chain.view(id, &self.view, &arguments)?;
        let answer = match value::decode(&spec, def.returns, &bytes) {
            Err(error @ ValueError::Values { .. }) => {
                let (text, answer) = words::as_bytes(&bytes, &error);
                return output.result(&json!({ "answer": answer }), &text);
            }
            answer => answer?,
        };
        let text = match &answer {
            value::Value::List(values) => values
                .iter()
                .map(|value| reading::cells(&spec, def.returns, value).join("  "))
                .collect::<Vec<_>>()
                .join("\n"),
            other => words::show(&spec, def.returns, other),
        };
        output.result(&json!({ "answer": words::json(&spec, def.returns, &answer) }), &text)
    }
}
