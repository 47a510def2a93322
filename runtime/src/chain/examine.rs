//! Examining a folder: everything that is stored is read and held against what covers it, and nothing is healed.

use super::journal::{Blocks, peek_block};
use super::open::{LOG_FOLDER, STATE_FOLDER, newest_snapshot};
use crate::fault::Fault;
use crate::ledger;
use crate::log::{Log, LogError, Reader, TornTail};
use crate::schedule;
use crate::state::record::{
    AccountRecord, AgreementRecord, CursorRecord, HistoryPeaksRecord, Record, ScheduleRecord, Waiting,
    from_bytes, key,
};
use crate::state::{Base, Committed, Kind, Overlay, Resume, Room, State, namespace};
use crate::store::{Disk, StoreError};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use tenor_abi::id::{AccountId, AgreementId, ChainId};
use tenor_abi::tag;
use tenor_wire::block::DueItem;
use tenor_wire::merkle::Mmr;

/// Something that is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// The log is damaged, or a part of it is missing.
    #[error("{0}")]
    Log(LogError),
    /// The log ends in something that is no record.
    #[error("{0}")]
    TornTail(TornTail),
    /// There is no state store, or sled cannot read it.
    #[error("the state store cannot be opened: {0}")]
    Store(String),
    /// The store says nothing about how far it has come.
    #[error("the state store has no mark")]
    Mark,
    /// What lies above the pages cannot be believed.
    #[error("what lies above the pages: {0}")]
    Top(Fault),
    /// A page is not what its hash says.
    #[error("{0}")]
    Page(Fault),
    /// The state is not that of its block.
    #[error("the state of block {height} is not the one that its header names")]
    Root {
        /// Height of the block.
        height: u64,
    },
    /// A row cannot be read, or is missing where another says that it is.
    #[error("{0}")]
    Row(Fault),
    /// The index has other keys than the trie.
    #[error("the index names {index} leaves, the trie has {trie}")]
    Index {
        /// In the index.
        index: u64,
        /// In the trie.
        trie: u64,
    },
    /// The rows of an account's history are not those that the account names.
    #[error("the history of {0} is not what the account says")]
    History(AccountId),
    /// The books do not hold together.
    #[error("{0}")]
    Books(Fault),
    /// The due queue has other rows than the schedules say.
    #[error("the due queue: {missing} rows are missing, {stray} are of no schedule")]
    Due {
        /// Waiting schedules without their row.
        missing: u64,
        /// Rows without a waiting schedule.
        stray: u64,
    },
}

impl Finding {
    /// Its name, for scripts; they do not change.
    pub fn code(&self) -> &'static str {
        match self {
            Finding::Log(LogError::Missing { .. }) => "log-missing",
            Finding::Log(LogError::Short { .. }) => "log-short",
            Finding::Log(_) => "log-damaged",
            Finding::TornTail(_) => "log-torn",
            Finding::Store(_) => "state-unreadable",
            Finding::Mark => "state-mark",
            Finding::Top(_) => "state-top",
            Finding::Page(_) => "state-page",
            Finding::Root { .. } => "state-root",
            Finding::Row(_) => "state-row",
            Finding::Index { .. } => "state-index",
            Finding::History(_) => "state-history",
            Finding::Books(_) => "books",
            Finding::Due { .. } => "state-due",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Finding::Log(error) => error.remedy(),
            Finding::Books(_) => "keep the folder as it is, stop the node, and run `tenor verify`",
            Finding::TornTail(_) => {
                "after a crash nothing: nobody was told of these bytes, and the next opening cuts them off; else copy the segment back from a backup"
            }
            _ => "the next opening or `tenor doctor --rebuild` makes the state again from the log",
        }
    }
}

