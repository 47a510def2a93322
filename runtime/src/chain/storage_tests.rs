//! What is stored under damage: bits, pages, truncation, lost rows, power loss.
//!
//! `TENOR_ROUNDS` asks for more rounds.

use super::examine::{Finding, examine};
use super::grown::{
    CHAIN, Chance, Grown, ROOM, Rows, Template, all, last_segment, lose_row, read_files, write_files,
};
use super::open::{LOG_FOLDER, SNAPSHOT_FOLDER, STATE_FOLDER, Stored};
use crate::fault::Fault;
use crate::log::Log;
use crate::snapshot::Snapshot;
use crate::state::{Base, Fork, Kind, State};
use crate::store::{DirtyPage, Disk, PageBytes, Side, Table, WriteSet};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;
use tenor_wire::block::Header;

/// Longer than any round takes: a test that hangs says so.
const ROUND_MAX: Duration = Duration::from_secs(120);

fn rounds(default: u64) -> u64 {
    std::env::var("TENOR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

/// Whatever became of sled's folder: this opening or the next one ends in the right state.
fn opens_right(folder: &Path, rows: &Rows, tip: &Header) -> bool {
    for attempt in 0..2 {
        let stored = Stored::open(folder, CHAIN, ROOM).unwrap();
        assert_eq!((&stored.tip, stored.base.root()), (tip, tip.state), "attempt {attempt}");
        // History is covered by its account's leaf, which these rows have not: here the test is the reader that
        // compares.
        let is_paged =
            |rows: Rows| rows.into_iter().filter(|(key, _)| key[0] != Kind::History as u8).collect::<Rows>();
        match all(&stored.base) {
            Ok(found) if found == *rows => return stored.opened.rebuilt,
            Ok(found) => assert!(is_paged(found) == is_paged(rows.clone()), "attempt {attempt}: other rows"),
            // Noticed; what was noticed is not believed again.
            Err(Fault::State(_) | Fault::Storage(_)) => {}
            Err(other) => panic!("{other}"),
        }
        stored.base.distrust("a row");
    }
    panic!("the second opening met the damage again");
}

/// Runs a round on a thread of its own; one that never ends is a failure, not a test that hangs.
fn in_time<T: Send + 'static>(round: u64, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (to, from) = channel();
    let thread = std::thread::spawn(move || {
        let _ = to.send(work());
    });
    match from.recv_timeout(ROUND_MAX) {
        Ok(done) => {
            thread.join().unwrap();
            done
        }
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("round {round} hangs"),
        Err(_) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

/// Flips a bit, zeroes a page or cuts; what it did.
fn damage(bytes: &mut Vec<u8>, chance: &mut Chance) -> (usize, &'static str) {
    let at = chance.below(bytes.len());
    match chance.below(3) {
        0 => {
            bytes[at] ^= 1 << chance.below(8);
            (at, "flipped")
        }
        1 => {
            let page = at / 4096 * 4096;
            let end = bytes.len().min(page + 4096);
            bytes[page..end].fill(0);
            (page, "zeroed")
        }
        _ => {
            bytes.truncate(at);
            (at, "cut")
        }
    }
}

#[test]
fn damage_to_sled_ends_in_the_right_state() {
    let template = Arc::new(Template::make());
    let mut rebuilt = 0;
    for round in 0..rounds(24) {
        let template = Arc::clone(&template);
        rebuilt += u64::from(in_time(round, move || {
            let (folder, mut chance) = (tempfile::tempdir().unwrap(), Chance(round));
            let mut files = template.files.clone();
            let mut state: Vec<_> = files
                .iter_mut()
                .filter(|(path, bytes)| path.starts_with(STATE_FOLDER) && !bytes.is_empty())
                .collect();
            for _ in 0..1 + chance.below(3) {
                let which = chance.below(state.len());
                if !state[which].1.is_empty() {
                    damage(&mut state[which].1, &mut chance);
                }
            }
            write_files(folder.path(), &files);
            opens_right(folder.path(), &template.rows, &template.tip)
        }));
    }
    assert!(rebuilt > 0, "no damage was ever met");
    println!("{rebuilt} of {} rounds made the state again", rounds(24));
}

#[test]
fn damage_to_the_log_is_named_or_is_a_torn_tail() {
    let template = Template::make();
    let (mut named, mut cut) = (0, 0);
    for round in 0..rounds(150) {
        let (folder, mut chance) = (tempfile::tempdir().unwrap(), Chance(round ^ 0x10c));
        let mut files = template.files.clone();
        let segments = files.iter().filter(|(path, _)| path.starts_with(LOG_FOLDER)).count();
        let which = chance.below(segments);
        let before = files[which].1.clone();
        let (at, what) = damage(&mut files[which].1, &mut chance);
        if files[which].1 == before {
            continue;
        }
        write_files(folder.path(), &files);
        let case = format!("round {round}: {what} at {at} of {}", files[which].0.display());
        let survey = Log::survey(&folder.path().join(LOG_FOLDER), CHAIN, |_, _| {}).unwrap();
        let is_whole =
            survey.damage.is_empty() && survey.torn.bytes == 0 && survey.tip == Some(template.tip.height);
        assert!(!is_whole, "{case}: silent");
        match Stored::open(folder.path(), CHAIN, ROOM) {
            Err(fault) => {
                named += 1;
                assert!(matches!(&fault, Fault::Log(_)), "{case}: {fault}");
            }
            // Behind the mark the end may be cut; before it nothing is read at opening, and a survey names it.
            Ok(stored) if which + 1 == segments => {
                cut += 1;
                let found = template.behind.iter().find(|(height, _, _)| *height == stored.tip.height);
                let expected = found.map_or(&template.rows, |(_, _, rows)| rows);
                assert!(all(&stored.base).unwrap() == *expected, "{case}");
                assert_eq!(stored.base.root(), stored.tip.state, "{case}");
            }
            Ok(stored) => {
                assert_eq!(stored.tip, template.tip, "{case}");
                assert!(!survey.damage.is_empty(), "{case}");
            }
        }
    }
    println!("{named} named at opening, {cut} cut");
    assert!(named > 0 && cut > 0);
}

#[test]
fn a_log_cut_behind_the_mark_keeps_every_block_that_is_whole() {
    let template = Template::make();
    let last = template.files.iter().rposition(|(path, _)| path.starts_with(LOG_FOLDER)).unwrap();
    let whole = template.files[last].1.clone();
    let first = template.behind.first().unwrap();
    assert!(
        template.behind.is_sorted_by_key(|moment| moment.1),
        "all behind the mark is in the last segment"
    );
    let mut chance = Chance(3);
    for round in 0..rounds(12) {
        let folder = tempfile::tempdir().unwrap();
        let length = first.1 as usize + chance.below(whole.len() - first.1 as usize);
        let mut files = template.files.clone();
        files[last].1.truncate(length);
        write_files(folder.path(), &files);
        let (height, _, rows) = template.behind.iter().rfind(|(_, end, _)| *end <= length as u64).unwrap();
        let (mut grown, opened) = Grown::open(folder.path(), rows);
        assert_eq!((grown.tip().height, opened.rebuilt), (*height, false), "round {round}, cut at {length}");
        assert_eq!(opened.torn.height, *height);
        let said = opened.warning().unwrap_or_default();
        let is_named = ["segment 0", "at offset", &format!("after block {height}")]
            .iter()
            .all(|part| said.contains(part));
        assert_eq!(is_named, opened.torn.bytes > 0, "{said}");
        assert!(all(&grown.base).unwrap() == *rows);
        // And it goes on.
        grown.block().unwrap();
        let rows = grown.rows.clone();
        drop(grown);
        let (again, _) = Grown::open(folder.path(), &rows);
        assert!(all(&again.base).unwrap() == rows && again.tip().height == height + 1);
    }
}

#[test]
fn power_loss_leaves_a_mix_of_two_moments_of_sled_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), u64::MAX).unwrap();
    let mut moments = vec![];
    for _ in 0..4 {
        (0..3).for_each(|_| grown.blocks(4).unwrap());
        grown.base.flush().unwrap();
        moments.push(read_files(folder.path(), STATE_FOLDER));
    }
    grown.block().unwrap();
    let (tip, rows, log) = (grown.tip().clone(), grown.rows.clone(), read_files(folder.path(), LOG_FOLDER));
    drop(grown);
    let shared = Arc::new((moments, log, rows, tip));
    for round in 0..rounds(16) {
        let shared = Arc::clone(&shared);
        in_time(round, move || {
            let (moments, log, rows, tip) = &*shared;
            let mut chance = Chance(round ^ 0xd15c);
            let later = 1 + chance.below(moments.len() - 1);
            let earlier: BTreeMap<_, _> = moments[chance.below(later)].iter().cloned().collect();
            let mut mixed = moments[later].clone();
            for (path, bytes) in &mut mixed {
                let Some(old) = earlier.get(path) else { continue };
                for (place, page) in bytes.chunks_mut(4096).enumerate() {
                    let old = old.get(place * 4096..).unwrap_or_default();
                    let length = old.len().min(page.len());
                    if chance.below(3) == 0 {
                        page[..length].copy_from_slice(&old[..length]);
                        page[length..].fill(0);
                    }
                }
            }
            let folder = tempfile::tempdir().unwrap();
            write_files(folder.path(), &mixed);
            write_files(folder.path(), log);
            opens_right(folder.path(), rows, tip);
        });
    }
}

