//! Entries of the ledger per second, in memory on one thread, beside bare transfers between entries of a hash map.
//!
//! Each side moves one cent from account to account, with its checks. The ledger's side judges and books with
//! limits, a history posting with running counters for each line, what takes a write back, the event of the entry,
//! and the block's write set as rows in key order; what it leaves in the accounts is compared with what the same
//! transfers leave when they come as transactions.
//!
//! What is hashed is the block's: the accounts' history trees and the write set's bytes. It is measured beside the
//! entries and stands in figures of its own. So does what an account at rest takes.

use super::signer::Signer;
use super::{Figure, Measured, Ratio, commit, thread_cpu};
use crate::demo::cast::Cast;
use crate::folder::engine;
use crate::keys::VALIDATOR;
use anyhow::{Context, Result, bail, ensure};
use std::collections::HashMap;
use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{EntryId, Side};
use tenor_abi::id::{AccountId, AssetId, Hash, PartyId};
use tenor_abi::money::Code;
use tenor_runtime::chain::{Chain, Solo};
use tenor_runtime::ledger::{self, DatedBy, Draft, Line, Lines, Opening, Signed};
use tenor_runtime::schedule;
use tenor_runtime::state::record::{AccountRecord, AssetRecord, Holder};
use tenor_runtime::state::{Committed, Overlay, Resume, State, StateMemory};
use tenor_runtime::store::WriteSet;
use tenor_wire::crypto::plain_hash;
use tenor_wire::op::{AccountKind, AssetKind, Operation, Spend, TransferOp, account_id};
use tenor_wire::receipt::{Act, Entry, EntrySource, Fate};

/// Accounts that pay each other.
const ACCOUNTS: usize = 10_000;
/// Overdraft of each account in cents, so that nobody needs money to begin with.
const FLOOR: i128 = -1_000_000_000;
/// Entries of a block.
const BLOCK: usize = 50_000;
/// Entries that are also sent as transactions.
const COMPARED: usize = 1_000;
/// Postings of the longest entry.
const LONGEST: usize = ledger::POSTINGS_MAX;
/// Longest entries that are timed.
const LONGEST_ENTRIES: usize = 1_000;
/// Lengths of entries whose postings are timed, and how many postings of each.
pub const LENGTHS: [usize; 3] = [2, 100, LONGEST];
const POSTINGS_OF_A_LENGTH: usize = 20 * LONGEST;
/// Accounts beside which the speed is measured once more, and in how many blocks.
const MANY: usize = 1_000_000;
const BLOCKS_AMONG_MANY: usize = 6;
/// Accounts at rest that are weighed.
const AT_REST: usize = 100_000;

