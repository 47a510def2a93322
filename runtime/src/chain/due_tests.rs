//! A run of what falls due that ends in the middle of a block's way into the log, while the blocks behind it are made.

use super::build::BESIDE;
use super::grown::{ROOM, Rows};
use super::journal::{FileJournal, Journal, MemoryJournal};
use super::open::{LOG_FOLDER, STATE_FOLDER};
use super::past_tests::walked;
use super::{Chain, GENESIS_VERSION, Genesis, Replica, Solo};
use crate::fault::Fault;
use crate::log::{Extent, Log, Position, fail_at};
use crate::params::Parameters;
use crate::schedule::{self, Place};
use crate::state::record::{AgreementRecord, CodeRecord, ContractRecord};
use crate::state::{Committed, Overlay};
use crate::store::{Disk, WriteSet};
use crate::vm::{self, Bounds, CallOutcome, CallReport, Context, Guest, Session};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use tenor_abi::call::Told;
use tenor_abi::codec;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::id::{AgreementId, CodeHash, PartyId};
use tenor_abi::recurrence::Daily;
use tenor_abi::spec::{ABI_VERSION, Basic, CallDef, CallKind, Missed, Spec, StateDef, StateKind, Version};
use tenor_wire::block::{Block, Certificate, Validator, ValidatorSet};
use tenor_wire::crypto::SecretKey;

const BANK: PartyId = PartyId([1; 32]);
const CODE: CodeHash = CodeHash([2; 32]);
/// Height of the block that opens the agreements; each day that they fall due on is a block behind it.
const OPENED: u64 = 1;
const DAYS: u64 = 4;
const LAST: u64 = OPENED + DAYS;
/// Fewer than are worth a thread.
const FEW: usize = 3;

/// Length of a segment that any block fills: each begins one.
const EACH: u64 = 200;

/// The day whose block has a height.
fn day(height: u64) -> Date {
    Date::of(2026, 1, 1).add_days(height as i32)
}

fn key() -> SecretKey {
    SecretKey::from_bytes(&[7; 32]).unwrap()
}

fn genesis() -> Genesis {
    let parameters = Parameters::sandbox(vm::admission_hash(), vm::prices_hash(), vm::INSTRUMENTER_VERSION);
    let validators = vec![Validator { bank: BANK, key: key().public() }];
    Genesis {
        version: GENESIS_VERSION,
        time: Timestamp(1),
        parameters,
        validators: ValidatorSet { validators, quorum: 1 },
        zones: vec![],
        operations: vec![],
    }
}

/// A contract that does nothing when it falls due.
fn contract() -> ContractRecord {
    let each = CallKind::Due { schedule: 0, retry: None, catch_up: Missed::Each, missed: Missed::Each };
    let call = CallDef {
        name: "each".into(),
        kind: each,
        by: vec![],
        from: vec![],
        to: None,
        may_enter: vec![],
        four_eyes: None,
        exit: false,
        arguments: vec![],
        returns: Basic::Unit as u16,
        doc: String::new(),
    };
    let version = Version { major: 1, minor: 0, patch: 0 };
    let spec = Spec {
        abi: ABI_VERSION,
        name: "idle".into(),
        version,
        doc: String::new(),
        types: vec![],
        terms: vec![],
        states: vec![StateDef { name: "open".into(), kind: StateKind::Initial }],
        schedules: vec!["each".into()],
        books: vec![],
        storage: vec![],
        calls: vec![call],
        errors: vec![],
        events: vec![],
        purposes: vec![],
    };
    ContractRecord { bank: BANK, name: "idle".into(), version, spec: codec::encode(&spec), height: OPENED }
}

