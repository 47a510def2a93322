//! Changed rows in their canonical bytes: written once, read where they lie.

use super::Change;
use tenor_abi::codec::CodecError;

/// Room in front of the rows for how many there are.
const HEAD_BYTES: usize = 10;

/// A changed row where it lies: full key and new value, none where it is deleted.
pub type ChangeRef<'c> = (&'c [u8], Option<&'c [u8]>);

/// Changed rows in the order in which they were added, as the codec writes a list of [`Change`].
#[derive(Clone, Debug)]
pub struct Changes {
    bytes: Vec<u8>,
    /// Where the count begins, which ends in front of the first row.
    start: usize,
    count: usize,
}

impl Changes {
    /// No rows, and room for so many bytes of them.
    pub fn with_capacity(bytes: usize) -> Changes {
        let mut changes = Changes { bytes: Vec::with_capacity(HEAD_BYTES + bytes), start: 0, count: 0 };
        changes.bytes.resize(HEAD_BYTES, 0);
        changes.set_count(0);
        changes
    }

    /// No rows, in the memory of those that were here; where there was none, with room for so many bytes.
    pub fn cleared(mut self, bytes: usize) -> Changes {
        if self.is_empty() {
            return Changes::with_capacity(bytes);
        }
        // What the next rows need more is mostly little: making room for what they may need would move what lies here.
        self.bytes.truncate(HEAD_BYTES);
        self.set_count(0);
        self
    }

    /// Adds a row, whose key comes in parts.
    pub fn push(&mut self, key: &[&[u8]], value: Option<&[u8]>) {
        write_length(&mut self.bytes, key.iter().map(|part| part.len()).sum());
        key.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write_length(&mut self.bytes, value.len());
            self.bytes.extend_from_slice(value);
        }
        self.count_one();
    }

    /// Adds a row whose canonical bytes are written where they will lie, into room for the longest; it is told how many
    /// they are.
    #[inline(always)]
    pub(crate) fn push_written<const ROOM: usize>(&mut self, write: impl FnOnce(&mut [u8; ROOM]) -> usize) {
        let start = self.bytes.len();
        self.bytes.resize(start + ROOM, 0);
        let room = self.bytes[start..].first_chunk_mut().expect("room was just made");
        let length = write(room);
        self.bytes.truncate(start + length);
        self.count_one();
    }

    fn count_one(&mut self) {
        match self.count + 1 {
            // Only the lowest seven bits change.
            count if count & 0x7f > 0 => {
                self.bytes[self.start] += 1;
                self.count = count;
            }
            count => self.set_count(count),
        }
    }

    /// The rows but for those at some places, which ascend.
    pub fn without(&self, places: &[usize]) -> Changes {
        let left = self.iter().enumerate().filter(|(place, _)| places.binary_search(place).is_err());
        left.map(|(_, row)| row).collect()
    }

    fn set_count(&mut self, count: usize) {
        let mut rest = count;
        // Seven bits a byte, at least one byte.
        let length = (usize::BITS - count.leading_zeros()).div_ceil(7).max(1) as usize;
        self.start = HEAD_BYTES - length;
        for byte in &mut self.bytes[self.start..HEAD_BYTES] {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.bytes[HEAD_BYTES - 1] &= 0x7f;
        self.count = count;
    }

    /// The rows that bytes hold.
    ///
    /// # Errors
    /// [`CodecError`] when they are not what the codec writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Changes, CodecError> {
        let mut rest = bytes;
        let count = read_length(&mut rest)?;
        let mut changes = Changes::with_capacity(rest.len());
        changes.bytes.extend_from_slice(rest);
        for _ in 0..count {
            read_row(&mut rest)?;
        }
        changes.set_count(count);
        // Lengths have one form, and nothing follows.
        if rest.is_empty() { Ok(changes) } else { Err(CodecError::NotCanonical) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Each row, in order.
    pub fn iter(&self) -> impl Iterator<Item = ChangeRef<'_>> {
        let mut rest = &self.bytes[HEAD_BYTES..];
        (0..self.count).map(move |_| read_row(&mut rest).expect("rows are read as they were written"))
    }

    /// Canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Each row by itself.
    pub fn to_vec(&self) -> Vec<Change> {
        self.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect()
    }
}

impl Default for Changes {
    fn default() -> Changes {
        Changes::with_capacity(0)
    }
}

impl PartialEq for Changes {
    fn eq(&self, other: &Changes) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Changes {}

impl<'c> FromIterator<ChangeRef<'c>> for Changes {
    fn from_iter<I: IntoIterator<Item = ChangeRef<'c>>>(rows: I) -> Changes {
        let mut changes = Changes::default();
        rows.into_iter().for_each(|(key, value)| changes.push(&[key], value));
        changes
    }
}

impl From<Vec<Change>> for Changes {
    fn from(rows: Vec<Change>) -> Changes {
        rows.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect()
    }
}

fn write_length(bytes: &mut Vec<u8>, mut rest: usize) {
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn read_row<'c>(rest: &mut &'c [u8]) -> Result<ChangeRef<'c>, CodecError> {
    let key = read_text(rest)?;
    let (is_there, behind) = rest.split_first().ok_or(CodecError::Malformed)?;
    *rest = behind;
    match is_there {
        0 => Ok((key, None)),
        1 => Ok((key, Some(read_text(rest)?))),
        _ => Err(CodecError::Malformed),
    }
}

fn read_text<'c>(rest: &mut &'c [u8]) -> Result<&'c [u8], CodecError> {
    let length = read_length(rest)?;
    let (text, behind) = rest.split_at_checked(length).ok_or(CodecError::Malformed)?;
    *rest = behind;
    Ok(text)
}

fn read_length(rest: &mut &[u8]) -> Result<usize, CodecError> {
    let mut length = 0usize;
    // Nothing that is longer than five of them say fits into bytes that are read.
    for shift in (0..35).step_by(7) {
        let (byte, behind) = rest.split_first().ok_or(CodecError::Malformed)?;
        *rest = behind;
        length |= usize::from(byte & 0x7f) << shift;
        match byte {
            0 if shift > 0 => return Err(CodecError::NotCanonical),
            0x80.. => {}
            _ => return Ok(length),
        }
    }
    Err(CodecError::Malformed)
}