pub(super) fn measure(seconds: u64) -> Result<Measured> {
    let books = Books::opened()?;
    books.compare()?;
    let time = Duration::from_secs(seconds.max(1));
    let (mut bare, mut booked, mut hashed) = (Timed::default(), Timed::default(), Timed::default());
    let mut balances = balances(books.accounts.iter().map(|(account, _)| account));
    // Turn by turn, so that what else the machine does meets both.
    while booked.spent < time {
        for _ in 0..4 {
            bare.count(BLOCK, || transfer_bare(&mut balances, &books.transfers))?;
        }
        books.block(&mut booked, &mut hashed)?;
    }
    let (p50, p999) = books.longest()?;
    let at_rest = AtRest::weighed()?;
    let among = books.among(MANY)?;
    let (many, few) = (among.all.rate(), among.few.rate());
    let mut ns_of_postings = vec![];
    for postings in LENGTHS {
        let name = format!("ns_per_posting_of_{postings}");
        let mut timed = Timed::default();
        books.entries_of(postings, &mut timed)?;
        ns_of_postings.push(Figure { name, value: 1e9 / timed.rate(), unit: "ns" });
    }
    let figure = |name: &str, value, unit| Figure { name: name.into(), value, unit };
    let mut measured = Measured {
        figures: vec![
            figure("entries_per_second", booked.rate(), "/s"),
            figure("ns_per_entry", 1e9 / booked.rate(), "ns"),
            figure("ns_of_hashes_per_entry", 1e9 / hashed.rate(), "ns"),
            figure("entries_per_second_hashed", 1e9 / (1e9 / booked.rate() + 1e9 / hashed.rate()), "/s"),
            figure("hashmap_transfers_per_second", bare.rate(), "/s"),
            figure("longest_entry_ms_p50", p50, "ms"),
            figure("longest_entry_ms_p999", p999, "ms"),
            figure("accounts", ACCOUNTS as f64, "1"),
            figure("entries_per_second_among_1000000", many, "/s"),
            figure("accounts_booked_on_among_1000000", among.booked_on, "1"),
            figure("entries_per_second_of_10000_among_1000000", few, "/s"),
            figure("ns_per_account_booked_on", among.ns_per_account(), "ns"),
            figure("hashmap_transfers_per_second_among_1000000", among.bare.rate(), "/s"),
            figure("memory_bytes_per_account", at_rest.known_bytes, "B"),
            figure("memory_bytes_per_account_cached", at_rest.cached_bytes, "B"),
            figure("written_bytes_per_account", at_rest.written_bytes, "B"),
            figure("disk_bytes_per_account", at_rest.disk_bytes, "B"),
        ],
        ratios: vec![
            Ratio {
                name: "of_hashmap",
                value: booked.rate() / bare.rate(),
                of: "entries_per_second",
                to: "hashmap_transfers_per_second",
            },
            Ratio {
                name: "of_hashmap_among_1000000",
                value: many / among.bare.rate(),
                of: "entries_per_second_among_1000000",
                to: "hashmap_transfers_per_second_among_1000000",
            },
            Ratio {
                name: "among_1000000_of_among_10000",
                value: few / booked.rate(),
                of: "entries_per_second_of_10000_among_1000000",
                to: "entries_per_second",
            },
        ],
    };
    measured.figures.extend(ns_of_postings);
    Ok(measured)
}

#[derive(Default)]
struct Timed {
    spent: Duration,
    done: usize,
}

impl Timed {
    fn count<T>(&mut self, pieces: usize, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = thread_cpu();
        let made = work()?;
        self.spent += thread_cpu() - start;
        self.done += pieces;
        Ok(made)
    }

    /// What so many pieces take, when work is done until at least so many were counted.
    fn of(count: u64, mut work: impl FnMut(&mut Timed) -> Result<()>) -> Result<Duration> {
        let mut timed = Timed::default();
        while (timed.done as u64) < count {
            work(&mut timed)?;
        }
        Ok(timed.spent.mul_f64(count as f64 / timed.done as f64))
    }

    fn rate(&self) -> f64 {
        self.done as f64 / self.spent.as_secs_f64()
    }
}

/// Blocks among many accounts.
#[derive(Default)]
struct Among {
    /// Bare transfers over all of them.
    bare: Timed,
    /// Entries over all of them.
    all: Timed,
    /// Entries over as many as are among few.
    few: Timed,
    /// Accounts that a block over all of them booked on.
    booked_on: f64,
}

impl Among {
    /// What a block takes longer for each account more that it books on.
    fn ns_per_account(&self) -> f64 {
        let ns_per_block = |timed: &Timed| BLOCK as f64 * 1e9 / timed.rate();
        (ns_per_block(&self.all) - ns_per_block(&self.few)) / (self.booked_on - ACCOUNTS as f64)
    }
}

/// Accounts that pay each other, in a chain in memory.
pub struct Books {
    chain: Chain,
    solo: Solo,
    accounts: Vec<(AccountId, Signer)>,
    /// Those of a block.
    transfers: Vec<Transfer>,
    today: Date,
}

/// A transfer of one cent. Both sides read them one after the other from a list.
struct Transfer {
    payer: AccountId,
    party: PartyId,
    payee: AccountId,
}

