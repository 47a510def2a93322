//! Past states and forks: what every height had, proved under the root that it had, while blocks go on.

use super::grown::{Grown, Rows};
use crate::fault::Fault;
use crate::snapshot::Snapshot;
use crate::state::namespace::{Standing, owner_of};
use crate::state::{Base, Committed, Kind, Past, Resume, Room, State};
use crate::store::{Changes, Disk};
use std::sync::Arc;
use tenor_abi::id::Hash;
use tenor_wire::block::Header;

fn leaf_keys(rows: &Rows) -> Vec<Vec<u8>> {
    let is_leaf = |key: &&Vec<u8>| Kind::of(key[0]).unwrap().standing() == Standing::Leaf;
    rows.keys().filter(is_leaf).cloned().collect()
}

fn all(past: &Past) -> Rows {
    let mut rows = Rows::new();
    past.walk(|key, value| {
        rows.insert(key.to_vec(), value.to_vec());
        Ok(())
    })
    .unwrap();
    rows
}

/// Rows one by one, as execution walks them.
pub(super) fn walked(base: &dyn Base, end: &[u8]) -> Rows {
    let (mut rows, mut from) = (Rows::new(), vec![]);
    while let Some((key, value)) = base.next(&from, end).unwrap() {
        from = [key.as_slice(), &[0]].concat();
        rows.insert(key, value);
    }
    rows
}

fn check(past: &Past, root: Hash, rows: &Rows, keys: &[Vec<u8>]) {
    assert_eq!(past.root(), root);
    assert_eq!(&all(past), rows, "at {}", past.height());
    assert_eq!(&walked(past, &[255]), rows, "at {}", past.height());
    for key in keys {
        assert_eq!(past.get(key).unwrap().as_ref(), rows.get(key));
        let proof = past.prove(key).unwrap().unwrap();
        assert_eq!(proof.verify(&root, owner_of(key), key).unwrap(), rows.get(key).map(Vec::as_slice));
    }
    let proof = past.prove_all(keys).unwrap().unwrap();
    let asked: Vec<_> = keys.iter().map(|key| (owner_of(key), key.as_slice())).collect();
    let expected: Vec<_> = keys.iter().map(|key| rows.get(key).map(Vec::as_slice)).collect();
    assert_eq!(proof.verify(&root, &asked).unwrap(), expected);
}

/// A chain of some blocks, and after each the header and the rows.
fn grown(folder: &std::path::Path, blocks: usize) -> (Grown, Vec<(Header, Rows)>) {
    let mut grown = Grown::begin(folder, 60_000).unwrap();
    let mut seen = vec![];
    for _ in 0..blocks {
        grown.block().unwrap();
        seen.push((grown.tip().clone(), grown.rows.clone()));
    }
    (grown, seen)
}

#[test]
fn every_state_of_the_window_is_read_and_proved_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (mut grown, seen) = grown(folder.path(), 90);
    let keys: Vec<_> = leaf_keys(&seen[80].1).into_iter().chain(leaf_keys(&seen[30].1)).step_by(61).collect();
    let oldest = match grown.base.past(0) {
        Err(Fault::Gone { height: 0, oldest }) => oldest,
        other => panic!("{:?}", other.map(|past| past.height())),
    };
    assert!((20..80).contains(&oldest), "the room for past states is bounded: {oldest}");
    // Also while a block is stashed that is not committed.
    let rows = grown.changes();
    let root = grown.base.stash(&rows.into()).unwrap();
    assert_ne!(root, grown.tip().state);
    for (header, rows) in seen.iter().skip(oldest as usize).step_by(7).chain(seen.last()) {
        check(&grown.base.past(header.height).unwrap(), header.state, rows, &keys);
    }
    grown.base.unstash().unwrap();
    assert!(matches!(grown.base.past(90), Err(Fault::Gone { height: 90, .. })), "that is not there yet");
    // What somebody reads stays while others go.
    let (header, rows) = &seen[oldest as usize];
    let kept = grown.base.past(header.height).unwrap();
    for _ in 0..40 {
        grown.block().unwrap();
    }
    check(&kept, header.state, rows, &keys);
    drop(kept);
    for _ in 0..4 {
        grown.block().unwrap();
    }
    assert!(matches!(grown.base.past(header.height), Err(Fault::Gone { .. })), "nobody reads it any more");
}

/// What a fork comes to with the blocks that the chain itself made.
fn follow(fork: &mut dyn State, blocks: &[(Header, Changes)]) {
    for (header, rows) in blocks {
        let before = fork.root();
        assert_eq!(fork.stash(rows).unwrap(), header.state, "block {}", header.height);
        fork.unstash().unwrap();
        assert_eq!(fork.root(), before);
        assert_eq!(fork.stash(rows).unwrap(), header.state, "again, block {}", header.height);
        fork.commit(rows, header.height, Resume::default()).unwrap();
    }
}