#[test]
fn a_stop_in_the_middle_of_a_checkpoint_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), u64::MAX).unwrap();
    let mut unmarked = 0;
    for _ in 0..rounds(40) {
        // A checkpoint that is not over goes on beside this.
        grown.blocks(2).unwrap();
        let stopped = tempfile::tempdir().unwrap();
        write_files(stopped.path(), &read_files(&grown.folder, STATE_FOLDER));
        write_files(stopped.path(), &read_files(&grown.folder, LOG_FOLDER));
        let before = Stored::open(stopped.path(), CHAIN, ROOM).unwrap().opened;
        unmarked += u64::from(before.redone > 0);
        opens_right(stopped.path(), &grown.rows, grown.tip());
    }
    assert!(unmarked > 0 && grown.base.memory().written_bytes > 0);
}

#[test]
fn a_row_of_any_kind_that_the_disk_lost_is_noticed_and_healed() {
    let template = Template::make();
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &template.files);
    Stored::open(folder.path(), CHAIN, ROOM).unwrap().base.flush().unwrap();
    for kind in Kind::ALL {
        let lost = template.rows.keys().find(|key| key[0] == *kind as u8).unwrap();
        let is_row = *kind == Kind::History;
        let disk = Disk::open(&folder.path().join(STATE_FOLDER)).unwrap();
        match is_row {
            true => {
                disk.write_parts(&mut [], &[(lost.clone(), None)], &[], 0).unwrap();
            }
            false => assert!(lose_row(&disk, lost), "{kind:?}"),
        }
        drop(disk);
        let stored = Stored::open(folder.path(), CHAIN, ROOM).unwrap();
        match is_row {
            // Covered by the account's leaf: whoever compares them says that it does not hold.
            true => {
                assert_eq!(stored.base.get(lost).unwrap(), None);
                stored.base.distrust("a row");
            }
            false => {
                let fault = all(&stored.base).unwrap_err().to_string();
                assert!(fault.contains("of the index is not what its hash says"), "{kind:?}: {fault}");
                assert!(stored.base.damage().is_some_and(|said| fault.ends_with(&said)), "{kind:?}: {fault}");
            }
        }
        drop(stored);
        let stored = Stored::open(folder.path(), CHAIN, ROOM).unwrap();
        assert!(stored.opened.rebuilt, "{kind:?}");
        assert!(all(&stored.base).unwrap() == template.rows, "{kind:?}");
    }
}