impl Transfer {
    /// The transfers of a range of numbers among some accounts, with who has them.
    fn list(holders: &[(AccountId, PartyId)], numbers: Range<usize>) -> Vec<Transfer> {
        let transfer = |number| {
            let (from, to) = Books::pair(number, holders.len());
            let (payer, party) = holders[from];
            Transfer { payer, party, payee: holders[to].0 }
        };
        numbers.map(transfer).collect()
    }

    fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        [&self.payer, &self.payee].into_iter()
    }
}

impl Books {
    /// 10,000 accounts of as many customers, each with an overdraft.
    ///
    /// # Errors
    /// When such a chain cannot be begun.
    pub fn opened() -> Result<Books> {
        let cast = Cast::new(1);
        let signers = (0..ACCOUNTS).map(Signer::numbered).collect::<Result<Vec<_>>>()?;
        let mut genesis = cast.genesis();
        for signer in &signers {
            genesis.operations.extend([signer.enrolment(&cast), signer.account(&cast, "main", FLOOR)]);
        }
        let chain = Chain::in_memory(genesis, engine()?)?;
        let accounts: Vec<(AccountId, Signer)> = signers
            .into_iter()
            .map(|signer| (account_id(&signer.party.0, &cast.eur, "main"), signer))
            .collect();
        let time = Timestamp(chain.tip().time.0 + 1);
        let today = schedule::business_date(&schedule::zone(&chain.state(), &cast.party("bank"))?, time);
        let holders: Vec<_> = accounts.iter().map(|(account, signer)| (*account, signer.party)).collect();
        let transfers = Transfer::list(&holders, 0..BLOCK);
        Ok(Books { chain, solo: Solo::new(cast.key(VALIDATOR)), accounts, transfers, today })
    }

    /// Who pays whom: over the accounts in an order that memory does not guess.
    fn pair(number: usize, accounts: usize) -> (usize, usize) {
        let from = number.wrapping_mul(7_919) % accounts;
        (from, (from + 1 + number % 97) % accounts)
    }

    /// Judges and books a transfer of a list, as an operation of its payer, and adds the entry to others. Memory is asked
    /// for the accounts of the one after the next, as it is before each transaction of a block.
    fn book(
        &self,
        state: &mut Overlay<'_>,
        item: Hash,
        list: &[Transfer],
        place: usize,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        state.prefetch_accounts(list.get(place + 2).into_iter().flat_map(Transfer::accounts));
        let Transfer { payer, party, payee } = &list[place];
        let spend = Spend { account: *payer, amount: 1 };
        let mut signed = Signed::default();
        signed.add([party], &[spend]);
        let line = |account: &AccountId, side| Line { account: *account, side, minor: 1, currency: None };
        let lines = Lines::from([line(payer, Side::Debit), line(payee, Side::Credit)]);
        let draft = self.draft(item, lines);
        let plan = match ledger::plan(state, &draft, &signed) {
            Ok(plan) => plan,
            Err(stop) => bail!("{stop:?}"),
        };
        ledger::commit(state, plan, &mut signed, self.height(), entries)?;
        // The item is over, as after every transaction of a block.
        state.keep();
        Ok(())
    }

    /// Judges and books the transfers of a list, each as an item of its own, the first of which has a number.
    fn book_all(
        &self,
        state: &mut Overlay<'_>,
        item: usize,
        list: &[Transfer],
        booked: &mut Timed,
    ) -> Result<Vec<Entry>> {
        booked.count(list.len(), || {
            let mut entries = Vec::with_capacity(list.len());
            for place in 0..list.len() {
                self.book(state, numbered(item + place), list, place, &mut entries)?;
            }
            Ok(entries)
        })
    }

    fn height(&self) -> u64 {
        self.chain.tip().height + 1
    }

    #[inline(always)]
    fn draft(&self, item: Hash, lines: Lines) -> Draft {
        Draft {
            id: EntryId { item, index: 0 },
            source: EntrySource::Party,
            act: Act::Post,
            booked_at: Timestamp(self.chain.tip().time.0 + 1),
            today: self.today,
            value_date: self.today,
            dated_by: DatedBy::Asker { ahead_days: 0 },
            lines,
            narrative: None,
            reference: None,
        }
    }

