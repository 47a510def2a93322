//! Making a block: items in the one allowed order, each with its receipt, and a header over all of it.

use super::ahead::{Ahead, Reading};
use super::load::Loads;
use super::{Chain, Stashed};
use crate::execute::{
    self, BlockContext, Candidate, CheckedTransaction, Ending, Rejection, UsedKey, control, door,
};
use crate::fault::Fault;
use crate::lanes::list_root;
use crate::ledger::{self, settle_history};
use crate::schedule::{self, Head, Queues};
use crate::state::record::{KeyWindowRecord, Waiting};
use crate::state::{Base, Kind, Overlay, known_rows};
use crate::store::{Changes, WriteSet};
use std::collections::{BTreeSet, VecDeque};
use std::iter::from_fn;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AgreementId, ChainId, Hash, OccurrenceId, TxId};
use tenor_abi::tag;
use tenor_wire::block::{Block, DueItem, ExpiryItem, HEADER_VERSION, Header, Item};
use tenor_wire::op::Operation;
use tenor_wire::receipt::FullReceipt;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Transactions whose rows are read together before they run.
const AHEAD: usize = 1024;
/// Room for a receipt's bytes: a payment's with its entry has no more.
const RECEIPT_BYTES: usize = 512;
/// Items from which on parts of a block's end are worth a thread.
pub(super) const BESIDE: usize = 256;
/// Rows that a transaction reads or writes, more or less: a payment's.
const ROWS_OF_TRANSACTION: usize = 8;
/// The same of an occurrence: agreement, schedule, two places of the queue, a log, a grant, two accounts.
pub(super) const ROWS_OF_OCCURRENCE: usize = 12;

/// A block that was built, and what became of the candidates that are not in it.
#[derive(Debug)]
pub struct Built {
    /// Its header.
    pub header: Header,
    /// Transactions that may not stand in any block, and why.
    pub rejected: Vec<(TxId, Rejection)>,
    /// Transactions that had no room, for the next block.
    pub postponed: Vec<Candidate>,
}

/// Why a block is not valid.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Invalid {
    /// Not the next block of this chain.
    #[error("not the next block: {0}")]
    NotNext(String),
    /// It holds a transaction that may not stand in it.
    #[error("transaction at {index} is not admitted: {rejection}")]
    Rejected {
        /// Place in the block.
        index: u32,
        /// Why.
        rejection: Rejection,
    },
    /// Its items do not stand in the one allowed order, or one that had room is missing.
    #[error("item {index} should be {expected}")]
    Order {
        /// Place in the block.
        index: u32,
        /// What should stand there.
        expected: String,
    },
    /// It follows its parent later than a block does by itself.
    #[error("{ms} ms after its parent, at most {limit} without a transaction that names the time")]
    Late {
        /// Milliseconds after its parent.
        ms: u64,
        /// The most there may be.
        limit: u64,
    },
    /// Executing its items gives something else.
    #[error("executing the items gives another {0}")]
    Differs(&'static str),
}

/// A block in the making.
struct Making<'c, 's> {
    block: &'c BlockContext<'c>,
    state: Overlay<'s>,
    items: Vec<Item>,
    /// Canonical bytes of each item.
    item_bytes: Vec<Vec<u8>>,
    endings: Vec<Ending>,
    used: Vec<UsedKey>,
    /// The due queues, once they were looked at.
    queues: Option<Queues>,
    /// The ids of occurrences that come next.
    ids: VecDeque<(DueItem, OccurrenceId)>,
    /// Agreements with an occurrence that was passed over: in this block it is not tried again.
    passed_over: BTreeSet<AgreementId>,
    /// Who waits until the rows of what is due are read.
    reading: Option<Reading>,
    /// Gas used, without that of hooks.
    gas: u64,
    /// Gas of hooks.
    hook_gas: u64,
    /// Modules that were called.
    loads: Loads,
    bytes: usize,
}

