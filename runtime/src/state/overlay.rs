//! The overlay: every write of a block in the making, over a base that does not change.
//!
//! It is the one place where state is written. A mark can be taken before anything that may have to be rolled
//! back; forks of state (a proposal, a simulation) are overlays over the same base.

use super::namespace::{Kind, kind_of};
use super::record::{self, Record};
use crate::fault::Fault;
use crate::store::{Change, Row};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Bytes of values that an overlay remembers from its base; when there are more it begins anew.
const REMEMBERED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// State as it was after a block.
pub trait Base {
    /// The value at a full key.
    ///
    /// # Errors
    /// [`Fault`] when the store fails or the value is not what the trie says.
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// The first row at or after `from` and before `end`.
    ///
    /// # Errors
    /// As [`Base::get`].
    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault>;

    /// A row that was read is not what a leaf says: what the disk has is not believed at the next opening.
    fn distrust(&self) {}
}

/// A point that an overlay can be rolled back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark(usize);

type Written = Option<Vec<u8>>;

/// Writes over a base.
pub struct Overlay<'b> {
    base: &'b dyn Base,
    writes: BTreeMap<Vec<u8>, Written>,
    /// What stood at a key before each write: nothing written yet, or that write.
    journal: Vec<(Vec<u8>, Option<Written>)>,
    read: RefCell<Remembered>,
}

/// What the base said: it does not change under an overlay, and asking it is checking a proof.
#[derive(Default)]
struct Remembered {
    values: BTreeMap<Vec<u8>, Written>,
    bytes: usize,
}

impl Remembered {
    fn keep(&mut self, full_key: &[u8], value: Written) {
        let bytes = full_key.len() + value.as_ref().map_or(0, Vec::len);
        if self.bytes + bytes > REMEMBERED_BYTES_MAX {
            *self = Remembered::default();
        }
        self.bytes += bytes;
        self.values.insert(full_key.to_vec(), value);
    }
}

impl<'b> Overlay<'b> {
    /// An overlay without writes.
    pub fn new(base: &'b dyn Base) -> Overlay<'b> {
        Overlay { base, writes: BTreeMap::new(), journal: Vec::new(), read: RefCell::default() }
    }

    /// A row that was read is not what a leaf says: the base is not believed at the next opening.
    pub fn distrust(&self) {
        self.base.distrust();
    }

    /// The value at a full key.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn get_row(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.look(full_key, |value| value.map(<[u8]>::to_vec))
    }

    /// Whether there is a value at a full key.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn has_row(&self, full_key: &[u8]) -> Result<bool, Fault> {
        self.look(full_key, |value| value.is_some())
    }

    /// What is made of the value at a full key, where it lies.
    fn look<T>(&self, full_key: &[u8], make: impl FnOnce(Option<&[u8]>) -> T) -> Result<T, Fault> {
        if let Some(written) = self.writes.get(full_key) {
            return Ok(make(written.as_deref()));
        }
        if let Some(value) = self.read.borrow().values.get(full_key) {
            return Ok(make(value.as_deref()));
        }
        let value = self.base.get(full_key)?;
        let made = make(value.as_deref());
        self.read.borrow_mut().keep(full_key, value);
        Ok(made)
    }

    /// Writes a value, or deletes.
    pub fn set_row(&mut self, full_key: Vec<u8>, value: Option<Vec<u8>>) {
        let before = self.writes.insert(full_key.clone(), value);
        self.journal.push((full_key, before));
    }

    /// The first row at or after `from` and before `end`, writes included.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn next_row(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        if from >= end {
            return Ok(None);
        }
        let mut base_from = from.to_vec();
        let mut written =
            self.writes.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end))).peekable();
        loop {
            let below = self.base.next(&base_from, end)?;
            // Deleted rows in front of the base's next row are passed over; a written one before it wins.
            while let Some((key, value)) = written.peek() {
                if below.as_ref().is_some_and(|(b, _)| b < *key) {
                    break;
                }
                if let Some(value) = value {
                    return Ok(Some(((*key).clone(), value.clone())));
                }
                written.next();
            }
            let Some((key, value)) = below else { return Ok(None) };
            if !self.writes.contains_key(&key) {
                return Ok(Some((key, value)));
            }
            base_from = key;
            base_from.push(0);
        }
    }

    /// The record of an id.
    ///
    /// # Errors
    /// [`Fault::State`] when the stored bytes are not such a record.
    pub fn get<R: Record>(&self, key: &[u8]) -> Result<Option<R>, Fault> {
        let full = R::KIND.full_key(key);
        self.look(&full, |bytes| bytes.map(|bytes| record::from_bytes(&full, bytes)).transpose())?
    }

    /// Writes a record.
    pub fn put<R: Record>(&mut self, key: &[u8], value: &R) {
        self.set_row(R::KIND.full_key(key), Some(record::to_bytes(value)));
    }

    /// Deletes a record.
    pub fn delete(&mut self, kind: Kind, key: &[u8]) {
        self.set_row(kind.full_key(key), None);
    }

    /// A point to roll back to.
    pub fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Takes back every write since a mark.
    pub fn roll_back(&mut self, mark: Mark) {
        while self.journal.len() > mark.0 {
            let Some((key, before)) = self.journal.pop() else { return };
            match before {
                Some(written) => self.writes.insert(key, written),
                None => self.writes.remove(&key),
            };
        }
    }

    /// Every key written, with its value, in key order; a value equal to the base's is left out.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn into_writes(self) -> Result<Vec<Change>, Fault> {
        let mut changed = Vec::with_capacity(self.writes.len());
        let read = self.read.into_inner();
        for (key, value) in self.writes {
            let is_same = match read.values.get(&key) {
                Some(before) => *before == value,
                // A posting is only ever added: the base need not be asked whether it has it.
                None if kind_of(&key) == Some(Kind::History) => false,
                None => self.base.get(&key)? == value,
            };
            if !is_same {
                changed.push((key, value));
            }
        }
        Ok(changed)
    }
}