#[test]
fn a_fork_comes_to_the_roots_of_the_chain_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut grown, seen) = grown(folder.path(), 40);
    let mut now = grown.base.fork().unwrap();
    assert_eq!(now.memory().dirty_bytes, 0, "it costs nothing until it is written");
    let mut blocks = vec![];
    for _ in 0..12 {
        let rows = grown.changes();
        grown.block_of(rows.clone()).unwrap();
        blocks.push((grown.tip().clone(), rows.into()));
    }
    // Half of it goes its own way, and a fork of it the chain's.
    follow(&mut now, &blocks[..6]);
    let mut further = now.fork().unwrap();
    let own = Changes::from(vec![(Kind::Asset.full_key(&[7; 32]), Some(vec![1; 40]))]);
    now.stash(&own).unwrap();
    now.commit(&own, 46, Resume::default()).unwrap();
    follow(&mut further, &blocks[6..]);
    assert_eq!(walked(&further, &[255]), grown.rows);
    let mut then = grown.base.past(39).map(crate::state::Fork::of).unwrap();
    follow(&mut then, &blocks);
    assert_eq!(walked(&then, &[255]), grown.rows);
    for key in leaf_keys(&grown.rows).iter().step_by(17) {
        let record = grown.rows.get(key).map(Vec::as_slice);
        let proof = further.prove(key).unwrap().unwrap();
        assert_eq!(proof.verify(&grown.tip().state, owner_of(key), key).unwrap(), record);
        let proof = then.prove_all(std::slice::from_ref(key)).unwrap().unwrap();
        assert_eq!(proof.verify(&grown.tip().state, &[(owner_of(key), key.as_slice())]).unwrap(), [record]);
    }
    let key = Kind::Asset.full_key(&[7; 32]);
    assert_eq!((now.get(&key).unwrap(), further.get(&key).unwrap()), (Some(vec![1; 40]), None));
    assert_eq!(grown.base.get(&key).unwrap(), None);
    check(&grown.base.past(39).unwrap(), seen[39].0.state, &seen[39].1, &[key]);
}

#[test]
fn a_snapshot_made_while_blocks_go_on_is_of_its_height() {
    let folder = tempfile::tempdir().unwrap();
    let (mut grown, seen) = grown(folder.path(), 30);
    let still = folder.path().join("still");
    let (header, rows) = seen.last().unwrap();
    Snapshot::create(&still, &grown.base.now().unwrap(), header, |_, _| {}).unwrap();
    let past = grown.base.now().unwrap();
    let moving = folder.path().join("moving");
    let (to, from) = std::sync::mpsc::channel();
    let made = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            to.send(()).unwrap();
            Snapshot::create(&moving, &past, header, |_, _| {}).unwrap()
        });
        from.recv().unwrap();
        for _ in 0..25 {
            grown.block().unwrap();
        }
        writer.join().unwrap()
    });
    made.check(|_, _| {}).unwrap();
    assert_eq!((made.header().height, grown.tip().height), (29, 54));
    assert_eq!(made.manifest(), Snapshot::open(&still).unwrap().manifest(), "the same bytes");
    let mut restored = Committed::in_memory();
    made.restore(&mut restored, None, |_, _| {}).unwrap();
    assert_eq!(walked(&restored, &[255]), *rows);
    // A reader that was there all the time sees what was there, after any number of checkpoints.
    grown.base.flush().unwrap();
    grown.block().unwrap();
    grown.base.flush().unwrap();
    check(&past, header.state, rows, &leaf_keys(rows)[..3]);
}

#[test]
fn without_room_a_state_is_at_hand_while_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::open(&folder.path().join("disk")).unwrap());
    let mut base = Committed::begin(disk, Room::for_pages(1 << 20));
    assert!(matches!(base.now().map(|past| past.height()), Err(Fault::Gone { .. })));
    let block = |n: u8| Changes::from(vec![(Kind::Asset.full_key(&[n % 3; 32]), Some(vec![n; 40]))]);
    for height in 0..5 {
        base.redo(&block(height), u64::from(height), Resume::default()).unwrap();
    }
    assert!(matches!(base.past(3), Err(Fault::Gone { height: 3, oldest: 4 })));
    let (past, root) = (base.past(4).unwrap(), base.root());
    for height in 5..9 {
        base.redo(&block(height), u64::from(height), Resume::default()).unwrap();
    }
    assert_eq!((past.get(&Kind::Asset.full_key(&[2; 32])).unwrap(), past.root()), (Some(vec![2; 40]), root));
    drop(past);
    base.redo(&block(9), 9, Resume::default()).unwrap();
    base.redo(&block(10), 10, Resume::default()).unwrap();
    assert!(matches!(base.past(4), Err(Fault::Gone { .. })));
}