impl<'c, 's> Making<'c, 's> {
    fn new(block: &'c BlockContext<'c>, base: &'s dyn Base) -> Result<Making<'c, 's>, Fault> {
        let mut state = Overlay::new(base);
        raise_key_window(&mut state, block)?;
        Ok(Making {
            block,
            state,
            items: vec![],
            item_bytes: vec![],
            endings: vec![],
            used: vec![],
            queues: None,
            ids: VecDeque::new(),
            passed_over: BTreeSet::new(),
            reading: None,
            gas: 0,
            hook_gas: 0,
            loads: Loads::default(),
            bytes: 0,
        })
    }

    /// Room for so many items more that read or write so many rows each.
    fn reserve(&mut self, count: usize, rows: usize) {
        self.state.reserve(rows * count);
        self.items.reserve(count);
        self.item_bytes.reserve(count);
        self.endings.reserve(count);
        self.used.reserve(count);
    }

    fn index(&self) -> u32 {
        self.items.len() as u32
    }

    fn has_room(&self, gas: u64, bytes: usize, gas_of_block: u64) -> bool {
        let limits = &self.block.parameters.limits;
        let hook_gas = u64::from(limits.item_hooks) * limits.hook_gas;
        self.gas + gas <= gas_of_block
            && self.hook_gas + hook_gas <= limits.block_hook_gas
            && self.items.len() < limits.block_items as usize
            && self.bytes + bytes <= limits.block_bytes as usize
    }

    /// Runs an occurrence; false when it is passed over.
    fn run_due(&mut self, item: DueItem) -> Result<bool, Fault> {
        let mut ids = from_fn(|| self.ids.pop_front());
        let id = ids.find(|(known, _)| *known == item).map_or_else(|| item.id(), |(_, id)| id);
        let Some(ending) = execute::occurrence(&mut self.state, self.block, item, id)? else {
            // What it may have cost is gone from the block, so that nobody fills it with what never runs.
            self.gas += self.block.parameters.limits.due_gas;
            self.passed_over.insert(item.agreement);
            return Ok(false);
        };
        let item = Item::Due(item);
        self.bytes += 64;
        self.push(codec::encode(&item), item, ending);
        Ok(true)
    }

    fn push(&mut self, bytes: Vec<u8>, item: Item, ending: Ending) {
        self.gas += ending.gas - ending.hook_gas;
        self.hook_gas += ending.hook_gas;
        // Nobody pays for what has to be loaded, for it depends on what else is in the block; but the room for it is gone.
        self.gas += self.loads.note(&ending.called);
        self.items.push(item);
        self.item_bytes.push(bytes);
        self.endings.push(ending);
    }

    /// Occurrences in queue order while the next one fits a share of the block's gas, then while it fits the next share:
    /// banks take turns, one each, the first in each share rotated by height.
    fn run_queue(&mut self, shares: &[u64]) -> Result<(), Fault> {
        let due_gas = self.block.parameters.limits.due_gas;
        if !shares.iter().any(|gas| self.has_room(due_gas, 64, *gas)) {
            return Ok(());
        }
        let mut queues = match self.queues.take() {
            Some(mut queues) => {
                queues.look_again(&self.state)?;
                queues
            }
            None => Queues::of(&self.state)?,
        };
        let block = self.block;
        thread::scope(|scope| {
            let mut ahead = Ahead::new(scope, block);
            shares.iter().try_for_each(|gas| self.run_share(&mut queues, &mut ahead, *gas))
        })?;
        self.queues = Some(queues);
        Ok(())
    }

