//! The state as it was after a block: read, proved and forked while blocks go on.

use super::base::Base;
use super::committed::Parts;
use super::namespace::{Standing, kind_of, owner_of};
use super::window::Known;
use crate::fault::Fault;
use crate::lanes::Messages;
use crate::store::Row;
use crate::trie::{self, Partial};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenor_abi::id::Hash;
use tenor_wire::merkle::Mmr;
use tenor_wire::multiproof::MultiProof;
use tenor_wire::trie::{Path, StateProof};

/// Behind every key.
const END: [u8; 1] = [u8::MAX];

/// A state that does not change. It costs nothing to have; while it is there, what it needs stays in the window.
pub struct Past {
    parts: Arc<Mutex<Parts>>,
    known: Known,
}

fn gone(height: u64, parts: &Parts) -> Fault {
    Fault::Gone { height, oldest: parts.window.oldest() }
}

impl Past {
    /// The state after the block of a height, or after the newest one.
    pub(super) fn of(shared: &Arc<Mutex<Parts>>, height: Option<u64>) -> Result<Past, Fault> {
        let mut parts = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match height {
            Some(height) => parts.window.at(height),
            None => parts.window.newest(),
        };
        let known = known.cloned().ok_or_else(|| gone(height.unwrap_or(0), &parts))?;
        parts.window.hold(known.height);
        Ok(Past { parts: Arc::clone(shared), known })
    }

    /// An older state, or the same again.
    ///
    /// # Errors
    /// [`Fault::Gone`] when it is no longer at hand, or is newer than this one.
    pub(super) fn again(&self, height: u64) -> Result<Past, Fault> {
        match height <= self.known.height {
            true => Past::of(&self.parts, Some(height)),
            false => Err(gone(height, &*self.parts()?)),
        }
    }

    /// Height of the block.
    pub fn height(&self) -> u64 {
        self.known.height
    }

    /// The state root after it.
    pub fn root(&self) -> Hash {
        self.known.root
    }

    /// Hashes of all headers before its own.
    pub fn ancestry(&self) -> &Mmr {
        &self.known.ancestry
    }

    /// How many leaves there are.
    pub fn leaves(&self) -> u64 {
        self.known.leaves
    }

    /// Rows from a key on and before another, in key order, as [`super::Committed::scan`]: where they are cut depends
    /// on the rows alone.
    ///
    /// # Errors
    /// As [`Base::get`].
    pub fn scan(&self, from: &[u8], end: &[u8], bytes_max: usize) -> Result<Vec<Row>, Fault> {
        let mut parts = self.parts()?;
        let (mut rows, mut bytes, mut from) = (vec![], 0, from.to_vec());
        loop {
            let now = parts.scan(&from, end, bytes_max)?;
            let upto = match now.last() {
                Some((last, _)) => [last.as_slice(), &[0]].concat(),
                None => end.to_vec(),
            };
            let mut then: BTreeMap<Vec<u8>, Vec<u8>> = now.into_iter().collect();
            for (key, before) in parts.window.changed(&from, &upto, self.known.height) {
                match before {
                    Some(before) => then.insert(key.to_vec(), before.to_vec()),
                    None => then.remove(key),
                };
            }
            for (key, value) in then {
                bytes += key.len() + value.len();
                rows.push((key, value));
                if bytes >= bytes_max {
                    return Ok(rows);
                }
            }
            if upto.as_slice() >= end {
                return Ok(rows);
            }
            from = upto;
        }
    }

    /// Shows every row in key order; memory stays bounded.
    ///
    /// # Errors
    /// As [`Base::get`], and what `visit` says.
    pub fn walk(&self, mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut from = vec![];
        loop {
            let rows = self.scan(&from, &END, 1 << 20)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            from = [last.as_slice(), &[0]].concat();
            rows.iter().try_for_each(|(key, value)| visit(key, value))?;
        }
    }

    /// The proof of what was at a key under the root. The time it takes grows with what has changed since.
    ///
    /// # Errors
    /// As [`Base::get`].
    pub fn prove(&self, full_key: &[u8]) -> Result<Option<StateProof>, Fault> {
        let record = self.get(full_key)?;
        let owner = owner_of(full_key);
        let mut partial = self.partial(&[Path::of(owner, full_key)])?;
        Ok(partial.prove(owner, full_key, record.as_deref()))
    }

