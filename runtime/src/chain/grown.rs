//! A small chain of real log, trie, index and sled, whose blocks hold chosen rows and nothing that executes.

use super::journal::{FileJournal, Journal};
use super::open::{LOG_FOLDER, Opened, STATE_FOLDER, Stored};
use crate::fault::Fault;
use crate::log::Log;
use crate::state::record::key;
use crate::state::{Committed, Fork, Kind, Resume, Room, State};
use crate::store::{Change, DirtyPage, Disk, PageBytes, Side, Table, WriteSet};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenor_abi::date::{DAY_MS, Timestamp};
use tenor_abi::id::{AccountId, ChainId, Hash, PartyId};
use tenor_abi::tag;
use tenor_wire::block::{Block, HEADER_VERSION, Header};
use tenor_wire::crypto::plain_hash;
use tenor_wire::merkle::Mmr;

pub(super) const CHAIN: ChainId = ChainId([9; 32]);
/// Pages in memory: a few of many.
pub(super) const ROOM: Room = Room { cache_bytes: 128 * 1024, history_bytes: 256 * 1024 };

pub(super) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
pub(super) type Files = Vec<(PathBuf, Vec<u8>)>;

/// Chance with a seed (splitmix64).
pub(super) struct Chance(pub u64);

impl Chance {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % end.max(1) as u64) as usize
    }
}

fn header(height: u64, parent: Option<&Header>, ancestry: &Mmr, state: Hash) -> Header {
    Header {
        version: HEADER_VERSION,
        protocol: 0,
        chain: CHAIN,
        height,
        time: Timestamp(height * DAY_MS),
        parent: parent.map_or(Hash::ZERO, Header::hash),
        ancestry: ancestry.root(tag::ANCESTRY),
        items: Hash::ZERO,
        items_count: 0,
        receipts: Hash::ZERO,
        receipts_count: 0,
        state,
        outbox: Hash::ZERO,
        validators: Hash::ZERO,
        parameters: Hash::ZERO,
        proposer: PartyId([1; 32]),
    }
}

/// A chain in a folder, the rows that it should have, and where its log ended after each block.
pub(super) struct Grown {
    pub folder: PathBuf,
    pub base: Committed,
    pub journal: FileJournal,
    pub ancestry: Mmr,
    pub tip: Option<Header>,
    pub rows: Rows,
    pub chance: Chance,
}

impl Grown {
    pub fn begin(folder: &Path, segment_bytes: u64) -> Result<Grown, Fault> {
        let log = Log::create(&folder.join(LOG_FOLDER), CHAIN)?.with_segments_of(segment_bytes);
        let disk = Disk::open(&folder.join(STATE_FOLDER))?;
        Ok(Grown {
            folder: folder.into(),
            base: Committed::begin(Arc::new(disk), ROOM),
            journal: FileJournal::new(log),
            ancestry: Mmr::default(),
            tip: None,
            rows: Rows::new(),
            chance: Chance(7),
        })
    }

    /// The chain of a folder, which must have these rows.
    pub fn open(folder: &Path, rows: &Rows) -> (Grown, Opened) {
        let Stored { base, journal, ancestry, tip, opened } = Stored::open(folder, CHAIN, ROOM).unwrap();
        let grown = Grown {
            folder: folder.into(),
            base,
            journal,
            ancestry,
            tip: Some(tip),
            rows: rows.clone(),
            chance: Chance(8),
        };
        (grown, opened)
    }

    /// A block of rows of every kind: new ones, changed ones, deleted ones, long ones.
    pub fn block(&mut self) -> Result<(), Fault> {
        let rows = self.changes();
        self.block_of(rows)
    }

    /// Blocks, and a checkpoint that begins behind them unless one is going on.
    pub fn blocks(&mut self, count: u32) -> Result<(), Fault> {
        (0..count).try_for_each(|_| self.block())?;
        self.base.checkpoint().map(drop)
    }

