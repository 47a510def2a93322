//! Webhooks: who is told of receipts by a request of the node's own, how far each has been told, and the secret that its
//! messages are signed with.
//!
//! Each hook is a file of its own, written anew with every message that was taken, so a node that ended goes on behind
//! it. Nothing waits in memory: what is told next is read from the chain.

mod origin;
mod send;
mod sign;

pub use origin::{Origin, Origins, Target};
pub use send::{SendError, Sender};
pub use sign::{Secret, Signed};

use crate::folder::replace;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenor_wire::crypto::plain_hash;
use tenor_wire::hexadecimal::hex;
use tokio::sync::Notify;
use utoipa::ToSchema;

const FOLDER: &str = "webhooks";
/// Attempts of late that are told of.
const LATELY: usize = 20;

/// A hook as its file keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its id.
    pub id: String,
    /// Where messages go.
    pub url: String,
    /// Only what touches this account.
    pub account: Option<String>,
    /// Only what concerns this agreement.
    pub agreement: Option<String>,
    /// Name of the token that registered it; nothing is told once that allows it no more. None in an open sandbox.
    pub token: Option<String>,
    /// What messages are signed with.
    pub secret: Secret,
    /// The chain that the place is of.
    pub chain: String,
    /// Height and index of the first item that was not told.
    pub place: (u64, u32),
    /// When the message at the place failed first, UTC milliseconds since 1970.
    pub failing_since_ms: Option<u64>,
    /// Why nothing is sent any more, until it is resumed.
    pub suspended: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Id of the message.
    pub message: String,
    /// When, UTC milliseconds since 1970.
    pub at_ms: u64,
    /// Which attempt at this message, from 1.
    pub attempt: u32,
    /// Status of the answer, where there was one.
    pub status: Option<u16>,
    /// What went wrong, where something did.
    pub error: Option<String>,
}