    fn run_share<'e>(
        &mut self,
        queues: &mut Queues,
        ahead: &mut Ahead<'_, 'e>,
        gas_of_block: u64,
    ) -> Result<(), Fault>
    where
        's: 'e,
    {
        let block = self.block;
        let limits = &block.parameters.limits;
        let due_gas = limits.due_gas;
        let mut place = block.height as usize;
        while self.has_room(due_gas, 64, gas_of_block) {
            let room = limits.block_items as usize - self.items.len();
            let read = queues.read_ahead(&self.state, block.time, limits.due_ahead_ms, room)?;
            if !read.is_empty() {
                self.reserve(read.len(), ROWS_OF_OCCURRENCE);
                ahead.add(&self.state, &read, self.reading.take())?;
                self.ids = read.iter().copied().zip(execute::occurrence_ids(&read)).collect();
            }
            let heads = queues.due(block.time);
            if heads.is_empty() {
                break;
            }
            ahead.go_on(&mut self.state)?;
            let Head { bank, item, .. } = heads[place % heads.len()];
            match self.run_due(item)? {
                // Behind the last one that has room nobody looks before it goes on.
                true if !self.has_room(due_gas, 64, gas_of_block) => break,
                true => queues.go_on(&self.state, &bank)?,
                false => queues.pass_over(&self.state, &bank)?,
            }
            place += 1;
        }
        Ok(())
    }

    /// Ends of holds whose time is over, the earliest first, while they fit half the block's gas.
    fn run_expiries(&mut self) -> Result<(), Fault> {
        let (gas, count_max) =
            (self.block.parameters.limits.expiry_gas, self.block.parameters.limits.block_items as usize);
        ledger::sweep_resolved(&mut self.state, self.block.time, count_max)?;
        for hold in ledger::due_holds(&self.state, self.block.time, count_max)? {
            if !self.has_room(gas, 64, self.half()) {
                break;
            }
            let item = ExpiryItem { hold };
            let outcome = execute::expiry(&mut self.state, self.block, item)?;
            self.bytes += 64;
            let item = Item::Expiry(item);
            self.push(codec::encode(&item), item, outcome);
        }
        Ok(())
    }

    /// The agreement's own overdue occurrences, as items of their own; false when they do not fit.
    fn run_overdue(&mut self, agreement: AgreementId) -> Result<bool, Fault> {
        let limits = &self.block.parameters.limits;
        let (due_gas, block_gas) = (limits.due_gas, limits.block_gas);
        while let Some(item) = self.overdue(agreement)? {
            let is_passed = self.passed_over.contains(&agreement);
            if is_passed || !self.has_room(due_gas, 64, block_gas) || !self.run_due(item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn overdue(&self, agreement: AgreementId) -> Result<Option<DueItem>, Fault> {
        let mut first: Option<(Timestamp, DueItem)> = None;
        for kind in 0..self.block.parameters.limits.schedules_max {
            let Some(record) = schedule::of(&self.state, &agreement, kind)? else { continue };
            let Waiting::Due { due, attempt, .. } = record.waiting else { continue };
            let item = DueItem { agreement, kind, number: record.number(), attempt };
            if due <= self.block.time && first.is_none_or(|earliest| (due, item) < earliest) {
                first = Some((due, item));
            }
        }
        Ok(first.map(|(_, item)| item))
    }

    /// Runs a transaction; what came of the attempt decides whether it stands in the block.
    fn run_transaction(&mut self, candidate: Candidate) -> Result<Attempt, Fault> {
        let id = candidate.id();
        let checked = match door::check(&self.state, self.block, candidate)? {
            Ok(checked) => checked,
            Err(rejection) => return Ok(Attempt::Rejected(id, rejection)),
        };
        let body = &checked.transaction().body;
        let (block_gas, gas_limit) = (self.block.parameters.limits.block_gas, body.gas_limit);
        let overdue_ran =
            agreement_of(&body.operation).map_or(Ok(true), |agreement| self.run_overdue(agreement))?;
        if !overdue_ran || !self.has_room(gas_limit, checked.bytes().len(), block_gas) {
            return Ok(Attempt::NoRoom(Box::new(checked.into_candidate())));
        }
        self.put_in(checked)
    }

    /// Runs it and puts it into the block, unless what it publishes is not compiled here.
    fn put_in(&mut self, checked: CheckedTransaction) -> Result<Attempt, Fault> {
        let index = self.index();
        let ending = match execute::transaction(&mut self.state, self.block, &checked, index)? {
            Ok(ending) => ending,
            Err(rejection) => return Ok(Attempt::Rejected(checked.id(), rejection)),
        };
        self.used.push(checked.used(index));
        self.bytes += checked.bytes().len();
        let bytes = [&[Item::TX][..], checked.bytes()].concat();
        self.push(bytes, Item::Tx(checked.into_candidate().into_transaction()), ending);
        Ok(Attempt::Ran)
    }

    /// Gas up to which occurrences run before transactions.
    fn half(&self) -> u64 {
        self.block.parameters.limits.block_gas / 2
    }

    /// What the items came to: receipts and lists beside the state's last rows and its write set, which takes the
    /// memory of another one.
    fn done(self, memory: Changes) -> Result<Done, Fault> {
        let Making { block, mut state, items, item_bytes, endings, used, .. } = self;
        let lists = || {
            let receipts = execute::receipts(endings);
            let bytes: Vec<Vec<u8>> = receipts.iter().map(|full| codec::encode(&full.receipt)).collect();
            let receipts_root = list_root(tag::RECEIPTS, bytes.iter().map(Vec::as_slice));
            (receipts, receipts_root, list_root(tag::ITEMS, item_bytes.iter().map(Vec::as_slice)))
        };
        let rows = || -> Result<(Changes, Vec<usize>), Fault> {
            execute::use_keys(&mut state, block.height, &used)?;
            settle_history(&mut state)?;
            if cfg!(debug_assertions) {
                ledger::check_block(&state)?;
                execute::check_touched(&mut state, block)?;
            }
            Ok(state.into_rows(memory))
        };
        let ((receipts, receipts_root, items_root), rows) = beside(items.len(), lists, rows);
        let (rows, unasked) = rows?;
        Ok(Done { items, item_bytes, receipts, items_root, receipts_root, rows: Arc::new(rows), unasked })
    }
}

/// What the items of a block came to.
pub(super) struct Done {
    items: Vec<Item>,
    item_bytes: Vec<Vec<u8>>,
    receipts: Vec<FullReceipt>,
    items_root: Hash,
    receipts_root: Hash,
    /// What they wrote. Rows that the state has already are left out when the block is stashed: they say the same.
    pub(super) rows: Arc<Changes>,
    /// Places of those that may be such.
    unasked: Vec<usize>,
}

/// Does two things that do not wait for each other, on two cores where there are items enough to be worth a thread.
pub(super) fn beside<A: Send, B>(
    items: usize,
    other: impl FnOnce() -> A + Send,
    own: impl FnOnce() -> B,
) -> (A, B) {
    if items < BESIDE {
        return (other(), own());
    }
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let own = own();
        (other.join().unwrap_or_else(|panic| resume_unwind(panic)), own)
    })
}

