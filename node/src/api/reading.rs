//! Reading for a request: on the newest block or an earlier one, away from the threads that serve sockets.

use super::Api;
use super::caller::Caller;
use super::problem::{self, Problem};
use super::strict::{number, numbered};
use crate::hub::{Hub, Tip};
use crate::turns::Busy;
use crate::view::names::Names;
use crate::view::{Missing, Shown, check_made};
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value as Document, json};
use std::str::FromStr;
use std::sync::Arc;
use tenor_abi::date::{DAY_MS, Date, Timestamp};
use tenor_abi::id::{Id, PartyId};
use tenor_runtime::chain::Chain;
use tenor_runtime::state::Record;
use tenor_runtime::state::record::{PartyRecord, from_bytes};
use tenor_wire::crypto::plain_hash;
use tenor_wire::hexadecimal::{hex, unhex};
use utoipa::IntoParams;

/// Rows of a page where nobody says how many.
const PAGE: usize = 50;
/// Most rows of a page.
pub const PAGE_MAX: usize = 200;
/// Bytes of a hash that say of which list a cursor is: so that nobody takes one for another's, not against forgery.
const MARK_BYTES: usize = 4;
/// Rows that a page looks through before it says how far it has come.
const LOOKED_MAX: usize = 5_000;

/// What a request reads from.
pub struct Reader {
    /// The newest block.
    pub tip: Arc<Tip>,
    /// Blocks.
    pub hub: Arc<Hub>,
    /// The bank's names; a customer is shown none.
    pub names: Arc<Names>,
    /// Who asks.
    pub caller: Caller,
}

impl Reader {
    /// The chain as of the newest block.
    pub fn chain(&self) -> &Chain {
        &self.tip.chain
    }

    /// An id out of a path: any for the bank's names, else the id itself.
    ///
    /// # Errors
    /// [`problem::BAD_ID`].
    pub fn id<T: Id + FromStr<Err = tenor_abi::id::IdError>>(
        &self,
        kind: &str,
        asked: &str,
    ) -> Result<T, Problem> {
        let named = self.names.lookup(&format!("{kind}:{asked}"));
        id(named.as_deref().unwrap_or(asked))
    }

    /// The chain as it stood where a request says.
    ///
    /// # Errors
    /// [`problem::BAD_QUERY`], [`problem::MISSING`], [`problem::GONE`].
    pub fn at(&self, at: Option<&str>) -> Result<Standing, Problem> {
        let Some(at) = at else { return Ok(Standing::Now(Arc::clone(&self.tip))) };
        self.at_height(self.height(at)?)
    }

    /// The chain as it stood after a block.
    ///
    /// # Errors
    /// As [`Reader::at`].
    pub fn at_height(&self, height: u64) -> Result<Standing, Problem> {
        check_made(self.chain(), height)?;
        match height == self.chain().tip().height {
            true => Ok(Standing::Now(Arc::clone(&self.tip))),
            false => Ok(Standing::Then(Box::new(self.chain().fork_at(height)?))),
        }
    }

    /// The height that a text means: a height, a day (its last block), or an instant (the last block until then).
    ///
    /// # Errors
    /// [`problem::BAD_QUERY`], [`problem::MISSING`].
    pub fn height(&self, at: &str) -> Result<u64, Problem> {
        if let Some(height) = number(at) {
            check_made(self.chain(), height)?;
            return Ok(height);
        }
        let day = at.parse::<Date>().map(|day| Timestamp(day.midnight().0 + DAY_MS - 1));
        let Ok(until) = day.or_else(|_| at.parse::<Timestamp>()) else {
            let possible = "a height, a day like 2026-01-31, or an instant like 2026-01-31T12:00:00Z";
            return Err(Problem::new(problem::BAD_QUERY, format!("`at` is {possible}")).given(at, possible));
        };
        let tip = self.chain().tip();
        if until.date() > tip.time.date() {
            return Err(Missing(format!("the chain has come to {}; {at} is not there yet", tip.time)).into());
        }
        if tip.time <= until {
            return Ok(tip.height);
        }
        // The last block whose time is not after the instant.
        let (mut before, mut after) = (0, tip.height);
        if self.time_of(0)? > until {
            return Err(Missing(format!("the chain began after {at}")).into());
        }
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            match self.time_of(middle)? <= until {
                true => before = middle,
                false => after = middle,
            }
        }
        Ok(before)
    }

    fn time_of(&self, height: u64) -> Result<Timestamp, Problem> {
        let block = self.hub.block(&self.tip, height)?;
        Ok(block.ok_or_else(|| Missing(format!("there is no block {height}")))?.header.time)
    }
}

