//! Durable blocks of 1,000 random updates over many keys: what the state costs, and what opening it again does.

use super::{Figure, Measured, Ratio, Scratch, folder_bytes, process_cpu, thread_cpu};
use anyhow::{Context, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, Hash, PartyId};
use tenor_abi::tag;
use tenor_runtime::chain::{FileJournal, Journal, LOG_FOLDER, STATE_FOLDER, Stored};
use tenor_runtime::log::Log;
use tenor_runtime::state::{Base, Committed, Kind, Resume, Room, State};
use tenor_runtime::store::{Change, Disk, WriteSet};
use tenor_wire::block::{Block, HEADER_VERSION, Header};
use tenor_wire::crypto::hash;
use tenor_wire::merkle::Mmr;

const CHAIN: ChainId = ChainId([7; 32]);
/// Updates of a block.
const BLOCK: u64 = 1_000;
/// Bytes of a record: about an account's.
const RECORD_BYTES: usize = 128;
/// Keys that are loaded together.
const LOAD: u64 = 50_000;
/// Seconds between checkpoints under load.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(30);
/// Blocks behind the mark when it is opened again.
const TAIL: u64 = 300;
/// Seconds without the write-behind at most: what a long run is for is the disk, which only the write-behind uses.
const WITHOUT_AT_MOST: u64 = 60;
/// Proofs that are made.
const PROOFS: u64 = 1_000;

pub(super) fn measure(seconds: u64, keys: u64, room: Room, pace: Option<u32>) -> Result<Measured> {
    let scratch = Scratch::new()?;
    let mut run = Run::load(scratch.path(), keys, room)?;
    run.interval = pace.map(|blocks| Duration::from_secs(1) / blocks.max(1));
    let bare_sync_ms = bare_sync(scratch.path())?;
    let without = run.blocks(Duration::from_secs(seconds.min(WITHOUT_AT_MOST)), false)?;
    run.stored.flush()?;
    let with = run.blocks(CHECKPOINT_AFTER + Duration::from_secs(seconds), true)?;
    let proofs = run.proofs()?;
    let memory = run.stored.memory();
    let on_disk = folder_bytes(&scratch.path().join(STATE_FOLDER))?;
    let log_bytes = folder_bytes(&scratch.path().join(LOG_FOLDER))?;
    for _ in 0..TAIL {
        run.block()?;
    }
    let root = run.stored.root();
    drop(run);
    let (wall, cpu) = (Instant::now(), process_cpu());
    let stored = Stored::open(scratch.path(), CHAIN, room)?;
    let (open_ms, open_cpu_ms) = (ms(wall.elapsed()), ms(process_cpu() - cpu));
    anyhow::ensure!(stored.base.root() == root, "opened again it has another root");
    // With little memory a checkpoint has bounded the tail by itself.
    anyhow::ensure!(stored.opened.redone <= TAIL && !stored.opened.rebuilt, "{:?}", stored.opened);
    let known = memory.trie.known_bytes + memory.index.known_bytes;
    let cached = memory.trie.cached_bytes + memory.index.cached_bytes;
    let figures = [
        ("cpu_ms_per_1000", without.cpu_ms, "ms"),
        ("cpu_ms_per_1000_with_write_behind", with.cpu_ms, "ms"),
        ("blocks_per_second", without.blocks_per_second, "/s"),
        ("blocks_per_second_with_write_behind", with.blocks_per_second, "/s"),
        ("block_wall_ms", without.wall_ms, "ms"),
        ("bare_sync_ms", bare_sync_ms, "ms"),
        ("open_ms", open_ms, "ms"),
        ("open_cpu_ms", open_cpu_ms, "ms"),
        ("open_redone_blocks", stored.opened.redone as f64, "1"),
        ("disk_bytes_per_log_byte", (log_bytes + on_disk) as f64 / log_bytes as f64, "1"),
        ("proof_make_us", proofs.make_us, "us"),
        ("proof_verify_us", proofs.verify_us, "us"),
        ("proof_bytes", proofs.bytes, "bytes"),
        ("memory_per_key_known", known as f64 / keys as f64, "bytes"),
        ("memory_per_key_cached", cached as f64 / keys as f64, "bytes"),
        ("spilled_per_key", memory.spilled_bytes as f64 / keys as f64, "bytes"),
        ("state_on_disk_per_key", on_disk as f64 / keys as f64, "bytes"),
        ("keys", keys as f64, "1"),
    ];
    Ok(Measured {
        figures: figures
            .into_iter()
            .map(|(name, value, unit)| Figure { name: name.into(), value, unit })
            .collect(),
        ratios: vec![Ratio {
            name: "block_wall_of_cpu_and_sync",
            value: without.wall_ms / (without.cpu_ms + bare_sync_ms),
            of: "block_wall_ms",
            to: "cpu_ms_per_1000 + bare_sync_ms",
        }],
    })
}