#[test]
fn what_is_taken_in_by_half_is_not_told_of_as_the_state_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), 1 << 20).unwrap();
    (0..60).for_each(|_| grown.block().unwrap());
    grown.base.flush().unwrap();
    let rows = grown.rows.clone();
    drop(grown);
    let disk = Disk::open(&folder.path().join(STATE_FOLDER)).unwrap();
    for side in [Side::A, Side::B] {
        for number in
            (0..500).filter(|number| disk.page(Table::Index, side, *number, |_| ()).unwrap().is_some())
        {
            let bytes = PageBytes::Here(vec![1, 0, 0, 0, 9].into());
            disk.write_parts(&mut [DirtyPage { table: Table::Index, side, number, bytes }], &[], &[], 0)
                .unwrap();
        }
    }
    drop(disk);
    let (mut grown, _) = Grown::open(folder.path(), &rows);
    let writes = WriteSet::new(grown.changes());
    grown.base.stash(writes.rows()).unwrap();
    let before = grown.base.now().unwrap();
    let height = grown.tip().height + 1;
    let told = grown.base.take_in(writes.rows(), height, &grown.ancestry).unwrap_err();
    assert!(matches!(told, Fault::State(_)), "{told}");
    let before = Fork::of(before);
    let told = |key: &[u8]| before.get(key).is_ok_and(|value| value.as_ref() != rows.get(key));
    let wrong: Vec<_> = writes.rows().iter().map(|(key, _)| key).filter(|key| told(key)).collect();
    assert_eq!(wrong, Vec::<&[u8]>::new());
}

