//! Segments: a header, then records. Reading one back, and telling a torn tail from damage.

use super::record::{Checksum, Found, HEAD, Kind, TAIL, decode};
use super::{FORMAT, LogError, io};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tenor_abi::id::ChainId;
use tenor_wire::crypto::plain_hash;

const MAGIC: [u8; 8] = *b"TENORLOG";
const HEADER: usize = 8 + 4 + 32 + 8 + 32;

/// What a segment holds.
pub(super) struct Scanned {
    /// Kind, height and offset of each record.
    pub records: Vec<(Kind, u64, u64)>,
    /// Checksum that the next record goes on from.
    pub previous: Checksum,
    /// Bytes that are whole.
    pub whole: u64,
    /// Bytes of the file.
    pub length: u64,
}

pub(super) fn file_name(first_height: u64) -> String {
    format!("{first_height:020}.log")
}

/// Magic, format u32, chain id, first height u64, last checksum of the segment before.
pub(super) fn header(chain: ChainId, first_height: u64, previous: &Checksum) -> Vec<u8> {
    [&MAGIC[..], &FORMAT.to_le_bytes(), &chain.0, &first_height.to_le_bytes(), previous].concat()
}

/// What the first record goes on from.
pub(super) fn header_checksum(header: &[u8]) -> Checksum {
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

/// Reads a segment through. Only the last one may end in something that is no record.
pub(super) fn scan(
    path: &Path,
    chain: ChainId,
    before: Option<Checksum>,
    is_last: bool,
) -> Result<Scanned, LogError> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let bytes = fs::read(path).map_err(io(path.display().to_string()))?;
    check_header(&bytes, chain, before, &name)?;
    let mut scanned = Scanned {
        records: vec![],
        previous: header_checksum(&bytes[..HEADER]),
        whole: HEADER as u64,
        length: bytes.len() as u64,
    };
    let mut last_block: Option<(u64, Checksum, bool)> = None;
    let mut at = HEADER;
    while at < bytes.len() {
        let Some(found) = decode(&bytes, at, &scanned.previous) else {
            let height = scanned.records.last().map_or(0, |(_, height, _)| *height);
            let damaged = |what| LogError::Damaged { segment: name.clone(), offset: at as u64, height, what };
            if !is_last {
                return Err(damaged("a record is not what its checksum says"));
            }
            if let Some(offset) = valid_after(&bytes, at, &scanned.previous) {
                let _ = offset;
                return Err(damaged("a record is not what its checksum says, and whole records follow"));
            }
            break;
        };
        match found.kind {
            Kind::Block => last_block = Some((at as u64, scanned.previous, false)),
            Kind::Writes => last_block = last_block.map(|(offset, previous, _)| (offset, previous, true)),
            _ => {}
        }
        scanned.records.push((found.kind, found.height, at as u64));
        if found.kind != Kind::Writes {
            scanned.previous = found.checksum;
        }
        at = found.end;
        scanned.whole = at as u64;
    }
    // A block and its writes are synced together; a block alone at the end was never acknowledged.
    if let (true, Some((offset, previous, false))) = (is_last, last_block) {
        scanned.records.retain(|(_, _, at)| *at < offset);
        (scanned.previous, scanned.whole) = (previous, offset);
    }
    Ok(scanned)
}

fn check_header(bytes: &[u8], chain: ChainId, before: Option<Checksum>, name: &str) -> Result<(), LogError> {
    let damaged = |what| LogError::Damaged { segment: name.into(), offset: 0, height: 0, what };
    if bytes.len() < HEADER || bytes[..8] != MAGIC {
        return Err(damaged("it does not begin with the header of a segment"));
    }
    let format = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if format != FORMAT {
        return Err(LogError::Foreign(format!(
            "segment {name} has format {format}, this build reads {FORMAT}"
        )));
    }
    if bytes[12..44] != chain.0 {
        return Err(LogError::Foreign(format!("segment {name} is of another chain")));
    }
    match before {
        Some(previous) if bytes[52..HEADER] != previous => {
            Err(damaged("it does not follow the segment before it"))
        }
        _ => Ok(()),
    }
}

/// Whether a whole record stands anywhere after a bad one: then the bad one is no torn tail.
///
/// A record's checksum goes on from the one before it, whose checksum stands right in front of it, or from
/// the last good one where only `writes` lie between.
fn valid_after(bytes: &[u8], bad: usize, last_good: &Checksum) -> Option<usize> {
    (bad + 1..bytes.len().saturating_sub(HEAD + TAIL - 1)).find(|&offset| {
        let adjacent = bytes[..offset].last_chunk::<32>();
        let found = |previous: &Checksum| -> Option<Found> { decode(bytes, offset, previous) };
        plausible(bytes, offset) && (found(last_good).is_some() || adjacent.and_then(found).is_some())
    })
}

/// A quick look before hashing: kind and length could be those of a record.
fn plausible(bytes: &[u8], offset: usize) -> bool {
    let Some(head) = bytes[offset..].first_chunk::<HEAD>() else { return false };
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    head[4] <= Kind::Seal as u8 && head[11] == 0 && head[12] == 0 && length <= bytes.len() - offset
}

/// Writes the whole part of a segment anew and syncs it: what was only in the page cache when the process
/// before died may not be on the disk, and a sync that failed then is not told again.
pub(super) fn rewrite(path: &Path, whole: u64) -> Result<(), LogError> {
    let shown = || path.display().to_string();
    let mut bytes = fs::read(path).map_err(io(shown()))?;
    bytes.truncate(whole as usize);
    let beside = path.with_extension("rewrite");
    let mut file = File::create(&beside).map_err(io(shown()))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io(shown()))?;
    fs::rename(&beside, path).map_err(io(shown()))
}
