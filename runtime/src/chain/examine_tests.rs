//! What an examination finds in a folder: rows that do not go with each other, damage, other headers.

use super::examine::{Finding, examine};
use super::grown::{CHAIN, Grown, ROOM, Rows, last_segment, lose_row, read_files};
use super::journal::Journal;
use super::open::{LOG_FOLDER, STATE_FOLDER};
use crate::state::record::{
    AccountRecord, AgreementRecord, Counters, HistoryPeaksRecord, HistoryRecord, Holder, HookSet,
    PurposeCode, ScheduleRecord, Waiting, key, to_bytes,
};
use crate::state::{Kind, State};
use crate::store::{Disk, WriteSet};
use std::fs;
use std::path::Path;
use tenor_abi::date::{Date, Timestamp};
use tenor_abi::entry::{self, EntryId};
use tenor_abi::id::{AccountId, AgreementId, AssetId, CodeHash, Hash, PartyId};
use tenor_abi::money::Currency;
use tenor_abi::recurrence::Daily;
use tenor_abi::tag;
use tenor_wire::block::{Block, DueItem};
use tenor_wire::merkle::Mmr;

/// Rows of a small bank that hold together: an account with a history, an agreement with a waiting schedule.
fn bank() -> Rows {
    let (account, agreement, bank) = (AccountId([1; 32]), AgreementId([2; 32]), PartyId([3; 32]));
    let (due, mut peaks, mut rows) =
        (Timestamp(77), HistoryPeaksRecord { tree: Mmr::default() }, Rows::new());
    // What comes in goes out again: the books of a bank are even.
    for (sequence, side, amount, debits_posted, credits_posted) in [
        (0, entry::Side::Credit, 10, 0, 10),
        (1, entry::Side::Credit, 5, 0, 15),
        (2, entry::Side::Debit, 15, 15, 15),
    ] {
        let posting = HistoryRecord {
            entry: EntryId { item: Hash([4; 32]), index: sequence as u32 },
            height: 1,
            booked_at: Timestamp(5),
            value_date: Date::of(2026, 1, 5),
            side,
            amount,
            debits_posted,
            credits_posted,
        };
        peaks.tree.push(tag::HISTORY, &to_bytes(&posting));
        rows.insert(Kind::History.full_key(&key::history(&account, sequence)), to_bytes(&posting));
    }
    let record = AccountRecord {
        owner: Holder::Party(bank),
        asset: AssetId([6; 32]),
        purpose: PurposeCode::of("main").unwrap(),
        currency: Currency::of("EUR", 2),
        kind: tenor_wire::op::AccountKind::Plain,
        code: 0,
        control: None,
        counters: Counters { debits_posted: 15, credits_posted: 15, ..Counters::default() },
        floor: 0,
        ceiling: None,
        holds_overdraft: false,
        frozen_in: None,
        frozen_out: None,
        closed: false,
        hooks: HookSet::default(),
        history_count: 3,
        history_root: peaks.tree.root(tag::HISTORY),
    };
    rows.insert(Kind::Account.full_key(&account.0), to_bytes(&record));
    rows.insert(Kind::HistoryPeaks.full_key(&account.0), to_bytes(&peaks));
    let record = AgreementRecord {
        code: CodeHash([7; 32]),
        bank,
        opened_by: bank,
        opened_at: Timestamp(5),
        terms_version: 0,
        terms: vec![].into(),
        state: 0,
        signers: vec![],
        keys: 0,
    };
    rows.insert(Kind::Agreement.full_key(&agreement.0), to_bytes(&record));
    let (date, item) = (Date::of(2026, 1, 6), DueItem { agreement, kind: 4, number: 12, attempt: 1 });
    let record = ScheduleRecord {
        recurrence: Daily::from(date).count(30),
        place: 2,
        base: 10,
        tried: 0,
        waiting: Waiting::Due { date, attempt_date: date, due, attempt: 1, moved: false },
    };
    rows.insert(Kind::Schedule.full_key(&key::schedule(&agreement, 4)), to_bytes(&record));
    rows.insert(Kind::Due.full_key(&key::due(&bank, due, &item)), vec![1, 0]);
    rows
}

/// The codes of what is found in the folder of a chain with these rows.
fn found(rows: &Rows, change: impl FnOnce(&Path)) -> Vec<&'static str> {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), u64::MAX).unwrap();
    grown.block_of(rows.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect()).unwrap();
    grown.block_of(vec![]).unwrap();
    grown.base.flush().unwrap();
    drop(grown);
    change(folder.path());
    let before = read_files(folder.path(), LOG_FOLDER);
    let found = examine(folder.path(), CHAIN, ROOM, |_, _| {}).unwrap();
    assert_eq!(read_files(folder.path(), LOG_FOLDER), before, "examining changes nothing of the log");
    assert!(found.iter().all(|finding| !finding.remedy().is_empty()));
    found.iter().map(Finding::code).collect()
}

