//! Schedules of agreements: what each waits for, and why one does not go on.

use anyhow::Result;
use serde_json::{Value as Json, json};
use tenor_abi::id::AgreementId;
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::spec::{CODE_OWN, Spec};
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::{ScheduleRecord, Waiting};

/// The schedules that an agreement has started, by their names.
///
/// # Errors
/// When the chain cannot be read.
pub fn schedules(chain: &Chain, id: &AgreementId, spec: &Spec) -> Result<Vec<(String, ScheduleRecord)>> {
    let rows = chain.records::<ScheduleRecord>(&id.0)?;
    Ok(rows.into_iter().map(|(row, record)| (name(spec, &row), record)).collect())
}

/// The name of the schedule of a row.
pub fn name(spec: &Spec, row: &[u8]) -> String {
    let kind = row.get(32..34).and_then(|kind| kind.try_into().ok()).map_or(0, u16::from_be_bytes);
    spec.schedules.get(usize::from(kind)).cloned().unwrap_or_default()
}

/// What a schedule waits for, as a document and in words.
pub fn waiting(spec: &Spec, record: &ScheduleRecord) -> (Json, String) {
    let number = record.number();
    match record.waiting {
        Waiting::Due { date, attempt_date, due, attempt, .. } => (
            json!({
                "status": "due", "date": date.to_string(), "attempt_date": attempt_date.to_string(),
                "attempt": attempt, "due": due.to_string(), "number": number,
            }),
            format!("due {attempt_date}, attempt {attempt}"),
        ),
        Waiting::Held { since } => (
            json!({ "status": "held", "since": since.to_string(), "number": number }),
            format!("held since {}", since.date()),
        ),
        Waiting::Suspended { code } => {
            let why = code_name(spec, code);
            let text = format!("suspended with {why} ({code})");
            (json!({ "status": "suspended", "code": code, "why": why, "number": number }), text)
        }
        Waiting::Ended => (json!({ "status": "ended" }), "ended".into()),
    }
}

/// What a code of a receipt is called: a refusal of the host or of the contract, or a failure.
fn code_name(spec: &Spec, code: u16) -> &str {
    let host = || Refusal::NAMES.get(usize::from(code.checked_sub(1)?)).copied();
    let own = || Some(spec.errors.get(usize::from(code.checked_sub(CODE_OWN)?))?.name.as_str());
    own().or_else(|| Failure::of(code).map(Failure::name)).or_else(host).unwrap_or("unknown")
}