    /// The first accounts are in memory, as those of a block are whose rows were asked for ahead.
    fn read_accounts(&self, state: &Overlay<'_>, count: usize) -> Result<()> {
        for (account, _) in &self.accounts[..count] {
            state.read(&account.0, |_: Option<&AccountRecord>| ())?;
        }
        Ok(())
    }

    /// A block of entries over the same state each time: its events and its write set.
    fn block(&self, booked: &mut Timed, hashed: &mut Timed) -> Result<(Vec<Entry>, WriteSet)> {
        let mut state = self.chain.state();
        self.read_accounts(&state, ACCOUNTS)?;
        let entries = self.book_all(&mut state, 0, &self.transfers, booked)?;
        hashed.count(BLOCK, || Ok(ledger::settle_history(&mut state)?))?;
        let rows = booked.count(0, || Ok(state.into_writes()?))?;
        let writes = hashed.count(0, || Ok(WriteSet::new(rows)))?;
        Ok((entries, writes))
    }

    /// The same transfers booked here and sent as transactions leave every account the same, history included.
    fn compare(&self) -> Result<()> {
        let time = Timestamp(self.chain.tip().time.0 + 1);
        let transfer = |number: usize| {
            let (from, to) = Books::pair(number, ACCOUNTS);
            let (payer, signer) = &self.accounts[from];
            let to = self.accounts[to].0;
            let op = TransferOp { from: *payer, to, amount: 1, narrative: None, reference: None };
            let spend = vec![Spend { account: *payer, amount: 1 }];
            signer.sign(self.chain.id(), time, number as u64, spend, Operation::Transfer(op))
        };
        let sent: Vec<_> = (0..COMPARED).map(transfer).collect();
        let (mut here, mut entries) = (self.chain.state(), vec![]);
        for (number, tx) in sent.iter().enumerate() {
            self.book(&mut here, Hash(tx.id().0), &self.transfers, number, &mut entries)?;
        }
        ledger::settle_history(&mut here)?;
        let mut there = self.chain.fork()?;
        let candidates = sent.into_iter().map(Into::into).collect();
        let (built, block) = self.solo.produce(&mut there, time, candidates)?;
        let done = block.receipts.iter().all(|full| full.receipt.fate == Fate::Done);
        ensure!(done && built.rejected.is_empty() && built.postponed.is_empty(), "a transfer was not done");
        for (account, _) in &self.accounts {
            let record = |state: &Overlay<'_>| state.get::<AccountRecord>(&account.0);
            ensure!(
                record(&here)? == record(&there.state())?,
                "{account} differs from what transactions leave"
            );
        }
        Ok(())
    }

    /// Entries and bare transfers as in blocks of this chain, among more accounts: over all of them, and over as many as
    /// this chain has, which lie among them.
    fn among(&self, count: usize) -> Result<Among> {
        let Opened { state, accounts, .. } = opened(count, FLOOR)?;
        let mut balances = balances(accounts.iter().map(|(account, _)| account));
        let few: Vec<_> = accounts.iter().step_by(count / ACCOUNTS).copied().collect();
        let mut among = Among::default();
        for block in 0..BLOCKS_AMONG_MANY {
            let numbers = block * BLOCK..(block + 1) * BLOCK;
            let transfers = Transfer::list(&accounts, numbers.clone());
            among.bare.count(BLOCK, || transfer_bare(&mut balances, &transfers))?;
            let first = transfers.iter().flat_map(Transfer::accounts);
            let booked_on = self.block_over(&state, first, numbers.start, &transfers, &mut among.all)?;
            among.booked_on += booked_on as f64 / BLOCKS_AMONG_MANY as f64;
            let transfers = Transfer::list(&few, numbers.clone());
            let first = few.iter().map(|(account, _)| account);
            self.block_over(&state, first, numbers.start, &transfers, &mut among.few)?;
        }
        Ok(among)
    }

