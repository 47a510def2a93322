//! The state after a block that is not committed yet: its rows over the state below.

use crate::fault::Fault;
use crate::state::Base;
use crate::store::{ChangeRef, Changes, Row};
use std::ops::Bound;

/// Rows over a base, which may take them in meanwhile: what is read is the same before and after.
pub(super) struct Above<'r> {
    rows: Vec<ChangeRef<'r>>,
    below: &'r dyn Base,
}

impl<'r> Above<'r> {
    /// What a block wrote, ascending by key, over the state before it.
    pub fn of(rows: &'r Changes, below: &'r dyn Base) -> Above<'r> {
        Above { rows: rows.iter().collect(), below }
    }

    fn written(&self, full_key: &[u8]) -> Option<Option<&'r [u8]>> {
        let place = self.rows.binary_search_by(|row| row.0.cmp(full_key)).ok()?;
        self.rows.get(place).map(|row| row.1)
    }
}

impl Base for Above<'_> {
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.written(full_key) {
            Some(value) => Ok(value.map(<[u8]>::to_vec)),
            None => self.below.get(full_key),
        }
    }

    fn get_all(&self, full_keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        let asked: Vec<&[u8]> = full_keys.iter().copied().filter(|key| self.written(key).is_none()).collect();
        let mut found = self.below.get_all(&asked)?.into_iter();
        let value = |key: &&[u8]| match self.written(key) {
            Some(value) => value.map(<[u8]>::to_vec),
            None => found.next().flatten(),
        };
        Ok(full_keys.iter().map(value).collect())
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        let first = self.rows.partition_point(|row| row.0 < from);
        let written = self.rows[first..].iter().find(|row| row.1.is_some());
        let written = written.filter(|row| row.0 < end).map(|row| (row.0, row.1.unwrap_or_default()));
        let mut below_from = Bound::Included(from.to_vec());
        loop {
            let (Bound::Included(start) | Bound::Excluded(start)) = &below_from else { return Ok(None) };
            let below = self.below.next(start, end)?;
            // A written row in front of the base's wins; one that was written or deleted is not the base's to tell.
            match (below, written) {
                (Some((key, value)), written) if written.is_none_or(|row| key[..] < *row.0) => {
                    if self.written(&key).is_none() {
                        return Ok(Some((key, value)));
                    }
                    below_from = Bound::Included([&key[..], &[0]].concat());
                }
                (_, Some((key, value))) => return Ok(Some((key.to_vec(), value.to_vec()))),
                (_, None) => return Ok(None),
            }
        }
    }

    fn distrust(&self) {
        self.below.distrust();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    struct Below(Model);

    impl Base for Below {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
            Ok(self.0.get(key).cloned())
        }
        fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
            let mut range = self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(end)));
            Ok(range.next().map(|(key, value)| (key.clone(), value.clone())))
        }
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(0u8..4, 1..3)
    }

    proptest! {
        #[test]
        fn it_reads_as_the_state_after_the_block_however_much_of_it_the_base_took_in(
            before in prop::collection::btree_map(key(), prop::collection::vec(any::<u8>(), 0..3), 0..12),
            block in prop::collection::btree_map(key(), any::<Option<u8>>(), 0..12),
            taken in 0usize..12,
        ) {
            let (mut below, mut after) = (before.clone(), before);
            for (number, (key, value)) in block.iter().enumerate() {
                for model in [(number < taken).then_some(&mut below), Some(&mut after)].into_iter().flatten() {
                    match value {
                        Some(value) => _ = model.insert(key.clone(), vec![*value]),
                        None => _ = model.remove(key),
                    }
                }
            }
            let rows: Vec<_> = block.iter().map(|(key, value)| (key.clone(), value.map(|value| vec![value]))).collect();
            let (rows, below) = (Changes::from(rows), Below(below));
            let above = Above::of(&rows, &below);
            let keys: Vec<Vec<u8>> = after.keys().chain(block.keys()).chain([&vec![9]]).cloned().collect();
            let asked: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            let expected: Vec<_> = asked.iter().map(|key| after.get(*key).cloned()).collect();
            prop_assert_eq!(above.get_all(&asked).unwrap(), expected);
            let (mut read, mut from) = (Model::new(), vec![]);
            while let Some((key, value)) = above.next(&from, &[3, 3]).unwrap() {
                prop_assert_eq!(above.get(&key).unwrap(), Some(value.clone()));
                from = [key.as_slice(), &[0]].concat();
                read.insert(key, value);
            }
            after.retain(|key, _| key[..] < [3, 3][..]);
            prop_assert_eq!(read, after);
        }
    }
}
