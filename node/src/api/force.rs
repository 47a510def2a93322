//! Forced failures of a sandbox: the next transaction of a party is answered as an app's developer wants to see it
//! answered. The chain knows nothing of it.

use super::Api;
use super::caller::Caller;
use super::problem::{self, Problem};
use super::shapes;
use super::strict::{Asked, Nothing, Strict};
use crate::access::Scope;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Document, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tenor_abi::id::PartyId;
use tenor_abi::refusal::Refusal;
use tenor_wire::tx::{Body, IdempotencyKey};
use utoipa::ToSchema;

/// Most that may be forced at the same time.
const FORCED_MAX: usize = 100;
/// Most transactions that one forcing is for.
const TIMES_MAX: u32 = 1_000;
/// Longest that an answer is held back.
const SECONDS_MAX: u64 = 60;
/// Refusals that are told again to whoever sends the same transaction again.
const TOLD_MAX: usize = 1_000;
/// Seconds after which to send again.
const RETRY_S: u64 = 1;

/// What is forced.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForceAsked {
    /// `refused`: with a reason, and nothing is handed in. `pending`: 202, whatever `Prefer` says. `slow`: answered so
    /// many seconds later. `unavailable`: 503, and nothing is handed in. `lost`: 503, and handed in all the same.
    answer: String,
    /// Name of a refusal of the chain, for `refused`; `InsufficientFunds` where none is given.
    reason: Option<String>,
    /// Whose transactions; anybody's where none is given.
    party: Option<String>,
    /// Seconds, for `slow`, at most 60; 5 where they are not given.
    seconds: Option<u64>,
    /// For so many transactions, at most 1,000; one where it is not given.
    times: Option<u32>,
}

/// How a transaction is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// With a refusal, by its place among all.
    Refused(usize),
    /// 202.
    Pending,
    /// So much later.
    Slow(Duration),
    /// 503, and not handed in.
    Unavailable,
    /// 503, and handed in.
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Force {
    party: Option<PartyId>,
    answer: Answer,
    times: u32,
}

#[derive(Debug, Default)]
struct Content {
    waiting: VecDeque<Force>,
    told: VecDeque<(PartyId, IdempotencyKey, usize)>,
}

/// What is forced on the transactions to come.
#[derive(Debug, Default)]
pub struct Forces(Mutex<Content>);

impl Forces {
    /// How a transaction is answered, where that is forced.
    pub fn take(&self, body: &Body) -> Option<Answer> {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (actor, key) = (body.actor(), body.key);
        if let Some((.., reason)) =
            content.told.iter().find(|(party, used, _)| (*party, *used) == (actor, key))
        {
            return Some(Answer::Refused(*reason));
        }
        let signs = |party: &PartyId| body.authorisers.iter().any(|by| by.party == *party);
        let place = content.waiting.iter().position(|force| force.party.as_ref().is_none_or(signs))?;
        let force = content.waiting.get_mut(place)?;
        let answer = force.answer;
        force.times -= 1;
        if force.times == 0 {
            content.waiting.remove(place);
        }
        if let Answer::Refused(reason) = answer {
            // Refused uses the idempotency key up: whoever sends it again is told so again.
            if content.told.len() == TOLD_MAX {
                content.told.pop_front();
            }
            content.told.push_back((actor, key, reason));
        }
        Some(answer)
    }

    fn add(&self, force: Force) -> bool {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = content.waiting.len() < FORCED_MAX;
        if has_room {
            content.waiting.push_back(force);
        }
        has_room
    }

    fn clear(&self) -> usize {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = content.waiting.len();
        *content = Content::default();
        waiting
    }
}

/// The problem that a forced refusal is told with.
pub fn refused(reason: usize) -> Problem {
    let (name, iso) = (
        Refusal::NAMES.get(reason).copied().unwrap_or_default(),
        Refusal::ISO20022.get(reason).copied().unwrap_or_default(),
    );
    let text = format!("refused: the sandbox was told to ({name}, ISO 20022 {iso})");
    Problem::new(problem::REFUSED, &text)
        .with("explanation", json!([text]))
        .with("iso20022", iso)
        .with("rule", name)
        .with("receipt_code", reason + 1)
        .with("forced", true)
}

/// The problem that a transaction is told which is not answered.
pub fn unavailable() -> Problem {
    Problem::new(problem::STOPPING, "the sandbox was told to answer so").after(RETRY_S).with("forced", true)
}

/// Has the next transactions of a party, or of anybody, answered in a way of the caller's choice.
#[utoipa::path(
    post, path = "/v1/sandbox/force", tag = "sandbox", request_body = ForceAsked,
    responses((status = 200, description = "It will be", body = shapes::Forced)))]
pub async fn force(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Strict(asked): Strict<ForceAsked>,
) -> Result<Json<Document>, Problem> {
    caller.needs(Scope::Sandbox)?;
    let reason = asked.reason.as_deref().unwrap_or("InsufficientFunds");
    let place = Refusal::NAMES.iter().position(|name| *name == reason);
    let seconds = asked.seconds.unwrap_or(5);
    let (possible, answers) =
        ("refused, pending, slow, unavailable, lost", ["refused", "pending", "slow", "unavailable", "lost"]);
    let answer = match asked.answer.as_str() {
        "refused" => Answer::Refused(place.ok_or_else(|| {
            let near = crate::near::hint(reason, Refusal::NAMES.iter().copied());
            let why = format!("there is no refusal `{reason}`{near}");
            Problem::field("reason", why).given(reason, "the name of a refusal, like InsufficientFunds")
        })?),
        "pending" => Answer::Pending,
        "slow" => Answer::Slow(Duration::from_secs(seconds)),
        "unavailable" => Answer::Unavailable,
        "lost" => Answer::Lost,
        other => {
            let near = crate::near::hint(other, answers.into_iter());
            return Err(
                Problem::field("answer", format!("it is none that there is{near}")).given(other, possible)
            );
        }
    };
    for (name, is_given, of) in
        [("reason", asked.reason.is_some(), "refused"), ("seconds", asked.seconds.is_some(), "slow")]
    {
        if is_given && asked.answer != of {
            let why = format!("it goes with the answer `{of}`");
            return Err(Problem::field(name, why).given(&asked.answer, of));
        }
    }
    if seconds > SECONDS_MAX {
        let possible = format!("0..={SECONDS_MAX}");
        return Err(Problem::field("seconds", "nothing is held back for so long").given(seconds, possible));
    }
    let times = asked.times.unwrap_or(1);
    if times == 0 || times > TIMES_MAX {
        let possible = format!("1..={TIMES_MAX}");
        return Err(Problem::field("times", "it is for none, or for too many").given(times, possible));
    }
    let party = asked.party.clone();
    let party = api.read(Caller::bank(), move |reader| {
        party.as_deref().map(|party| reader.id::<PartyId>("party", party)).transpose()
    });
    if !api.forces.add(Force { party: party.await?, answer, times }) {
        let why = format!("{FORCED_MAX} wait already; `DELETE /v1/sandbox/force` clears them");
        let possible = format!("at most {FORCED_MAX} at the same time");
        return Err(Problem::field("answer", why).given(&asked.answer, possible));
    }
    Ok(Json(json!({ "answer": asked.answer, "times": times })))
}

/// Forces nothing any more.
#[utoipa::path(
    delete, path = "/v1/sandbox/force", tag = "sandbox",
    responses((status = 200, description = "Nothing is forced", body = shapes::Cleared)))]
pub async fn clear(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    caller.needs(Scope::Sandbox)?;
    Ok(Json(json!({ "cleared": api.forces.clear() })))
}
