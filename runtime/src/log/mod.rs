//! The block log: append-only segments of checksummed records, the one truth on disk.
//!
//! A block exists once its record and its writes are synced here. Each record's checksum covers the one
//! before, so nothing can be changed, left out or put in between without a trace; `writes` records are
//! passed over in that chain, so that an old segment may be kept without them.

mod record;
mod segment;

pub use record::{Kind, Record};

use record::{Checksum, encode};
use segment::Scanned;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tenor_abi::id::ChainId;

/// Version of the segments' form.
pub const FORMAT: u32 = 1;
/// A segment that has reached this many bytes is sealed and the next one begun.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// Why the log cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk is full; what was not acknowledged is not there.
    #[error("the disk is full: {0}; nothing more is written until space is made and the process restarted")]
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
    /// The folder holds another chain, a newer form, or no log.
    #[error("{0}")]
    Foreign(String),
    /// An earlier write failed; what came of it is unknown until the folder is opened again.
    #[error("an earlier write to the log failed; restart to go on")]
    Poisoned,
}

/// Records of one height.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Records {
    /// Block payload.
    pub block: Vec<u8>,
    /// Write set payload; none in a segment that is kept without.
    pub writes: Option<Vec<u8>>,
    /// Certificate payload; the newest block's comes with the next sync.
    pub certificate: Option<Vec<u8>>,
}

/// What opening found at the end of the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TornTail {
    /// Bytes that were cut; none of them was acknowledged.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    segment: usize,
    offset: u64,
}

#[derive(Clone, Copy, Default, Debug)]
struct Places {
    block: Option<Place>,
    writes: Option<Place>,
    certificate: Option<Place>,
}

/// An open block log.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    chain: ChainId,
    segments: Vec<PathBuf>,
    file: File,
    length: u64,
    previous: Checksum,
    heights: BTreeMap<u64, Places>,
    poisoned: bool,
}

fn io(place: impl Into<String>) -> impl FnOnce(std::io::Error) -> LogError {
    let place = place.into();
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            LogError::Full(format!("{place}: {error}"))
        }
        _ => LogError::Io { place, error },
    }
}

fn sync_folder(folder: &Path) -> Result<(), LogError> {
    let shown = folder.display().to_string();
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(shown))
}

