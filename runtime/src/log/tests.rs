//! The log under truncation at every byte, damage at every byte, and disks that say no.

use super::*;
use tenor_wire::crypto::plain_hash;

const CHAIN: ChainId = ChainId([5; 32]);

fn records(height: u64, payload: &[u8]) -> Vec<Record<'_>> {
    let certificate = height.checked_sub(1).map(|before| Record::new(Kind::Certificate, before, b"signed"));
    let block = Record::new(Kind::Block, height, payload);
    certificate.into_iter().chain([block, Record::new(Kind::Writes, height, b"rows")]).collect()
}

/// Writes blocks and says where each of them ends in the newest segment.
fn go_on(log: &mut Log, heights: std::ops::Range<u64>) -> Vec<u64> {
    let end = |height| {
        log.append(&records(height, &[height as u8; 20])).unwrap();
        log.sync().unwrap();
        log.length
    };
    heights.map(end).collect()
}

fn write(folder: &Path, blocks: u64) -> Vec<u64> {
    go_on(&mut Log::create(folder, CHAIN).unwrap(), 0..blocks)
}

/// A log of three segments with two blocks each, the third not sealed.
fn write_segments(folder: &Path) -> Vec<PathBuf> {
    let mut log = Log::create(folder, CHAIN).unwrap();
    log.segment_bytes = 300;
    go_on(&mut log, 0..6);
    let names: Vec<String> = log.reader.segments.iter().map(|path| segment::name(path)).collect();
    assert_eq!(names, [0, 2, 4].map(|height| format!("{height:020}.log")));
    log.reader.segments
}

fn only_segment(folder: &Path) -> PathBuf {
    let segments = segment::list(folder).unwrap();
    assert_eq!(segments.len(), 1);
    segments[0].clone()
}

/// A folder that holds a copy of the segments, one of them with other bytes.
fn copy_with(segments: &[PathBuf], number: usize, bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (at, path) in segments.iter().enumerate() {
        let to = folder.path().join(path.file_name().unwrap());
        if at == number { fs::write(to, bytes).unwrap() } else { fs::copy(path, to).map(|_| ()).unwrap() }
    }
    folder
}

fn check_reads(log: &Log, blocks: u64) {
    for height in 0..blocks {
        assert_eq!(log.reader.read(Kind::Block, height).unwrap(), Some(vec![height as u8; 20]));
        assert_eq!(log.reader.read(Kind::Writes, height).unwrap(), Some(b"rows".to_vec()));
        let certificate = (height + 1 < blocks).then(|| b"signed".to_vec());
        assert_eq!(log.reader.read(Kind::Certificate, height).unwrap(), certificate);
    }
    assert_eq!(log.reader.read(Kind::Block, blocks).unwrap(), None);
}

#[test]
fn what_is_synced_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 4);
    let (log, torn) = Log::open(folder.path(), CHAIN, Some(3)).unwrap();
    assert_eq!((log.tip(), torn.bytes), (Some(3), 0));
    check_reads(&log, 4);
}

#[test]
fn a_long_block_that_left_memory_is_read_back_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(folder.path(), CHAIN).unwrap();
    let payload = vec![7; LONG_BYTES as usize];
    for height in 0..3 {
        log.append(&records(height, &payload[height as usize..])).unwrap();
        log.sync().unwrap();
        assert_eq!(log.synced, log.length);
    }
    drop(log);
    let (log, torn) = Log::open(folder.path(), CHAIN, Some(2)).unwrap();
    assert_eq!(torn.bytes, 0);
    for height in 0..3 {
        assert_eq!(
            log.reader.read(Kind::Block, height).unwrap().as_deref(),
            Some(&payload[height as usize..])
        );
    }
}

