//! What retention lets go of, and what opens afterwards: real log, snapshots and sled.

use super::examine::examine;
use super::grown::{CHAIN, Grown, ROOM, all, read_files, segment_name, write_files};
use super::journal::Journal;
use super::open::{LOG_FOLDER, SNAPSHOT_FOLDER, STATE_FOLDER, Stored, snapshot_heights};
use super::retain::Retention;
use crate::log::{LetGo, Log};
use crate::snapshot::Snapshot;
use crate::state::State;
use std::fs;

#[test]
fn old_segments_are_let_go_below_a_snapshot_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join(LOG_FOLDER);
    let mut grown = Grown::begin(folder.path(), 20_000).unwrap();
    // A block a day.
    for _ in 0..60 {
        grown.block().unwrap();
    }
    grown.base.flush().unwrap();
    let (rows, tip) = (grown.rows.clone(), grown.tip().clone());
    drop(grown);
    let open = || Stored::open(folder.path(), CHAIN, ROOM).unwrap();
    let retain = |writes_days, blocks_days| {
        let retention = Retention { writes_days, blocks_days };
        open().retain(folder.path(), retention, &mut |_, _| {}).unwrap()
    };
    let names = || read_files(folder.path(), LOG_FOLDER).into_iter().map(|file| file.0).collect::<Vec<_>>();
    let (before, firsts) = (names(), Log::firsts(&log).unwrap());
    assert!(firsts.len() > 8, "{firsts:?}");
    assert_eq!(retain(None, None).blocks, LetGo::default());
    let done = retain(Some(15), Some(40));
    assert_eq!((done.snapshot, names().len() < before.len()), (59, true));
    // What has a block of the last days stays whole, and the newest segment always does.
    let stored = open();
    assert!(!stored.opened.rebuilt && all(&stored.base).unwrap() == rows && stored.tip == tip);
    let first = Log::firsts(&log).unwrap()[0];
    assert!(first > 0 && first <= 19, "blocks of the last 40 days begin at 19: {first}");
    for height in first..=59 {
        let block = stored.journal.block(height).unwrap().unwrap();
        let writes = stored.journal.writes(height).unwrap();
        assert!(writes.is_some() || height < 44, "{height}");
        assert_eq!(block.header.height, height);
    }
    let (writes, before_it) =
        (stored.journal.writes(first).unwrap(), stored.journal.block(first - 1).unwrap());
    assert!(writes.is_none() && before_it.is_none());
    assert_eq!((stored.journal.oldest(), stored.journal.fork(50).oldest()), (first, first));
    assert_eq!(snapshot_heights(folder.path()).unwrap(), [59]);
    drop(stored);
    assert_eq!(retain(Some(15), Some(40)).writes, LetGo::default(), "it is done once");
    // The state is still made again, from the snapshot; a stop before the files were deleted does no harm.
    fs::remove_dir_all(folder.path().join(STATE_FOLDER)).unwrap();
    assert_eq!(open().opened.snapshot, Some(59));
    write_files(folder.path(), &vec![(before[0].clone(), b"left over".to_vec())]);
    let found = examine(folder.path(), CHAIN, ROOM, |_, _| {}).unwrap();
    assert!(found.iter().all(|finding| !finding.code().starts_with("log")), "{found:?}");
    drop(open());
    // A segment that retention did not delete is missed.
    let lost = log.join(segment_name(Log::firsts(&log).unwrap()[1]));
    fs::remove_file(&lost).unwrap();
    let fault = Stored::open(folder.path(), CHAIN, ROOM).map(|_| ()).unwrap_err().to_string();
    let name = lost.file_name().unwrap().to_str().unwrap();
    assert!(fault.contains(name) && fault.contains("is missing"), "{fault}");
}

#[test]
fn letting_go_of_the_segment_that_the_mark_is_in_leaves_a_folder_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), 20_000).unwrap();
    grown.block().unwrap();
    grown.base.flush().unwrap();
    let behind = read_files(folder.path(), STATE_FOLDER);
    (0..59).for_each(|_| grown.block().unwrap());
    let (rows, tip) = (grown.rows.clone(), grown.tip().clone());
    drop(grown);
    fs::remove_dir_all(folder.path().join(STATE_FOLDER)).unwrap();
    write_files(folder.path(), &behind);
    let open = || Stored::open(folder.path(), CHAIN, ROOM).unwrap();
    let stored = open();
    assert_eq!(stored.opened.redone, 59, "the mark is at block 0");
    let retention = Retention { writes_days: None, blocks_days: Some(40) };
    assert!(stored.retain(folder.path(), retention, &mut |_, _| {}).unwrap().blocks.segments > 0);
    let stored = open();
    assert!(!stored.opened.rebuilt && stored.tip == tip && all(&stored.base).unwrap() == rows);
    drop(stored);
    // A state of before, brought back.
    fs::remove_dir_all(folder.path().join(STATE_FOLDER)).unwrap();
    write_files(folder.path(), &behind);
    let stored = open();
    assert_eq!((stored.opened.snapshot, stored.tip == tip), (Some(59), true));
    assert!(all(&stored.base).unwrap() == rows);
}

#[test]
fn a_snapshot_that_is_damaged_lets_nothing_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), 20_000).unwrap();
    (0..30).for_each(|_| grown.block().unwrap());
    let snapshots = folder.path().join(SNAPSHOT_FOLDER);
    fs::create_dir(&snapshots).unwrap();
    Snapshot::create(&snapshots.join("29"), &grown.base.now().unwrap(), grown.tip(), |_, _| {}).unwrap();
    fs::remove_file(snapshots.join("29/000000.rows")).unwrap();
    grown.block().unwrap();
    drop(grown);
    let retention = Retention { writes_days: None, blocks_days: Some(0) };
    let stored = Stored::open(folder.path(), CHAIN, ROOM).unwrap();
    let done = stored.retain(folder.path(), retention, &mut |_, _| {}).unwrap();
    assert_eq!(done.snapshot, 30, "another one was made and read back");
    assert!(done.blocks.segments > 0);
    assert!(!Stored::open(folder.path(), CHAIN, ROOM).unwrap().opened.rebuilt);
    let short = Retention { writes_days: Some(34), blocks_days: None };
    let limits = crate::params::Limits::sandbox();
    let said = short.check(&limits, true).unwrap_err().to_string();
    assert!(said.contains("kept for at least 35 days, 34 given"), "{said}");
    let years = Retention { writes_days: Some(35), blocks_days: Some(3_000) };
    assert_eq!(years.check(&limits, true), Ok(()));
    assert!(years.check(&limits, false).unwrap_err().to_string().contains("at least 3653 days"));
}