/// An id of a kind.
///
/// # Errors
/// [`problem::BAD_ID`].
pub fn id<T: Id + FromStr<Err = tenor_abi::id::IdError>>(asked: &str) -> Result<T, Problem> {
    asked.parse().map_err(|error| {
        Problem::new(problem::BAD_ID, error).given(asked, format!("{}1… with its checksum", T::PREFIX))
    })
}

/// The chain where it is read.
pub enum Standing {
    /// The newest block.
    Now(Arc<Tip>),
    /// An earlier one.
    Then(Box<Chain>),
}

impl Standing {
    /// The chain.
    pub fn chain(&self) -> &Chain {
        match self {
            Standing::Now(tip) => &tip.chain,
            Standing::Then(chain) => chain,
        }
    }
}

/// Which block an answer is of.
pub fn as_of(chain: &Chain) -> Document {
    let tip = chain.tip();
    json!({ "height": tip.height, "time": tip.time.to_string(), "state_root": tip.state.to_string() })
}

/// A document with the block that it is of.
pub fn stamped(mut document: Document, chain: &Chain) -> Document {
    document["as_of"] = as_of(chain);
    document
}

/// Whether the text for people is wanted instead of the document.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    text: bool,
}

impl FromRequestParts<Arc<Api>> for Wants {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Wants, Problem> {
        let accept = parts.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let accept: Vec<&str> = accept.collect();
        Ok(Wants { text: is_text(&accept.join(",")) })
    }
}

/// Whether what is accepted names the text, and before JSON where it names both (RFC 9110, 12.5.1).
fn is_text(accept: &str) -> bool {
    let weight = |media: &str| {
        let of = |entry: &str| {
            let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let weight = parameters.split(';').find_map(|part| part.trim().strip_prefix("q=")).unwrap_or("1");
            name.trim().eq_ignore_ascii_case(media).then(|| weight.trim().parse::<f32>().unwrap_or(0.0))
        };
        accept.split(',').enumerate().find_map(|(place, entry)| Some((of(entry)?, place)))
    };
    match (weight("text/plain"), weight("application/json")) {
        (Some((text, place)), json) => {
            text > 0.0 && json.is_none_or(|(json, after)| text > json || text == json && place < after)
        }
        (None, _) => false,
    }
}

impl Wants {
    /// Whether the text for people is wanted.
    pub fn text(self) -> bool {
        self.text
    }

    /// What is shown of something and says already of which block, in the form that is wanted.
    pub fn made(self, shown: Shown) -> Response {
        match self.text {
            true => shown.text.into_response(),
            false => Json(shown.document).into_response(),
        }
    }

    /// What is shown of something, in the form that is wanted.
    pub fn answer(self, shown: Shown, chain: &Chain) -> Response {
        self.made(Shown { document: stamped(shown.document, chain), ..shown })
    }
}

/// Where a request reads.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// As of a height, the end of a day, or an instant; the newest block where it is not given.
    pub at: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageAsked {
    /// Where the page before said that the next one begins; it stays on the same block.
    pub cursor: Option<String>,
    /// Rows of the page, 1 to 200; 50 where nobody says.
    #[serde(default, deserialize_with = "numbered")]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

/// A page of a list of what parties have.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageOfParty {
    /// Where the page before said that the next one begins; it stays on the same block.
    cursor: Option<String>,
    /// Rows of the page, 1 to 200; 50 where nobody says.
    #[serde(default, deserialize_with = "numbered")]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// Only this party's; a customer's are always the customer's own.
    party: Option<String>,
}

impl PageOfParty {
    /// Which page.
    pub fn page(&self) -> PageAsked {
        PageAsked { cursor: self.cursor.clone(), limit: self.limit }
    }

    /// Whose; none for everybody's.
    ///
    /// # Errors
    /// [`problem::BAD_ID`], [`problem::MISSING`].
    pub fn party(&self, reader: &Reader) -> Result<Option<PartyId>, Problem> {
        let Some(asked) = &self.party else { return Ok(reader.caller.customer()) };
        let party: PartyId = reader.id("party", asked)?;
        let record: Option<PartyRecord> = reader.chain().record(&party.0)?;
        match record.is_some() && reader.caller.sees_party(&party) {
            true => Ok(Some(party)),
            false => Err(Missing::of(&party).into()),
        }
    }
}

