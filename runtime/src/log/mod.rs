//! The block log: append-only segments of checksummed records, the one truth on disk.
//!
//! A block exists once its record and its writes are synced here. Each record's checksum covers the one
//! before, so nothing can be changed, left out or put in between without a trace; `writes` records are
//! passed over in that chain, so that an old segment may be kept without them.

mod files;
mod record;
mod segment;
mod reader;
mod retain;

pub(crate) use files::write_at;
pub use reader::Reader;
pub use record::{Kind, Record};
pub use retain::{LetGo, begin_behind_gaps, check_complete, delete_below, strip_below};

use crate::fault::Fault;
use reader::{Heights, Place, put};
use record::{Checksum, PAYLOAD_MAX, head_and_checksum};
use segment::{From, Scanned, Segment, Span};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tenor_abi::id::ChainId;

/// Version of the segments' form.
pub const FORMAT: u32 = 2;
/// A segment that has reached this many bytes is sealed and the next one begun.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes synced at once from which on the system need not keep them in memory: a long block is read seldom, and the next
/// one is copied into the same memory.
const LONG_BYTES: u64 = 4 * 1024 * 1024;

/// Why the log cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk is full; what was not acknowledged is not there.
    #[error("the disk is full: {0}; nothing more is written")]
    Full(String),
    /// The file system failed.
    #[error("{place}: {error}")]
    Io {
        /// What was done.
        place: String,
        /// What it said.
        error: std::io::Error,
    },
    /// A record in the middle is damaged.
    #[error("segment {segment} is damaged at offset {offset}, after height {height}: {what}")]
    Damaged {
        /// File name.
        segment: String,
        /// Offset of the first bad record.
        offset: u64,
        /// Last height that is whole.
        height: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// No segment holds these blocks.
    #[error("the segment {segment}, which begins at block {from}, is missing")]
    Missing {
        /// File name of a segment that would hold the first one.
        segment: String,
        /// The first block that is missing.
        from: u64,
    },
    /// It ends below a block that it had.
    #[error("the log ends at block {tip}, and the state store or a snapshot in the folder is of block {had}")]
    Short {
        /// Its newest block.
        tip: u64,
        /// Height of the block that was in it.
        had: u64,
    },
    /// A newer build wrote it.
    #[error("segment {segment} has format {given}, this build reads {FORMAT}")]
    Newer {
        /// File name.
        segment: String,
        /// Its format.
        given: u32,
    },
    /// The folder holds another chain, or no log.
    #[error("{0}")]
    Foreign(String),
    /// A block that is not the next one.
    #[error("block {given} was to be written, the next one is {next}")]
    Order {
        /// Height given.
        given: u64,
        /// Height that would be right.
        next: u64,
    },
    /// A payload longer than any reader takes.
    #[error("a record of {given} bytes was to be written, at most {PAYLOAD_MAX} are read back")]
    TooLong {
        /// Bytes given.
        given: usize,
    },
    /// An earlier write failed; what came of it is unknown until the folder is opened again.
    #[error("an earlier write to the log failed")]
    Poisoned,
}

impl LogError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            LogError::Full(_) => "make space on the disk, then start again",
            LogError::Io { .. } | LogError::Poisoned => "see to the disk, then start again",
            LogError::Damaged { .. } => {
                "copy the segment back from a backup, or restore the backup into another folder"
            }
            LogError::Missing { .. } => {
                "copy the segment back from a backup; where there is none, `tenor doctor --rebuild` goes on from a snapshot"
            }
            LogError::Short { .. } => {
                "copy the log's segments back from a backup, or restore the backup into another folder; where `state` or the newest snapshot came here from elsewhere, move it away"
            }
            LogError::Newer { .. } => "use the newer build that wrote it",
            LogError::Foreign(_) => "name the folder of this chain, or copy its log back from a backup",
            LogError::Order { .. } | LogError::TooLong { .. } => "report it: this is no fault of the folder",
        }
    }
}

impl std::convert::From<LogError> for Fault {
    fn from(error: LogError) -> Fault {
        let text = format!("{error}; {}", error.remedy());
        match error {
            LogError::Damaged { .. }
            | LogError::Missing { .. }
            | LogError::Short { .. }
            | LogError::Newer { .. }
            | LogError::Foreign(_)
            | LogError::Order { .. } => Fault::Log(text),
            _ => Fault::Storage(text),
        }
    }
}