    /// One proof of what was at several keys, as [`Past::prove`].
    ///
    /// # Errors
    /// As [`Base::get`].
    pub fn prove_all(&self, full_keys: &[Vec<u8>]) -> Result<Option<MultiProof>, Fault> {
        let records = full_keys.iter().map(|key| self.get(key)).collect::<Result<Vec<_>, Fault>>()?;
        let paths = trie::paths(full_keys.iter().map(|key| (owner_of(key), key.as_slice())));
        let asked = full_keys.iter().zip(&records);
        let asked: Vec<_> =
            asked.map(|(key, record)| (owner_of(key), key.as_slice(), record.as_deref())).collect();
        Ok(self.partial(&paths)?.prove_all(&asked))
    }

    /// The part of the trie, as it was then, that paths lead through: that of the trie as it is, with every leaf that
    /// changed since as it was.
    pub(super) fn partial(&self, paths: &[Path]) -> Result<Partial, Fault> {
        let mut parts = self.parts()?;
        let mut then = parts.stashed_before();
        let changed = parts.window.changed(&[], &END, self.known.height);
        let leaves: Vec<_> = changed
            .into_iter()
            .filter(|(key, _)| kind_of(key).map(|kind| kind.standing()) == Some(Standing::Leaf))
            .collect();
        let mut values = Messages::default();
        for (key, before) in &leaves {
            if let Some(before) = before {
                values.push(&[&(key.len() as u16).to_le_bytes(), key, before]);
            }
        }
        let leaf_paths = trie::paths(leaves.iter().map(|(key, _)| (owner_of(key), *key)));
        let mut values = values.hashes().into_iter();
        for ((_, before), path) in leaves.iter().zip(leaf_paths) {
            then.insert(path, before.and_then(|_| values.next()));
        }
        let mut asked: Vec<Path> = then.keys().chain(paths).copied().collect();
        asked.sort_unstable();
        asked.dedup();
        let mut partial = parts.trie.partial(&asked)?;
        let _ = partial.update(&then.into_iter().collect::<Vec<_>>());
        // Where a leaf went that was not there then, a path may come to what is only a hash.
        let missing = partial.missing(paths);
        if !missing.is_empty() {
            partial.graft(parts.trie.partial(&missing)?, paths);
        }
        drop(parts);
        match partial.root() == self.known.root {
            true => Ok(partial),
            false => Err(Fault::State(format!(
                "what the window has of block {} does not give its state root",
                self.known.height
            ))),
        }
    }

    /// What was found damaged on the disk.
    pub(super) fn damage(&self) -> Option<String> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).damage()
    }

    fn parts(&self) -> Result<MutexGuard<'_, Parts>, Fault> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        match parts.window.at(self.known.height) {
            Some(_) => Ok(parts),
            None => Err(gone(self.known.height, &parts)),
        }
    }
}

impl Base for Past {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let mut parts = self.parts()?;
        match parts.window.value(full_key, self.known.height) {
            Some(then) => Ok(then.map(<[u8]>::to_vec)),
            None => parts.get(full_key),
        }
    }

    fn get_all(&self, full_keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        let mut parts = self.parts()?;
        let then: Vec<Option<Option<Vec<u8>>>> = full_keys
            .iter()
            .map(|key| Some(parts.window.value(key, self.known.height)?.map(<[u8]>::to_vec)))
            .collect();
        let asked = full_keys.iter().zip(&then).filter(|(_, then)| then.is_none());
        let mut now = parts.get_all(&asked.map(|(key, _)| *key).collect::<Vec<_>>())?.into_iter();
        Ok(then.into_iter().map(|then| then.unwrap_or_else(|| now.next().flatten())).collect())
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        let mut parts = self.parts()?;
        let (height, mut from) = (self.known.height, from.to_vec());
        loop {
            let now = parts.next(&from, end)?;
            let before = now.as_ref().map_or(end, |(key, _)| key.as_slice());
            let then = parts.window.next_key(&from, before, height);
            let key = match (then, &now) {
                (Some(then), _) => then.to_vec(),
                (None, Some((key, _))) => key.clone(),
                (None, None) => return Ok(None),
            };
            let value = match parts.window.value(&key, height) {
                Some(then) => then.map(<[u8]>::to_vec),
                None => now.map(|(_, value)| value),
            };
            if let Some(value) = value {
                return Ok(Some((key, value)));
            }
            from = key;
            from.push(0);
        }
    }

    fn distrust(&self, what: &str) -> Fault {
        // Of a state that is no longer at hand nothing is known.
        self.parts().map_or_else(|gone| gone, |parts| parts.distrust(what))
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).window.release(self.known.height);
    }
}