/// A base without a row.
#[cfg(test)]
pub(crate) struct Nothing;

#[cfg(test)]
impl Base for Nothing {
    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }
    fn next(&self, _: &[u8], _: &[u8]) -> Result<Option<Row>, Fault> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Rows(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Base for Rows {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
            Ok(self.0.get(key).cloned())
        }
        fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
            let mut range = self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end)));
            Ok(range.next().map(|(k, v)| (k.clone(), v.clone())))
        }
    }

    fn all(overlay: &Overlay<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let (mut rows, mut from) = (BTreeMap::new(), vec![]);
        while let Some((key, value)) = overlay.next_row(&from, &[255]).unwrap() {
            from = key.clone();
            from.push(0);
            rows.insert(key, value);
        }
        rows
    }

    proptest! {
        #[test]
        fn an_overlay_reads_like_a_map_and_rolls_back(
            base in prop::collection::btree_map(prop::collection::vec(0u8..4, 1..3), prop::collection::vec(any::<u8>(), 0..3), 0..12),
            first in prop::collection::vec((prop::collection::vec(0u8..4, 1..3), any::<Option<u8>>()), 0..20),
            second in prop::collection::vec((prop::collection::vec(0u8..4, 1..3), any::<Option<u8>>()), 0..20),
        ) {
            let rows = Rows(base.clone());
            let (mut overlay, mut model) = (Overlay::new(&rows), base);
            let write = |overlay: &mut Overlay<'_>, model: &mut BTreeMap<Vec<u8>, Vec<u8>>, list: &[(Vec<u8>, Option<u8>)]| {
                for (key, value) in list {
                    overlay.set_row(key.clone(), value.map(|v| vec![v]));
                    match value {
                        Some(v) => model.insert(key.clone(), vec![*v]),
                        None => model.remove(key),
                    };
                }
            };
            write(&mut overlay, &mut model, &first);
            prop_assert_eq!(&all(&overlay), &model);
            let (mark, kept) = (overlay.mark(), model.clone());
            write(&mut overlay, &mut model, &second);
            prop_assert_eq!(&all(&overlay), &model);
            overlay.roll_back(mark);
            prop_assert_eq!(&all(&overlay), &kept);
            let mut result = rows.0.clone();
            for (key, value) in overlay.into_writes().unwrap() {
                prop_assert_ne!(rows.0.get(&key), value.as_ref());
                match value {
                    Some(value) => result.insert(key, value),
                    None => result.remove(&key),
                };
            }
            prop_assert_eq!(result, kept);
        }
    }
}