/// What a block without candidates comes to, with the queues as they stand before it; `reading` is dropped when the
/// rows of what is due are read, and the write set takes the memory of another one.
pub(super) fn of_what_is_due(
    block: &BlockContext<'_>,
    base: &dyn Base,
    queues: Queues,
    reading: Reading,
    memory: Changes,
) -> Result<Done, Fault> {
    let mut making = Making::new(block, base)?;
    making.run_expiries()?;
    (making.queues, making.reading) = (Some(queues), Some(reading));
    making.run_queue(&[making.half(), block.parameters.limits.block_gas])?;
    making.reading = None;
    making.done(memory)
}

/// A control transaction with the context of the block around it, or why there is no such block.
struct Around<'c> {
    block: BlockContext<'c>,
    checked: Result<CheckedTransaction, (TxId, Rejection)>,
}

enum Attempt {
    Ran,
    Rejected(TxId, Rejection),
    NoRoom(Box<Candidate>),
}

/// The agreement that a transaction is about, whose overdue occurrences run first.
fn agreement_of(operation: &Operation) -> Option<AgreementId> {
    match operation {
        Operation::Invoke(op) | Operation::Sign(op) => Some(op.seen.agreement),
        _ => None,
    }
}

/// The first block of a day raises the oldest accepted key day.
fn raise_key_window(state: &mut Overlay<'_>, block: &BlockContext<'_>) -> Result<(), Fault> {
    let today = (block.time.0 / DAY_MS) as u32;
    let oldest_day = today.saturating_sub(block.parameters.limits.idempotency_days);
    let kept = state.get::<KeyWindowRecord>(&[])?.map_or(0, |window| window.oldest_day);
    if oldest_day > kept {
        state.put(&[], &KeyWindowRecord { oldest_day });
    }
    drop_keys(state, oldest_day.max(kept), block.parameters.limits.block_items)
}