#[test]
fn a_log_is_gone_on_from_any_position() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(folder.path(), CHAIN).unwrap();
    log.segment_bytes = 300;
    let mut taken = vec![];
    for height in 0..9 {
        go_on(&mut log, height..height + 1);
        taken.push(log.position_behind(height).unwrap().unwrap());
    }
    for (height, position) in (0u64..).zip(&taken) {
        assert_eq!(log.position_behind(height).unwrap().as_ref(), Some(position), "also when blocks follow");
    }
    assert!(log.reader.heights.len() < 6, "older places are not kept");
    drop(log);
    for position in &taken {
        let (mut log, torn) = Log::open_at(folder.path(), CHAIN, position, None).unwrap();
        assert_eq!((log.tip(), torn.bytes), (Some(8), 0));
        assert!(
            log.reader.heights.keys().all(|height| *height >= position.height()),
            "nothing before it was read"
        );
        check_reads(&log, 9);
        assert_eq!(log.position_behind(8).unwrap().as_ref(), taken.last());
        log.segment_bytes = 300;
        assert!(matches!(log.append(&records(8, b"again")), Err(LogError::Order { given: 8, next: 9 })));
    }
}

#[test]
fn a_log_that_is_not_what_the_position_says_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::create(folder.path(), CHAIN).unwrap();
    let ends = go_on(&mut log, 0..4);
    let position = log.position_behind(3).unwrap().unwrap();
    drop(log);
    let path = only_segment(folder.path());
    let bytes = fs::read(&path).unwrap();
    for length in [ends[2] as usize, bytes.len() - 1] {
        let other = copy_with(std::slice::from_ref(&path), 0, &bytes[..length]);
        let error = Log::open_at(other.path(), CHAIN, &position, None).unwrap_err().to_string();
        assert!(error.contains("not what it was when the state store saw it"), "{error}");
        assert_eq!(fs::read(only_segment(other.path())).unwrap(), &bytes[..length], "it is left as it is");
    }
    fs::rename(&path, path.with_file_name(segment::file_name(7))).unwrap();
    let error = Log::open_at(folder.path(), CHAIN, &position, None).unwrap_err().to_string();
    assert!(error.contains("it is missing"), "{error}");
}

#[test]
fn the_bytes_are_golden() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 3);
    let bytes = fs::read(only_segment(folder.path())).unwrap();
    let hash = plain_hash(&[&bytes]).to_string();
    assert_eq!(hash, "hash18m8cu0w3uquwmap2725u46ttfjq0cwenpcxh76m0zgn9wgpge4qqjn04sl");
}

#[test]
fn a_full_segment_is_sealed_and_the_next_goes_on_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let segments = write_segments(folder.path());
    let bytes: Vec<Vec<u8>> = segments.iter().map(|path| fs::read(path).unwrap()).collect();
    let hash = plain_hash(&[&bytes.concat()]).to_string();
    assert_eq!(hash, "hash1x6h6w6ghywar2pmd00f7umhsx3dxhhspg7cz94magny3vw6a5uvslc9aym");
    let (mut log, _) = Log::open(folder.path(), CHAIN, None).unwrap();
    check_reads(&log, 6);
    log.segment_bytes = 300;
    go_on(&mut log, 6..9);
    check_reads(&log, 9);
    let (log, torn) = Log::open(folder.path(), CHAIN, Some(8)).unwrap();
    assert_eq!((log.tip(), log.reader.segments.len(), torn.bytes), (Some(8), 5, 0));
    check_reads(&log, 9);
}

#[test]
fn a_stop_between_seal_and_next_segment_is_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let segments = write_segments(folder.path());
    fs::remove_file(&segments[2]).unwrap();
    // What a crash leaves of a segment that has no name yet does not matter.
    fs::write(segments[2].with_extension("new"), b"TENO").unwrap();
    let (mut log, torn) = Log::open(folder.path(), CHAIN, Some(3)).unwrap();
    assert_eq!((log.tip(), torn.bytes), (Some(3), 0));
    go_on(&mut log, 4..6);
    assert_eq!(
        log.reader.segments, segments,
        "the seal is not written twice, and the next segment has its name"
    );
    check_reads(&Log::open(folder.path(), CHAIN, Some(5)).unwrap().0, 6);
}