/// How many rows a page has, as a parameter says.
///
/// # Errors
/// [`problem::BAD_QUERY`].
pub fn rows_of(parameter: &str, given: Option<usize>) -> Result<usize, Problem> {
    let rows = given.unwrap_or(PAGE);
    match (1..=PAGE_MAX).contains(&rows) {
        true => Ok(rows),
        false => {
            let why = format!("`{parameter}` cannot be used");
            Err(Problem::new(problem::BAD_QUERY, why).given(rows, format!("1..={PAGE_MAX}")))
        }
    }
}

/// Where a page begins: a block and what lies before the first row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Height of the block that the list is of.
    pub height: u64,
    /// What the page begins behind.
    pub behind: Vec<u8>,
}

impl Cursor {
    /// The text that stands for it in a list: what the list is of, and everything else that chooses its rows.
    pub fn text(&self, list: &[u8]) -> String {
        let (behind, mark): (String, String) = (hex(&self.behind), hex(&plain_hash(&[list]).0[..MARK_BYTES]));
        format!("{}.{mark}.{behind}", self.height)
    }

    /// The cursor of a text that a page of the same list gave.
    ///
    /// # Errors
    /// [`Cursor::wrong`].
    pub fn read(text: &str, list: &[u8]) -> Result<Cursor, Problem> {
        let read = || {
            let (height, rest) = text.split_once('.')?;
            let (_, behind) = rest.split_once('.')?;
            Some(Cursor { height: number(height)?, behind: unhex(behind)? })
        };
        read().filter(|cursor| cursor.text(list) == text).ok_or_else(|| Cursor::wrong(text))
    }

    /// The problem that a cursor is which no page of the list gave.
    pub fn wrong(given: &str) -> Problem {
        let possible = "what a page before, of the same list, gave as `next`";
        Problem::new(problem::BAD_QUERY, format!("`cursor` is {possible}")).given(given, possible)
    }
}

impl PageAsked {
    /// How many rows.
    ///
    /// # Errors
    /// [`problem::BAD_QUERY`].
    pub fn rows(&self) -> Result<usize, Problem> {
        rows_of("limit", self.limit)
    }

    /// The block that a list is of, and what the page begins behind.
    ///
    /// # Errors
    /// As [`Reader::at`].
    pub fn place(&self, reader: &Reader, list: &[u8]) -> Result<(Standing, Vec<u8>), Problem> {
        match &self.cursor {
            None => Ok((Standing::Now(Arc::clone(&reader.tip)), vec![])),
            Some(text) => {
                let Cursor { height, behind } = Cursor::read(text, list)?;
                Ok((reader.at_height(height)?, behind))
            }
        }
    }

    /// A page of the records of a kind whose keys begin with a prefix, those that `show` shows.
    ///
    /// # Errors
    /// As [`Reader::at`], and what `show` says.
    pub fn page<R: Record>(
        &self,
        reader: &Reader,
        prefix: &[u8],
        name: &str,
        mut show: impl FnMut(&Chain, &[u8], R) -> Result<Option<Document>, Problem>,
    ) -> Result<Document, Problem> {
        // Where the list begins among the rows says what it is of.
        let list = R::KIND.full_key(prefix);
        let (standing, behind) = self.place(reader, &list)?;
        // A cursor is the caller's to change: it begins inside the list that is asked for, or it is none.
        if !behind.is_empty() && !behind.starts_with(prefix) {
            return Err(Cursor::wrong(self.cursor.as_deref().unwrap_or_default()));
        }
        let (chain, limit) = (standing.chain(), self.rows()?);
        let state = chain.state();
        let mut from = list.clone();
        if !behind.is_empty() {
            from = R::KIND.full_key(&behind);
            from.push(0);
        }
        let end = end_of(list.clone());
        let (mut rows, mut next, mut looked) = (vec![], None, 0);
        while let Some((full, bytes)) = state.next_row(&from, &end)? {
            looked += 1;
            if let Some(row) = show(chain, &full[1..], from_bytes(&full, &bytes)?)? {
                rows.push(row);
            }
            if rows.len() == limit || looked == LOOKED_MAX {
                next = Some(Cursor { height: chain.tip().height, behind: full[1..].to_vec() }.text(&list));
                break;
            }
            from = full;
            from.push(0);
        }
        Ok(stamped(json!({ name: rows, "next": next }), chain))
    }
}

/// The first key behind all that begin with a prefix.
fn end_of(mut prefix: Vec<u8>) -> Vec<u8> {
    while let Some(last) = prefix.pop() {
        if last < 0xff {
            prefix.push(last + 1);
            break;
        }
    }
    prefix
}

/// A request that reads and does nothing else, with who asks.
pub struct Reads {
    api: Arc<Api>,
    caller: Caller,
}