/// Drops used keys and external keys of days that are no longer accepted, as many of each as a block can add; the
/// leaves of the idempotency keys' days stay and say what they were.
fn drop_keys(state: &mut Overlay<'_>, oldest_day: u32, count_max: u32) -> Result<(), Fault> {
    for kind in [Kind::Idempotency, Kind::EntryKey] {
        let mut from = kind.full_key(&[]);
        let end = kind.full_key(&oldest_day.to_be_bytes());
        for _ in 0..count_max {
            let Some((row, _)) = state.next_row(&from, &end)? else { break };
            from.clone_from(&row);
            from.push(0);
            state.set_row(&row, None);
        }
    }
    Ok(())
}

impl Chain {
    /// Builds the next block from candidates and stashes it; the chain does not move until it is committed.
    ///
    /// # Errors
    /// [`Fault`]: the replica is broken.
    pub fn build(&mut self, time: Timestamp, candidates: Vec<Candidate>) -> Result<Built, Fault> {
        self.make(time, candidates, true)
    }

    /// As [`Chain::build`], of a block that was made already.
    pub(super) fn build_again(
        &mut self,
        time: Timestamp,
        candidates: Vec<Candidate>,
    ) -> Result<Built, Fault> {
        self.make(time, candidates, false)
    }

    fn make(
        &mut self,
        time: Timestamp,
        mut candidates: Vec<Candidate>,
        is_new: bool,
    ) -> Result<Built, Fault> {
        assert!(time > self.tip.time, "block time rises: {time} after {}", self.tip.time);
        self.unstash()?;
        let (mut rejected, mut postponed) = (vec![], vec![]);
        let (block, control) = match self.take_control(time, &mut candidates)? {
            Some(Around { block, checked: Ok(checked) }) => (block, Some(checked)),
            Some(Around { checked: Err(refused), .. }) => {
                rejected.push(refused);
                (self.context(time), None)
            }
            None => (self.context(time), None),
        };
        let block = BlockContext { is_new, ..block };
        let mut making = Making::new(&block, self.base.as_ref())?;
        execute::check_ahead(&making.state, &mut candidates)?;
        if let Some(checked) = control {
            making.put_in(checked)?;
        }
        making.run_expiries()?;
        let shares = [making.half(), block.parameters.limits.block_gas];
        // Where no transaction waits the second share follows the first.
        let (before, behind) = shares.split_at(if candidates.is_empty() { 2 } else { 1 });
        making.run_queue(before)?;
        let mut candidates = candidates.into_iter();
        while !candidates.as_slice().is_empty() {
            let next: Vec<Candidate> = candidates.by_ref().take(AHEAD).collect();
            making.reserve(next.len(), ROWS_OF_TRANSACTION);
            let rows: Vec<_> = next.iter().flat_map(Candidate::rows).collect();
            making.state.ask_ahead(&rows)?;
            let mut next = next.into_iter();
            while let Some(candidate) = next.next() {
                let later = next.as_slice().get(1);
                making.state.prefetch_accounts(later.into_iter().flat_map(Candidate::accounts));
                match making.run_transaction(candidate)? {
                    Attempt::Ran => {}
                    Attempt::Rejected(id, rejection) => rejected.push((id, rejection)),
                    Attempt::NoRoom(candidate) => postponed.push(*candidate),
                }
            }
        }
        making.run_queue(behind)?;
        let done = making.done(Changes::default())?;
        let chain = block.chain;
        let header = self.stash(chain, time, done, &|| ())?;
        Ok(Built { header, rejected, postponed })
    }

