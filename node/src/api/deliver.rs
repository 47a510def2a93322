//! Telling webhooks: message after message, each until it is taken, none left out and none before the one in front of it.

use super::Api;
use super::caller::Caller;
use super::events::Filter;
use super::reading::Reader;
use super::transactions::placed;
use crate::access::Scope;
use crate::clock::Clock;
use crate::hub::Tip;
use crate::webhook::{Attempt, Hook, Record, Target};
use serde_json::{Value as Document, json};
use std::sync::Arc;
use std::time::Duration;
use tenor_runtime::fault::Fault;

/// Longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Pause before a token that allows nothing is looked at again.
const TOKEN_PAUSE: Duration = Duration::from_secs(10);
/// Blocks without a message behind which the place is written down.
const BLOCKS_UNWRITTEN: u64 = 256;
/// The receiver is gone for good, RFC 9110 15.5.11.
const GONE: u16 = 410;

/// Begins to tell every hook that there is.
pub fn start_all(api: &Arc<Api>) {
    api.hooks.all().into_iter().for_each(|hook| start(api, hook));
}

/// Begins to tell a hook.
pub fn start(api: &Arc<Api>, hook: Arc<Hook>) {
    let api = Arc::clone(api);
    tokio::spawn(async move {
        let id = hook.record().id;
        let deliverer = Deliverer { api, hook };
        if let Err(error) = deliverer.run().await {
            tracing::error!(webhook = id, error = format!("{error:#}"), "a webhook met a fault");
        }
    });
}

struct Deliverer {
    api: Arc<Api>,
    hook: Arc<Hook>,
}

/// The next message of a hook: its item's place and its document, or the place that was come to without one.
enum Next {
    Message((u64, u32), Document),
    Nothing((u64, u32)),
}

/// What an attempt at a message came to.
enum Came {
    /// It was taken, or the hook was changed: look again.
    On,
    /// The node stops, or the hook was taken away.
    Stop,
}

fn now_ms() -> u64 {
    Clock::system().now().0
}

/// Whether the token that registered a hook still allows it.
///
/// # Errors
/// When the token's party is none.
pub fn is_allowed(api: &Api, record: &Record) -> anyhow::Result<bool> {
    let Some(name) = &record.token else { return Ok(true) };
    let grant = api.tokens.named(name, now_ms())?;
    let has = |scope| grant.as_ref().is_some_and(|grant| grant.scopes.contains(&scope));
    Ok(has(Scope::Webhooks) && has(Scope::Bank))
}

impl Deliverer {
    async fn run(&self) -> anyhow::Result<()> {
        let mut tips = self.api.hub.follow();
        self.change(|_| {}).await?;
        loop {
            if self.hook.is_ended() || self.is_stopping() {
                return Ok(());
            }
            let record = self.hook.record();
            if record.suspended.is_some() || !is_allowed(&self.api, &record)? {
                self.rest(TOKEN_PAUSE).await;
                continue;
            }
            let tip = Arc::clone(&tips.borrow_and_update());
            self.follow_restart(&tip).await?;
            let record = self.hook.record();
            match self.next(&tip, &record).await? {
                Next::Message(place, document) => match self.tell(&record, place, &document).await? {
                    Came::On => {}
                    Came::Stop => return Ok(()),
                },
                Next::Nothing(place) => {
                    if place.0 > record.place.0 + BLOCKS_UNWRITTEN {
                        self.change(move |record| move_on(record, place)).await?;
                    }
                    drop(tip);
                    let mut stopping = self.api.stopping.subscribe();
                    tokio::select! {
                        changed = tips.changed() => if changed.is_err() { return Ok(()) },
                        () = self.hook.changed.notified() => {}
                        _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
                    }
                }
            }
        }
    }

    fn is_stopping(&self) -> bool {
        *self.api.stopping.borrow()
    }

