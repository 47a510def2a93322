//! `tenor asset`: assets that the bank issues.

use super::{Data, desk, submit};
use crate::output::Output;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use tenor_abi::id::PartyId;
use tenor_abi::money::Code;
use tenor_runtime::state::record::AssetRecord;
use tenor_wire::op::{AssetKind, AssetOp, Operation};

/// `tenor asset`.
#[derive(Debug, Subcommand)]
pub enum Asset {
    /// Makes an asset: a currency, or the points of a programme.
    New(New),
}

/// What an asset is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Money.
    Money,
    /// Points of a programme.
    Points,
    /// Anything else that is counted.
    Token,
}

/// `tenor asset new`.
#[derive(Debug, Args)]
pub struct New {
    /// Short code, like PTS.
    code: String,
    /// Decimals of an amount; they never change.
    #[arg(long, default_value_t = 0)]
    decimals: u8,
    /// What it is.
    #[arg(long, default_value = "points")]
    kind: Kind,
    /// Key of operations staff.
    #[arg(long = "as", default_value = "officer")]
    by: String,
    #[command(flatten)]
    data: Data,
}

impl Asset {
    /// Runs the command.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn run(self, output: &mut Output<'_>) -> Result<()> {
        let Asset::New(command) = self;
        command.run(output)
    }
}

impl New {
    fn run(self, output: &mut Output<'_>) -> Result<()> {
        let mut desk = desk(&self.data)?;
        let issuer: PartyId =
            desk.folder().names.lookup("party:bank").context("this folder has no bank")?.parse()?;
        let kind = match self.kind {
            Kind::Money => AssetKind::Money,
            Kind::Points => AssetKind::Points,
            Kind::Token => AssetKind::Token,
        };
        let code: Code = self.code.parse()?;
        let op = AssetOp { issuer, code, scale: self.decimals, kind, freezable: false, clawback: false };
        let asset = op.id();
        let folder = desk.folder_mut();
        if folder.chain.record::<AssetRecord>(&asset.0)?.is_some() {
            bail!("there is an asset {code} already; choose another code");
        }
        // The id follows from issuer and code, so the name is there before the chain hears of the asset.
        folder.name(|names| {
            names.assets.insert(code.to_string(), asset.to_string());
            Ok(())
        })?;
        submit(&mut desk, &self.by, Operation::Asset(op), vec![], None)?;
        output.result(
            &json!({ "code": code.to_string(), "asset": asset.to_string(), "decimals": self.decimals }),
            &format!("asset     {asset}\ncode      {code}\ndecimals  {}", self.decimals),
        )
    }
}
