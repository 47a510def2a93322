//! The log under truncation at every byte and damage at every byte.

use super::*;
use tenor_wire::crypto::plain_hash;

const CHAIN: ChainId = ChainId([5; 32]);

fn write(folder: &Path, blocks: u64) -> Vec<u64> {
    let mut log = Log::create(folder, CHAIN).unwrap();
    let mut ends = vec![];
    for height in 0..blocks {
        let payload = vec![height as u8; 20];
        let certificate = height.checked_sub(1).map(|before| Record {
            kind: Kind::Certificate,
            height: before,
            payload: b"signed",
        });
        let records: Vec<Record<'_>> = certificate
            .into_iter()
            .chain([
                Record { kind: Kind::Block, height, payload: &payload },
                Record { kind: Kind::Writes, height, payload: b"rows" },
            ])
            .collect();
        log.append(&records).unwrap();
        log.sync().unwrap();
        ends.push(log.length);
    }
    ends
}

fn segment(folder: &Path) -> PathBuf {
    folder.join(segment::file_name(0))
}

#[test]
fn what_is_synced_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 4);
    let (log, torn) = Log::open(folder.path(), CHAIN).unwrap();
    assert_eq!((log.tip(), torn.bytes), (Some(3), 0));
    let records = log.read(2).unwrap().unwrap();
    assert_eq!(
        records,
        Records { block: vec![2; 20], writes: Some(b"rows".to_vec()), certificate: Some(b"signed".to_vec()) }
    );
    assert_eq!(log.read(3).unwrap().unwrap().certificate, None);
    assert_eq!(log.read(4).unwrap(), None);
}

#[test]
fn the_bytes_are_golden() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3);
    let bytes = fs::read(segment(folder.path())).unwrap();
    let hash = plain_hash(&[&bytes]).to_string();
    assert_eq!(hash, "hash1p373ytgp27wgjjx46fn70qvep8ecm52g9wf5f0hvv5eztdrrnfssxlzwt8");
}

#[test]
fn a_log_cut_at_any_byte_opens_at_the_last_whole_block() {
    let folder = tempfile::tempdir().unwrap();
    let ends = write(folder.path(), 4);
    let bytes = fs::read(segment(folder.path())).unwrap();
    for length in ends[0]..=ends[3] {
        let other = tempfile::tempdir().unwrap();
        fs::write(segment(other.path()), &bytes[..length as usize]).unwrap();
        let (mut log, _) = Log::open(other.path(), CHAIN).unwrap();
        let tip = ends.iter().rposition(|end| *end <= length).unwrap() as u64;
        assert_eq!(log.tip(), Some(tip), "cut at {length}");
        let (block, writes) = (
            Record { kind: Kind::Block, height: tip + 1, payload: b"new" },
            Record { kind: Kind::Writes, height: tip + 1, payload: b"" },
        );
        log.append(&[block, writes]).unwrap();
        log.sync().unwrap();
        drop(log);
        let (log, torn) = Log::open(other.path(), CHAIN).unwrap();
        assert_eq!((log.tip(), torn.bytes), (Some(tip + 1), 0), "cut at {length}, then gone on");
    }
}

#[test]
fn no_flipped_byte_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let ends = write(folder.path(), 4);
    let bytes = fs::read(segment(folder.path())).unwrap();
    for at in 0..bytes.len() {
        let other = tempfile::tempdir().unwrap();
        let mut wrong = bytes.clone();
        wrong[at] ^= 0x41;
        fs::write(segment(other.path()), &wrong).unwrap();
        match Log::open(other.path(), CHAIN) {
            // Damage in the very last block looks like a torn tail: it is cut and said so.
            Ok((log, torn)) => {
                assert!(at as u64 >= ends[2] && torn.bytes > 0, "byte {at}");
                assert_eq!(log.tip(), Some(2), "byte {at}");
            }
            Err(LogError::Damaged { .. } | LogError::Foreign(_)) => {}
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn another_chain_and_an_empty_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Log::open(folder.path(), CHAIN), Err(LogError::Foreign(_))));
    write(folder.path(), 1);
    let error = Log::open(folder.path(), ChainId([6; 32])).unwrap_err().to_string();
    assert!(error.contains("another chain"), "{error}");
}