/// Opens agreements that fall due once a day from the next one on.
fn open(state: &mut Overlay<'_>, agreements: usize) {
    state.put(&CODE.0, &contract());
    state.put(&CODE.0, &CodeRecord { wasm: vec![0] });
    let now = day(OPENED).midnight();
    for number in 0..agreements {
        let mut id = [3; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let record = AgreementRecord {
            code: CODE,
            bank: BANK,
            opened_by: BANK,
            opened_at: now,
            terms_version: 0,
            terms: vec![0].into(),
            state: 0,
            signers: vec![],
            keys: 0,
        };
        state.put(&id, &record);
        let place = Place { agreement: AgreementId(id), bank: BANK, kind: 0, now, ahead_ms: 1_000 };
        let daily = Daily::from(day(OPENED + 1)).count(DAYS as u32);
        schedule::start(state, place, daily).unwrap();
    }
}

/// Does nothing for whom falls due, and tells which day has begun.
struct Idle {
    begun: Sender<Date>,
}

impl Guest for Idle {
    fn load(&self, _: &CodeHash, _: &[u8], _: Bounds) -> Result<(), Fault> {
        Ok(())
    }

    fn call(
        &self,
        _: &CodeHash,
        _: &str,
        _: Context,
        argument: &[u8],
        _: u64,
        _: &mut dyn Session,
    ) -> Result<CallReport, Fault> {
        let told = Told::of(argument.to_vec()).ok_or_else(|| Fault::Engine("this is no call".into()))?;
        // Who asks for it may be gone.
        let _ = self.begun.send(told.date());
        Ok(CallReport { outcome: CallOutcome::Done { data: vec![] }, gas_used: 1_000 })
    }
}

/// What a panic says that a test makes.
const PANIC: &str = "this is where it ends";

/// How the way of a block into the log ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ends {
    /// The disk says no at a call, the first of which is 0.
    Refused(u32),
    /// In a panic.
    Panic,
}

/// A log into which one block does not come the first time.
struct Stopped {
    log: FileJournal,
    stop: Option<(u64, Ends)>,
    /// Days that have begun to be executed, where the block is to wait for what is made behind it.
    begun: Option<Mutex<Receiver<Date>>>,
}

impl Stopped {
    /// Returns when the block behind one was handed over, which is so once the one behind that is made.
    fn wait(&self, height: u64) {
        let Some(begun) = self.begun.as_ref().filter(|_| height + 2 <= LAST) else { return };
        let begun = begun.lock().unwrap();
        while begun.recv().unwrap() < day(height + 2) {}
    }
}

impl Journal for Stopped {
    fn append(&mut self, block: &Block, bytes: &[u8], writes: &WriteSet) -> Result<(), Fault> {
        let height = block.header.height;
        let Some((_, ends)) = self.stop.take_if(|(stop, _)| *stop == height) else {
            return self.log.append(block, bytes, writes);
        };
        self.wait(height);
        match ends {
            Ends::Refused(call) => {
                fail_at(Some(call));
                let appended = self.log.append(block, bytes, writes);
                fail_at(None);
                appended
            }
            Ends::Panic => resume_unwind(Box::new(PANIC)),
        }
    }