#[test]
fn a_log_cut_at_any_byte_opens_at_the_last_whole_block() {
    let folder = tempfile::tempdir().unwrap();
    let ends = write(folder.path(), 4);
    let path = only_segment(folder.path());
    let bytes = fs::read(&path).unwrap();
    for length in ends[2]..=ends[3] {
        fs::write(&path, &bytes[..length as usize]).unwrap();
        let tip = ends.iter().rposition(|end| *end <= length).unwrap() as u64;
        let (mut log, torn) = Log::open(folder.path(), CHAIN, Some(tip)).unwrap();
        let whole = ends[tip as usize];
        // A whole certificate in front of a torn block is kept.
        assert!(log.length >= whole && torn.bytes == length - log.length, "cut at {length}");
        assert_eq!(log.tip(), Some(tip), "cut at {length}");
        go_on(&mut log, tip + 1..tip + 2);
        drop(log);
        let (log, torn) = Log::open(folder.path(), CHAIN, Some(tip + 1)).unwrap();
        assert_eq!(torn.bytes, 0, "cut at {length}, then gone on");
        check_reads(&log, tip + 2);
    }
}

#[test]
fn what_the_store_has_seen_is_never_cut() {
    let folder = tempfile::tempdir().unwrap();
    let ends = write(folder.path(), 4);
    let path = only_segment(folder.path());
    let bytes = fs::read(&path).unwrap();
    let torn = &bytes[..ends[3] as usize - 1];
    let other = copy_with(std::slice::from_ref(&path), 0, torn);
    let error = Log::open(other.path(), CHAIN, Some(3)).unwrap_err().to_string();
    assert!(error.contains("ends at block 2") && error.contains("is of block 3"), "{error}");
    assert_eq!(fs::read(only_segment(other.path())).unwrap(), torn, "nothing is cut when nothing may be");
    assert_eq!(Log::open(other.path(), CHAIN, Some(2)).unwrap().0.tip(), Some(2));
}

#[test]
fn zeros_after_the_end_are_a_torn_tail() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2);
    let path = only_segment(folder.path());
    let bytes = [fs::read(&path).unwrap(), vec![0; 1 << 20]].concat();
    let other = copy_with(std::slice::from_ref(&path), 0, &bytes);
    let (log, torn) = Log::open(other.path(), CHAIN, Some(1)).unwrap();
    assert_eq!((log.tip(), torn.bytes), (Some(1), 1 << 20));
}

#[test]
fn no_flipped_byte_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let ends = write(folder.path(), 4);
    let path = only_segment(folder.path());
    let bytes = fs::read(&path).unwrap();
    let newest_writes = ends[3] - (13 + 4 + 32);
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 0x41;
        fs::write(&path, &wrong).unwrap();
        let kept = Log::open(folder.path(), CHAIN, Some(3));
        assert!(
            match kept {
                Err(LogError::Damaged { .. } | LogError::Newer { .. } | LogError::Foreign(_)) => true,
                Err(LogError::Short { tip: 2, had: 3 }) => at as u64 >= newest_writes,
                _ => false,
            },
            "byte {at}"
        );
        match Log::open(folder.path(), CHAIN, None) {
            // Damage in the very last record looks like a torn tail: it is cut and said so.
            Ok((log, torn)) => {
                assert!(at as u64 >= newest_writes && torn.bytes > 0, "byte {at}");
                assert_eq!(log.tip(), Some(2), "byte {at}");
            }
            Err(LogError::Damaged { .. } | LogError::Newer { .. } | LogError::Foreign(_)) => {}
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

#[test]
fn damage_in_an_older_segment_names_segment_offset_and_height() {
    let folder = tempfile::tempdir().unwrap();
    let segments = write_segments(folder.path());
    for number in 0..2 {
        let bytes = fs::read(&segments[number]).unwrap();
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x41;
            fs::write(&segments[number], &wrong).unwrap();
            match Log::open(folder.path(), CHAIN, None) {
                Err(LogError::Damaged { segment, offset, height, .. }) => {
                    let next = number + usize::from(segment != segment::name(&segments[number]));
                    assert_eq!(segment, segment::name(&segments[next]), "byte {at}");
                    assert!(offset <= at as u64 && height <= 2 * number as u64 + 2, "byte {at}: {height}");
                }
                Err(LogError::Newer { .. } | LogError::Foreign(_)) => {
                    assert!((8..44).contains(&at), "byte {at}");
                }
                other => panic!("segment {number}, byte {at}: {other:?}"),
            }
        }
        for length in 0..bytes.len() {
            fs::write(&segments[number], &bytes[..length]).unwrap();
            let opened = Log::open(folder.path(), CHAIN, None);
            assert!(matches!(opened, Err(LogError::Damaged { .. })), "segment {number} cut at {length}");
        }
        fs::write(&segments[number], &bytes).unwrap();
    }
    fs::remove_file(&segments[1]).unwrap();
    let error = Log::open(folder.path(), CHAIN, None).unwrap_err();
    assert!(matches!(error, LogError::Missing { from: 2, .. }), "{error}");
}

