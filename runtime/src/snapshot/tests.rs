//! Snapshots written, checked, restored, and damaged in every way.

use super::*;
use crate::log::Position;
use crate::state::{Base, Committed, Kind, Resume, Room, State};
use crate::store::Disk;
use std::sync::Arc;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, PartyId};
use tenor_wire::block::HEADER_VERSION;

/// Bytes of pages in memory: far fewer than the state has.
const ROOM: Room = Room::for_pages(64 * 1024);
/// Rows of each kind; of these values three chunks.
const ROWS: u32 = 600;

/// A state with rows of every kind, some of them longer than a bucket takes, written in an order of its own.
fn state(order: u32) -> Committed {
    let mut state = Committed::in_memory();
    for batch in 0..6 {
        let mut rows: Vec<_> = (0..ROWS)
            .filter(|number| (number * 7 + order) % 6 == batch)
            .flat_map(|number| Kind::ALL.iter().map(move |kind| row(*kind, number)))
            .collect();
        rows.sort();
        state.redo(&rows, 5, Resume { log: None, ancestry: ancestry() }).unwrap();
    }
    state
}

fn row(kind: Kind, number: u32) -> (Vec<u8>, Option<Vec<u8>>) {
    let key = plain_hash(&[&number.to_be_bytes(), &[kind as u8]]);
    let length = if number % 50 == 3 { 3000 } else { 100 };
    (kind.full_key(&key.0), Some(vec![number as u8; length]))
}

fn ancestry() -> Mmr {
    let mut ancestry = Mmr::default();
    (0..5u8).for_each(|height| ancestry.push(tag::ANCESTRY, &[height; 32]));
    ancestry
}

fn header(state: &Committed) -> Header {
    Header {
        version: HEADER_VERSION,
        protocol: 0,
        chain: ChainId([3; 32]),
        height: 5,
        time: Timestamp(9),
        parent: Hash([4; 32]),
        ancestry: ancestry().root(tag::ANCESTRY),
        items: Hash::ZERO,
        items_count: 0,
        receipts: Hash::ZERO,
        receipts_count: 0,
        state: state.root(),
        outbox: Hash::ZERO,
        validators: Hash::ZERO,
        parameters: Hash::ZERO,
        proposer: PartyId([1; 32]),
    }
}

fn write(state: &Committed, folder: &Path) -> Snapshot {
    Snapshot::create(folder, &state.now().unwrap(), &header(state), |done, of| assert!(done <= of)).unwrap()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

fn rows(state: &Committed) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (mut rows, mut from) = (vec![], vec![]);
    while let Some((key, value)) = state.next(&from, &[255]).unwrap() {
        from = [key.as_slice(), &[0]].concat();
        rows.push((key, value));
    }
    rows
}

#[test]
fn replicas_write_the_same_bytes_and_give_the_same_state_back() {
    let scratch = tempfile::tempdir().unwrap();
    let (ours, theirs) = (state(0), state(5));
    let snapshot = write(&ours, &scratch.path().join("ours"));
    write(&theirs, &scratch.path().join("theirs"));
    assert_eq!(files(&scratch.path().join("ours")), files(&scratch.path().join("theirs")));
    assert!(snapshot.manifest().chunks.len() >= 3, "{}", snapshot.manifest().chunks.len());
    assert!(snapshot.manifest().chunks.iter().all(|chunk| chunk.bytes < 2 * CHUNK_BYTES as u64));

    let again = Snapshot::open(&scratch.path().join("theirs")).unwrap();
    assert_eq!(again.manifest(), snapshot.manifest());
    again.check(|done, of| assert!(done <= of)).unwrap();
    let disk = Arc::new(Disk::open(&scratch.path().join("state")).unwrap());
    let mut filled = Committed::begin(Arc::clone(&disk), ROOM);
    again.restore(&mut filled, Some(Position::default()), |_, _| {}).unwrap();
    assert_eq!((filled.root(), rows(&filled)), (ours.root(), rows(&ours)));
    // And it can be opened where it came to, with every page right.
    filled.flush().unwrap();
    drop(filled);
    let mark = disk.mark().unwrap().unwrap();
    let (opened, ancestry) = Committed::open(disk, &mark, ROOM).unwrap();
    assert_eq!((mark.height, ancestry), (5, again.manifest().ancestry.clone()));
    assert_eq!(opened.check_pages(), []);
    assert_eq!(rows(&opened), rows(&ours));
}