/// Bytes on disk of what a write set holds, once the store has taken it in.
pub(super) fn stored_bytes(writes: &WriteSet) -> Result<u64> {
    let scratch = Scratch::new()?;
    let mut run = Run::begin(scratch.path(), 0, Room::default())?;
    run.commit(writes)?;
    run.stored.flush()?;
    folder_bytes(&scratch.path().join(STATE_FOLDER))
}

struct Run {
    stored: Committed,
    journal: FileJournal,
    keys: u64,
    height: u64,
    chance: u64,
    /// Time and processor time that went into making up what is written and into waiting for the next block's time:
    /// it is no part of what is measured.
    made_up: (Duration, Duration),
    /// Time from one block to the next, where they do not follow at once.
    interval: Option<Duration>,
}

/// What blocks came to, each.
struct Blocks {
    cpu_ms: f64,
    wall_ms: f64,
    blocks_per_second: f64,
}

struct Proofs {
    make_us: f64,
    verify_us: f64,
    bytes: f64,
}

impl Run {
    fn begin(folder: &Path, keys: u64, room: Room) -> Result<Run> {
        let disk = Disk::open(&folder.join(STATE_FOLDER))?;
        let journal = FileJournal::new(Log::create(&folder.join(LOG_FOLDER), CHAIN)?);
        let stored = Committed::begin(Arc::new(disk), room);
        let made_up = (Duration::ZERO, Duration::ZERO);
        Ok(Run { stored, journal, keys, height: 0, chance: 1, made_up, interval: None })
    }

    fn load(folder: &Path, keys: u64, room: Room) -> Result<Run> {
        let mut run = Run::begin(folder, keys, room)?;
        for from in (0..keys).step_by(LOAD as usize) {
            let rows = rows((from..keys.min(from + LOAD)).map(|key| (key, 0)).collect());
            run.commit(&WriteSet::new(rows))?;
        }
        run.stored.flush()?;
        Ok(run)
    }

    /// Blocks of random updates until the time is over; with the write-behind, until the mark is at the tip.
    fn blocks(&mut self, time: Duration, write_behind: bool) -> Result<Blocks> {
        let (begun, cpu, first) = (Instant::now(), process_cpu(), self.height);
        let made_up = self.made_up;
        let (mut checkpoint, mut next) = (Instant::now(), begun);
        while begun.elapsed() < time {
            self.block()?;
            if let Some(interval) = self.interval {
                next += interval;
                let pause = next.saturating_duration_since(Instant::now());
                std::thread::sleep(pause);
                self.made_up.0 += pause;
            }
            if write_behind && checkpoint.elapsed() >= CHECKPOINT_AFTER {
                self.stored.checkpoint()?;
                checkpoint = Instant::now();
            }
        }
        if write_behind {
            self.stored.flush()?;
        }
        let blocks = (self.height - first) as f64;
        let wall = begun.elapsed() - (self.made_up.0 - made_up.0);
        let cpu = process_cpu() - cpu - (self.made_up.1 - made_up.1);
        Ok(Blocks {
            cpu_ms: ms(cpu) / blocks,
            wall_ms: ms(wall) / blocks,
            blocks_per_second: blocks / wall.as_secs_f64(),
        })
    }

