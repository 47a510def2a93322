//! `tenor demo`: a bank, fifty customers and two years of their agreements, in one folder.
//!
//! The script is the same for a seed, to the last byte. Interrupted, it runs again from its beginning and
//! reads the blocks that are there; finished, its result is printed as it was.

pub mod bank;
pub mod cast;
mod plot;
pub mod report;
mod script;

use crate::desk::Desk;
use crate::folder::{Folder, engine, replace, write_synced};
use crate::output::{Output, Progress, say};
use anyhow::{Context, Result, bail};
use cast::Cast;
use script::Lived;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use tenor_runtime::chain::{Replayed, Replica, replay};
use tenor_runtime::fault::Fault;
use tenor_runtime::state::Room;

const SEED: &str = "demo-seed";
const RESULT: &str = "demo-result.json";
const TEXT: &str = "demo-result.txt";
const PLOT: &str = "demo-plot.svg";
const PROOF: &str = "demo-receipt.proof";

/// Runs the demo in a folder, or goes on with it, or prints what it came to.
///
/// # Errors
/// When the folder holds something else, or the disk says no.
pub fn run(path: &Path, room: Room, seed: u64, output: &mut Output<'_>) -> Result<()> {
    let cast = Cast::new(seed);
    if !path.exists() {
        let genesis = cast.genesis();
        Folder::create(path, &genesis, &cast.keys(), &cast.names(), None)?;
        write_synced(&path.join(SEED), seed.to_string().as_bytes())?;
    }
    if let Some(document) = finished(path, &cast, seed)? {
        let text = std::fs::read_to_string(path.join(TEXT)).context("reading the stored result")?;
        return output.result(&document, &text);
    }
    let started = Instant::now();
    let folder = Folder::open(path, room)?;
    let mut progress = Progress::new();
    let (mut desk, lived) = script::live(Desk::from_genesis(folder)?, &cast, &mut progress)?;
    desk.folder_mut().name(|names| {
        names.agreements.clone_from(&lived.names);
        Ok(())
    })?;
    let replayed = replay_all(&desk, &mut progress)?;
    let proof = prove(&desk, path, &lived)?;
    progress.end();
    let tip = desk.folder().chain.tip().state;
    if replayed.root != tip {
        bail!("the replay came to {}, the chain to {tip}", replayed.root);
    }
    let document = document(&desk, &lived, &replayed, started.elapsed().as_millis() as u64)?;
    let svg = plot::svg(&lived.curve);
    write_synced(&path.join(PLOT), svg.as_bytes())?;
    let text = report::text(&desk, &lived, &document, &proof, path)?;
    desk.folder_mut().chain.flush()?;
    write_synced(&path.join(TEXT), text.as_bytes())?;
    replace(&path.join(RESULT), serde_json::to_string_pretty(&document)?.as_bytes())?;
    output.result(&document, &text)
}

/// The stored result of a finished folder of this seed.
fn finished(path: &Path, cast: &Cast, seed: u64) -> Result<Option<Value>> {
    if !Folder::exists(path) {
        bail!("{} exists and holds no chain; name another folder with --data", path.display());
    }
    if Folder::genesis(path)? != cast.genesis() {
        bail!(
            "{} was not made by the demo with seed {seed}; name another folder with --data, or its own seed",
            path.display()
        );
    }
    let Ok(stored) = std::fs::read(path.join(RESULT)) else { return Ok(None) };
    say(&format!("{} is finished already; this is its stored result", path.display()));
    Ok(Some(serde_json::from_slice(&stored).context("the stored result is damaged")?))
}

fn replay_all(desk: &Desk, progress: &mut Progress) -> Result<Replayed> {
    let chain = &desk.folder().chain;
    let tip = chain.tip().height;
    let blocks = (1..=tip)
        .map(|height| chain.block(height)?.ok_or_else(|| Fault::Log(format!("block {height} is missing"))));
    Ok(replay(chain.genesis(), engine()?, blocks, |height| {
        progress.at("replaying from genesis", height, tip)
    })?)
}

/// Proves one receipt and verifies the proof as somebody would who has only the genesis header.
fn prove(desk: &Desk, path: &Path, lived: &Lived) -> Result<String> {
    let chain = &desk.folder().chain;
    let (height, index) = lived.receipt;
    let bundle =
        chain.prove_receipt(height, index, desk.block_key()?)?.context("there is no such receipt")?;
    let bytes = bundle.to_bytes();
    write_synced(&path.join(PROOF), &bytes)?;
    let read = tenor_wire::proof::Bundle::from_bytes(&bytes)?;
    let shown = read.verify(&chain.first_checkpoint()?)?;
    Ok(format!(
        "receipt of item {index} in block {} verified offline from the {} bytes of {}",
        shown.height,
        bytes.len(),
        path.join(PROOF).display()
    ))
}

fn document(desk: &Desk, lived: &Lived, replayed: &Replayed, wall_ms: u64) -> Result<Value> {
    let chain = &desk.folder().chain;
    let wasm: serde_json::Map<String, Value> = crate::products::ALL
        .iter()
        .map(|product| (product.name.into(), json!({ "wasm_bytes": product.wasm.len() })))
        .collect();
    Ok(json!({
        "seed": lived.seed,
        "blocks": chain.tip().height,
        "transactions": lived.transactions,
        "occurrences": lived.occurrences,
        "agreements": lived.names.len(),
        "state_root": chain.tip().state.to_string(),
        "replayed_root": replayed.root.to_string(),
        "trial_balance": report::trial_balance(chain)?,
        "contracts": wasm,
        "wall_ms": wall_ms,
    }))
}
