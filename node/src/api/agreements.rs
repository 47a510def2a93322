//! Agreements: terms, state, books, schedule, what can be done now, views.

use super::accounts::owned;
use super::operation::Asking;
use super::problem::{self, Problem};
use super::reading::{At, PageOfParty, Reader, Reads, Wants, stamped};
use super::shapes;
use super::strict::{Asked, Nothing, Part, Strict, numbered};
use crate::near;
use crate::view::authority::Authorities;
use crate::view::{Missing, reading, schedule, show, words};
use axum::Json;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Document, json};
use tenor_abi::id::AgreementId;
use tenor_abi::spec::{CallDef, CallKind, Spec};
use tenor_abi::text::type_name;
use tenor_abi::value::{self, ValueError};
use tenor_runtime::chain::Chain;
use tenor_runtime::execute::ViewError;
use tenor_runtime::state::record::{
    AgreementOfRow, AgreementRecord, CalendarRecord, ScheduleRecord, Waiting,
};
use utoipa::{IntoParams, ToSchema};

/// Occurrences of a schedule on either side where nobody says.
const OCCURRENCES: u32 = 12;
/// Most occurrences on either side.
const OCCURRENCES_MAX: u32 = 400;

/// The agreement of a path that the caller may see.
fn seen(reader: &Reader, asked: &str) -> Result<AgreementId, Problem> {
    let id: AgreementId = reader.id("agreement", asked)?;
    match reader.caller.sees_agreement(reader.chain(), &id)? {
        true => Ok(id),
        false => Err(Missing(format!("there is no agreement {id}")).into()),
    }
}

fn row(chain: &Chain, id: AgreementId, record: &AgreementRecord) -> Result<Document, Problem> {
    let spec = reading::spec(chain, &record.code)?;
    Ok(json!({
        "agreement": id.to_string(), "contract": format!("{}@{}", spec.name, spec.version),
        "code": record.code.to_string(), "state": spec.state_name(record.state),
        "opened_at": record.opened_at.to_string(), "opened_by": record.opened_by.to_string(),
        "terms_version": record.terms_version,
    }))
}

/// Agreements: a customer's own, or all, or those of a party.
#[utoipa::path(
    get, path = "/v1/agreements", tag = "agreements", params(PageOfParty),
    responses((status = 200, description = "A page of agreements", body = shapes::Agreements)))]
pub async fn list(reads: Reads, Asked(asked): Asked<PageOfParty>) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| match asked.party(reader)? {
            Some(party) => {
                asked.page().page::<AgreementOfRow>(reader, &party.0, "agreements", |chain, of, _| {
                    let id = AgreementId(owned(of)?);
                    let sees = reader.caller.sees_agreement(chain, &id)?;
                    let record: Option<AgreementRecord> = chain.record(&id.0)?;
                    record.filter(|_| sees).map(|record| row(chain, id, &record)).transpose()
                })
            }
            None => asked.page().page::<AgreementRecord>(reader, &[], "agreements", |chain, of, record| {
                let id =
                    of.first_chunk().ok_or_else(|| Problem::new(problem::BROKEN, "a row is too short"))?;
                row(chain, AgreementId(*id), &record).map(Some)
            }),
        })
        .await
}

/// An agreement's terms, state and books, now or as of an earlier block or day.
#[utoipa::path(
    get, path = "/v1/agreements/{id}", tag = "agreements", params(("id" = String, Path, description = "Its id"), At),
    responses((status = 200, description = "The agreement", body = shapes::Agreement)))]
pub async fn get(
    reads: Reads,
    wants: Wants,
    Part(asked): Part<String>,
    Asked(at): Asked<At>,
) -> Result<Response, Problem> {
    reads
        .of(move |reader| {
            let id = seen(reader, &asked)?;
            let standing = reader.at(at.at.as_deref())?;
            Ok(wants.answer(show::agreement(standing.chain(), id)?, standing.chain()))
        })
        .await
}

/// How much of a schedule.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ScheduleQuery {
    /// Occurrences back, at most 400.
    #[serde(default, deserialize_with = "numbered")]
    #[param(maximum = 400)]
    past: Option<u32>,
    /// Occurrences ahead, at most 400.
    #[serde(default, deserialize_with = "numbered")]
    #[param(maximum = 400)]
    ahead: Option<u32>,
}

/// An agreement's schedules: the days that were, the one that waits, and those that follow by the rule and calendar in
/// force. What became of those that were is told by events.
#[utoipa::path(
    get, path = "/v1/agreements/{id}/schedule", tag = "agreements",
    params(("id" = String, Path, description = "The agreement's id"), ScheduleQuery),
    responses((status = 200, description = "Its schedules", body = shapes::Schedules)))]
pub async fn schedule(
    reads: Reads,
    Part(asked): Part<String>,
    Asked(query): Asked<ScheduleQuery>,
) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            let id = seen(reader, &asked)?;
            let (past, ahead) = (query.past.unwrap_or(OCCURRENCES), query.ahead.unwrap_or(OCCURRENCES));
            if let Some((name, given)) =
                [("past", past), ("ahead", ahead)].into_iter().find(|(_, given)| *given > OCCURRENCES_MAX)
            {
                let why = format!("`{name}` cannot be used");
                return Err(
                    Problem::new(problem::BAD_QUERY, why).given(given, format!("0..={OCCURRENCES_MAX}"))
                );
            }
            let chain = reader.chain();
            let (_, spec) = reading::agreement(chain, &id)?;
            let mut schedules = vec![];
            for (name, record) in schedule::schedules(chain, &id, &spec)? {
                let (next, _) = schedule::waiting(&spec, &record);
                let (past, ahead) = days(chain, &record, (past, ahead))?;
                schedules.push(json!({ "schedule": name, "past": past, "next": next, "projected": ahead }));
            }
            Ok(stamped(json!({ "agreement": id.to_string(), "schedules": schedules }), chain))
        })
        .await
}

