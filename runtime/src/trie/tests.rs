use super::*;
use crate::log::fail_at;
use crate::store::PageBytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tenor_wire::trie::{leaf_hash_of, node_hash};

/// The root by definition: split by the first bit at which any two paths part.
pub(super) fn naive(leaves: &[(Path, Hash)]) -> Hash {
    match leaves {
        [] => Hash::ZERO,
        [(path, value)] => leaf_hash_of(path, value),
        [first, .., last] => {
            let bit = first.0.parts_at(&last.0).unwrap();
            let split = leaves.partition_point(|(path, _)| !path.bit(bit));
            node_hash(bit, &naive(&leaves[..split]), &naive(&leaves[split..]))
        }
    }
}

fn owner(key: u16) -> [u8; 1] {
    [(key % 7) as u8]
}

pub(super) fn path(key: u16) -> Path {
    Path::of(&owner(key), &key.to_be_bytes())
}

/// Records of several lengths, one of them too long for a bucket.
fn record(value: u8) -> Vec<u8> {
    let length = if value == 200 { 2 * INLINE_BYTES_MAX } else { usize::from(value % 5) * 40 };
    vec![value; length + 1]
}

/// A change, with the row that it is about.
pub(super) struct OwnChange {
    key: [u8; 2],
    record: Option<Vec<u8>>,
}

impl OwnChange {
    pub fn as_ref(&self) -> Change<'_> {
        let content = self.record.as_ref().map(|record| Content::of(&self.key, record));
        (path(u16::from_be_bytes(self.key)), content)
    }

    pub fn value(&self) -> Option<Hash> {
        self.record.as_ref().map(|record| value_hash(&self.key, record))
    }

    /// What the trie says of the leaf.
    fn content(&self) -> Option<Content<Vec<u8>>> {
        self.record.as_ref().map(|record| match is_long(&self.key, record) {
            true => Content::Elsewhere(value_hash(&self.key, record)),
            false => Content::Inline([&[2, 0], &self.key[..], record].concat()),
        })
    }
}

pub(super) fn change(key: u16, value: Option<u8>) -> OwnChange {
    OwnChange { key: key.to_be_bytes(), record: value.map(record) }
}

fn own(content: Option<Content<&[u8]>>) -> Option<Content<Vec<u8>>> {
    content.map(|content| match content {
        Content::Inline(bytes) => Content::Inline(bytes.to_vec()),
        Content::Elsewhere(hash) => Content::Elsewhere(hash),
    })
}

pub(super) fn root_of(model: &BTreeMap<u16, u8>) -> Hash {
    let leaf = |(key, value): (&u16, &u8)| (path(*key), value_hash(&key.to_be_bytes(), &record(*value)));
    let mut leaves: Vec<_> = model.iter().map(leaf).collect();
    leaves.sort();
    naive(&leaves)
}

fn check_proof(trie: &mut Trie, model: &BTreeMap<u16, u8>, key: u16) {
    check_proof_of(&trie.root(), model, key, |owner, key, record| trie.prove(owner, key, record).unwrap());
}

/// Whatever proves under a root shows what the model has.
pub(super) fn check_proof_of(
    root: &Hash,
    model: &BTreeMap<u16, u8>,
    key: u16,
    prove: impl FnOnce(&[u8], &[u8], Option<&[u8]>) -> Option<StateProof>,
) {
    let (owner, full_key) = (owner(key), key.to_be_bytes());
    let record = model.get(&key).map(|value| record(*value));
    let proof = prove(&owner, &full_key, record.as_deref()).unwrap();
    assert_eq!(proof.verify(root, &owner, &full_key).unwrap(), record.as_deref());
    assert!(proof.verify(&Hash([1; 32]), &owner, &full_key).is_err());
}

fn check_multiproof(trie: &mut Trie, model: &BTreeMap<u16, u8>, keys: &[u16]) {
    check_multiproof_of(&trie.root(), model, keys, |kept| trie.prove_all(kept).unwrap());
}