/// A hook at work.
#[derive(Debug)]
pub struct Hook {
    path: PathBuf,
    record: Mutex<Record>,
    lately: Mutex<VecDeque<Attempt>>,
    ended: AtomicBool,
    /// Is told when the record was changed by somebody else than who delivers.
    pub changed: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hook {
    fn of(folder: &Path, record: Record) -> Hook {
        Hook {
            path: folder.join(format!("{}.json", record.id)),
            record: Mutex::new(record),
            lately: Mutex::default(),
            ended: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// What is kept of it.
    pub fn record(&self) -> Record {
        lock(&self.record).clone()
    }

    /// Attempts of late, the newest last.
    pub fn lately(&self) -> Vec<Attempt> {
        lock(&self.lately).iter().cloned().collect()
    }

    /// Remembers an attempt.
    pub fn tried(&self, attempt: Attempt) {
        let mut lately = lock(&self.lately);
        if lately.len() == LATELY {
            lately.pop_front();
        }
        lately.push_back(attempt);
    }

    /// Whether it was taken away.
    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Changes what is kept, durably before this returns. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk says no; then it is as it was.
    pub fn change(&self, change: impl FnOnce(&mut Record)) -> Result<()> {
        let mut record = lock(&self.record);
        let mut next = record.clone();
        change(&mut next);
        if !self.is_ended() {
            replace(&self.path, serde_json::to_string_pretty(&next)?.as_bytes())?;
        }
        *record = next;
        Ok(())
    }

    /// Id of the message about an item; the same at every attempt, and another one for another hook or chain.
    pub fn message_id(&self, chain: &str, height: u64, index: u32) -> String {
        let id = lock(&self.record).id.clone();
        let place = format!("{id} {chain} {height}.{index}");
        format!("msg_{}", hex(&plain_hash(&[b"tenor webhook", place.as_bytes()]).0[..16]))
    }
}

/// The hooks of a node.
#[derive(Debug)]
pub struct Hooks {
    folder: PathBuf,
    all: Mutex<BTreeMap<String, Arc<Hook>>>,
    most: usize,
}

impl Hooks {
    /// The hooks of a data folder, of which there are at most so many.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn open(data: &Path, most: usize) -> Result<Hooks> {
        let (folder, mut all) = (data.join(FOLDER), BTreeMap::new());
        if folder.exists() {
            for entry in fs::read_dir(&folder).context("reading the webhooks")? {
                let path = entry?.path();
                if path.extension().is_none_or(|end| end != "json") {
                    continue;
                }
                let damaged = || format!("{} is damaged", path.display());
                let record: Record =
                    serde_json::from_slice(&fs::read(&path).with_context(damaged)?).with_context(damaged)?;
                all.insert(record.id.clone(), Arc::new(Hook::of(&folder, record)));
            }
        }
        Ok(Hooks { folder, all: Mutex::new(all), most })
    }

    /// Every hook, by its id.
    pub fn all(&self) -> Vec<Arc<Hook>> {
        lock(&self.all).values().cloned().collect()
    }

    /// A hook.
    pub fn get(&self, id: &str) -> Option<Arc<Hook>> {
        lock(&self.all).get(id).cloned()
    }

    /// Adds a hook, durably before this returns; none when there are as many as may be.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn add(&self, record: Record) -> Result<Option<Arc<Hook>>> {
        let mut all = lock(&self.all);
        if all.len() >= self.most {
            return Ok(None);
        }
        fs::create_dir_all(&self.folder).context("making the folder of webhooks")?;
        let hook = Arc::new(Hook::of(&self.folder, record));
        hook.change(|_| {})?;
        all.insert(hook.record().id, Arc::clone(&hook));
        Ok(Some(hook))
    }

    /// Takes a hook away; whether it was there.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn end(&self, id: &str) -> Result<bool> {
        let Some(hook) = lock(&self.all).remove(id) else { return Ok(false) };
        let record = lock(&hook.record);
        hook.ended.store(true, Ordering::Release);
        fs::remove_file(&hook.path)
            .and_then(|()| fs::File::open(&self.folder)?.sync_all())
            .context("taking the webhook away")?;
        drop(record);
        hook.changed.notify_one();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> Record {
        Record {
            id: id.into(),
            url: "http://127.0.0.1:1/".into(),
            account: None,
            agreement: None,
            token: None,
            secret: Secret::random().unwrap(),
            chain: "chain1".into(),
            place: (3, 1),
            failing_since_ms: None,
            suspended: None,
        }
    }

    #[test]
    fn hooks_are_there_after_a_start_as_far_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = Hooks::open(folder.path(), 2).unwrap();
        let one = hooks.add(record("one")).unwrap().unwrap();
        hooks.add(record("two")).unwrap().unwrap();
        assert!(hooks.add(record("three")).unwrap().is_none());
        one.change(|record| record.place = (9, 0)).unwrap();
        assert!(hooks.end("two").unwrap() && !hooks.end("two").unwrap());
        let again = Hooks::open(folder.path(), 2).unwrap();
        assert_eq!(again.all().len(), 1);
        let kept = again.get("one").unwrap().record();
        assert_eq!((kept.place, kept.secret.shown()), ((9, 0), one.record().secret.shown()));
        // What is printed for whoever looks for an error does not hold the secret.
        assert!(!format!("{one:?}").contains(&kept.secret.shown()[6..]));
        // A hook that was taken away does not come back by what its deliverer still writes.
        let two = Hook::of(&folder.path().join(FOLDER), record("two"));
        two.ended.store(true, Ordering::Release);
        two.change(|record| record.place = (10, 0)).unwrap();
        assert_eq!(Hooks::open(folder.path(), 2).unwrap().all().len(), 1);
    }

    #[test]
    fn a_message_has_one_id_for_a_hook_and_a_chain() {
        let hook = Hook::of(Path::new("."), record("one"));
        let id = hook.message_id("chain1", 3, 1);
        assert_eq!(id, hook.message_id("chain1", 3, 1));
        let others = [
            hook.message_id("chain2", 3, 1),
            hook.message_id("chain1", 31, 1),
            hook.message_id("chain1", 3, 11),
            Hook::of(Path::new("."), record("two")).message_id("chain1", 3, 1),
        ];
        assert!(!others.contains(&id));
    }
}