#[test]
fn a_log_is_opened_from_a_segment_on_whatever_lies_before() {
    let folder = tempfile::tempdir().unwrap();
    let segments = write_segments(folder.path());
    fs::remove_file(&segments[0]).unwrap();
    for from in [2, 3, 4, 5] {
        let (log, _) = Log::open_from(folder.path(), CHAIN, from, Some(5)).unwrap();
        assert_eq!(log.tip(), Some(5));
        assert_eq!(log.reader.read(Kind::Block, from).unwrap(), Some(vec![from as u8; 20]));
        assert_eq!(log.reader.read(Kind::Block, 1).unwrap(), None);
    }
    let error = Log::open_from(folder.path(), CHAIN, 1, None).unwrap_err();
    assert!(matches!(error, LogError::Missing { from: 1, .. }), "{error}");
    let error = Log::open_from(folder.path(), CHAIN, 2, Some(6)).unwrap_err();
    assert!(matches!(error, LogError::Short { tip: 5, had: 6 }), "{error}");
    fs::remove_file(&segments[1]).unwrap();
    assert_eq!(Log::open_from(folder.path(), CHAIN, 4, None).unwrap().0.tip(), Some(5));
}

#[test]
fn a_survey_names_everything_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let segments = write_segments(folder.path());
    let survey = || Log::survey(folder.path(), CHAIN, |_, _| {}).unwrap();
    let firsts = || survey().segments.iter().map(|segment| segment.first).collect::<Vec<_>>();
    assert_eq!((survey().tip, survey().torn.bytes, firsts()), (Some(5), 0, vec![0, 2, 4]));
    for height in 0..6 {
        let block = Log::peek(folder.path(), CHAIN, Kind::Block, height).unwrap();
        assert_eq!(block, Some(vec![height as u8; 20]));
    }
    assert_eq!(Log::peek(folder.path(), CHAIN, Kind::Block, 6).unwrap(), None);
    assert!(survey().damage.is_empty());
    // A torn tail is told and left; damage of two segments is told of both.
    let whole: Vec<_> = segments.iter().map(|path| fs::read(path).unwrap()).collect();
    let torn = [&whole[2][..], b"half a record"].concat();
    fs::write(&segments[2], &torn).unwrap();
    assert_eq!((survey().tip, survey().torn.bytes), (Some(5), 13));
    assert_eq!(fs::read(&segments[2]).unwrap(), torn);
    let flipped = |number: usize, at: usize| {
        let mut bytes = whole[number].clone();
        bytes[at] ^= 1;
        fs::write(&segments[number], bytes).unwrap();
    };
    flipped(0, 150);
    flipped(2, 100);
    let named: Vec<String> = survey().damage.iter().map(ToString::to_string).collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(
        named[0].contains(&segment::name(&segments[0])) && named[1].contains(&segment::name(&segments[2]))
    );
    for (path, bytes) in segments.iter().zip(&whole) {
        fs::write(path, bytes).unwrap();
    }
    fs::remove_file(&segments[1]).unwrap();
    let damage = survey().damage;
    assert!(matches!(&damage[..], [LogError::Missing { from: 2, .. }]), "{damage:?}");
    assert_eq!(survey().tip, Some(5));
    assert!(matches!(
        Log::survey(tempfile::tempdir().unwrap().path(), CHAIN, |_, _| {}),
        Err(LogError::Foreign(_))
    ));
}

