//! Postings that a block adds to one account: stored bytes one after another, in the order of their sequence.

/// Room that an account begins with: for a few postings.
const ROOM: usize = 2;
const ROOM_BYTES: usize = 80 * ROOM;

/// The postings of an account from a sequence on.
pub(super) struct Posted {
    first: u64,
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Posted {
    /// None yet; the first will have this sequence.
    pub fn from(first: u64) -> Posted {
        Posted { first, bytes: Vec::with_capacity(ROOM_BYTES), ends: Vec::with_capacity(ROOM) }
    }

    /// Adds the posting of a sequence, whose bytes come in two parts.
    ///
    /// # Panics
    /// When it is not the next one: what follows from an account's count comes in its order.
    pub fn push(&mut self, sequence: u64, parts: [&[u8]; 2]) {
        if self.ends.is_empty() {
            self.first = sequence;
        }
        assert_eq!(sequence, self.first + self.ends.len() as u64, "postings are added one by one");
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.ends.push(self.bytes.len());
    }

    /// Takes the last one back.
    pub fn pop(&mut self) {
        self.ends.pop();
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// The posting of a sequence.
    pub fn get(&self, sequence: u64) -> Option<&[u8]> {
        let place = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[start..end])
    }

    /// The sequences there are.
    pub fn sequences(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.ends.len() as u64
    }

    /// Every posting, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_are_kept_in_order_and_taken_back() {
        let mut posted = Posted::from(7);
        assert_eq!((posted.get(7), posted.sequences()), (None, 7..7));
        posted.push(7, [b"a", b"bc"]);
        posted.push(8, [b"", b""]);
        posted.push(9, [b"d", b"e"]);
        assert_eq!(posted.iter().collect::<Vec<_>>(), [&b"abc"[..], b"", b"de"]);
        assert_eq!((posted.get(6), posted.get(7), posted.get(8)), (None, Some(&b"abc"[..]), Some(&b""[..])));
        assert_eq!((posted.get(9), posted.get(10), posted.sequences()), (Some(&b"de"[..]), None, 7..10));
        posted.pop();
        posted.pop();
        posted.push(8, [b"f", b""]);
        assert_eq!((posted.get(8), posted.get(9), posted.sequences()), (Some(&b"f"[..]), None, 7..9));
    }

    #[test]
    #[should_panic(expected = "one by one")]
    fn a_gap_is_not_made() {
        let mut posted = Posted::from(0);
        posted.push(0, [b"a", b""]);
        posted.push(2, [b"b", b""]);
    }
}