    /// What a block changes.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut rows = BTreeMap::new();
        for _ in 0..30 {
            let kind = Kind::ALL[self.chance.below(Kind::ALL.len())];
            let key = plain_hash(&[&self.chance.below(40).to_be_bytes(), &[kind as u8]]);
            let length = if self.chance.below(60) == 0 { 2000 } else { 20 + self.chance.below(200) };
            let value = vec![self.chance.below(256) as u8; length];
            let is_deleted = self.chance.below(8) == 0;
            match kind {
                // History only ever comes behind.
                Kind::History => {
                    let sequence = self.tip.as_ref().map_or(0, |tip| tip.height + 1);
                    let key = key::history(&AccountId(key.0), sequence);
                    rows.insert(kind.full_key(&key), Some(value));
                }
                _ => {
                    rows.insert(kind.full_key(&key.0), (!is_deleted).then_some(value));
                }
            }
        }
        rows.retain(|key, value| value.is_some() || self.rows.contains_key(key));
        rows.into_iter().collect()
    }

    /// The rows are what is acknowledged: nothing counts that was not synced.
    pub fn block_of(&mut self, rows: Vec<Change>) -> Result<(), Fault> {
        let height = self.tip.as_ref().map_or(0, |tip| tip.height + 1);
        let writes = WriteSet::new(rows);
        let state = self.base.stash(writes.rows())?;
        let mut ancestry = self.ancestry.clone();
        if let Some(parent) = &self.tip {
            ancestry.push(tag::ANCESTRY, &parent.hash().0);
        }
        let header = header(height, self.tip.as_ref(), &ancestry, state);
        let block = Block { header: header.clone(), items: vec![], receipts: vec![], writes: writes.hash() };
        if let Err(fault) = self.journal.append(&block, &tenor_abi::codec::encode(&block), &writes) {
            self.base.unstash()?;
            return Err(fault);
        }
        let log = self.journal.position_behind(height)?;
        self.base.commit(writes.rows(), height, Resume { log, ancestry: ancestry.clone() })?;
        for (key, value) in writes.rows().to_vec() {
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        (self.ancestry, self.tip) = (ancestry, Some(header));
        Ok(())
    }

    /// As [`Grown::block`], shown to who reads before it is written; where it cannot be, the state before it.
    pub fn block_shown_first(&mut self) -> Option<Fork> {
        let height = self.tip().height + 1;
        let writes = WriteSet::new(self.changes());
        let state = self.base.stash(writes.rows()).unwrap();
        let mut ancestry = self.ancestry.clone();
        ancestry.push(tag::ANCESTRY, &self.tip().hash().0);
        let header = header(height, self.tip.as_ref(), &ancestry, state);
        let block = Block { header: header.clone(), items: vec![], receipts: vec![], writes: writes.hash() };
        let before = self.base.now().unwrap();
        self.base.take_in(writes.rows(), height, &ancestry).unwrap();
        // None begins before the block is durable.
        if height.is_multiple_of(4) {
            self.base.checkpoint().unwrap();
        }
        if self.journal.append(&block, &tenor_abi::codec::encode(&block), &writes).is_err() {
            return Some(Fork::of(before));
        }
        let log = self.journal.position_behind(height).unwrap();
        self.base.settle(Resume { log, ancestry: ancestry.clone() }).unwrap();
        let mut rows: BTreeMap<_, _> =
            std::mem::take(&mut self.rows).into_iter().map(|(key, value)| (key, Some(value))).collect();
        rows.extend(writes.rows().to_vec());
        self.rows = rows.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        (self.ancestry, self.tip) = (ancestry, Some(header));
        None
    }

    pub fn tip(&self) -> &Header {
        self.tip.as_ref().unwrap()
    }
}

/// A chain whose mark is some blocks behind its tip, as files; its rows and tip, and those of the mark's block and
/// of each behind it but the tip.
pub(super) struct Template {
    pub files: Files,
    pub rows: Rows,
    pub tip: Header,
    /// Height, bytes of the last segment then, rows.
    pub behind: Vec<(u64, u64, Rows)>,
}

pub(super) fn read_files(folder: &Path, below: &str) -> Files {
    let (mut found, mut folders) = (vec![], vec![PathBuf::from(below)]);
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inside)).unwrap() {
            let path = inside.join(entry.unwrap().file_name());
            if folder.join(&path).is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = fs::read(folder.join(&path)) {
                // sled may take a file away while this reads.
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    found
}

pub(super) fn write_files(folder: &Path, files: &Files) {
    for (path, bytes) in files {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::write(folder.join(path), bytes).unwrap();
    }
}

pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}.log")
}

pub(super) fn last_segment(folder: &Path) -> PathBuf {
    let mut segments: Vec<_> =
        fs::read_dir(folder.join(LOG_FOLDER)).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    segments.pop().unwrap()
}

impl Template {
    pub fn make() -> Template {
        let folder = tempfile::tempdir().unwrap();
        let mut grown = Grown::begin(folder.path(), 60_000).unwrap();
        for _ in 0..12 {
            grown.blocks(5).unwrap();
        }
        grown.base.flush().unwrap();
        let state = read_files(folder.path(), STATE_FOLDER);
        let mut behind = vec![];
        for _ in 0..6 {
            let bytes = fs::metadata(last_segment(folder.path())).unwrap().len();
            behind.push((grown.tip().height, bytes, grown.rows.clone()));
            grown.block().unwrap();
        }
        let log = read_files(folder.path(), LOG_FOLDER);
        assert!(log.len() > 3, "{} segments", log.len());
        let (tip, rows) = (grown.tip().clone(), grown.rows.clone());
        Template { files: [log, state].concat(), rows, tip, behind }
    }
}

pub(super) fn all(base: &Committed) -> Result<Rows, Fault> {
    let mut rows = Rows::new();
    base.walk(|key, value| {
        rows.insert(key.to_vec(), value.to_vec());
        Ok(())
    })?;
    Ok(rows)
}

/// A page of the index without a row, as the disk would have it that lost one.
pub(super) fn lose_row(disk: &Disk, full_key: &[u8]) -> bool {
    let mut found = false;
    for (side, number) in
        [Side::A, Side::B].into_iter().flat_map(|side| (0..500).map(move |number| (side, number)))
    {
        let Some(bytes) = disk.page(Table::Index, side, number, <[u8]>::to_vec).unwrap() else { continue };
        let (mut kept, mut rest) = (vec![], &bytes[..]);
        while !rest.is_empty() {
            let length = |at: usize| usize::from(u16::from_le_bytes([rest[at], rest[at + 1]]));
            let key_bytes = length(0);
            let end = 4 + key_bytes + length(2 + key_bytes);
            if rest[2..2 + key_bytes] != *full_key {
                kept.extend(&rest[..end]);
            }
            rest = &rest[end..];
        }
        if kept.len() < bytes.len() {
            found = true;
            let bytes = PageBytes::Here(kept.into());
            let page = DirtyPage { table: Table::Index, side, number, bytes };
            disk.write_parts(&mut [page], &[], &[], 0).unwrap();
        }
    }
    found
}