#[test]
fn an_old_segment_may_be_kept_without_writes() {
    let folder = tempfile::tempdir().unwrap();
    let segments = write_segments(folder.path());
    let (log, _) = Log::open(folder.path(), CHAIN, None).unwrap();
    let mut bytes = fs::read(&segments[0]).unwrap();
    for height in [1, 0] {
        let span = log.reader.heights[&height].writes.unwrap().span;
        bytes.drain(span.offset as usize..span.end as usize);
    }
    let other = copy_with(&segments, 0, &bytes);
    let (log, _) = Log::open(other.path(), CHAIN, Some(5)).unwrap();
    assert_eq!(log.tip(), Some(5));
    for height in 0..6 {
        assert_eq!(log.reader.read(Kind::Block, height).unwrap(), Some(vec![height as u8; 20]));
        assert_eq!(log.reader.read(Kind::Writes, height).unwrap().is_some(), height >= 2);
    }
}

#[test]
fn damage_after_opening_is_noticed_when_read() {
    let folder = tempfile::tempdir().unwrap();
    let segments = write_segments(folder.path());
    let (log, _) = Log::open(folder.path(), CHAIN, None).unwrap();
    let bytes = fs::read(&segments[1]).unwrap();
    let span = log.reader.heights[&2].block.unwrap().span;
    for at in span.offset..span.end {
        let mut wrong = bytes.clone();
        wrong[at as usize] ^= 1;
        fs::write(&segments[1], &wrong).unwrap();
        assert!(matches!(log.reader.read(Kind::Block, 2), Err(LogError::Damaged { .. })), "byte {at}");
    }
    fs::write(&segments[1], &bytes).unwrap();
    check_reads(&log, 6);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_nothing_is_taken_after_it() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2);
    let (mut log, _) = Log::open(folder.path(), CHAIN, None).unwrap();
    let whole =
        std::mem::replace(&mut log.file, fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let error = log.append(&records(2, b"block")).unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    // Not even when there is space again: what the failed write left behind is unknown.
    log.file = whole;
    assert!(matches!(log.append(&records(2, b"block")), Err(LogError::Poisoned)));
    assert!(matches!(log.sync(), Err(LogError::Poisoned)));
    drop(log);
    let (mut log, _) = Log::open(folder.path(), CHAIN, Some(1)).unwrap();
    go_on(&mut log, 2..3);
}

#[test]
fn a_block_out_of_order_is_refused_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 2);
    let (mut log, _) = Log::open(folder.path(), CHAIN, None).unwrap();
    for given in [0, 1, 3] {
        let error = log.append(&[Record::new(Kind::Block, given, b"")]).unwrap_err();
        assert!(matches!(error, LogError::Order { next: 2, .. }), "{error}");
    }
    go_on(&mut log, 2..3);
}

#[test]
fn another_chain_another_log_and_an_empty_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Log::open(folder.path(), CHAIN, None), Err(LogError::Foreign(_))));
    write(folder.path(), 1);
    let error = Log::open(folder.path(), ChainId([6; 32]), None).unwrap_err().to_string();
    assert!(error.contains("another chain"), "{error}");
    let error = Log::create(folder.path(), CHAIN).unwrap_err().to_string();
    assert!(error.contains("a block log already"), "{error}");
}
