//! A fork: a state of its own that begins where another one stands, and costs what is written on it.

use super::State;
use super::base::Base;
use super::committed::StateMemory;
use super::namespace::{Standing, kind_of, owner_of};
use super::past::Past;
use crate::fault::Fault;
use crate::store::{Changes, Row};
use crate::trie::{self, Partial};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use tenor_abi::id::Hash;
use tenor_wire::merkle::Mmr;
use tenor_wire::multiproof::MultiProof;
use tenor_wire::trie::{Path, StateProof, value_hash};

/// Leaves to set or remove, by what is hashed of their values.
type Leaves = Vec<(Path, Option<Hash>)>;

/// Writes over a past state, in memory, with the roots that the chain itself would have.
pub struct Fork {
    past: Arc<Past>,
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    trie: Mutex<Partial>,
    root: Hash,
    /// What takes the stashed block's leaves back.
    stashed: Option<Leaves>,
}

impl Fork {
    /// A fork that stands where a past state does.
    pub fn of(past: Past) -> Fork {
        let root = past.root();
        let trie = Mutex::new(Partial::pruned(root));
        Fork { past: Arc::new(past), rows: BTreeMap::new(), trie, root, stashed: None }
    }

    /// Asks the past state for what is missing on the way to some paths.
    fn reach(past: &Past, trie: &mut Partial, paths: &[Path]) -> Result<(), Fault> {
        let missing = trie.missing(paths);
        if !missing.is_empty() {
            trie.graft(past.partial(&missing)?, paths);
        }
        Ok(())
    }

    fn update(&mut self, leaves: &Leaves) -> Result<Leaves, Fault> {
        let trie = self.trie.get_mut().unwrap_or_else(PoisonError::into_inner);
        let paths: Vec<Path> = leaves.iter().map(|leaf| leaf.0).collect();
        Fork::reach(&self.past, trie, &paths)?;
        let undo = trie.update(leaves);
        self.root = trie.root();
        Ok(undo)
    }
}

impl State for Fork {
    fn root(&self) -> Hash {
        self.root
    }

    fn stash_when(&mut self, writes: &Changes, _: &dyn Fn()) -> Result<Hash, Fault> {
        assert!(self.stashed.is_none(), "one block is stashed at a time");
        let is_leaf = |key: &[u8]| kind_of(key).is_some_and(|kind| kind.standing() == Standing::Leaf);
        let rows: Vec<_> = writes.iter().filter(|(key, _)| is_leaf(key)).collect();
        let paths = trie::paths(rows.iter().map(|(key, _)| (owner_of(key), *key)));
        let values = rows.iter().map(|(key, value)| value.map(|value| value_hash(key, value)));
        self.stashed = Some(self.update(&paths.into_iter().zip(values).collect())?);
        Ok(self.root)
    }

    fn unstash(&mut self) -> Result<(), Fault> {
        self.stashed.take().map_or(Ok(()), |undo| self.update(&undo).map(|_| ()))
    }

    fn take_in(&mut self, writes: &Changes, height: u64, _: &Mmr) -> Result<(), Fault> {
        if self.stashed.take().is_none() {
            return Err(Fault::State(format!("block {height} is committed without having been stashed")));
        }
        self.rows.extend(writes.to_vec());
        Ok(())
    }

    fn prove_all(&self, full_keys: &[Vec<u8>]) -> Result<Option<MultiProof>, Fault> {
        let records = full_keys.iter().map(|key| self.get(key)).collect::<Result<Vec<_>, Fault>>()?;
        let paths = trie::paths(full_keys.iter().map(|key| (owner_of(key), key.as_slice())));
        let mut trie = self.trie.lock().unwrap_or_else(PoisonError::into_inner);
        Fork::reach(&self.past, &mut trie, &paths)?;
        let asked = full_keys.iter().zip(&records);
        let asked: Vec<_> =
            asked.map(|(key, record)| (owner_of(key), key.as_slice(), record.as_deref())).collect();
        Ok(trie.prove_all(&asked))
    }

    fn prove(&self, full_key: &[u8]) -> Result<Option<StateProof>, Fault> {
        let (record, owner) = (self.get(full_key)?, owner_of(full_key));
        let mut trie = self.trie.lock().unwrap_or_else(PoisonError::into_inner);
        Fork::reach(&self.past, &mut trie, &[Path::of(owner, full_key)])?;
        Ok(trie.prove(owner, full_key, record.as_deref()))
    }

    fn damage(&self) -> Option<String> {
        self.past.damage()
    }

    fn past(&self, height: u64) -> Result<Past, Fault> {
        self.past.again(height)
    }

    fn fork(&self) -> Result<Fork, Fault> {
        assert!(self.stashed.is_none(), "a fork begins where something is committed");
        let trie = self.trie.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (past, rows) = (Arc::clone(&self.past), self.rows.clone());
        Ok(Fork { past, rows, trie: Mutex::new(trie), root: self.root, stashed: None })
    }

    fn memory(&self) -> StateMemory {
        let bytes =
            |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| key.len() + value.as_ref().map_or(0, Vec::len);
        StateMemory { dirty_bytes: self.rows.iter().map(bytes).sum(), ..StateMemory::default() }
    }
}

impl Base for Fork {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.rows.get(full_key) {
            Some(written) => Ok(written.clone()),
            None => self.past.get(full_key),
        }
    }

    fn get_all(&self, full_keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        let asked: Vec<_> = full_keys.iter().copied().filter(|key| !self.rows.contains_key(*key)).collect();
        let mut found = self.past.get_all(&asked)?.into_iter();
        let value = |key: &&[u8]| self.rows.get(*key).cloned().unwrap_or_else(|| found.next().flatten());
        Ok(full_keys.iter().map(value).collect())
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        if from >= end {
            return Ok(None);
        }
        let mut below_from = from.to_vec();
        let mut written =
            self.rows.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end))).peekable();
        loop {
            let below = self.past.next(&below_from, end)?;
            // Deleted rows in front of the past's next row are passed over; a written one before it wins.
            while let Some((key, value)) = written.peek() {
                if below.as_ref().is_some_and(|(below, _)| below < *key) {
                    break;
                }
                if let Some(value) = value {
                    return Ok(Some(((*key).clone(), value.clone())));
                }
                written.next();
            }
            let Some((key, value)) = below else { return Ok(None) };
            if !self.rows.contains_key(&key) {
                return Ok(Some((key, value)));
            }
            below_from = key;
            below_from.push(0);
        }
    }

    fn distrust(&self, what: &str) -> Fault {
        self.past.distrust(what)
    }
}