/// Reads log and state of a folder that nobody has open. `progress` is told how much of how much of the log is
/// read.
///
/// # Errors
/// [`Fault::Storage`] when the disk cannot be read, or there is no log.
pub fn examine(
    folder: &Path,
    chain: ChainId,
    room: Room,
    progress: impl FnMut(u64, u64),
) -> Result<Vec<Finding>, Fault> {
    let log = folder.join(LOG_FOLDER);
    let survey = Log::survey(&log, chain, progress)?;
    let tip = survey.tip.unwrap_or(0);
    let mut found: Vec<Finding> = survey.damage.into_iter().map(Finding::Log).collect();
    if survey.torn.bytes > 0 {
        found.push(Finding::TornTail(survey.torn));
    }
    let short = |had: u64| Finding::Log(LogError::Short { tip, had });
    // Where a damaged log ends is not known.
    let is_damaged = found.iter().any(|finding| matches!(finding, Finding::Log(_)));
    let snapshot = newest_snapshot(folder)?.filter(|had| *had > tip && !is_damaged);
    found.extend(snapshot.map(short));
    let folder = folder.join(STATE_FOLDER);
    if !folder.exists() {
        found.push(Finding::Store(format!("there is no {}", folder.display())));
        return Ok(found);
    }
    let disk = match Disk::open(&folder) {
        Ok(disk) => Arc::new(disk),
        Err(full @ StoreError::Full(_)) => return Err(full.into()),
        Err(error) => {
            found.push(Finding::Store(error.to_string()));
            return Ok(found);
        }
    };
    let Some(mark) = disk.mark().ok().flatten() else {
        found.push(Finding::Mark);
        return Ok(found);
    };
    let state = match Committed::open(disk, &mark, room) {
        Ok((state, _)) => state,
        Err(fault) => {
            found.push(Finding::Top(fault));
            return Ok(found);
        }
    };
    if mark.height > tip {
        if snapshot.is_none() {
            found.push(short(mark.height));
        }
    } else if let Ok(Some(block)) = peek_block(&log, chain, mark.height)
        && block.header.state != mark.root
    {
        found.push(Finding::Root { height: mark.height });
    }
    let damaged = state.check_pages();
    if damaged.is_empty() {
        found.extend(check_rows(&state));
        let is_sound = found.iter().all(|finding| !matches!(finding, Finding::Log(_) | Finding::Root { .. }));
        if is_sound && mark.height < tip {
            found.extend(check_tail(&state, &Reader::of(&log, chain, Some(tip))?, mark.height + 1..=tip)?);
        }
    }
    found.extend(damaged.into_iter().map(Finding::Page));
    // Books are judged where everything else that they lie in is whole.
    if found.is_empty() {
        found.extend(ledger::check(&Overlay::new(&state)).err().map(Finding::Books));
    }
    Ok(found)
}

/// Takes the blocks behind the mark in on a fork, and says of the first one that comes to another root than its header.
fn check_tail(
    state: &Committed,
    log: &dyn Blocks,
    heights: RangeInclusive<u64>,
) -> Result<Option<Finding>, Fault> {
    let mut fork = state.fork()?;
    for height in heights {
        let (Some(block), Some(writes)) = (log.block(height)?, log.writes(height)?) else {
            return Ok(Some(Finding::Root { height }));
        };
        if fork.stash(writes.rows())? != block.header.state || writes.hash() != block.writes {
            return Ok(Some(Finding::Root { height }));
        }
        fork.commit(writes.rows(), height, Resume::default())?;
    }
    Ok(None)
}

/// What a walk through all rows counts.
#[derive(Default)]
struct Walk {
    leaves: u64,
    /// Waiting schedules, those of them without a row, rows of the queue.
    waiting: u64,
    missing: u64,
    rows: u64,
    /// Accounts that have a history, and those whose rows were seen.
    with_history: u64,
    histories: u64,
    /// The account whose history is being read.
    history: Option<(AccountId, Mmr)>,
    found: Vec<Finding>,
}

fn check_rows(state: &Committed) -> Vec<Finding> {
    let mut walk = Walk::default();
    let walked = state.walk(|full_key, value| walk.visit(state, full_key, value));
    let ended = walked.and_then(|()| walk.end_history(state));
    if let Err(fault) = ended {
        walk.found.push(Finding::Row(fault));
        return walk.found;
    }
    let trie = state.memory().leaves;
    if walk.leaves != trie {
        walk.found.push(Finding::Index { index: walk.leaves, trie });
    }
    let stray = walk.rows - (walk.waiting - walk.missing).min(walk.rows);
    if walk.missing + stray > 0 {
        walk.found.push(Finding::Due { missing: walk.missing, stray });
    }
    if walk.with_history != walk.histories {
        let text =
            format!("{} accounts have a history, of {} it is there", walk.with_history, walk.histories);
        walk.found.push(Finding::Row(Fault::State(text)));
    }
    walk.found
}