    fn certify(&mut self, certificate: Certificate) -> Result<(), Fault> {
        self.log.certify(certificate)
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Fault> {
        self.log.block(height)
    }

    fn writes(&self, height: u64) -> Result<Option<WriteSet>, Fault> {
        self.log.writes(height)
    }

    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault> {
        self.log.certificate(height)
    }

    fn tip(&self) -> Option<u64> {
        self.log.tip()
    }

    fn position_behind(&self, height: u64) -> Result<Option<Position>, Fault> {
        self.log.position_behind(height)
    }

    fn extent(&self) -> Result<Vec<Extent>, Fault> {
        self.log.extent()
    }

    fn fork(&self, height: u64) -> MemoryJournal {
        self.log.fork(height)
    }
}

/// How many agreements fall due at once, and how long a segment of the log is.
#[derive(Clone, Copy, Debug)]
struct Size {
    agreements: usize,
    segment_bytes: u64,
}

impl Size {
    /// A chain whose agreements are open.
    fn begin(self, folder: &Path, stop: Option<(u64, Ends)>) -> Chain {
        let genesis = genesis();
        let log = Log::create(&folder.join(LOG_FOLDER), genesis.chain_id()).unwrap();
        let log = FileJournal::new(log.with_segments_of(self.segment_bytes));
        let base = Committed::begin(Arc::new(Disk::open(&folder.join(STATE_FOLDER)).unwrap()), ROOM);
        let (tells, begun) = channel();
        // Where it is worth no thread nobody takes the block in before it is written.
        let begun = (self.agreements >= BESIDE).then(|| Mutex::new(begun));
        let journal = Stopped { log, stop, begun };
        let guest = Arc::new(Idle { begun: tells });
        let mut chain = Chain::begin(genesis, guest, Box::new(base), Box::new(journal)).unwrap();
        let time = day(OPENED).midnight();
        let header = chain.stash_written(time, |state| open(state, self.agreements)).unwrap();
        chain.persist(&header.hash()).unwrap();
        chain.commit(Certificate::solo(&header, &key())).unwrap();
        chain.flush().unwrap();
        chain
    }
}

fn run(chain: &mut Chain, told: &mut Vec<Block>) -> Result<(), Fault> {
    Solo::new(key()).produce_due(chain, day(LAST).midnight(), |block| told.push(block))
}

/// The chain that nothing stops, by height: blocks, and rows after them.
struct Whole {
    blocks: Vec<Block>,
    rows: Vec<Rows>,
}

fn rows(chain: &Chain) -> Rows {
    walked(chain.base.as_ref(), &[255])
}

impl Whole {
    /// Made a day at a time.
    fn of(size: Size) -> Whole {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = size.begin(folder.path(), None);
        let blocks = (0..=OPENED).map(|height| chain.block(height).unwrap().unwrap()).collect();
        let mut whole = Whole { blocks, rows: vec![Rows::new(), rows(&chain)] };
        for height in OPENED + 1..=LAST {
            let made = |block| whole.blocks.push(block);
            Solo::new(key()).produce_due(&mut chain, day(height).midnight(), made).unwrap();
            whole.rows.push(rows(&chain));
        }
        assert!(whole.blocks[2..].iter().all(|block| block.items.len() == size.agreements));
        whole
    }

    /// Tip, state and log of a chain are those of a height, and nothing behind it is there.
    fn check_at(&self, height: u64, chain: &mut Chain, case: &str) {
        let at = height as usize;
        // What was made and not written is stashed.
        chain.unstash().unwrap();
        assert_eq!(chain.tip(), &self.blocks[at].header, "{case}");
        assert_eq!(chain.base.root(), chain.tip().state, "{case}");
        assert!(rows(chain) == self.rows[at], "{case}: other rows");
        for height in 0..=height {
            assert!(chain.block(height).unwrap().as_ref() == self.blocks.get(height as usize), "{case}");
        }
        for height in 1..=height {
            assert!(chain.journal.certificate(height).unwrap().is_some(), "{case}: none of {height}");
        }
        // Who reads is given a fork.
        assert!(chain.fork().unwrap().block(height + 1).unwrap().is_none(), "{case}: an untold block");
    }

    /// The chain goes on to its end as if nothing had stopped it.
    fn check_goes_on(&self, chain: &mut Chain, case: &str) {
        let (height, mut told) = (chain.tip().height, vec![]);
        run(chain, &mut told).unwrap();
        assert!(told == self.blocks[height as usize + 1..], "{case}: other blocks");
        self.check_at(LAST, chain, case);
    }