    /// Takes the control transaction out of the candidates, with the context of the block around it, or says why there
    /// can be no such block.
    fn take_control(
        &self,
        time: Timestamp,
        candidates: &mut Vec<Candidate>,
    ) -> Result<Option<Around<'_>>, Fault> {
        let named =
            |candidate: &Candidate| control::named(&candidate.transaction().body.operation, self.tip.chain);
        let Some((place, named)) =
            candidates.iter().enumerate().find_map(|(place, candidate)| Some((place, named(candidate)?)))
        else {
            return Ok(None);
        };
        let (candidate, block) =
            (candidates.remove(place), BlockContext { chain: named.chain, ..self.context(time) });
        let id = candidate.id();
        let checked = control::check(&self.state(), &block, candidate)?;
        Ok(Some(Around { block, checked: checked.map_err(|rejection| (id, rejection)) }))
    }

    /// Executes a block that somebody else made and stashes it when it is what its items give.
    ///
    /// # Errors
    /// The outer one is a [`Fault`], the inner one says why the block is [`Invalid`].
    pub fn validate(&mut self, header: &Header, items: &[Item]) -> Result<Result<(), Invalid>, Fault> {
        if header.height != self.tip.height + 1
            || header.parent != self.tip.hash()
            || header.time <= self.tip.time
        {
            let text = format!(
                "height {} at {} on {}, the tip is {} at {}",
                header.height, header.time, header.parent, self.tip.height, self.tip.time
            );
            return Ok(Err(Invalid::NotNext(text)));
        }
        // The order of a block follows from its transactions alone, so making it again from them and comparing
        // finds an occurrence that is missing, misplaced or made up.
        let transactions = items.iter().filter_map(|item| match item {
            Item::Tx(tx) => Some(Candidate::from(tx.clone())),
            Item::Due(_) | Item::Expiry(_) => None,
        });
        let transactions: Vec<Candidate> = transactions.collect();
        let names_time = transactions.iter().any(|candidate| {
            control::named(&candidate.transaction().body.operation, self.tip.chain).is_some()
        });
        let ms = header.time.0 - self.tip.time.0;
        let limit = self.genesis.parameters.limits.time_step_ms_max;
        if let Some(limit) = limit.filter(|limit| ms > *limit && !names_time) {
            return Ok(Err(Invalid::Late { ms, limit }));
        }
        let built = self.build_again(header.time, transactions)?;
        let invalid = self.first_difference(&built, header, items);
        if invalid.is_some() {
            self.unstash()?;
        }
        Ok(invalid.map_or(Ok(()), Err))
    }

    fn first_difference(&self, built: &Built, header: &Header, items: &[Item]) -> Option<Invalid> {
        if let Some((id, rejection)) = built.rejected.first() {
            let index = items.iter().position(|item| item.id().0 == id.0).unwrap_or(0) as u32;
            return Some(Invalid::Rejected { index, rejection: rejection.clone() });
        }
        let made = self.stash.as_ref().map_or(&[][..], |stash| &stash.block.items);
        if let Some(index) = (0..made.len().max(items.len())).find(|at| made.get(*at) != items.get(*at)) {
            let expected = made.get(index).map_or("nothing".into(), |item| format!("{}", item.id()));
            return Some(Invalid::Order { index: index as u32, expected });
        }
        let ours = &built.header;
        let parts = [
            ("list of receipts", ours.receipts == header.receipts),
            ("state root", ours.state == header.state),
            ("parameters hash", ours.parameters == header.parameters),
            ("header", ours == header),
        ];
        parts.into_iter().find(|(_, same)| !same).map(|(part, _)| Invalid::Differs(part))
    }

    /// Stashes the block that was executed behind the newest one; `ready` as in [`crate::state::State::stash_when`].
    pub(super) fn stash(
        &mut self,
        chain: ChainId,
        time: Timestamp,
        done: Done,
        ready: &dyn Fn(),
    ) -> Result<Header, Fault> {
        let Done { items, item_bytes, receipts, items_root, receipts_root, mut rows, unasked } = done;
        let known = known_rows(self.base.as_ref(), &rows, &unasked)?;
        if !known.is_empty() {
            rows = Arc::new(rows.without(&known));
        }
        let encoded = || (lists_bytes(&item_bytes, &receipts), WriteSet::root_of(&rows));
        let ((lists, root), state) = beside(items.len(), encoded, || self.base.stash_when(&rows, ready));
        let (writes, state) = (WriteSet::of(rows, root), state?);
        let mut ancestry = self.ancestry.clone();
        let parent = self.tip.hash();
        ancestry.push(tag::ANCESTRY, &parent.0);
        let genesis = &self.genesis;
        let header = Header {
            version: HEADER_VERSION,
            protocol: genesis.parameters.protocol,
            chain,
            height: self.tip.height + 1,
            time,
            parent,
            ancestry: ancestry.root(tag::ANCESTRY),
            items: items_root,
            items_count: items.len() as u32,
            receipts: receipts_root,
            receipts_count: receipts.len() as u32,
            state,
            outbox: Hash::ZERO,
            validators: genesis.validators.hash(),
            parameters: genesis.parameters.hash(),
            proposer: genesis.validators.validators[0].bank,
        };
        let block = Block { header: header.clone(), items, receipts, writes: writes.hash() };
        let bytes = lists.between(&codec::encode(&header), &codec::encode(&block.writes));
        debug_assert_eq!(bytes.get(), codec::encode(&block));
        self.stash =
            Some(Stashed { hash: header.hash(), block, bytes, writes, ancestry, is_taken_in: false });
        Ok(header)
    }

    /// Throws away what was built and not committed.
    pub(super) fn unstash(&mut self) -> Result<(), Fault> {
        self.stash = None;
        self.base.unstash()
    }
}

