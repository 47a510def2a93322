//! Segments: a header, then records. Reading one back, and telling a torn tail from damage.

use super::record::{Checksum, HEAD, Kind, TAIL, decode, recompute, seems};
use super::{FORMAT, LogError, Position, files, io, sync_folder};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tenor_abi::id::ChainId;
use tenor_wire::crypto::plain_hash;

const MAGIC: [u8; 8] = *b"TENORLOG";
const HEADER: usize = 8 + 4 + 32 + 8 + 32;

/// Where in a segment a record stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// End of the checksum that it goes on from; the header's end stands for the header's hash.
    pub after: u64,
    /// Its first byte.
    pub offset: u64,
    /// Behind its last byte.
    pub end: u64,
}

impl Span {
    /// Where it begins and what it goes on from: with where it ends, all of it.
    pub fn before(&self) -> (u64, u64) {
        (self.after, self.offset)
    }
}

/// A record that was found in a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub kind: Kind,
    pub height: u64,
    pub span: Span,
}

/// What a segment holds.
#[derive(Default)]
pub(super) struct Scanned {
    pub records: Vec<Seen>,
    /// Checksum that the next record goes on from.
    pub previous: Checksum,
    /// Where that ends.
    pub after: u64,
    /// Bytes that are whole.
    pub whole: u64,
    /// Bytes of the file.
    pub length: u64,
}

impl Scanned {
    /// Whether the last record is a seal: nothing more goes into the segment.
    pub fn is_sealed(&self) -> bool {
        self.records.last().is_some_and(|record| record.kind == Kind::Seal)
    }
}

/// A segment that was just begun.
pub(super) struct Segment {
    pub path: PathBuf,
    pub file: File,
    pub checksum: Checksum,
    pub length: u64,
}

impl Segment {
    /// Begins a segment, durably. It gets its name when its header is on the disk, so that a segment without
    /// a whole header is damage and never the trace of a crash.
    pub fn begin(
        folder: &Path,
        chain: ChainId,
        first_height: u64,
        previous: &Checksum,
    ) -> Result<Segment, LogError> {
        let path = folder.join(file_name(first_height));
        let header = header(chain, first_height, previous);
        let file = replace(&path, &header)?;
        sync_folder(folder)?;
        Ok(Segment { path, file, checksum: header_checksum(&header), length: header.len() as u64 })
    }
}

/// Puts a file with these bytes, synced, in the place of whatever has this name; open for appending.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<File, LogError> {
    let shown = || path.display().to_string();
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().append(true).create_new(true).open(&beside).map_err(io(shown()))?;
    files::write(&mut file, &[bytes]).and_then(|()| files::sync(&file)).map_err(io(shown()))?;
    files::rename(&beside, path).map_err(io(shown()))?;
    Ok(file)
}

/// The name of the segment that begins at a height.
pub(super) fn file_name(first_height: u64) -> String {
    format!("{first_height:020}.log")
}

/// Magic, format u32, chain id, first height u64, last checksum of the segment before.
fn header(chain: ChainId, first_height: u64, previous: &Checksum) -> Vec<u8> {
    [&MAGIC[..], &FORMAT.to_le_bytes(), &chain.0, &first_height.to_le_bytes(), previous].concat()
}

/// The first height that a whole header names.
fn first_height(bytes: &[u8]) -> u64 {
    bytes.get(44..52).and_then(<[u8]>::first_chunk).map_or(0, |height| u64::from_le_bytes(*height))
}

/// What the first record goes on from.
fn header_checksum(header: &[u8]) -> Checksum {
    plain_hash(&[header]).0
}

/// The segments of a folder in order.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let shown = folder.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io(shown.clone()))? {
        let path = entry.map_err(io(shown.clone()))?.path();
        if path.extension().is_some_and(|end| end == "log") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The height that a segment's name says it begins at.
pub(super) fn first_of(path: &Path) -> u64 {
    path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).unwrap_or(0)
}

/// The first height of the segment that follows, as the seal at the end of this one says; none where it ends
/// otherwise.
pub(super) fn next_of(path: &Path) -> std::io::Result<Option<u64>> {
    let file = File::open(path)?;
    let mut seal = [0; HEAD + TAIL];
    let Some(at) = file.metadata()?.len().checked_sub(seal.len() as u64) else { return Ok(None) };
    file.read_exact_at(&mut seal, at)?;
    Ok(match seems(&seal, 0) {
        Some((Kind::Seal, height, end)) if end == seal.len() => Some(height),
        _ => None,
    })
}

/// A segment's name, for messages.
pub(super) fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Where in a segment reading begins.
pub(super) enum From<'p> {
    /// At its header, which goes on from this checksum where it is known.
    Header(Option<Checksum>),
    /// Behind a record that was whole and synced.
    Behind(&'p Position),
}