/// A place behind a block's records. What is synced up to it need not be read again at the next opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
pub struct Position {
    /// First height of its segment.
    segment: u64,
    /// What the block's record goes on from, and where it begins.
    block: (u64, u64),
    /// The first byte behind it.
    offset: u64,
    /// End of the checksum that the next record goes on from, and that checksum.
    after: u64,
    checksum: Checksum,
    /// Height of the block.
    height: u64,
}

impl Position {
    /// Height of the newest block before it.
    pub fn height(&self) -> u64 {
        self.height
    }
}

/// What opening found at the end of the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TornTail {
    /// File name of the newest segment.
    pub segment: String,
    /// Where what is whole of it ends.
    pub offset: u64,
    /// Bytes behind that: after a crash none of them was acknowledged.
    pub bytes: u64,
    /// Height of the newest block that is whole.
    pub height: u64,
}

impl std::fmt::Display for TornTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let TornTail { segment, offset, bytes, height } = self;
        write!(
            f,
            "segment {segment} ends at offset {offset} in {bytes} bytes that are no whole record, after block {height}"
        )
    }
}

/// Where opening begins to read.
enum Start<'p> {
    /// With the first segment.
    First,
    /// Behind a position.
    Behind(&'p Position),
    /// With the segment that holds the block of a height.
    At(u64),
}

/// A segment as a survey saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Surveyed {
    /// File name.
    pub name: String,
    /// Height of its first block.
    pub first: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What reading every segment through found; nothing was changed.
#[derive(Debug, Default)]
pub struct Survey {
    /// The segments in order.
    pub segments: Vec<Surveyed>,
    /// Height of the newest block that is whole.
    pub tip: Option<u64>,
    /// What the next opening cuts off the end.
    pub torn: TornTail,
    /// What is wrong, segment by segment.
    pub damage: Vec<LogError>,
}

/// A segment of a log that may go on, and how much of it counts.
#[derive(Debug)]
pub struct Extent {
    /// File name.
    pub name: String,
    /// The file, open to be read from its beginning.
    pub file: File,
    /// Bytes of it that count.
    pub bytes: u64,
}

/// An open block log.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    reader: Reader,
    file: File,
    /// Bytes of the newest segment.
    length: u64,
    /// Up to where they were synced, or found at opening.
    synced: u64,
    /// The newest segment's last record is a seal.
    sealed: bool,
    /// What the next record goes on from, and where in the newest segment that ends.
    previous: Checksum,
    after: u64,
    segment_bytes: u64,
    poisoned: bool,
}

fn io(place: impl Into<String>) -> impl FnOnce(std::io::Error) -> LogError {
    let place = place.into();
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull
        | std::io::ErrorKind::QuotaExceeded
        | std::io::ErrorKind::FileTooLarge => LogError::Full(format!("{place}: {error}")),
        _ => LogError::Io { place, error },
    }
}

fn sync_folder(folder: &Path) -> Result<(), LogError> {
    let shown = folder.display().to_string();
    File::open(folder).and_then(|folder| files::sync(&folder)).map_err(io(shown))
}

impl Log {
    /// Makes a log in a folder that has none.
    ///
    /// # Errors
    /// [`LogError::Foreign`] when the folder holds a log already; [`LogError`] when it cannot be written.
    pub fn create(folder: &Path, chain: ChainId) -> Result<Log, LogError> {
        fs::create_dir_all(folder).map_err(io(folder.display().to_string()))?;
        if !segment::list(folder)?.is_empty() {
            return Err(LogError::Foreign(format!("{} holds a block log already", folder.display())));
        }
        let first = Segment::begin(folder, chain, 0, &[0; 32])?;
        Ok(Log {
            folder: folder.into(),
            reader: Reader::new(chain, vec![first.path], None, Heights::new()),
            file: first.file,
            length: first.length,
            synced: first.length,
            sealed: false,
            previous: first.checksum,
            after: first.length,
            segment_bytes: SEGMENT_BYTES,
            poisoned: false,
        })
    }

    /// Opens the log of a folder and reads all of it; a torn tail is cut and what is whole is synced before it is
    /// believed.
    ///
    /// `keep` is a height that is known to have been synced, where one is known (the state store's mark, a
    /// snapshot): a log that ends below it is damaged, and is left as it is.
    ///
    /// # Errors
    /// [`LogError::Damaged`] for damage that is not a torn tail, [`LogError::Short`] for an end below `keep`,
    /// [`LogError::Foreign`] for another chain.
    pub fn open(folder: &Path, chain: ChainId, keep: Option<u64>) -> Result<(Log, TornTail), LogError> {
        Log::read_from(folder, chain, &Start::First, keep)
    }