    /// A block of entries over a state whose accounts are `first` in memory: how many it booked on.
    fn block_over<'a>(
        &self,
        state: &Committed,
        mut first: impl Iterator<Item = &'a AccountId>,
        item: usize,
        transfers: &[Transfer],
        booked: &mut Timed,
    ) -> Result<usize> {
        let mut overlay = Overlay::new(state);
        first.try_for_each(|account| overlay.read(&account.0, |_: Option<&AccountRecord>| ()))?;
        let entries = self.book_all(&mut overlay, item, transfers, booked)?;
        let booked_on = overlay.posted(|_| ()).len();
        black_box((entries, booked.count(0, || Ok(overlay.into_writes()?))?));
        Ok(booked_on)
    }

    /// Judges and books entries of a length and counts their postings.
    fn entries_of(&self, postings: usize, timed: &mut Timed) -> Result<()> {
        let mut state = self.chain.state();
        self.read_accounts(&state, ACCOUNTS)?;
        let payees = postings - 1;
        let asked = |number: usize| {
            let (payer, signer) = &self.accounts[number % ACCOUNTS];
            let line = |account, side, minor| Line { account, side, minor, currency: None };
            let mut lines = Lines::from_vec(vec![line(*payer, Side::Debit, payees as i128)]);
            let next = self.accounts.iter().cycle().skip(number % ACCOUNTS + 1).take(payees);
            lines.extend(next.map(|(account, _)| line(*account, Side::Credit, 1)));
            let spend = Spend { account: *payer, amount: payees as u128 };
            (self.draft(numbered(number), lines), Signed::by([&signer.party], &[spend], None))
        };
        let asked: Vec<_> = (0..POSTINGS_OF_A_LENGTH / postings).map(asked).collect();
        timed.count(asked.len() * postings, || {
            let mut entries = Vec::with_capacity(asked.len());
            for (draft, mut signed) in asked {
                let plan =
                    ledger::plan(&state, &draft, &signed).map_err(|stop| anyhow::anyhow!("{stop:?}"))?;
                ledger::commit(&mut state, plan, &mut signed, self.height(), &mut entries)?;
                state.keep();
            }
            black_box(entries);
            Ok(())
        })
    }

    /// The processor time of so many entries over accounts of this chain, taken from as many blocks as have them.
    ///
    /// # Errors
    /// What the ledger says.
    pub fn time_of_entries(&self, count: u64) -> Result<Duration> {
        Timed::of(count, |booked| self.block(booked, &mut Timed::default()).map(drop))
    }

    /// The same of bare transfers between entries of a hash map.
    ///
    /// # Errors
    /// None, as long as everybody has money.
    pub fn time_of_transfers(&self, count: u64) -> Result<Duration> {
        let mut balances = balances(self.accounts.iter().map(|(account, _)| account));
        Timed::of(count, |bare| bare.count(BLOCK, || transfer_bare(&mut balances, &self.transfers)))
    }

    /// The same of postings in entries that have so many, 2 to 8,190 of them.
    ///
    /// # Errors
    /// What the ledger says.
    pub fn time_of_postings(&self, postings: usize, count: u64) -> Result<Duration> {
        Timed::of(count, |timed| self.entries_of(postings, timed))
    }

    /// Milliseconds of an entry with as many postings as there may be: median, and the one in a thousand.
    fn longest(&self) -> Result<(f64, f64)> {
        let payer = &self.accounts[0];
        let mut times = vec![];
        for number in 0..LONGEST_ENTRIES {
            let line = |account, side, minor| Line { account, side, minor, currency: None };
            let paid = LONGEST - 1;
            let mut lines = Lines::from_vec(vec![line(payer.0, Side::Debit, paid as i128)]);
            lines.extend(self.accounts[1..=paid].iter().map(|(account, _)| line(*account, Side::Credit, 1)));
            let spend = Spend { account: payer.0, amount: paid as u128 };
            let mut signed = Signed::by([&payer.1.party], &[spend], None);
            let mut state = self.chain.state();
            self.read_accounts(&state, paid + 1)?;
            let start = thread_cpu();
            let draft = self.draft(Hash([number as u8; 32]), lines);
            let plan = ledger::plan(&state, &draft, &signed).map_err(|stop| anyhow::anyhow!("{stop:?}"))?;
            let mut entries = vec![];
            ledger::commit(&mut state, plan, &mut signed, self.height(), &mut entries)?;
            times.push((thread_cpu() - start).as_secs_f64() * 1e3);
            let booked = entries.first().map(|entry| entry.postings.len());
            ensure!(booked == Some(LONGEST), "every line is booked");
        }
        times.sort_by(f64::total_cmp);
        // By nearest rank: 999 of a thousand take no longer.
        Ok((times[times.len() / 2], times[(times.len() * 999).div_ceil(1000) - 1]))
    }
}