#[test]
fn a_folder_without_its_old_segments_heals_from_the_newest_good_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = folder.path().join(SNAPSHOT_FOLDER);
    fs::create_dir(&snapshots).unwrap();
    let mut grown = Grown::begin(folder.path(), 20_000).unwrap();
    for height in 0..40 {
        grown.block().unwrap();
        if [20, 30].contains(&height) {
            let to = snapshots.join(height.to_string());
            Snapshot::create(&to, &grown.base.now().unwrap(), grown.tip(), |_, _| {}).unwrap();
        }
    }
    grown.base.flush().unwrap();
    let (rows, tip) = (grown.rows.clone(), grown.tip().clone());
    drop(grown);
    let rebuilt = || {
        let mut told = vec![];
        let stored = Stored::rebuild(folder.path(), CHAIN, ROOM, &mut |done, of| told.push((done, of)))?;
        assert!(told.iter().all(|(done, of)| done <= of) && !told.is_empty());
        assert!(all(&stored.base).unwrap() == rows && stored.tip == tip);
        Ok::<_, Fault>(stored.opened.snapshot)
    };
    assert_eq!(rebuilt(), Ok(None), "the log is whole");
    // The segment with block 0, and one in the middle, are gone.
    let mut segments: Vec<_> =
        fs::read_dir(folder.path().join(LOG_FOLDER)).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    let begins = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let holds_20 = segments.partition_point(|path| begins(path) <= 20) - 1;
    assert!(holds_20 > 1);
    for gone in [0, holds_20 - 1] {
        fs::remove_file(&segments[gone]).unwrap();
    }
    let codes = || {
        let found = examine(folder.path(), CHAIN, ROOM, |_, _| {}).unwrap();
        // These rows are no records.
        found.iter().map(Finding::code).filter(|code| *code != "state-row").collect::<Vec<_>>()
    };
    assert_eq!(codes(), ["log-missing"]);
    // Nobody let go of them: that is told before anything is read, until somebody says that they are gone.
    let fault = Stored::open(folder.path(), CHAIN, ROOM).map(|_| ()).unwrap_err();
    assert!(matches!(&fault, Fault::Log(text) if text.contains("begins at block 0, is missing")), "{fault}");
    assert_eq!(rebuilt(), Ok(Some(30)));
    assert!(codes().is_empty());
    // The state is there and is used: nothing is made again at an opening.
    let stored = Stored::open(folder.path(), CHAIN, ROOM).unwrap();
    assert!(!stored.opened.rebuilt && stored.tip == tip);
    drop(stored);
    // A snapshot that is damaged is passed over for an older one.
    fs::remove_file(snapshots.join("30/000000.rows")).unwrap();
    assert_eq!(rebuilt(), Ok(Some(20)));
    fs::remove_dir_all(folder.path().join(STATE_FOLDER)).unwrap();
    let stored = Stored::open(folder.path(), CHAIN, ROOM).unwrap();
    assert_eq!(stored.opened.snapshot, Some(20));
    drop(stored);
    // Without any, the reasons are told, and the state that is there is left alone.
    fs::remove_dir_all(&snapshots).unwrap();
    let fault = rebuilt().unwrap_err();
    assert!(matches!(&fault, Fault::Log(text) if text.contains("is missing")), "{fault}");
    let stored = Stored::open(folder.path(), CHAIN, ROOM).unwrap();
    assert!(all(&stored.base).unwrap() == rows && !stored.opened.rebuilt);
    // A snapshot of another chain does not fit this log.
    drop(stored);
    let other = tempfile::tempdir().unwrap();
    let mut theirs = Grown::begin(other.path(), u64::MAX).unwrap();
    theirs.chance = Chance(99);
    (0..36).for_each(|_| theirs.block().unwrap());
    fs::create_dir(&snapshots).unwrap();
    Snapshot::create(&snapshots.join("35"), &theirs.base.now().unwrap(), theirs.tip(), |_, _| {}).unwrap();
    let fault = rebuilt().unwrap_err().to_string();
    assert!(fault.contains("of another block 35 than the log's"), "{fault}");
}