impl FromRequestParts<Arc<Api>> for Reads {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Reads, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        Ok(Reads { api: Arc::clone(api), caller })
    }
}

impl Reads {
    /// An answer that is read.
    ///
    /// # Errors
    /// As [`Api::read`].
    pub async fn of<T: Send + 'static>(
        self,
        read: impl FnOnce(&Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.api.read(self.caller, read).await
    }

    /// A document that is read.
    ///
    /// # Errors
    /// As [`Api::read`].
    pub async fn json(
        self,
        read: impl FnOnce(&Reader) -> Result<Document, Problem> + Send + 'static,
    ) -> Result<Json<Document>, Problem> {
        self.of(read).await.map(Json)
    }

    /// Bytes that are read.
    ///
    /// # Errors
    /// As [`Api::read`].
    pub async fn bytes(
        self,
        read: impl FnOnce(&Reader) -> Result<Vec<u8>, Problem> + Send + 'static,
    ) -> Result<Response, Problem> {
        self.of(read).await.map(super::transactions::binary)
    }
}

impl Api {
    /// The names that who asks is shown: the bank's for the bank, none for a customer.
    pub fn names_for(&self, caller: &Caller) -> Arc<Names> {
        if caller.is_bank() { self.names.now() } else { Arc::default() }
    }

    /// Reads for who asks, when it is their turn.
    ///
    /// # Errors
    /// What the reading says, [`problem::NOT_ALLOWED`] and [`problem::BUSY`].
    pub async fn read<T: Send + 'static>(
        &self,
        caller: Caller,
        read: impl FnOnce(&Reader) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        caller.may_read()?;
        self.work(&caller.clone(), Patience::Short, {
            let (hub, names) = (Arc::clone(&self.hub), self.names_for(&caller));
            move || read(&Reader { tip: hub.tip(), hub, names, caller })
        })
        .await
    }

    /// Works for who asks on a thread that may wait for the disk, when it is their turn; not for whoever hangs up before
    /// that.
    ///
    /// # Errors
    /// What the work says, and [`problem::BUSY`].
    pub async fn work<T: Send + 'static>(
        &self,
        caller: &Caller,
        patience: Patience,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let queued = self.turns.queue(caller.who(), patience == Patience::Endless);
        let mut queued = queued.map_err(|Busy| {
            Problem::new(problem::BUSY, "as many wait with this token, or for this customer, as may").after(1)
        })?;
        let broken = || Problem::new(problem::BROKEN, "the log of the node says what is wrong");
        let turn = match queued.try_recv() {
            Ok(turn) => turn,
            Err(_) => {
                let _listening = caller.hangup.ends_it_meanwhile();
                queued.await.map_err(|_| broken())?
            }
        };
        let done = tokio::task::spawn_blocking(move || {
            // Until it is over, whether or not anybody waits for it.
            let _turn = turn;
            work()
        });
        done.await.unwrap_or_else(|_| Err(broken()))
    }
}

/// Who waits for a turn behind however many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// Nobody: where as many wait as may, nothing was done and all may be asked again.
    Short,
    /// Who is to be told of something that was done.
    Endless,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_given_to_whoever_asks_for_it() {
        for accept in [
            "text/plain",
            "text/plain;q=0.5",
            "Text/Plain; q=0.9, application/json;q=0.1",
            "a/b, text/plain, */*",
        ] {
            assert!(is_text(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain;q=0",
            "application/json, text/plain, */*",
            "text/plain;q=0.1, application/json",
            "text/html",
        ] {
            assert!(!is_text(accept), "{accept}");
        }
    }

    #[test]
    fn a_cursor_is_read_back() {
        let cursor = Cursor { height: 7, behind: vec![0, 255, 16] };
        let text = cursor.text(b"these");
        assert!(text.starts_with("7.") && text.ends_with(".00ff10"), "{text}");
        assert_eq!(Cursor::read(&text, b"these"), Ok(cursor));
        assert!(Cursor::read(&text, b"those").is_err());
        let mark = text.split('.').nth(1).unwrap();
        for (wrong, whole) in [("7", false), ("x", true), ("-1", true), ("07", true), ("", true)] {
            let text = if whole { format!("{wrong}.{mark}.00ff10") } else { wrong.into() };
            assert!(Cursor::read(&text, b"these").is_err(), "{text}");
        }
        for wrong in ["zz", "0", "00.00"] {
            assert!(Cursor::read(&format!("7.{mark}.{wrong}"), b"these").is_err(), "{wrong}");
        }
    }
}
