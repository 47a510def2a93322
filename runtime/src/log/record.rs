//! Records: length u32, kind u8, height u64 (little-endian), payload, checksum.

use crate::lanes::root_of_pieces;
use tenor_abi::id::Hash;
use tenor_wire::crypto::plain_hash;

/// A checksum: SHA3-256 over the previous one, the record's head and the root of its payload.
pub(super) type Checksum = [u8; 32];

/// Bytes before the payload.
pub(super) const HEAD: usize = 13;
/// Bytes after the payload.
pub(super) const TAIL: usize = 32;
/// Longest payload.
pub(super) const PAYLOAD_MAX: usize = 512 * 1024 * 1024;

/// What a record holds. Append only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Header, items, receipts, hash of the writes.
    Block = 0,
    /// The write set.
    Writes = 1,
    /// The certificate.
    Certificate = 2,
    /// A vote of consensus.
    Vote = 3,
    /// The end of a segment.
    Seal = 4,
}

impl Kind {
    fn of(number: u8) -> Option<Kind> {
        [Kind::Block, Kind::Writes, Kind::Certificate, Kind::Vote, Kind::Seal]
            .get(usize::from(number))
            .copied()
    }
}

/// A record to append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'p> {
    /// What it holds.
    pub kind: Kind,
    /// Of which block.
    pub height: u64,
    /// The bytes.
    pub payload: &'p [u8],
    /// The root over the bytes.
    pub root: Hash,
}

impl<'p> Record<'p> {
    /// A record of a payload whose root is not known yet.
    pub fn new(kind: Kind, height: u64, payload: &'p [u8]) -> Record<'p> {
        Record { kind, height, payload, root: root_of_pieces(payload) }
    }
}

/// What stands in front of the record's payload, and its checksum, which stands behind.
pub(super) fn head_and_checksum(record: &Record<'_>, previous: &Checksum) -> ([u8; HEAD], Checksum) {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&(record.payload.len() as u32).to_le_bytes());
    head[4] = record.kind as u8;
    head[5..].copy_from_slice(&record.height.to_le_bytes());
    let checksum = plain_hash(&[previous, &head, &record.root.0]).0;
    (head, checksum)
}

/// A record found in a segment's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub kind: Kind,
    pub height: u64,
    pub checksum: Checksum,
    /// The root over the payload.
    pub root: Hash,
    pub offset: usize,
    pub end: usize,
}

impl Found {
    /// Where its payload lies.
    pub fn payload(&self) -> std::ops::Range<usize> {
        self.offset + HEAD..self.end - TAIL
    }
}

/// The payload in the bytes of a record that was checked.
pub(super) fn payload(bytes: &[u8]) -> &[u8] {
    &bytes[HEAD..bytes.len() - TAIL]
}

/// The record at an offset, if one is there whole and under the right checksum.
pub(super) fn decode(bytes: &[u8], offset: usize, previous: &Checksum) -> Option<Found> {
    let found = recompute(bytes, offset, previous)?;
    (found.checksum == bytes[found.end - TAIL..found.end]).then_some(found)
}

/// The record that seems to be at an offset, with the checksum it should have.
pub(super) fn recompute(bytes: &[u8], offset: usize, previous: &Checksum) -> Option<Found> {
    let (kind, height, end) = seems(bytes, offset)?;
    let (head, payload) = bytes[offset..end - TAIL].split_at(HEAD);
    let root = root_of_pieces(payload);
    let checksum = plain_hash(&[previous, head, &root.0]).0;
    Some(Found { kind, height, checksum, root, offset, end })
}

/// Kind, height and end of what seems to be a record at an offset, by its first bytes alone.
pub(super) fn seems(bytes: &[u8], offset: usize) -> Option<(Kind, u64, usize)> {
    let (length, rest) = bytes.get(offset..)?.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let kind = Kind::of(*rest.first()?)?;
    let height = u64::from_le_bytes(*rest.get(1..)?.first_chunk::<8>()?);
    let end = offset + HEAD + length + TAIL;
    (length <= PAYLOAD_MAX && end <= bytes.len()).then_some((kind, height, end))
}