/// The days that were, and those that follow what waits.
fn days(
    chain: &Chain,
    record: &ScheduleRecord,
    (past, ahead): (u32, u32),
) -> Result<(Vec<Document>, Vec<Document>), Problem> {
    let calendar = match record.recurrence.calendar {
        Some(id) => chain.record::<CalendarRecord>(&id.0)?.map(|record| record.calendar),
        None => None,
    };
    let day = |place: u32| {
        let day = record.recurrence.adjusted(place, calendar.as_ref());
        day.ok().flatten().map(|day| json!({ "number": record.base + place, "date": day.to_string() }))
    };
    let first = record.place + u32::from(matches!(record.waiting, Waiting::Due { .. }));
    let behind = (record.place.saturating_sub(past)..record.place).filter_map(day).collect();
    let before = match record.waiting {
        Waiting::Ended => vec![],
        _ => (first..first.saturating_add(ahead)).map_while(day).collect(),
    };
    Ok((behind, before))
}

/// What can be done with an agreement in its present state: each action with its arguments, who may, and whether the
/// token's party is one of them.
#[utoipa::path(
    get, path = "/v1/agreements/{id}/actions", tag = "agreements",
    params(("id" = String, Path, description = "The agreement's id")),
    responses((status = 200, description = "Its actions", body = shapes::Actions)))]
pub async fn actions(
    reads: Reads,
    Part(asked): Part<String>,
    Asked(_): Asked<Nothing>,
) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            let (chain, id) = (reader.chain(), seen(reader, &asked)?);
            let (record, spec) = reading::agreement(chain, &id)?;
            let may = Authorities::of(chain, &spec, &record);
            let mut actions = vec![];
            for def in spec.calls.iter().filter(|def| matches!(def.kind, CallKind::Action | CallKind::Sign)) {
                let possible = match def.from.as_slice() {
                    [] => !spec.is_terminal(record.state),
                    states => states.contains(&record.state),
                };
                let mine = match reader.caller.customer() {
                    Some(party) => Some(may.any(def, &party)?),
                    None => None,
                };
                if possible && mine != Some(false) {
                    actions.push(action(&spec, def, &may, mine));
                }
            }
            let state = spec.state_name(record.state);
            Ok(stamped(json!({ "agreement": id.to_string(), "state": state, "actions": actions }), chain))
        })
        .await
}

fn action(spec: &Spec, def: &CallDef, may: &Authorities<'_>, mine: Option<bool>) -> Document {
    let arguments = def
        .arguments
        .iter()
        .map(|argument| json!({ "name": argument.name, "type": type_name(spec, argument.ty) }));
    let four_eyes = def.four_eyes.as_ref().map(|second| second.role.name());
    json!({
        "call": def.name, "doc": def.doc, "signs_terms": def.kind == CallKind::Sign,
        "arguments": arguments.collect::<Vec<_>>(), "by": def.by.iter().map(|by| may.words(by)).collect::<Vec<_>>(),
        "state_after": def.to.map(|to| spec.state_name(to)), "second_person": four_eyes, "exit": def.exit,
        "allowed_to_me": mine,
    })
}

/// Arguments of a view.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewAsked {
    /// Arguments by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Map<String, Document>,
}

/// Asks a view of an agreement; nothing is written.
#[utoipa::path(
    post, path = "/v1/agreements/{id}/views/{view}", tag = "agreements", request_body = ViewAsked,
    params(("id" = String, Path, description = "The agreement's id"), ("view" = String, Path, description = "Its name")),
    responses((status = 200, description = "The answer", body = shapes::ViewAnswer)))]
pub async fn view(
    reads: Reads,
    Part((asked, name)): Part<(String, String)>,
    Strict(given): Strict<ViewAsked>,
) -> Result<Json<Document>, Problem> {
    reads
        .json(move |reader| {
            let (chain, id) = (reader.chain(), seen(reader, &asked)?);
            let (_, spec) = reading::agreement(chain, &id)?;
            let mut views = spec.calls.iter().filter(|def| def.kind == CallKind::View);
            let Some(def) = views.clone().find(|def| def.name == name) else {
                let near = near::hint(&name, views.by_ref().map(|def| def.name.as_str()));
                return Err(Missing(format!("`{name}` is no view of {}{near}", spec.name)).into());
            };
            let arguments = Asking(reader).arguments(&spec, &def.arguments, &given.arguments)?;
            let answer = chain.view(id, &name, &arguments).map_err(|error| match error {
                ViewError::Fault(fault) => fault.into(),
                other => Problem::new(problem::VIEW_REFUSED, other),
            })?;
            let answer = match value::decode(&spec, def.returns, &answer) {
                Ok(value) => words::json(&spec, def.returns, &value),
                Err(error @ ValueError::Values { .. }) => words::as_bytes(&answer, &error).1,
                Err(error) => return Err(Problem::new(problem::VIEW_REFUSED, error)),
            };
            Ok(stamped(json!({ "view": name, "answer": answer }), chain))
        })
        .await
}