fn record<R: Record>(state: &Committed, key: &[u8]) -> Result<R, Fault> {
    let full_key = R::KIND.full_key(key);
    let missing = || Fault::State(format!("the {:?} record that a row is of is missing", R::KIND));
    from_bytes(&full_key, &state.get(&full_key)?.ok_or_else(missing)?)
}

fn id(full_key: &[u8]) -> Result<[u8; 32], Fault> {
    let short = || Fault::State("a key is too short".into());
    full_key.get(1..).and_then(|key| key.first_chunk::<32>()).copied().ok_or_else(short)
}

impl Walk {
    fn visit(&mut self, state: &Committed, full_key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let kind = namespace::kind_of(full_key);
        if kind.is_some_and(|kind| kind.standing() == namespace::Standing::Leaf) {
            self.leaves += 1;
        }
        match kind {
            Some(Kind::Account) => {
                let account: AccountRecord = from_bytes(full_key, value)?;
                self.with_history += u64::from(account.history_count > 0);
            }
            Some(Kind::Schedule) => self.schedule(state, full_key, &from_bytes(full_key, value)?)?,
            Some(Kind::Cursor) => self.cursor(state, full_key, &from_bytes(full_key, value)?)?,
            Some(Kind::Due) => self.rows += 1,
            Some(Kind::History) => {
                let account = AccountId(id(full_key)?);
                if self.history.as_ref().is_some_and(|(current, _)| *current != account) {
                    self.end_history(state)?;
                }
                let (_, tree) = self.history.get_or_insert_with(|| (account, Mmr::default()));
                tree.push(tag::HISTORY, value);
            }
            Some(Kind::HistoryPeaks) => {
                let (account, peaks) =
                    (AccountId(id(full_key)?), from_bytes::<HistoryPeaksRecord>(full_key, value)?);
                self.compare(state, account, &peaks.tree)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn schedule(
        &mut self,
        state: &Committed,
        full_key: &[u8],
        schedule: &ScheduleRecord,
    ) -> Result<(), Fault> {
        let Waiting::Due { due, attempt, .. } = schedule.waiting else { return Ok(()) };
        let agreement = AgreementId(id(full_key)?);
        let bank = record::<AgreementRecord>(state, &agreement.0)?.bank;
        let kind = full_key.last_chunk::<2>().copied().map_or(0, u16::from_be_bytes);
        let item = DueItem { agreement, kind, number: schedule.number(), attempt };
        let row = state.get(&Kind::Due.full_key(&key::due(&bank, due, &item)))?;
        self.waiting += 1;
        self.missing += u64::from(row.is_none());
        Ok(())
    }

    fn cursor(&mut self, state: &Committed, full_key: &[u8], cursor: &CursorRecord) -> Result<(), Fault> {
        let agreement = AgreementId(id(full_key)?);
        let bank = record::<AgreementRecord>(state, &agreement.0)?.bank;
        let Some(row) = schedule::queue_row(&bank, agreement, cursor) else { return Ok(()) };
        self.waiting += 1;
        self.missing += u64::from(state.get(&Kind::Due.full_key(&row))?.is_none());
        Ok(())
    }

    fn end_history(&mut self, state: &Committed) -> Result<(), Fault> {
        let Some((account, tree)) = self.history.take() else { return Ok(()) };
        self.histories += 1;
        self.compare(state, account, &tree)
    }

    fn compare(&mut self, state: &Committed, account: AccountId, tree: &Mmr) -> Result<(), Fault> {
        let record: AccountRecord = record(state, &account.0)?;
        let same = tree.root(tag::HISTORY) == record.history_root && tree.count() == record.history_count;
        if !same {
            self.found.push(Finding::History(account));
        }
        Ok(())
    }
}