    fn block(&mut self) -> Result<()> {
        let (begun, cpu) = (Instant::now(), thread_cpu());
        let round = self.height;
        let mut updates: Vec<(u64, u64)> = (0..BLOCK).map(|_| (self.random() % self.keys, round)).collect();
        updates.sort_unstable();
        updates.dedup_by_key(|update| update.0);
        let rows = rows(updates);
        self.made_up = (self.made_up.0 + begun.elapsed(), self.made_up.1 + (thread_cpu() - cpu));
        self.commit(&WriteSet::new(rows))
    }

    fn commit(&mut self, writes: &WriteSet) -> Result<()> {
        let state = self.stored.stash(writes.rows())?;
        let block = Block {
            header: header(self.height, state),
            items: vec![],
            receipts: vec![],
            writes: writes.hash(),
        };
        self.journal.append(&block, &tenor_abi::codec::encode(&block), writes)?;
        let log = self.journal.position_behind(self.height)?;
        let resume = Resume { log, ancestry: Mmr::default() };
        self.stored.commit(writes.rows(), self.height, resume)?;
        self.height += 1;
        Ok(())
    }

    fn proofs(&mut self) -> Result<Proofs> {
        let root = self.stored.root();
        let (mut make, mut verify, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
        for _ in 0..PROOFS {
            let key = full_key(self.random() % self.keys);
            let begun = Instant::now();
            let proof = self.stored.prove(&key)?.context("it is there")?;
            make += begun.elapsed();
            let begun = Instant::now();
            let found = proof.verify(&root, &key[1..33], &key)?.map(<[u8]>::to_vec);
            verify += begun.elapsed();
            anyhow::ensure!(found == self.stored.get(&key)?, "the proof shows another record");
            bytes += tenor_abi::codec::encode(&proof).len();
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / PROOFS as f64;
        Ok(Proofs { make_us: each(make), verify_us: each(verify), bytes: bytes as f64 / PROOFS as f64 })
    }

    /// xorshift64*: the same keys in every run.
    fn random(&mut self) -> u64 {
        self.chance ^= self.chance >> 12;
        self.chance ^= self.chance << 25;
        self.chance ^= self.chance >> 27;
        self.chance.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Rows as a block's execution leaves them: in the order of their keys.
fn rows(updates: Vec<(u64, u64)>) -> Vec<Change> {
    let row = |(key, round)| (full_key(key), Some(record(key, round)));
    let mut rows: Vec<_> = updates.into_iter().map(row).collect();
    rows.sort_unstable();
    rows
}

fn full_key(key: u64) -> Vec<u8> {
    Kind::Account.full_key(&hash(tag::SEED, &[&key.to_le_bytes()]).0)
}

fn record(key: u64, round: u64) -> Vec<u8> {
    let mut record = vec![0; RECORD_BYTES];
    record[..8].copy_from_slice(&key.to_le_bytes());
    record[8..16].copy_from_slice(&round.to_le_bytes());
    record
}

fn header(height: u64, state: Hash) -> Header {
    Header {
        version: HEADER_VERSION,
        protocol: 0,
        chain: CHAIN,
        height,
        time: Timestamp(height),
        parent: Hash::ZERO,
        ancestry: Hash::ZERO,
        items: Hash::ZERO,
        items_count: 0,
        receipts: Hash::ZERO,
        receipts_count: 0,
        state,
        outbox: Hash::ZERO,
        validators: Hash::ZERO,
        parameters: Hash::ZERO,
        proposer: PartyId([0; 32]),
    }
}

/// Milliseconds of one write and sync of as many bytes as a block has, on the same file system.
fn bare_sync(folder: &Path) -> Result<f64> {
    use std::io::Write;
    let bytes = vec![1; BLOCK as usize * (RECORD_BYTES + 40)];
    let mut file = std::fs::File::create(folder.join("bare"))?;
    let begun = Instant::now();
    for _ in 0..50 {
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    Ok(ms(begun.elapsed()) / 50.0)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