    /// Opens the log of a folder and reads only what lies behind a position. `keep` as in [`Log::open`].
    ///
    /// # Errors
    /// As [`Log::open`]; also [`LogError::Damaged`] when the log is not what it was when the position was taken.
    pub fn open_at(
        folder: &Path,
        chain: ChainId,
        position: &Position,
        keep: Option<u64>,
    ) -> Result<(Log, TornTail), LogError> {
        Log::read_from(folder, chain, &Start::Behind(position), keep.max(Some(position.height)))
    }

    /// Opens the log of a folder and reads it from the segment on that holds the block of a height; what lies
    /// before may be missing. `keep` as in [`Log::open`].
    ///
    /// # Errors
    /// As [`Log::open`]; [`LogError::Missing`] when the log begins behind that block.
    pub fn open_from(
        folder: &Path,
        chain: ChainId,
        height: u64,
        keep: Option<u64>,
    ) -> Result<(Log, TornTail), LogError> {
        Log::read_from(folder, chain, &Start::At(height), keep)
    }

    /// The first heights of the segments in a folder.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn firsts(folder: &Path) -> Result<Vec<u64>, LogError> {
        Ok(retain::segments(folder)?.iter().map(|path| segment::first_of(path)).collect())
    }

    /// Reads every segment of a folder through and changes nothing; `progress` is told how many of them.
    ///
    /// # Errors
    /// [`LogError::Io`], and [`LogError::Foreign`] when there is none; damage is in the result.
    pub fn survey(
        folder: &Path,
        chain: ChainId,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Survey, LogError> {
        let paths = retain::segments(folder)?;
        let (mut survey, mut previous, mut sealed) = (Survey::default(), None, false);
        if let Err(missing @ LogError::Missing { .. }) = check_complete(folder) {
            survey.damage.push(missing);
        }
        for (number, path) in paths.iter().enumerate() {
            let (name, first) = (segment::name(path), segment::first_of(path));
            let bytes = fs::metadata(path).map_err(io(path.display().to_string()))?.len();
            survey.segments.push(Surveyed { name, first, bytes });
            if let Err(missing) = follows(sealed, survey.tip, path) {
                // One was told above.
                if survey.damage.is_empty() {
                    survey.damage.push(missing);
                }
                (previous, survey.tip) = (None, None);
            }
            sealed = false;
            let is_last = number + 1 == paths.len();
            let scanned = segment::scan(path, chain, &From::Header(previous.take()), is_last);
            let noted = scanned.and_then(|scanned| {
                note(&mut Heights::new(), &mut survey.tip, number, path, &scanned)?;
                survey.torn = torn(path, &scanned, survey.tip);
                (previous, sealed) = (Some(scanned.previous), scanned.is_sealed());
                Ok(())
            });
            match noted {
                Err(error @ LogError::Io { .. }) => return Err(error),
                Err(damage) => {
                    survey.damage.push(damage);
                    survey.tip =
                        paths.get(number + 1).and_then(|next| segment::first_of(next).checked_sub(1));
                }
                Ok(()) => {}
            }
            progress(number as u64 + 1, paths.len() as u64);
        }
        if paths.is_empty() {
            return Err(LogError::Foreign(format!("{} holds no block log", folder.display())));
        }
        Ok(survey)
    }

    /// The payload of a kind at a height, from a folder that nobody has open; nothing is changed.
    ///
    /// # Errors
    /// As [`Log::open_from`].
    pub fn peek(folder: &Path, chain: ChainId, kind: Kind, height: u64) -> Result<Option<Vec<u8>>, LogError> {
        let segments = retain::segments(folder)?;
        let behind = segments.partition_point(|path| segment::first_of(path) <= height);
        let Some(number) = behind.checked_sub(1) else { return Ok(None) };
        let (path, is_last) = (&segments[number], behind == segments.len());
        let scanned = segment::scan(path, chain, &From::Header(None), is_last)?;
        let found = scanned.records.iter().find(|record| (record.kind, record.height) == (kind, height));
        let Some(found) = found else { return Ok(None) };
        let (_, bytes) = segment::read(path, found.span).map_err(io(path.display().to_string()))?;
        Ok(Some(record::payload(&bytes).to_vec()))
    }

    fn read_from(
        folder: &Path,
        chain: ChainId,
        start: &Start<'_>,
        keep: Option<u64>,
    ) -> Result<(Log, TornTail), LogError> {
        let position = if let Start::Behind(position) = start { Some(*position) } else { None };
        let segments = retain::segments(folder)?;
        let Some(last) = segments.last().cloned() else {
            return Err(LogError::Foreign(format!("{} holds no block log", folder.display())));
        };
        let first = match start {
            Start::First => 0,
            Start::At(height) => {
                let behind = segments.partition_point(|path| segment::first_of(path) <= *height);
                let missing = LogError::Missing { segment: segment::file_name(*height), from: *height };
                behind.checked_sub(1).ok_or(missing)?
            }
            Start::Behind(position) => {
                let name = segment::file_name(position.segment);
                let found = segments.iter().position(|path| segment::name(path) == name);
                found.ok_or(LogError::Damaged {
                    segment: name,
                    offset: 0,
                    height: position.height,
                    what: "it is missing, and the state store has seen it",
                })?
            }
        };
        let mut heights = Heights::new();
        if let Some(position) = position {
            let ((after, offset), end) = (position.block, position.after);
            let place = Place { segment: first, span: Span { after, offset, end } };
            put(&mut heights, Kind::Block, position.height, place);
        }
        let mut tip = position.map(|position| position.height);
        let mut end = Scanned::default();
        for (number, path) in segments.iter().enumerate().skip(first) {
            let from = match position.filter(|_| number == first) {
                Some(position) => From::Behind(position),
                None => From::Header((number > first).then_some(end.previous)),
            };
            follows(end.is_sealed(), tip, path)?;
            end = segment::scan(path, chain, &from, *path == last)?;
            note(&mut heights, &mut tip, number, path, &end)?;
        }
        if let Some(had) = keep.filter(|keep| tip.is_none_or(|tip| tip < *keep)) {
            return Err(LogError::Short { tip: tip.unwrap_or(0), had });
        }
        let synced = position.filter(|_| first + 1 == segments.len()).map_or(0, |position| position.offset);
        let torn = torn(&last, &end, tip);
        let file = segment::rewrite(&last, synced, end.whole)?;
        sync_folder(folder)?;
        let log = Log {
            folder: folder.into(),
            reader: Reader::new(chain, segments, tip, heights),
            file,
            length: end.whole,
            synced: end.whole,
            sealed: end.is_sealed(),
            previous: end.previous,
            after: end.after,
            segment_bytes: SEGMENT_BYTES,
            poisoned: false,
        };
        Ok((log, torn))
    }

    /// The chain that it was begun with.
    pub fn chain(&self) -> ChainId {
        self.reader.chain
    }

    /// Height of the newest block.
    pub fn tip(&self) -> Option<u64> {
        self.reader.tip
    }

    /// What reads it; a copy of that goes on reading what is there now while blocks go on.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The place behind a block and its writes; none when there is no such block.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn position_behind(&self, height: u64) -> Result<Option<Position>, LogError> {
        if self.tip() == Some(height) && self.ends_with_writes(height) {
            let segment = self.reader.segments.last().map_or(0, |path| segment::first_of(path));
            let block = self.reader.heights.get(&height).and_then(|places| places.block);
            let block = block.map(|place| place.span.before()).unwrap_or_default();
            let (offset, after, checksum) = (self.length, self.after, self.previous);
            return Ok(Some(Position { segment, block, offset, after, checksum, height }));
        }
        self.reader.position_behind(height)
    }

    /// What there is of the log now: its segments, open to be read, and how much of each counts. It stays readable
    /// while blocks go on and when old segments are deleted.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn extent(&self) -> Result<Vec<Extent>, LogError> {
        let last = self.reader.segments.len() - 1;
        let extent = |(number, path): (usize, &PathBuf)| {
            let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
            let (length, file) = opened.map_err(io(path.display().to_string()))?;
            let bytes = if number == last { self.length } else { length };
            Ok(Extent { name: segment::name(path), file, bytes })
        };
        let begins = retain::begins_file(&self.folder).map_err(io(self.folder.display().to_string()))?;
        let segments = self.reader.segments.iter().enumerate().map(extent);
        begins.map(Ok).into_iter().chain(segments).collect()
    }

    /// Appends records; they are not durable before [`Log::sync`].
    ///
    /// # Errors
    /// [`LogError::Order`] and [`LogError::TooLong`] before anything is written; after any other the log takes
    /// nothing more.
    pub fn append(&mut self, records: &[Record<'_>]) -> Result<(), LogError> {
        self.refuse_poisoned()?;
        if let Some(record) = records.iter().find(|record| record.payload.len() > PAYLOAD_MAX) {
            return Err(LogError::TooLong { given: record.payload.len() });
        }
        let block = records.iter().find(|record| record.kind == Kind::Block).map(|block| block.height);
        let next = self.tip().map(|tip| tip + 1);
        if let (Some(given), Some(next)) = (block, next)
            && given != next
        {
            return Err(LogError::Order { given, next });
        }
        self.poisoned = true;
        // A segment is named by its first block, so only a block begins one.
        if let Some(height) = block
            && (self.sealed || self.length >= self.segment_bytes)
        {
            self.begin_segment(height)?;
        }
        records.iter().try_for_each(|record| self.write(record))?;
        self.poisoned = false;
        Ok(())
    }

    /// Makes everything appended durable. Only then may anybody be told of it.
    ///
    /// # Errors
    /// [`LogError`]; after one the log takes nothing more, since what is on the disk is unknown.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.refuse_poisoned()?;
        self.poisoned = true;
        files::sync_data(&self.file).map_err(io("sync of the block log"))?;
        if self.length - self.synced >= LONG_BYTES {
            files::let_go(&self.file, self.synced..self.length);
        }
        self.synced = self.length;
        self.poisoned = false;
        Ok(())
    }

    /// Whether the newest record is the writes of a block.
    fn ends_with_writes(&self, height: u64) -> bool {
        let places = self.reader.heights.get(&height);
        places.and_then(|places| places.writes).is_some_and(|place| place.span.end == self.length)
    }

    fn refuse_poisoned(&self) -> Result<(), LogError> {
        if self.poisoned { Err(LogError::Poisoned) } else { Ok(()) }
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), LogError> {
        let (head, checksum) = head_and_checksum(record, &self.previous);
        let parts = [&head, record.payload, &checksum];
        files::write(&mut self.file, &parts).map_err(io("write to the block log"))?;
        let end = self.length + parts.iter().map(|part| part.len() as u64).sum::<u64>();
        let span = Span { after: self.after, offset: self.length, end };
        self.reader.note(record.kind, record.height, span);
        self.length = end;
        self.sealed = record.kind == Kind::Seal;
        if record.kind != Kind::Writes {
            (self.previous, self.after) = (checksum, end);
        }
        Ok(())
    }

    fn begin_segment(&mut self, first_height: u64) -> Result<(), LogError> {
        if !self.sealed {
            self.write(&Record::new(Kind::Seal, first_height, &[]))?;
        }
        files::sync_data(&self.file).map_err(io("seal of a segment"))?;
        let next = Segment::begin(&self.folder, self.reader.chain, first_height, &self.previous)?;
        (self.previous, self.after) = (next.checksum, next.length);
        (self.length, self.synced) = (next.length, next.length);
        self.reader.begin_segment(next.path);
        self.file = next.file;
        self.sealed = false;
        Ok(())
    }
}