#[test]
fn an_examination_finds_what_rows_say_of_each_other() {
    let rows = bank();
    assert_eq!(found(&rows, |_| {}), [""; 0]);
    let of = |kind: Kind| rows.keys().find(|key| key[0] == kind as u8).unwrap().clone();
    let without = |kind: Kind| {
        let mut less = rows.clone();
        less.remove(&of(kind));
        found(&less, |_| {})
    };
    assert_eq!(without(Kind::Due), ["state-due"]);
    assert_eq!(without(Kind::History), ["state-history"]);
    assert_eq!(without(Kind::Schedule), ["state-due"]);
    assert_eq!(without(Kind::Agreement), ["state-row"]);
    assert_eq!(without(Kind::Account), ["state-row"]);
    let mut more = rows.clone();
    let mut stray = of(Kind::Due);
    *stray.last_mut().unwrap() += 1;
    more.insert(stray, vec![1, 0]);
    assert_eq!(found(&more, |_| {}), ["state-due"]);
    let mut other = rows.clone();
    other.insert(of(Kind::HistoryPeaks), to_bytes(&HistoryPeaksRecord { tree: Mmr::default() }));
    assert_eq!(found(&other, |_| {}), ["state-history"]);
    let mut none = rows.clone();
    none.retain(|key, _| key[0] != Kind::History as u8);
    assert_eq!(found(&none, |_| {}), ["state-row"]);
}

#[test]
fn an_examination_finds_what_the_disk_did() {
    let rows = bank();
    let state = |folder: &Path| folder.join(STATE_FOLDER);
    let disk = |folder: &Path| Disk::open(&state(folder)).unwrap();
    assert_eq!(found(&rows, |folder| fs::remove_dir_all(state(folder)).unwrap()), ["state-unreadable"]);
    assert_eq!(found(&rows, |folder| drop(disk(folder).distrust("a page"))), ["state-mark"]);
    let lost = rows.keys().next_back().unwrap();
    assert_eq!(found(&rows, |folder| assert!(lose_row(&disk(folder), lost))), ["state-page"]);
    let torn = |folder: &Path, bytes: &[u8]| {
        let segment = last_segment(folder);
        fs::write(&segment, [&fs::read(&segment).unwrap(), bytes].concat()).unwrap();
    };
    assert_eq!(found(&rows, |folder| torn(folder, b"half a record")), ["log-torn"]);
    let short = |folder: &Path| {
        let segment = last_segment(folder);
        let bytes = fs::read(&segment).unwrap();
        fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    };
    assert_eq!(found(&rows, short), ["log-torn", "log-short"]);
    let flipped = |folder: &Path| {
        let segment = last_segment(folder);
        let mut bytes = fs::read(&segment).unwrap();
        bytes[120] ^= 1;
        fs::write(&segment, bytes).unwrap();
    };
    assert_eq!(found(&rows, flipped)[0], "log-damaged");
}

#[test]
fn an_examination_compares_the_state_with_every_header_up_to_the_tip() {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), u64::MAX).unwrap();
    let row = |byte: u8| vec![(Kind::Asset.full_key(&[byte; 32]), Some(vec![byte; 40]))];
    grown.block_of(row(1)).unwrap();
    grown.base.flush().unwrap();
    (2..5).for_each(|byte| grown.block_of(row(byte)).unwrap());
    let codes = || {
        let found = examine(folder.path(), CHAIN, ROOM, |_, _| {}).unwrap();
        let told = |finding: &Finding| (finding.code(), finding.to_string());
        found.iter().filter(|finding| finding.code() != "state-row").map(told).collect::<Vec<_>>()
    };
    let rows = grown.rows.clone();
    drop(grown);
    assert_eq!(codes(), []);
    let (mut grown, opened) = Grown::open(folder.path(), &rows);
    assert_eq!(opened.redone, 3, "the mark is behind");
    // A block behind the mark whose writes are not what its header says, in a log that is whole.
    let mut header = grown.tip().clone();
    header.height += 1;
    let writes = WriteSet::new(row(9));
    let block = Block { header, items: vec![], receipts: vec![], writes: writes.hash() };
    grown.journal.append(&block, &tenor_abi::codec::encode(&block), &writes).unwrap();
    drop(grown);
    let found = codes();
    assert!(matches!(&found[..], [("state-root", said)] if said.contains("block 4")), "{found:?}");
}