/// Reads a segment through. Only the last one may end in something that is no record.
pub(super) fn scan(path: &Path, chain: ChainId, from: &From<'_>, is_last: bool) -> Result<Scanned, LogError> {
    let name = name(path);
    let bytes = fs::read(path).map_err(io(path.display().to_string()))?;
    let before = if let From::Header(before) = from { *before } else { None };
    check_header(&bytes, chain, before, &name)?;
    // A certificate may come with the block after its own, also across two segments.
    let mut first = first_height(&bytes).saturating_sub(1);
    let mut scanned = Scanned {
        records: vec![],
        previous: header_checksum(&bytes[..HEADER]),
        after: HEADER as u64,
        whole: HEADER as u64,
        length: bytes.len() as u64,
    };
    if let From::Behind(position) = from {
        let is_there = position.offset <= scanned.length && position.after <= position.offset;
        if !is_there || checksum_at(&bytes, position.after) != position.checksum {
            return Err(LogError::Damaged {
                segment: name,
                offset: position.after.min(scanned.length),
                height: position.height,
                what: "it is not what it was when the state store saw it",
            });
        }
        (scanned.previous, scanned.after) = (position.checksum, position.after);
        (scanned.whole, first) = (position.offset, position.height);
    }
    while scanned.whole < scanned.length {
        let at = scanned.whole as usize;
        let Some(found) = decode(&bytes, at, &scanned.previous) else {
            let height = scanned.records.last().map_or(first, |record| record.height);
            let damaged = |what| LogError::Damaged { segment: name.clone(), offset: at as u64, height, what };
            if !is_last {
                return Err(damaged("a record is not what its checksum says"));
            }
            if is_followed(&bytes, at, &scanned.previous, height) {
                return Err(damaged("a record is not what its checksum says, and whole records follow"));
            }
            break;
        };
        let span = Span { after: scanned.after, offset: at as u64, end: found.end as u64 };
        scanned.records.push(Seen { kind: found.kind, height: found.height, span });
        if found.kind != Kind::Writes {
            (scanned.previous, scanned.after) = (found.checksum, span.end);
        }
        scanned.whole = span.end;
    }
    if is_last {
        drop_unfinished(&bytes, &mut scanned);
    }
    Ok(scanned)
}

/// A block and its writes are synced together: a block that ends the log without writes was never
/// acknowledged.
fn drop_unfinished(bytes: &[u8], scanned: &mut Scanned) {
    let Some(at) = scanned.records.iter().rposition(|record| record.kind == Kind::Block) else { return };
    if scanned.records[at..].iter().any(|record| record.kind == Kind::Writes) {
        return;
    }
    let span = scanned.records[at].span;
    scanned.records.truncate(at);
    (scanned.previous, scanned.after) = (checksum_at(bytes, span.after), span.after);
    scanned.whole = span.offset;
}

/// The checksum that ends at an offset.
fn checksum_at(bytes: &[u8], after: u64) -> Checksum {
    let before = &bytes[..after as usize];
    match before.last_chunk::<TAIL>() {
        Some(checksum) if before.len() > HEADER => *checksum,
        _ => header_checksum(before),
    }
}

/// The bytes of a record and the checksum that it goes on from.
pub(super) fn read(path: &Path, span: Span) -> std::io::Result<(Checksum, Vec<u8>)> {
    let mut file = File::open(path)?;
    let mut part = |from: u64, end: u64| -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; (end - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    let is_first = span.after == HEADER as u64;
    let before = part(if is_first { 0 } else { span.after - TAIL as u64 }, span.after)?;
    let previous = before.try_into().unwrap_or_else(|header: Vec<u8>| header_checksum(&header));
    Ok((previous, part(span.offset, span.end)?))
}

fn check_header(bytes: &[u8], chain: ChainId, before: Option<Checksum>, name: &str) -> Result<(), LogError> {
    let damaged = |what| LogError::Damaged { segment: name.into(), offset: 0, height: 0, what };
    if bytes.len() < HEADER || bytes[..8] != MAGIC {
        return Err(damaged("it does not begin with the header of a segment"));
    }
    let format = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if format > FORMAT {
        return Err(LogError::Newer { segment: name.into(), given: format });
    }
    if format < FORMAT {
        let text = format!("segment {name} has format {format}, from before this build's {FORMAT}");
        return Err(LogError::Foreign(text));
    }
    if bytes[12..44] != chain.0 {
        return Err(LogError::Foreign(format!("segment {name} is of another chain")));
    }
    if name != file_name(first_height(bytes)) {
        return Err(damaged("its name is not that of its first height"));
    }
    // Nothing goes before the first height; a log whose old segments were deleted begins anywhere.
    let expected = before.or((first_height(bytes) == 0).then_some([0; 32]));
    match expected {
        Some(previous) if bytes[52..HEADER] != previous => {
            Err(damaged("it does not follow the segment before it"))
        }
        _ => Ok(()),
    }
}

/// Whether a whole record stands anywhere after a bad one: then the bad one is no torn tail.
///
/// A record goes on from the checksum in front of it; or, where `writes` lie between, from the last good one;
/// or, where only the bad one's checksum is bad, from the one that it should have.
fn is_followed(bytes: &[u8], bad: usize, last_good: &Checksum, height: u64) -> bool {
    let should = recompute(bytes, bad, last_good).map(|found| found.checksum);
    // As many blocks as the rest has room for; this also keeps zeros from looking like records.
    let heights = height..=height + (bytes.len() - bad) as u64 / (HEAD + TAIL) as u64 + 1;
    (bad + 1..bytes.len()).any(|offset| {
        let seems = seems(bytes, offset).is_some_and(|(_, height, _)| heights.contains(&height));
        let before = bytes[..offset].last_chunk::<TAIL>();
        seems
            && [before, Some(last_good), should.as_ref()]
                .into_iter()
                .flatten()
                .any(|previous| decode(bytes, offset, previous).is_some())
    })
}

/// Writes the whole part of a segment anew from an offset on, over the same bytes, cuts what lies behind, and
/// syncs: what was only in the page cache when the process before died may not be on the disk, and a sync that
/// failed then is not told again. Open for appending.
pub(super) fn rewrite(path: &Path, from: u64, whole: u64) -> Result<File, LogError> {
    let shown = || path.display().to_string();
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(io(shown()))?;
    let mut bytes = vec![0; (whole - from) as usize];
    let mut again = || -> std::io::Result<()> {
        file.read_exact_at(&mut bytes, from)?;
        file.set_len(whole)?;
        file.write_all_at(&bytes, from)?;
        files::sync(&file)
    };
    again().map_err(io(shown()))?;
    OpenOptions::new().append(true).open(path).map_err(io(shown()))
}
