//! Reading the log: where each record stands, and what it holds.

use super::record::{Kind, decode};
use super::retain::segments;
use super::segment::{self, From, Span};
use super::{LogError, Position, io, note};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tenor_abi::id::{ChainId, Hash};

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub segment: usize,
    pub span: Span,
}

/// Where the records of each height stand.
pub(super) type Heights = BTreeMap<u64, Places>;
/// Segments whose places were looked up last, and the places.
type Looked = Vec<(usize, Arc<Heights>)>;

/// Older segments whose places are kept in memory.
const LOOKED_MAX: usize = 4;

/// The records of one height.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Places {
    pub block: Option<Place>,
    pub writes: Option<Place>,
    pub certificate: Option<Place>,
}

impl Places {
    /// The place of a kind; votes and seals are not looked up.
    fn of(&mut self, kind: Kind) -> Option<&mut Option<Place>> {
        match kind {
            Kind::Block => Some(&mut self.block),
            Kind::Writes => Some(&mut self.writes),
            Kind::Certificate => Some(&mut self.certificate),
            Kind::Vote | Kind::Seal => None,
        }
    }
}

/// Reads the records of a log. A copy shares what is known of their places, and reads what was there when it was
/// made.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) chain: ChainId,
    pub(super) segments: Vec<PathBuf>,
    pub(super) tip: Option<u64>,
    /// Of what was read at opening and written since, in the newest two segments.
    pub(super) heights: Arc<Heights>,
    /// Of older segments.
    looked: Arc<Mutex<Looked>>,
}

impl Reader {
    pub(super) fn new(chain: ChainId, segments: Vec<PathBuf>, tip: Option<u64>, heights: Heights) -> Reader {
        Reader { chain, segments, tip, heights: Arc::new(heights), looked: Arc::default() }
    }

    /// What reads the log of a folder that nobody has open, up to a block that is whole; nothing is changed.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn of(folder: &Path, chain: ChainId, tip: Option<u64>) -> Result<Reader, LogError> {
        Ok(Reader::new(chain, segments(folder)?, tip, Heights::new()))
    }

    /// Height of the oldest block.
    pub fn oldest(&self) -> u64 {
        self.segments.first().map_or(0, |path| segment::first_of(path))
    }

    /// Enters a record that was written at the end.
    pub(super) fn note(&mut self, kind: Kind, height: u64, span: Span) {
        let place = Place { segment: self.segments.len() - 1, span };
        put(Arc::make_mut(&mut self.heights), kind, height, place);
        if kind == Kind::Block {
            self.tip = Some(height);
        }
    }

    /// Goes on in a new segment: what stands before the one that is full now is looked up from here on.
    pub(super) fn begin_segment(&mut self, path: PathBuf) {
        if let Some(full) = self.segments.last() {
            let kept = Arc::make_mut(&mut self.heights).split_off(&segment::first_of(full));
            self.heights = Arc::new(kept);
        }
        // What was looked up in the newest segment was what was in it then.
        self.looked = Arc::default();
        self.segments.push(path);
    }

    /// The payload of a kind at a height: of a block, its writes (none in a segment kept without) or its
    /// certificate (the newest block's comes with the next sync).
    ///
    /// # Errors
    /// [`LogError::Damaged`] when it is no longer what its checksum says, [`LogError::Io`].
    pub fn read(&self, kind: Kind, height: u64) -> Result<Option<Vec<u8>>, LogError> {
        Ok(self.read_with_root(kind, height)?.map(|(payload, _)| payload))
    }

    /// As [`Reader::read`], and the root over the payload.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read_with_root(&self, kind: Kind, height: u64) -> Result<Option<(Vec<u8>, Hash)>, LogError> {
        let Some(Place { segment, span }) = self.find(kind, height)? else { return Ok(None) };
        let path = &self.segments[segment];
        let (previous, bytes) = segment::read(path, span).map_err(io(path.display().to_string()))?;
        match decode(&bytes, 0, &previous) {
            Some(found) if (found.kind, found.height) == (kind, height) => {
                Ok(Some((bytes[found.payload()].to_vec(), found.root)))
            }
            _ => Err(LogError::Damaged {
                segment: segment::name(path),
                offset: span.offset,
                height: height.saturating_sub(1),
                what: "a record is not what its checksum says",
            }),
        }
    }

    /// As [`super::Log::position_behind`].
    pub(super) fn position_behind(&self, height: u64) -> Result<Option<Position>, LogError> {
        let (Some(block), Some(writes)) = (self.find(Kind::Block, height)?, self.find(Kind::Writes, height)?)
        else {
            return Ok(None);
        };
        let path = &self.segments[block.segment];
        let after = Span { after: block.span.end, offset: block.span.end, end: block.span.end };
        let (checksum, _) = segment::read(path, after).map_err(io(path.display().to_string()))?;
        let (segment, block) = (segment::first_of(path), block.span.before());
        Ok(Some(Position { segment, block, offset: writes.span.end, after: after.end, checksum, height }))
    }

    /// Where a record stands: known, or found by reading the segment that it must be in.
    fn find(&self, kind: Kind, height: u64) -> Result<Option<Place>, LogError> {
        if let Some(place) = self.heights.get(&height).and_then(|places| *places.clone().of(kind)?) {
            return Ok(Some(place));
        }
        if self.tip.is_none_or(|tip| height > tip) {
            return Ok(None);
        }
        let behind = self.segments.partition_point(|path| segment::first_of(path) <= height);
        // The certificate of a segment's last block stands in the next one.
        let last = if kind == Kind::Certificate { behind + 1 } else { behind };
        for number in behind.saturating_sub(1)..last.min(self.segments.len()) {
            let places = self.places_of(number)?;
            if let Some(place) = places.get(&height).and_then(|places| *places.clone().of(kind)?) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The places of a segment, read through unless that was done lately.
    fn places_of(&self, number: usize) -> Result<Arc<Heights>, LogError> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = looked.iter().position(|(known, _)| *known == number) {
            let known = looked.remove(at);
            looked.push(known.clone());
            return Ok(known.1);
        }
        let path = &self.segments[number];
        let is_last = number + 1 == self.segments.len();
        let scanned = segment::scan(path, self.chain, &From::Header(None), is_last)?;
        let mut heights = Heights::new();
        note(&mut heights, &mut None, number, path, &scanned)?;
        let heights = Arc::new(heights);
        if looked.len() == LOOKED_MAX {
            looked.remove(0);
        }
        looked.push((number, Arc::clone(&heights)));
        Ok(heights)
    }
}

/// Enters where a record stands.
pub(super) fn put(heights: &mut Heights, kind: Kind, height: u64, place: Place) {
    if let Some(at) = heights.entry(height).or_default().of(kind) {
        *at = Some(place);
    }
}