impl Log {
    /// Makes a log in a folder that has none.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn create(folder: &Path, chain: ChainId) -> Result<Log, LogError> {
        fs::create_dir_all(folder).map_err(io(folder.display().to_string()))?;
        let mut log = Log {
            folder: folder.into(),
            chain,
            segments: vec![],
            file: tempfile_in(folder)?,
            length: 0,
            previous: [0; 32],
            heights: BTreeMap::new(),
            poisoned: false,
        };
        log.begin_segment(0)?;
        Ok(log)
    }

    /// Opens the log of a folder; a torn tail is cut and what is whole is synced before it is believed.
    ///
    /// # Errors
    /// [`LogError::Damaged`] for damage that is not a torn tail, [`LogError::Foreign`] for another chain.
    pub fn open(folder: &Path, chain: ChainId) -> Result<(Log, TornTail), LogError> {
        let segments = segment::list(folder)?;
        let Some(last) = segments.last().cloned() else {
            return Err(LogError::Foreign(format!("{} holds no block log", folder.display())));
        };
        let mut heights: BTreeMap<u64, Places> = BTreeMap::new();
        let (mut previous, mut kept, mut torn) = ([0; 32], 0, TornTail::default());
        for (number, path) in segments.iter().enumerate() {
            let is_last = *path == last;
            let scanned = segment::scan(path, chain, (number > 0).then_some(previous), is_last)?;
            note(&mut heights, number, &scanned);
            previous = scanned.previous;
            kept = scanned.whole;
            torn.bytes = scanned.length - scanned.whole;
        }
        segment::rewrite(&last, kept)?;
        sync_folder(folder)?;
        let file =
            OpenOptions::new().read(true).append(true).open(&last).map_err(io(last.display().to_string()))?;
        let log = Log {
            folder: folder.into(),
            chain,
            segments,
            file,
            length: kept,
            previous,
            heights,
            poisoned: false,
        };
        Ok((log, torn))
    }

    /// Height of the newest block.
    pub fn tip(&self) -> Option<u64> {
        self.heights.iter().rev().find(|(_, places)| places.block.is_some()).map(|(height, _)| *height)
    }

    /// Appends records; they are not durable before [`Log::sync`].
    ///
    /// # Errors
    /// [`LogError`]; after one the log takes nothing more.
    pub fn append(&mut self, records: &[Record<'_>]) -> Result<(), LogError> {
        self.refuse_poisoned()?;
        self.poisoned = true;
        if self.length >= SEGMENT_BYTES {
            let height = records.first().map_or(0, |record| record.height);
            self.write(&Record { kind: Kind::Seal, height, payload: &[] })?;
            self.file.sync_data().map_err(io("seal"))?;
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
        self.file.sync_data().map_err(io("sync of the block log"))?;
        self.poisoned = false;
        Ok(())
    }

    /// The records of a height.
    ///
    /// # Errors
    /// [`LogError`] when they cannot be read.
    pub fn read(&self, height: u64) -> Result<Option<Records>, LogError> {
        let Some(places) = self.heights.get(&height) else { return Ok(None) };
        let Some(block) = places.block else { return Ok(None) };
        let payload = |place: Option<Place>| place.map(|place| self.payload(place)).transpose();
        Ok(Some(Records {
            block: self.payload(block)?,
            writes: payload(places.writes)?,
            certificate: payload(places.certificate)?,
        }))
    }

    fn refuse_poisoned(&self) -> Result<(), LogError> {
        if self.poisoned { Err(LogError::Poisoned) } else { Ok(()) }
    }

    fn write(&mut self, record: &Record<'_>) -> Result<(), LogError> {
        let (bytes, checksum) = encode(record, &self.previous);
        self.file.write_all(&bytes).map_err(io("write to the block log"))?;
        let place = Place { segment: self.segments.len() - 1, offset: self.length };
        put(&mut self.heights, record.kind, record.height, place);
        self.length += bytes.len() as u64;
        if record.kind != Kind::Writes {
            self.previous = checksum;
        }
        Ok(())
    }

    fn begin_segment(&mut self, first_height: u64) -> Result<(), LogError> {
        let path = self.folder.join(segment::file_name(first_height));
        let shown = path.display().to_string();
        let header = segment::header(self.chain, first_height, &self.previous);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(io(shown.clone()))?;
        file.write_all(&header).and_then(|()| file.sync_all()).map_err(io(shown))?;
        sync_folder(&self.folder)?;
        self.previous = segment::header_checksum(&header);
        self.length = header.len() as u64;
        self.segments.push(path);
        self.file = file;
        Ok(())
    }

    fn payload(&self, place: Place) -> Result<Vec<u8>, LogError> {
        let path = &self.segments[place.segment];
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(place.offset))?;
            let mut length = [0; 4];
            file.read_exact(&mut length)?;
            file.seek(SeekFrom::Current(9))?;
            let mut payload = vec![0; u32::from_le_bytes(length) as usize];
            file.read_exact(&mut payload)?;
            Ok(payload)
        };
        read().map_err(io(path.display().to_string()))
    }
}

/// A file handle to stand in until the first segment is there.
fn tempfile_in(folder: &Path) -> Result<File, LogError> {
    File::open(folder).map_err(io(folder.display().to_string()))
}

fn note(heights: &mut BTreeMap<u64, Places>, segment: usize, scanned: &Scanned) {
    for (kind, height, offset) in &scanned.records {
        put(heights, *kind, *height, Place { segment, offset: *offset });
    }
}

fn put(heights: &mut BTreeMap<u64, Places>, kind: Kind, height: u64, place: Place) {
    let places = heights.entry(height).or_default();
    match kind {
        Kind::Block => places.block = Some(place),
        Kind::Writes => places.writes = Some(place),
        Kind::Certificate => places.certificate = Some(place),
        Kind::Vote | Kind::Seal => {}
    }
}

#[cfg(test)]
mod tests;