/// Room for a header's bytes in front of a block's lists.
const HEADER_BYTES: usize = 1024;

/// The canonical bytes of a block, of which the header comes last.
#[derive(Debug)]
pub(super) struct BlockBytes {
    bytes: Vec<u8>,
    start: usize,
}

impl BlockBytes {
    pub fn get(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Puts a header in front of the lists and what is behind them.
    fn between(mut self, header: &[u8], behind: &[u8]) -> BlockBytes {
        self.bytes.extend_from_slice(behind);
        match self.start.checked_sub(header.len()) {
            Some(start) => {
                self.bytes[start..self.start].copy_from_slice(header);
                self.start = start;
            }
            None => {
                self.bytes.splice(..self.start, header.iter().copied());
                self.start = 0;
            }
        }
        self
    }
}

/// The canonical bytes of a block's items, which are encoded already, and of its receipts.
fn lists_bytes(items: &[Vec<u8>], receipts: &[FullReceipt]) -> BlockBytes {
    let items_bytes = items.iter().map(Vec::len).sum::<usize>();
    let mut bytes = Vec::with_capacity(HEADER_BYTES + items_bytes + receipts.len() * RECEIPT_BYTES);
    bytes.resize(HEADER_BYTES, 0);
    codec::append(&mut bytes, &(items.len() as u64));
    items.iter().for_each(|item| bytes.extend_from_slice(item));
    codec::append(&mut bytes, receipts);
    BlockBytes { bytes, start: HEADER_BYTES }
}

#[cfg(test)]
impl Chain {
    /// Stashes a block without items that writes what a test begins with.
    pub(super) fn stash_written(
        &mut self,
        time: Timestamp,
        write: impl FnOnce(&mut Overlay<'_>),
    ) -> Result<Header, Fault> {
        let block = self.context(time);
        let mut making = Making::new(&block, self.base.as_ref())?;
        write(&mut making.state);
        let done = making.done(Changes::default())?;
        self.stash(self.id(), time, done, &|| ())
    }
}