/// As [`check_proof_of`], for many keys.
pub(super) fn check_multiproof_of(
    root: &Hash,
    model: &BTreeMap<u16, u8>,
    keys: &[u16],
    mut prove: impl FnMut(&[Kept<'_>]) -> Option<MultiProof>,
) {
    let kept: Vec<_> = keys.iter().map(|key| model.get(key).map(|value| record(*value))).collect();
    let (owners, full): (Vec<_>, Vec<_>) = keys.iter().map(|key| (owner(*key), key.to_be_bytes())).unzip();
    let asked = owners.iter().zip(&full).zip(&kept);
    let with: Vec<_> = asked.map(|((owner, key), kept)| (&owner[..], &key[..], kept.as_deref())).collect();
    let proof = prove(&with).unwrap();
    let keys: Vec<_> = with.iter().map(|(owner, key, _)| (*owner, *key)).collect();
    let expected: Vec<_> = kept.iter().map(Option::as_deref).collect();
    assert_eq!(proof.verify(root, &keys), Ok(expected));
    if let Some((owner, key, kept)) = with.first() {
        let wrong = if kept.is_some() { None } else { Some(&[1][..]) };
        assert_eq!(prove(&[(owner, key, wrong)]), None, "the trie says otherwise");
    }
}

pub(super) type Batch = BTreeMap<u16, Option<u8>>;

pub(super) fn take_in(model: &mut BTreeMap<u16, u8>, batch: &Batch) {
    for (key, value) in batch {
        match value {
            Some(value) => model.insert(*key, *value),
            None => model.remove(key),
        };
    }
}

pub(super) fn batches() -> impl Strategy<Value = Vec<Batch>> {
    // Mostly growth at first and shrinking later, so that buckets are cut and joined again.
    let grow = prop::collection::btree_map(0u16..400, (0u8..255).prop_map(Some), 0..120);
    let shrink = prop::collection::btree_map(0u16..400, prop::option::weighted(0.2, 0u8..255), 0..150);
    (prop::collection::vec(grow, 1..4), prop::collection::vec(shrink, 0..8))
        .prop_map(|(grow, shrink)| grow.into_iter().chain(shrink).collect())
}

pub(super) fn changes(batch: &Batch) -> Vec<OwnChange> {
    batch.iter().map(|(key, value)| change(*key, *value)).collect()
}

pub(super) fn borrowed(changes: &[OwnChange]) -> Vec<Change<'_>> {
    changes.iter().map(OwnChange::as_ref).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_trie_is_a_map_with_a_root(batches in batches()) {
        let (mut trie, mut model) = (Trie::new(None, 0), BTreeMap::new());
        for batch in &batches {
            let before = (trie.root(), trie.len());
            let undo = trie.update(borrowed(&changes(batch))).unwrap();
            for key in batch.keys() {
                let was = own(undo.before(&path(*key)).unwrap());
                prop_assert_eq!(was, change(*key, model.get(key).copied()).content());
            }
            let after = trie.root();
            trie.undo(undo).unwrap();
            prop_assert_eq!((trie.root(), trie.len()), before);
            let _ = trie.update(borrowed(&changes(batch))).unwrap();
            prop_assert_eq!(trie.root(), after);
            take_in(&mut model, batch);
            prop_assert_eq!(trie.root(), root_of(&model));
            prop_assert_eq!(trie.len(), model.len() as u64);
            for key in (0u16..420).step_by(13) {
                check_proof(&mut trie, &model, key);
                let found = own(trie.get(&path(key)).unwrap());
                prop_assert_eq!(found, change(key, model.get(&key).copied()).content());
            }
            check_multiproof(&mut trie, &model, &(3u16..420).step_by(37).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_trie_on_disk_with_little_memory_is_the_same(
        batches in batches(),
        then in prop::collection::vec((0u8..3, prop::option::of(0u32..20)), 12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Arc::new(Disk::open(folder.path()).unwrap());
        // Room for two or three buckets.
        let room = 10_000;
        let (mut trie, mut model) = (Trie::new(Some(Arc::clone(&disk)), room), BTreeMap::new());
        let mut sequence = 0;
        for (batch, (then, failing)) in batches.iter().zip(then) {
            fail_at(failing);
            let _ = trie.update(borrowed(&changes(batch))).unwrap();
            take_in(&mut model, batch);
            prop_assert_eq!(trie.root(), root_of(&model));
            for key in (0u16..420).step_by(29) {
                check_proof(&mut trie, &model, key);
            }
            fail_at(None);
            prop_assert!(trie.memory().cached_bytes <= room + 400 * 400);
            if then == 0 {
                continue;
            }
            sequence += 1;
            let mut pages = vec![];
            let top = trie.checkpoint(sequence, &mut pages);
            let bytes = tenor_abi::codec::encode(&top);
            disk.write_trie(sequence, trie.root(), pages, &bytes);
            if then == 2 {
                drop(trie);
                drop(disk);
                disk = Arc::new(Disk::open(folder.path()).unwrap());
                let mark = disk.mark().unwrap().unwrap();
                let top: TrieTop = tenor_abi::codec::decode_own(&disk.top(&mark).unwrap()).unwrap();
                trie = Trie::restore(top, Some(Arc::clone(&disk)), room).unwrap();
                prop_assert_eq!(trie.root(), mark.root);
            }
        }
    }
}

#[test]
fn a_record_that_the_trie_does_not_know_is_not_proved() {
    let mut trie = Trie::new(None, 0);
    let _ = trie.update(vec![change(7, Some(7)).as_ref()]).unwrap();
    let mut prove =
        |key: u16, record: Option<&[u8]>| trie.prove(&owner(key), &key.to_be_bytes(), record).unwrap();
    assert_eq!(prove(7, Some(&[8])), None, "another record");
    assert_eq!(prove(7, None), None, "said to be missing");
    assert_eq!(prove(8, Some(&[8])), None, "said to be there");
}

#[test]
#[should_panic(expected = "changes each path once")]
fn a_path_is_changed_once_in_an_update() {
    let _ = Trie::new(None, 0).update(vec![change(7, Some(1)).as_ref(), change(7, None).as_ref()]);
}

#[test]
fn every_changed_byte_of_a_proof_is_noticed() {
    let mut trie = Trie::new(None, 0);
    let _ =
        trie.update(borrowed(&(0..200).map(|key| change(key, Some(key as u8))).collect::<Vec<_>>())).unwrap();
    let (owner, key) = (owner(7), 7u16.to_be_bytes());
    let proof = trie.prove(&owner, &key, Some(&record(7))).unwrap().unwrap();
    let bytes = tenor_abi::codec::encode(&proof);
    for at in 0..bytes.len() {
        for flip in [1, 0x80] {
            let mut wrong = bytes.clone();
            wrong[at] ^= flip;
            let read = tenor_abi::codec::decode::<StateProof>(&wrong, 1 << 16);
            let shown = read.as_ref().ok().and_then(|p| p.verify(&trie.root(), &owner, &key).ok());
            assert_eq!(shown, None, "byte {at}");
        }
    }
}

#[test]
fn full_buckets_are_cut_while_they_are_changed_and_nothing_is_lost_by_it() {
    let mut trie = Trie::new(None, usize::MAX);
    let mut model = BTreeMap::new();
    let mut before: Vec<(Hash, u64)> = vec![];
    let mut undone = vec![];
    // Each update brings many more leaves than a bucket has, changes some, and takes some away between them.
    for round in 0..5u16 {
        before.push((trie.root(), trie.len()));
        let end = 20 + round * 400;
        let changes: Vec<_> = (0..end)
            .map(|key| change(key, (key % 11 != round).then_some((key % 5 + round) as u8)))
            .filter(|change| change.record.is_some() || round > 0)
            .collect();
        undone.push(trie.update(borrowed(&changes)).unwrap());
        for key in 0..end {
            match key % 11 != round {
                true => _ = model.insert(key, (key % 5 + round) as u8),
                false => _ = model.remove(&key),
            }
        }
        assert_eq!((trie.root(), trie.len()), (root_of(&model), model.len() as u64));
    }
    for (undo, known) in undone.into_iter().zip(before).rev() {
        trie.undo(undo).unwrap();
        assert_eq!((trie.root(), trie.len()), known);
    }
}

#[test]
fn a_page_that_was_changed_on_disk_is_a_fault_and_the_mark_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::open(folder.path()).unwrap());
    let mut trie = Trie::new(Some(Arc::clone(&disk)), 0);
    let _ = trie.update(borrowed(&(0..200).map(|key| change(key, Some(1))).collect::<Vec<_>>())).unwrap();
    let mut pages = vec![];
    let top = trie.checkpoint(1, &mut pages);
    let number = pages.len() / 2;
    let PageBytes::Here(bytes) = &mut pages[number].bytes else { panic!("it is in memory") };
    let mut wrong = bytes.to_vec();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    *bytes = wrong.into();
    let bytes = tenor_abi::codec::encode(&top);
    let mark = disk.write_trie(1, trie.root(), pages, &bytes);
    let mut trie = Trie::restore(top, Some(Arc::clone(&disk)), 0).unwrap();
    assert_eq!(trie.root(), mark.root);
    let faults: Vec<_> = (0..200).filter_map(|key| trie.get(&path(key)).err()).collect();
    assert!(!faults.is_empty());
    assert!(faults.iter().all(|fault| fault.to_string().contains("is not what its hash says")), "{faults:?}");
    assert_eq!(disk.mark().unwrap(), None, "the next opening makes the state again");
}

#[test]
fn paths_of_many_are_those_of_each() {
    // More than are hashed together, with owners that follow one another and owners that come back.
    let keys: Vec<(Vec<u8>, Vec<u8>)> = (0..1_300u32)
        .map(|number| (vec![(number / 3 % 7) as u8; 32], number.to_le_bytes().to_vec()))
        .collect();
    for count in [0, 1, 2, 511, 1_300] {
        let some = || keys[..count].iter().map(|(owner, key)| (owner.as_slice(), key.as_slice()));
        let each: Vec<Path> = some().map(|(owner, key)| Path::of(owner, key)).collect();
        assert_eq!(paths(some()), each);
    }
}