#[test]
fn a_log_that_ends_below_a_snapshot_has_lost_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let snapshots = folder.path().join(SNAPSHOT_FOLDER);
    fs::create_dir(&snapshots).unwrap();
    let mut grown = Grown::begin(folder.path(), 20_000).unwrap();
    (0..31).for_each(|_| grown.block().unwrap());
    let to = snapshots.join("30");
    Snapshot::create(&to, &grown.base.now().unwrap(), grown.tip(), |_, _| {}).unwrap();
    let state = read_files(folder.path(), STATE_FOLDER);
    drop(grown);
    let (segment, log) = (last_segment(folder.path()), read_files(folder.path(), LOG_FOLDER));
    let is_short = |with_state: bool| {
        fs::remove_dir_all(folder.path().join(STATE_FOLDER)).unwrap();
        if with_state {
            write_files(folder.path(), &state);
        }
        let before = read_files(folder.path(), LOG_FOLDER);
        for opened in [Stored::open(folder.path(), CHAIN, ROOM), rebuilt(folder.path())] {
            let fault = opened.map(|_| ()).unwrap_err().to_string();
            assert!(
                fault.contains("ends at block") && fault.matches("is of block 30;").count() == 1,
                "{fault}"
            );
        }
        assert!(read_files(folder.path(), LOG_FOLDER) == before, "it is left as it is");
        let found = examine(folder.path(), CHAIN, ROOM, |_, _| {}).unwrap();
        assert!(found.iter().any(|finding| finding.code() == "log-short"), "{found:?}");
    };
    for cut in [1, 3_000] {
        let bytes = fs::read(&segment).unwrap();
        fs::write(&segment, &bytes[..bytes.len().saturating_sub(cut)]).unwrap();
        [true, false].into_iter().for_each(is_short);
        write_files(folder.path(), &log);
    }
    fs::remove_file(&segment).unwrap();
    [true, false].into_iter().for_each(is_short);
    write_files(folder.path(), &log);
    assert_eq!(Stored::open(folder.path(), CHAIN, ROOM).unwrap().tip.height, 30);
}