    /// What is opened again is whole, up to a height or one more that nobody was told of, and goes on.
    fn check_opened(&self, folder: &Path, height: u64, case: &str) {
        let guest = Arc::new(Idle { begun: channel().0 });
        let (mut chain, opened) = Chain::open(folder, genesis(), guest, ROOM).unwrap();
        let found = chain.tip().height;
        assert!(!opened.rebuilt && (found == height || found == height + 1), "{case}: {found}");
        // Where the newest block's certificate was not written it is handed in again.
        Solo::new(key()).produce_due(&mut chain, Timestamp(0), |_| ()).unwrap();
        self.check_at(found, &mut chain, case);
        self.check_goes_on(&mut chain, case);
    }
}

#[test]
fn a_disk_that_says_no_while_the_next_block_is_handed_over_ends_the_run_behind_what_is_durable() {
    for (agreements, segment_bytes, calls) in [(FEW, u64::MAX, 4), (FEW, EACH, 10), (BESIDE, EACH, 10)] {
        let size = Size { agreements, segment_bytes };
        let whole = Whole::of(size);
        // One that others are made behind, and the last one.
        for height in [OPENED + 2, LAST] {
            for call in 0.. {
                let case = format!("{size:?}, call {call} of block {height}");
                let (folder, mut told) = (tempfile::tempdir().unwrap(), vec![]);
                let mut chain = size.begin(folder.path(), Some((height, Ends::Refused(call))));
                let Err(fault) = run(&mut chain, &mut told) else {
                    assert_eq!(call, calls, "{case}");
                    whole.check_at(LAST, &mut chain, &case);
                    break;
                };
                let is_typed = matches!(&fault, Fault::Storage(text) if text.contains("the disk is full"));
                assert!(is_typed, "{case}: {fault}");
                assert!(told == whole.blocks[OPENED as usize + 1..height as usize], "{case}: told of others");
                whole.check_at(height - 1, &mut chain, &case);
                // The disk would take it again; the log does not, and nobody is told of anything more.
                let fault = run(&mut chain, &mut told).unwrap_err().to_string();
                assert!(fault.contains("an earlier write to the log failed"), "{case}: {fault}");
                assert_eq!(told.len() as u64, height - 1 - OPENED, "{case}");
                whole.check_at(height - 1, &mut chain, &case);
                drop(chain);
                whole.check_opened(folder.path(), height - 1, &case);
            }
        }
    }
}

#[test]
fn a_panic_on_the_way_into_the_log_leaves_the_state_before_the_block() {
    for agreements in [FEW, BESIDE] {
        let size = Size { agreements, segment_bytes: u64::MAX };
        let whole = Whole::of(size);
        for height in OPENED + 1..=LAST {
            let case = format!("{size:?}, block {height}");
            let (folder, mut told) = (tempfile::tempdir().unwrap(), vec![]);
            let mut chain = size.begin(folder.path(), Some((height, Ends::Panic)));
            let panic = catch_unwind(AssertUnwindSafe(|| run(&mut chain, &mut told))).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&PANIC), "{case}");
            assert!(told == whole.blocks[OPENED as usize + 1..height as usize], "{case}: told of others");
            whole.check_at(height - 1, &mut chain, &case);
            // Nothing was written of it, so that the log takes it now.
            whole.check_goes_on(&mut chain, &case);
            drop(chain);
            whole.check_opened(folder.path(), LAST, &case);
        }
    }
}

#[test]
fn so_does_one_while_it_is_taken_in_though_the_log_has_it() {
    for agreements in [FEW, BESIDE] {
        let size = Size { agreements, segment_bytes: u64::MAX };
        let (whole, case) = (Whole::of(size), format!("{size:?}"));
        let folder = tempfile::tempdir().unwrap();
        let mut chain = size.begin(folder.path(), None);
        chain.build(day(OPENED + 1).midnight(), vec![]).unwrap();
        let taken_in = || resume_unwind(Box::new(PANIC));
        let panic = catch_unwind(AssertUnwindSafe(|| chain.persist_beside(taken_in))).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&PANIC), "{case}");
        whole.check_at(OPENED, &mut chain, &case);
        // Another block in its place would not be the log's.
        let fault = run(&mut chain, &mut vec![]).unwrap_err();
        assert!(matches!(&fault, Fault::Log(text) if text.contains("block 2 was to be written")), "{fault}");
        whole.check_at(OPENED, &mut chain, &case);
        drop(chain);
        whole.check_opened(folder.path(), OPENED, &case);
    }
}
