//! Events as they happen: a message for each item of a block, in order, none twice and none left out over reconnects.

use super::Api;
use super::caller::Caller;
use super::problem::{self, Problem};
use super::reading::Reader;
use super::strict::{Asked, number, numbered};
use super::transactions::placed;
use crate::config::Config;
use crate::turns::Who;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tenor_abi::id::{AccountId, AgreementId};
use tenor_runtime::fault::Fault;
use tenor_runtime::state::record::AgreementRecord;
use tenor_wire::block::{Block, Item};
use tenor_wire::receipt::FullReceipt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

/// Messages that are made before a follower has taken those before.
const AHEAD: usize = 32;
/// Silence after which a comment shows that the connection lives.
const SILENCE: Duration = Duration::from_secs(15);

/// What is followed.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Following {
    /// Only what touches this account.
    account: Option<String>,
    /// Only what concerns this agreement.
    agreement: Option<String>,
    /// From the first item of this height on; from the next block on where neither this nor `Last-Event-ID` says.
    #[serde(default, deserialize_with = "numbered")]
    from: Option<u64>,
    /// As the header `Last-Event-ID`, for those who cannot send it: height.index of the last message.
    last_event_id: Option<String>,
}

/// Places for followers: so many in all, so many of a customer, whichever token is shown, so many of another token.
#[derive(Default)]
pub struct Followers(Mutex<BTreeMap<Who, usize>>);

/// A follower's place, until it is dropped.
struct Place {
    api: Arc<Api>,
    who: Who,
}

impl Followers {
    /// A place for who asks.
    fn place(api: &Arc<Api>, caller: &Caller) -> Result<Place, Problem> {
        let Config { followers, followers_per_customer, followers_per_token, .. } = api.config;
        let who = caller.who();
        let most = match who {
            Who::Customer(_) => followers_per_customer,
            Who::Token(_) => followers_per_token,
        };
        let mut taken = api.followers.taken();
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&who).copied().unwrap_or(0));
        let too_many = |why: &str, most| Problem::new(problem::TOO_MANY, why).given(most, most).after(5);
        if own >= most {
            return Err(too_many("as many follow with this token, or for this customer, as may", most));
        }
        if all >= followers {
            return Err(too_many("as many follow as may", followers));
        }
        taken.insert(who.clone(), own + 1);
        api.metrics.followers.inc();
        Ok(Place { api: Arc::clone(api), who })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<Who, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.api.followers.taken();
        match taken.get_mut(&self.who) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.who)),
        }
        self.api.metrics.followers.dec();
    }
}

/// What passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only what touches it.
    pub account: Option<AccountId>,
    /// Only what concerns it.
    pub agreement: Option<AgreementId>,
}

impl Filter {
    /// What passes of what the caller may see.
    ///
    /// # Errors
    /// When an id is none, or there is no such thing.
    pub fn of(reader: &Reader, account: Option<&str>, agreement: Option<&str>) -> Result<Filter, Problem> {
        let account = account.map(|id| super::accounts::seen(reader, id).map(|(id, _)| id));
        let agreement = agreement.map(|text| {
            let id: AgreementId = reader.id("agreement", text)?;
            let record: Option<AgreementRecord> = reader.chain().record(&id.0)?;
            match record.is_some() && reader.caller.sees_agreement(reader.chain(), &id)? {
                true => Ok(id),
                false => Err(Problem::from(crate::view::Missing(format!("there is no agreement {id}")))),
            }
        });
        Ok(Filter { account: account.transpose()?, agreement: agreement.transpose()? })
    }

    /// Whether an item passes.
    pub fn passes(&self, item: &Item, full: &FullReceipt) -> bool {
        let mut accounts =
            full.entries.iter().flat_map(|entry| &entry.postings).map(|posting| posting.account);
        let of_item = match item {
            Item::Due(due) => Some(due.agreement),
            _ => None,
        };
        let mut agreements = full.events.iter().map(|event| event.agreement).chain(of_item);
        self.account.is_none_or(|wanted| accounts.any(|account| account == wanted))
            && self.agreement.is_none_or(|wanted| agreements.any(|agreement| agreement == wanted))
    }
}

/// Follows what happens, as server-sent events named `receipt` whose id is `height.index`. A follower that comes back
/// with `Last-Event-ID` goes on behind it.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(Following, ("Last-Event-ID" = Option<String>, Header, description = "height.index of the last message")),
    responses((status = 200, description = "Messages without end", body = String, content_type = "text/event-stream")))]