fn rebuilt(folder: &Path) -> Result<Stored, Fault> {
    Stored::rebuild(folder, CHAIN, ROOM, &mut |_, _| {})
}

/// A folder of sled that was copied in part, also where a checkpoint meets it.
#[test]
fn a_file_of_sled_that_is_missing_is_damage_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), u64::MAX).unwrap();
    (0..4).for_each(|_| grown.block().unwrap());
    // Longer than sled keeps among the others.
    let long = |byte: u8| vec![(Kind::Asset.full_key(&[byte; 32]), Some(vec![byte; 300_000]))];
    grown.block_of(long(1)).unwrap();
    grown.base.flush().unwrap();
    let (rows, tip) = (grown.rows.clone(), grown.tip().clone());
    drop(grown);
    let state = read_files(folder.path(), STATE_FOLDER);
    let blobs: Vec<_> = state.iter().filter(|(path, _)| path.to_string_lossy().contains("blobs/")).collect();
    assert!(!blobs.is_empty());
    for writing in [false, true] {
        write_files(folder.path(), &state);
        blobs.iter().for_each(|(path, _)| fs::remove_file(folder.path().join(path)).unwrap());
        let (mut grown, opened) = Grown::open(folder.path(), &rows);
        if !opened.rebuilt {
            let told = match writing {
                true => grown.block_of(long(2)).and_then(|()| grown.base.flush()),
                false => all(&grown.base).map(drop),
            };
            if let Err(fault) = told {
                assert!(fault.to_string().contains("makes the state again"), "{fault}");
            }
        }
        drop(grown);
        if !writing {
            let stored = Stored::open(folder.path(), CHAIN, ROOM).unwrap();
            assert!((opened.rebuilt || stored.opened.rebuilt) && stored.tip == tip);
            assert!(all(&stored.base).unwrap() == rows);
        }
    }
}

#[test]
fn another_chains_state_is_made_again_from_the_log() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut grown = Grown::begin(ours.path(), 20_000).unwrap();
    (0..30).for_each(|_| grown.block().unwrap());
    let (rows, tip) = (grown.rows.clone(), grown.tip().clone());
    drop(grown);
    let mut other = Grown::begin(theirs.path(), 20_000).unwrap();
    other.chance = Chance(99);
    for until in [20, 40] {
        while other.tip.as_ref().is_none_or(|tip| tip.height < until) {
            other.block().unwrap();
        }
        other.base.flush().unwrap();
        fs::remove_dir_all(ours.path().join(STATE_FOLDER)).unwrap();
        write_files(ours.path(), &read_files(theirs.path(), STATE_FOLDER));
        match Stored::open(ours.path(), CHAIN, ROOM) {
            Ok(stored) => {
                assert!(until == 20 && stored.opened.rebuilt && stored.tip == tip);
                assert!(all(&stored.base).unwrap() == rows);
            }
            // A log that lost its end looks the same.
            Err(fault) => {
                let said = fault.to_string();
                let is_named = said.contains("ends at block 29") && said.contains("is of block 40");
                assert!(until == 40 && is_named && said.contains("move it away"), "{said}");
            }
        }
    }
}

#[test]
fn a_tail_is_not_redone_at_every_opening() {
    let folder = tempfile::tempdir().unwrap();
    let mut grown = Grown::begin(folder.path(), u64::MAX).unwrap();
    grown.base.flush().unwrap();
    for height in 0..=70u8 {
        grown.block_of(vec![(vec![Kind::Name as u8, 1], Some(vec![height]))]).unwrap();
        if height == 0 {
            grown.base.flush().unwrap();
        }
    }
    let rows = grown.rows.clone();
    drop(grown);
    let redone = |folder: &Path| Grown::open(folder, &rows).1.redone;
    assert_eq!([redone(folder.path()), redone(folder.path())], [70, 0]);
}
