//! Says whether a module would be admitted and what is wrong with it, by the function that decides on a deploy;
//! on request runs one of its exports.

use crate::command::{Found, Refused};
use crate::compiler::compiler;
use crate::output::Output;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use tenor_abi::spec::Spec;
use tenor_runtime::execute::{self, Judged};
use tenor_runtime::params::Limits;
use tenor_runtime::vm::{CallOutcome, Engine, Expected, Finding, LIMITS, Settings, Trial, fits, gas_model};
use tenor_wire::hexadecimal::hex;

/// Gas of a run where none is named.
pub(super) const GAS: u64 = 100_000_000;

pub(super) fn check(
    file: &Path,
    bare: bool,
    export: Option<&str>,
    gas: u64,
    output: &mut Output<'_>,
) -> Result<()> {
    let expected = if bare { Expected::Module } else { Expected::Contract };
    let InFile { wasm, size, judged } = InFile::judged(file, expected)?;
    let admitted = judged.findings.is_empty();
    let gas = gas.min(Limits::sandbox().item_gas_max);
    let trial = match export.filter(|_| admitted) {
        Some(export) => {
            let settings = Settings { pooled: false, kept_max: 0, ..Settings::default() };
            Some(Engine::with(settings)?.compiled_by(compiler()).try_alone(&wasm, export, gas)?)
        }
        None => None,
    };
    let mut document = json!({
        "admitted": admitted,
        "findings": judged.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "size": size,
        "functions": judged.functions,
        "gas_model": gas_model(),
    });
    if let Some(trial) = &trial {
        document["run"] = trial_json(trial, gas);
    }
    output.result(&document, &text(file, &judged, size, trial.as_ref()))?;
    match judged.findings.len() {
        0 => Ok(()),
        count => Err(Found(count).into()),
    }
}

/// A module in a file, judged.
struct InFile {
    /// The module, or as much of it as one may have and a byte more.
    wasm: Vec<u8>,
    /// How large its file is.
    size: u64,
    judged: Judged,
}

impl InFile {
    fn judged(file: &Path, expected: Expected) -> Result<InFile> {
        let (wasm, size) = read(file)?;
        let judged = match fits(size) {
            Ok(()) => execute::judge(&wasm, expected, &Limits::sandbox()),
            Err(finding) => Judged { findings: vec![finding], functions: 0, spec: None },
        };
        Ok(InFile { wasm, size, judged })
    }
}

/// The contract in a file, and its spec.
///
/// # Errors
/// [`Refused`] with everything that is wrong with it.
pub(in crate::command) fn contract(file: &Path) -> Result<(Vec<u8>, Spec)> {
    let InFile { wasm, judged: Judged { findings, spec, .. }, .. } =
        InFile::judged(file, Expected::Contract)?;
    match spec.filter(|_| findings.is_empty()) {
        Some(spec) => Ok((wasm, spec)),
        None => {
            let told = format!("{} is not admitted:\n{}", file.display(), lines(&findings));
            Err(Refused(told.trim_end().into()).into())
        }
    }
}

/// A line for each finding: byte offset, rule, what is wrong and what to change.
fn lines(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("  {:>8}  {:<14}  {}\n", finding.offset, finding.rule, finding.text))
        .collect()
}

/// The module, as much of it as one may have and a byte more, and how large its file is.
fn read(file: &Path) -> Result<(Vec<u8>, u64)> {
    let reading = || format!("reading {}", file.display());
    // Asked before it is opened: a pipe that nobody writes to is never open.
    let about = std::fs::metadata(file).with_context(reading)?;
    if about.is_dir() {
        bail!("{} is a folder", file.display());
    }
    if !about.is_file() {
        bail!("{} is not a regular file", file.display());
    }
    let mut wasm = vec![];
    let open = File::open(file).with_context(reading)?;
    open.take(u64::from(LIMITS.bytes) + 1).read_to_end(&mut wasm).with_context(reading)?;
    let size = about.len().max(wasm.len() as u64);
    Ok((wasm, size))
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule, "offset": finding.offset, "function": finding.function, "name": finding.name,
        "value": finding.value, "limit": finding.limit, "text": finding.text,
    })
}

fn trial_json(trial: &Trial, gas_limit: u64) -> Value {
    let mut document = json!({
        "outcome": trial.word(), "gas": trial.report.gas_used, "gas_limit": gas_limit,
        "memory_sha3": hex(&trial.memory_sha3.0), "pages": trial.pages,
    });
    match &trial.report.outcome {
        CallOutcome::Done { .. } => {}
        CallOutcome::Refused { code, .. } => document["code"] = json!(code),
        CallOutcome::Failed(_, text) => document["text"] = json!(text),
    }
    document
}

fn text(file: &Path, judged: &Judged, size: u64, trial: Option<&Trial>) -> String {
    let mut text = match (judged.findings.len(), &judged.spec) {
        (0, Some(spec)) => format!("admitted: {}@{}\n", spec.name, spec.version),
        (0, None) => format!("admitted: {}\n", file.display()),
        (count, _) => format!("refused: {count} {}\n", if count == 1 { "finding" } else { "findings" }),
    };
    text += &lines(&judged.findings);
    text += &format!("bytes      {size}\nfunctions  {}\ngas model  {}\n", judged.functions, gas_model());
    if let Some(trial) = trial {
        let why = match &trial.report.outcome {
            CallOutcome::Done { .. } => String::new(),
            CallOutcome::Refused { code, .. } => format!(" ({code:#x})"),
            CallOutcome::Failed(_, why) => format!(": {why}"),
        };
        let Trial { report, memory_sha3, pages } = trial;
        text += &format!(
            "run        {}{why}\ngas        {}\nmemory     {pages} pages, sha3 {}\n",
            trial.word(),
            report.gas_used,
            hex(&memory_sha3.0)
        );
    }
    text
}