pub async fn follow(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Asked(asked): Asked<Following>,
) -> Result<Response, Problem> {
    let place = Followers::place(&api, &caller)?;
    // Bytes that are no text are no place either, and are told so.
    let told =
        headers.get("last-event-id").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let reading = api.read(caller.clone(), move |reader| {
        let filter = Filter::of(reader, asked.account.as_deref(), asked.agreement.as_deref())?;
        Ok((filter, start(reader, told, &asked)?))
    });
    let (filter, (height, index)) = reading.await?;
    let (to, messages) = mpsc::channel(AHEAD);
    // Nothing is said behind this request: who says no more has gone.
    caller.hangup.ends_it();
    tokio::spawn(async move {
        let follower = Follower { api, caller, filter, to };
        if let Err(fault) = follower.run(height, index).await {
            tracing::error!(%fault, "a follower met a fault");
        }
        drop(place);
    });
    let alive = KeepAlive::new().interval(SILENCE);
    Ok(Sse::new(ReceiverStream::new(messages)).keep_alive(alive).into_response())
}

/// The first item that is told.
fn start(reader: &Reader, told: Option<String>, asked: &Following) -> Result<(u64, u32), Problem> {
    let tip = reader.chain().tip().height;
    if let Some(last) = told.or(asked.last_event_id.clone()) {
        let read = || {
            let (height, index) = last.split_once('.')?;
            Some((number::<u64>(height)?, number::<u32>(index)?.checked_add(1)?))
        };
        let place = read().filter(|(height, _)| *height <= tip);
        return place.ok_or_else(|| {
            let why = "`Last-Event-ID` is what a message had as its id";
            Problem::new(problem::BAD_QUERY, why).given(&last, "height.index of a message")
        });
    }
    match asked.from {
        Some(height) if height > tip + 1 => {
            let possible = format!("at most {}", tip + 1);
            Err(Problem::new(problem::BAD_QUERY, "`from` is not there yet").given(height, possible))
        }
        Some(height) => Ok((height, 0)),
        None => Ok((tip + 1, 0)),
    }
}

struct Follower {
    api: Arc<Api>,
    caller: Caller,
    filter: Filter,
    to: mpsc::Sender<Result<Event, Infallible>>,
}

impl Follower {
    /// Tells block after block, at the pace at which the follower takes them, until it goes, what it showed counts no
    /// longer, or the node stops.
    async fn run(self, mut height: u64, mut index: u32) -> Result<(), Fault> {
        let (mut tips, mut stopping) = (self.api.hub.follow(), self.api.stopping.subscribe());
        loop {
            let tip = Arc::clone(&tips.borrow_and_update());
            while height <= tip.chain.tip().height {
                if *stopping.borrow() {
                    return Ok(());
                }
                for message in self.messages(&tip, height, index).await? {
                    if !self.may_follow() || self.to.send(Ok(message)).await.is_err() {
                        return Ok(());
                    }
                }
                (height, index) = (height + 1, 0);
            }
            drop(tip);
            tokio::select! {
                changed = tips.changed() => if changed.is_err() { return Ok(()) },
                () = self.to.closed() => return Ok(()),
                () = tokio::time::sleep(SILENCE) => if !self.may_follow() { return Ok(()) },
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
            }
        }
    }

    /// Whether who follows might begin to now; tokens that cannot be read are no reason to go on.
    fn may_follow(&self) -> bool {
        self.caller.still_counts(&self.api).unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "the tokens cannot be read");
            false
        })
    }

    /// What there is to tell of a block from a place on.
    async fn messages(
        &self,
        tip: &Arc<crate::hub::Tip>,
        height: u64,
        index: u32,
    ) -> Result<Vec<Event>, Fault> {
        let (hub, tip) = (Arc::clone(&self.api.hub), Arc::clone(tip));
        let names = self.api.names_for(&self.caller);
        let (caller, filter) = (self.caller.clone(), self.filter);
        let telling = tokio::task::spawn_blocking(move || {
            let Some(block) = hub.block(&tip, height)? else { return Ok(vec![]) };
            let reader = Reader { tip, hub, names, caller };
            told(&reader, &block, index, filter)
        });
        telling.await.unwrap_or_else(|_| Err(Fault::Engine("telling a block panicked".into())))
    }
}

fn told(reader: &Reader, block: &Block, from: u32, filter: Filter) -> Result<Vec<Event>, Fault> {
    let mut messages = vec![];
    let height = block.header.height;
    for (index, (item, full)) in (0u32..).zip(block.items.iter().zip(&block.receipts)).skip(from as usize) {
        if !filter.passes(item, full) || reader.caller.sight(reader.chain(), item, full)?.is_none() {
            continue;
        }
        // What cannot be told in words is named by its place; nothing is left out.
        let document = placed(reader, height, index, "receipt")
            .unwrap_or_else(|_| json!({ "height": height, "index": index }));
        messages.push(
            Event::default().event("receipt").id(format!("{height}.{index}")).data(document.to_string()),
        );
    }
    Ok(messages)
}