fn balances<'i>(accounts: impl Iterator<Item = &'i AccountId>) -> HashMap<[u8; 32], i128> {
    accounts.map(|account| (account.0, 0)).collect()
}

/// The transfers of a list, between entries of a hash map.
fn transfer_bare(balances: &mut HashMap<[u8; 32], i128>, transfers: &[Transfer]) -> Result<()> {
    for Transfer { payer, payee, .. } in transfers {
        let payer = balances.get_mut(&payer.0).context("there is such an account")?;
        let left = payer.checked_sub(1).filter(|left| *left >= FLOOR).context("there is money")?;
        *payer = left;
        let payee = balances.get_mut(&payee.0).context("there is such an account")?;
        *payee = payee.checked_add(1).context("there is room")?;
    }
    black_box(balances);
    Ok(())
}

fn numbered(number: usize) -> Hash {
    let mut item = [0; 32];
    item[..8].copy_from_slice(&number.to_le_bytes());
    Hash(item)
}

/// A state in memory with accounts of one asset, who has them, and the write set that opened them.
struct Opened {
    state: Committed,
    accounts: Vec<(AccountId, PartyId)>,
    writes: WriteSet,
}

fn opened(count: usize, floor: i128) -> Result<Opened> {
    let mut state = Committed::in_memory();
    let asset = AssetId([1; 32]);
    let mut overlay = Overlay::new(&state);
    let code = Code::parse("EUR").context("a code of an asset")?;
    let (issuer, kind) = (PartyId([2; 32]), AssetKind::Money);
    overlay.put(&asset.0, &AssetRecord { issuer, code, scale: 2, kind, freezable: false, clawback: false });
    let mut accounts = Vec::with_capacity(count);
    for number in 0..count {
        let party = PartyId(plain_hash(&[&number.to_le_bytes()]).0);
        let (owner, purpose, kind) = (Holder::Party(party), "main", AccountKind::Plain);
        let opening = Opening { owner, asset, purpose, floor, ceiling: None, kind };
        let account =
            ledger::open_account(&mut overlay, opening).map_err(|stop| anyhow::anyhow!("{stop:?}"))?;
        accounts.push((account, party));
    }
    let writes = WriteSet::new(overlay.into_writes()?);
    state.stash(writes.rows())?;
    state.commit(writes.rows(), 1, Resume::default())?;
    Ok(Opened { state, accounts, writes })
}

/// Bytes that each of many accounts takes on which nothing was booked yet.
struct AtRest {
    /// In memory, whatever it is given.
    known_bytes: f64,
    /// In memory, with every page in it.
    cached_bytes: f64,
    /// In the write set, which the log keeps and the store takes in.
    written_bytes: f64,
    /// In the store, once it has taken them in.
    disk_bytes: f64,
}

impl AtRest {
    fn weighed() -> Result<AtRest> {
        let Opened { state, writes, .. } = opened(AT_REST, 0)?;
        let StateMemory { trie, index, .. } = state.memory();
        let each = |bytes: u64| bytes as f64 / AT_REST as f64;
        let known = trie.known_bytes + index.known_bytes;
        Ok(AtRest {
            known_bytes: each(known as u64),
            cached_bytes: each((known + trie.cached_bytes + index.cached_bytes) as u64),
            written_bytes: each(writes.bytes().len() as u64),
            disk_bytes: each(commit::stored_bytes(&writes)?),
        })
    }
}
