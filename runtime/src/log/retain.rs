//! Letting go of old segments, in a log that nobody has open: the write sets of their blocks, or all of them.
//!
//! Who calls this has read back a snapshot that stands above them. What was deleted is written down first, so that a
//! segment that is missing without that is noticed.

use super::record::Kind;
use super::segment::{self, From, Scanned};
use super::{Extent, LogError, io, sync_folder};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tenor_abi::id::ChainId;

/// The file that says at which block the log begins; without it that is block 0.
const BEGINS: &str = "begins";

/// What was let go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LetGo {
    /// Segments.
    pub segments: u64,
    /// Bytes that the disk has back.
    pub bytes: u64,
}

/// The block at which a log begins when nothing of it is missing.
fn begins(folder: &Path) -> Result<u64, LogError> {
    let path = folder.join(BEGINS);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        read => read.map_err(io(path.display().to_string()))?,
    };
    let damaged = || LogError::Foreign(format!("{} does not hold the height of a block", path.display()));
    text.trim().parse().map_err(|_| damaged())
}

/// The file that says at which block the log begins, where there is one.
pub(super) fn begins_file(folder: &Path) -> std::io::Result<Option<Extent>> {
    match File::open(folder.join(BEGINS)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        opened => {
            let file = opened?;
            Ok(Some(Extent { name: BEGINS.into(), bytes: file.metadata()?.len(), file }))
        }
    }
}

fn set_begins(folder: &Path, height: u64) -> Result<(), LogError> {
    segment::replace(&folder.join(BEGINS), format!("{height}\n").as_bytes())?;
    sync_folder(folder)
}

/// The segments of a folder in order, without those that were let go.
pub(super) fn segments(folder: &Path) -> Result<Vec<PathBuf>, LogError> {
    let begins = begins(folder)?;
    let mut segments = segment::list(folder)?;
    segments.retain(|path| segment::first_of(path) >= begins);
    Ok(segments)
}

/// What lies between a segment and the next: nothing, unless its seal names another one.
fn gap(pair: &[PathBuf]) -> Result<Option<u64>, LogError> {
    let next = segment::next_of(&pair[0]).map_err(io(pair[0].display().to_string()))?;
    Ok(next.filter(|next| *next < segment::first_of(&pair[1])))
}

/// Whether the segments of a folder are all that there should be: nothing was before the first one but what was let
/// go, and each is followed by the one that its seal names.
///
/// # Errors
/// [`LogError::Missing`] naming the first one that is not there.
pub fn check_complete(folder: &Path) -> Result<(), LogError> {
    let missing = |from| Err(LogError::Missing { segment: segment::file_name(from), from });
    let (segments, begins) = (segments(folder)?, begins(folder)?);
    match segments.first().map(|path| segment::first_of(path)) {
        None => return Err(LogError::Foreign(format!("{} holds no block log", folder.display()))),
        Some(first) if first > begins => return missing(begins),
        Some(_) => {}
    }
    for pair in segments.windows(2) {
        if let Some(from) = gap(pair)? {
            return missing(from);
        }
    }
    Ok(())
}

/// Takes it that the log begins behind what is missing of it: whoever says so has a snapshot and nothing better.
///
/// # Errors
/// [`LogError`].
pub fn begin_behind_gaps(folder: &Path) -> Result<(), LogError> {
    let segments = segments(folder)?;
    let mut first = segments.first().map_or(0, |path| segment::first_of(path));
    for pair in segments.windows(2) {
        if gap(pair)?.is_some() {
            first = segment::first_of(&pair[1]);
        }
    }
    match first > begins(folder)? {
        true => set_begins(folder, first),
        false => Ok(()),
    }
}

/// The segments that hold only blocks below a height, and the first height behind each.
fn below(folder: &Path, height: u64) -> Result<Vec<(PathBuf, u64)>, LogError> {
    let segments = segment::list(folder)?;
    let pairs = segments.windows(2).map(|pair| (pair[0].clone(), segment::first_of(&pair[1])));
    Ok(pairs.filter(|(_, next)| *next <= height).collect())
}

/// Deletes the segments that hold only blocks below a height.
///
/// # Errors
/// [`LogError`].
pub fn delete_below(folder: &Path, height: u64) -> Result<LetGo, LogError> {
    let old = below(folder, height)?;
    let Some((_, first)) = old.last() else { return Ok(LetGo::default()) };
    if *first > begins(folder)? {
        set_begins(folder, *first)?;
    }
    let mut gone = LetGo::default();
    for (path, _) in old {
        let shown = path.display().to_string();
        gone.bytes += fs::metadata(&path)
            .and_then(|file| fs::remove_file(&path).map(|()| file.len()))
            .map_err(io(shown))?;
        gone.segments += 1;
    }
    sync_folder(folder)?;
    Ok(gone)
}

/// Replaces the segments that hold only blocks below a height by copies without write sets; each is read back before
/// it takes its place. No checksum changes.
///
/// # Errors
/// [`LogError`]; what is damaged is left as it is.
pub fn strip_below(folder: &Path, chain: ChainId, height: u64) -> Result<LetGo, LogError> {
    let mut gone = LetGo::default();
    for (path, _) in below(folder, height)? {
        let whole = segment::scan(&path, chain, &From::Header(None), false)?;
        let kept = |record: &&segment::Seen| record.kind != Kind::Writes;
        if whole.records.iter().all(|record| kept(&record)) {
            continue;
        }
        let shown = path.display().to_string();
        let bytes = fs::read(&path).map_err(io(shown.clone()))?;
        let first = whole.records.first().map_or(bytes.len(), |record| record.span.offset as usize);
        let mut copy = bytes[..first].to_vec();
        for record in whole.records.iter().filter(kept) {
            copy.extend_from_slice(&bytes[record.span.offset as usize..record.span.end as usize]);
        }
        let beside = folder.join("stripped").join(segment::name(&path));
        fs::create_dir_all(folder.join("stripped")).map_err(io(shown.clone()))?;
        drop(segment::replace(&beside, &copy)?);
        let again = segment::scan(&beside, chain, &From::Header(None), false)?;
        if !is_same(&whole, &again) {
            let what = "its copy without writes reads back otherwise; it was left as it is";
            return Err(LogError::Damaged { segment: segment::name(&path), offset: 0, height, what });
        }
        fs::rename(&beside, &path).map_err(io(shown))?;
        sync_folder(folder)?;
        gone.segments += 1;
        gone.bytes += (bytes.len() - copy.len()) as u64;
    }
    let _ = fs::remove_dir(folder.join("stripped"));
    Ok(gone)
}

/// Whether a copy without writes says of everything else what the segment says.
fn is_same(whole: &Scanned, copy: &Scanned) -> bool {
    let rest = |scanned: &Scanned| {
        let rest = scanned.records.iter().filter(|record| record.kind != Kind::Writes);
        rest.map(|record| (record.kind, record.height, record.span.end - record.span.offset))
            .collect::<Vec<_>>()
    };
    whole.previous == copy.previous && rest(whole) == rest(copy)
}