#[test]
fn a_restore_that_is_interrupted_leaves_no_mark_with_the_right_root() {
    let scratch = tempfile::tempdir().unwrap();
    let ours = state(0);
    let snapshot = write(&ours, &scratch.path().join("snapshot"));
    let disk = Arc::new(Disk::open(&scratch.path().join("state")).unwrap());
    let mut filled = Committed::begin(Arc::clone(&disk), ROOM);
    let mut last = snapshot.clone();
    // All chunks but the one that is read last.
    last.manifest.chunks[0].hash = Hash::ZERO;
    let error = last.restore(&mut filled, Some(Position::default()), |_, _| {}).unwrap_err();
    assert!(matches!(error, SnapshotError::Chunk { .. }), "{error}");
    filled.flush().unwrap();
    assert_ne!(disk.mark().unwrap().unwrap().root, snapshot.header().state);
}

#[test]
fn what_was_damaged_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("snapshot");
    let ours = state(0);
    let snapshot = write(&ours, &folder);
    let check = || Snapshot::open(&folder).and_then(|snapshot| snapshot.check(|_, _| {}));
    check().unwrap();
    for (name, whole) in files(&folder) {
        let path = folder.join(&name);
        // A bit at every place would take long.
        for at in (0..whole.len()).step_by(whole.len() / 4 + 1).chain([0, 8, 12, whole.len() - 1]) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            fs::write(&path, bytes).unwrap();
            let error = check().unwrap_err().to_string();
            let is_newer = name == MANIFEST && (8..12).contains(&at);
            assert!(error.contains(if is_newer { "newer build" } else { &name }), "{name} at {at}: {error}");
        }
        for length in [0, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(check().unwrap_err().to_string().contains(&name));
        }
        fs::remove_file(&path).unwrap();
        let error = check().unwrap_err();
        let named = matches!(error, SnapshotError::Missing { .. } | SnapshotError::Nothing(_));
        assert!(named, "{error}");
        fs::write(&path, &whole).unwrap();
    }
    check().unwrap();
    // Whole chunks of another state, under a manifest that names them, do not give the header's root.
    let mut other = snapshot.manifest().clone();
    other.chunks.pop();
    other.chunks.remove(0);
    fs::rename(folder.join(file_name(1)), folder.join(file_name(0))).unwrap();
    other.chunks.truncate(1);
    fs::write(folder.join(MANIFEST), other.to_bytes()).unwrap();
    assert!(matches!(check(), Err(SnapshotError::Root { height: 5, .. })));
    // Nor do the same chunks in another order.
    other.chunks.push(other.chunks[0]);
    fs::copy(folder.join(file_name(0)), folder.join(file_name(1))).unwrap();
    fs::write(folder.join(MANIFEST), other.to_bytes()).unwrap();
    assert!(check().unwrap_err().to_string().contains("does not go on from the chunk before it"));
}

#[test]
fn a_snapshot_is_of_the_state_that_its_header_names() {
    let scratch = tempfile::tempdir().unwrap();
    let ours = state(0);
    let mut header = header(&ours);
    let folder = scratch.path().join("snapshot");
    header.state = Hash([1; 32]);
    let error = Snapshot::create(&folder, &ours.now().unwrap(), &header, |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("the state is not that of block 5"), "{error}");
    assert!(!folder.exists());
    assert!(matches!(Snapshot::open(&folder), Err(SnapshotError::Nothing(_))));
}

#[test]
fn bytes_are_golden() {
    let scratch = tempfile::tempdir().unwrap();
    let mut ours = Committed::in_memory();
    let rows: Vec<_> = Kind::ALL.iter().map(|kind| row(*kind, 1)).collect();
    ours.redo(&rows, 5, Resume { log: None, ancestry: ancestry() }).unwrap();
    write(&ours, &scratch.path().join("snapshot"));
    let bytes: Vec<u8> =
        files(&scratch.path().join("snapshot")).into_iter().flat_map(|file| file.1).collect();
    assert_eq!(
        plain_hash(&[&bytes]).to_string(),
        "hash1x2gt3adks0famedekfmcapkq9zvvqr4v8y9hcp5jqerlw6f83ffs0rgtwa"
    );
}