    /// Waits, until the time is over, the hook is changed, or the node stops.
    async fn rest(&self, pause: Duration) {
        let mut stopping = self.api.stopping.subscribe();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.hook.changed.notified() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    /// Changes the hook durably, away from the threads that serve sockets.
    async fn change(&self, change: impl FnOnce(&mut Record) + Send + 'static) -> anyhow::Result<()> {
        let hook = Arc::clone(&self.hook);
        tokio::task::spawn_blocking(move || hook.change(change)).await?
    }

    /// A chain that was begun again is told from its beginning: what was told of above it is given up.
    async fn follow_restart(&self, tip: &Tip) -> anyhow::Result<()> {
        let (chain, record) = (tip.chain.id().to_string(), self.hook.record());
        if record.chain == chain {
            return Ok(());
        }
        let restarts = tip.chain.restarts()?;
        // The first of the restarts that the hook has not heard of.
        let heard = restarts.iter().position(|(_, restart)| restart.before.to_string() == record.chain);
        let first = restarts.get(heard.unwrap_or(0)).map_or(0, |(height, _)| *height);
        let again = move |record: &mut Record| {
            record.place = record.place.min((first, 0));
            record.chain = chain;
        };
        self.change(again).await
    }

    /// Looks for the next item that the hook is told of.
    async fn next(&self, tip: &Arc<Tip>, record: &Record) -> Result<Next, Fault> {
        let (hub, tip, names) = (Arc::clone(&self.api.hub), Arc::clone(tip), self.api.names.now());
        let record = record.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let caller = Caller::bank();
            let reader = Reader { tip, hub, names, caller };
            look(&reader, &record)
        });
        looking.await.unwrap_or_else(|_| Err(Fault::Engine("looking for a message panicked".into())))
    }

    /// Sends a message until it is taken.
    async fn tell(&self, record: &Record, place: (u64, u32), document: &Document) -> anyhow::Result<Came> {
        let (height, index) = place;
        let id = self.hook.message_id(&record.chain, height, index);
        let body = json!({ "type": "receipt", "timestamp": document["time"], "data": document }).to_string();
        let target = record.url.parse::<Target>().ok();
        let target = target.filter(|target| self.api.config.webhook_hosts.has(&target.origin));
        let Some(target) = target else {
            self.suspend("messages go to its host no longer: `webhook_hosts`").await?;
            return Ok(Came::On);
        };
        for attempt in 1u32.. {
            let at_ms = now_ms();
            let Some(signed) = record.secret.sign(&id, at_ms / 1_000, &body) else {
                self.suspend("its secret is damaged: register it again").await?;
                return Ok(Came::On);
            };
            let mut stopping = self.api.stopping.subscribe();
            let sent = tokio::select! {
                sent = self.api.sender.post(&target, &signed, body.clone()) => sent,
                _ = stopping.wait_for(|stopping| *stopping) => return Ok(Came::Stop),
            };
            let (status, error) = match sent {
                Ok(status) => (Some(status), None),
                Err(error) => (None, Some(error.to_string())),
            };
            self.hook.tried(Attempt { message: id.clone(), at_ms, attempt, status, error });
            if status.is_some_and(|status| (200..300).contains(&status)) {
                self.api.metrics.webhook_delivered.inc();
                let told = (record.place, (height, index + 1));
                self.change(move |record| {
                    // A replay that was asked for meanwhile counts.
                    if record.place == told.0 {
                        move_on(record, told.1);
                        record.failing_since_ms = None;
                    }
                })
                .await?;
                return Ok(Came::On);
            }
            self.api.metrics.webhook_failed.inc();
            tracing::warn!(webhook = record.id, message = id, attempt, status, "a message was not taken");
            if status == Some(GONE) {
                self.suspend("the receiver says that it is gone (410)").await?;
                return Ok(Came::On);
            }
            self.change(move |record| {
                record.failing_since_ms.get_or_insert(at_ms);
            })
            .await?;
            let since = self.hook.record().failing_since_ms.unwrap_or(at_ms);
            if at_ms.saturating_sub(since) >= self.api.config.webhook_retry_max.as_millis() as u64 {
                self.suspend("nothing was taken for as long as `webhook_retry_h` says").await?;
                return Ok(Came::On);
            }
            self.rest(pause(self.api.config.webhook_retry, attempt)).await;
            if self.hook.is_ended() || self.is_stopping() {
                return Ok(Came::Stop);
            }
            if self.hook.record().place != record.place {
                return Ok(Came::On);
            }
        }
        Ok(Came::On)
    }

    async fn suspend(&self, why: &'static str) -> anyhow::Result<()> {
        tracing::warn!(webhook = self.hook.record().id, why, "a webhook is suspended");
        self.change(move |record| record.suspended = Some(why.into())).await
    }
}

fn move_on(record: &mut Record, place: (u64, u32)) {
    record.place = record.place.max(place);
}

/// Twice as long before each further attempt, and by chance up to half of it less, so that receivers that were away
/// are not all asked at once.
fn pause(first: Duration, attempt: u32) -> Duration {
    let whole = first.saturating_mul(1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX)).min(PAUSE_MAX);
    let mut byte = [0];
    // Without chance the pause is whole.
    let _ = getrandom::fill(&mut byte);
    whole - whole / 2 * u32::from(byte[0]) / 256
}

fn look(reader: &Reader, record: &Record) -> Result<Next, Fault> {
    let filter = Filter {
        account: record.account.as_deref().and_then(|id| id.parse().ok()),
        agreement: record.agreement.as_deref().and_then(|id| id.parse().ok()),
    };
    let ((mut height, mut from), tip) = (record.place, reader.chain().tip().height);
    while height <= tip {
        let block = reader.hub.block(&reader.tip, height)?;
        let block = block.ok_or_else(|| Fault::Log(format!("block {height} is missing")))?;
        for index in from..block.items.len() as u32 {
            let place = index as usize;
            let found = block.items.get(place).zip(block.receipts.get(place));
            if found.is_some_and(|(item, full)| filter.passes(item, full)) {
                // What cannot be told in words is named by its place; nothing is left out.
                let document = placed(reader, height, index, "receipt")
                    .unwrap_or_else(|_| json!({ "height": height, "index": index }));
                return Ok(Next::Message((height, index), document));
            }
        }
        (height, from) = (height + 1, 0);
    }
    Ok(Next::Nothing((height, from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let first = Duration::from_secs(1);
        for attempt in 1..=100 {
            let whole = Duration::from_secs(1u64.checked_shl(attempt - 1).unwrap_or(3_600).min(3_600));
            let pause = pause(first, attempt);
            assert!(pause <= whole && pause >= whole / 2, "{attempt}: {pause:?}");
        }
    }
}