/// What the newest segment ends in.
fn torn(path: &Path, scanned: &Scanned, tip: Option<u64>) -> TornTail {
    TornTail {
        segment: segment::name(path),
        offset: scanned.whole,
        bytes: scanned.length - scanned.whole,
        height: tip.unwrap_or(0),
    }
}

/// Whether a segment begins with the block behind the newest one before it, where the segment before is whole.
fn follows(sealed: bool, tip: Option<u64>, path: &Path) -> Result<(), LogError> {
    match tip {
        Some(tip) if sealed && segment::first_of(path) > tip + 1 => {
            Err(LogError::Missing { segment: segment::file_name(tip + 1), from: tip + 1 })
        }
        _ => Ok(()),
    }
}

/// Enters a segment's records; blocks follow one another without a gap.
fn note(
    heights: &mut Heights,
    tip: &mut Option<u64>,
    number: usize,
    path: &Path,
    scanned: &Scanned,
) -> Result<(), LogError> {
    for record in &scanned.records {
        if record.kind == Kind::Block {
            if let Some(before) = tip.filter(|tip| record.height != tip + 1) {
                return Err(LogError::Damaged {
                    segment: segment::name(path),
                    offset: record.span.offset,
                    height: before,
                    what: "a block does not follow the one before it",
                });
            }
            *tip = Some(record.height);
        }
        put(heights, record.kind, record.height, Place { segment: number, span: record.span });
    }
    Ok(())
}

#[cfg(test)]
impl Log {
    /// The log with another length at which a segment is full.
    pub(crate) fn with_segments_of(self, segment_bytes: u64) -> Log {
        Log { segment_bytes, ..self }
    }
}

#[cfg(test)]
pub(crate) use files::{By, fail_at, failed};

#[cfg(test)]
mod tests;
