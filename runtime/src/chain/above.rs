//! The state after a block that is not committed yet: its rows over the state below.

use crate::fault::Fault;
use crate::state::Base;
use crate::store::{ChangeRef, Changes, Row};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Rows of the base that are read together where some of them are hidden.
const TOGETHER: usize = 256;

/// Rows over a base, which may take them in meanwhile: what is read is the same before and after.
pub(super) struct Above<'r> {
    rows: Vec<ChangeRef<'r>>,
    /// Where each lies, by its key; with a seed of its own, as the keys of an overlay.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    below: &'r dyn Base,
}

impl<'r> Above<'r> {
    /// What a block wrote, ascending by key, over the state before it.
    pub fn of(rows: &'r Changes, below: &'r dyn Base) -> Above<'r> {
        let (mut list, hasher) = (Vec::with_capacity(rows.len()), DefaultHashBuilder::default());
        list.extend(rows.iter());
        let mut places = HashTable::with_capacity(list.len());
        for (place, row) in (0u32..).zip(&list) {
            places.insert_unique(hasher.hash_one(row.0), place, |place| {
                hasher.hash_one(list[*place as usize].0)
            });
        }
        Above { rows: list, places, hasher, below }
    }

    fn written(&self, full_key: &[u8]) -> Option<Option<&'r [u8]>> {
        let is_meant = |place: &u32| self.rows[*place as usize].0 == full_key;
        let place = self.places.find(self.hasher.hash_one(full_key), is_meant)?;
        Some(self.rows[*place as usize].1)
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
        let written: Vec<_> = full_keys.iter().map(|key| self.written(key)).collect();
        let asked = full_keys.iter().zip(&written).filter(|(_, written)| written.is_none());
        let asked: Vec<&[u8]> = asked.map(|(key, _)| *key).collect();
        let mut found = self.below.get_all(&asked)?.into_iter();
        let value = |written: Option<Option<&[u8]>>| match written {
            Some(value) => value.map(<[u8]>::to_vec),
            None => found.next().flatten(),
        };
        Ok(written.into_iter().map(value).collect())
    }

    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault> {
        Ok(self.next_rows(from, end, 1)?.pop())
    }

    fn next_rows(&self, from: &[u8], end: &[u8], count_max: usize) -> Result<Vec<Row>, Fault> {
        let first = self.rows.partition_point(|row| row.0 < from);
        let mut written = self.rows[first..].iter().take_while(|row| row.0 < end).peekable();
        let (mut rows, mut from, mut count) = (vec![], from.to_vec(), count_max);
        let own = |row: &ChangeRef<'_>| row.1.map(|value| (row.0.to_vec(), value.to_vec()));
        while rows.len() < count_max && from.as_slice() < end {
            let below = self.below.next_rows(&from, end, count)?;
            let is_last = below.len() < count;
            from = below.last().map_or_else(Vec::new, |(key, _)| [key.as_slice(), &[0]].concat());
            for (key, value) in below {
                // What was written in front of it comes first, and what was written or deleted there hides it.
                while let Some(row) = written.next_if(|row| row.0 < key.as_slice()) {
                    rows.extend(own(row));
                }
                match written.next_if(|row| row.0 == key.as_slice()) {
                    Some(row) => rows.extend(own(row)),
                    None => rows.push((key, value)),
                }
            }
            if is_last {
                let left = count_max.saturating_sub(rows.len());
                rows.extend(written.filter_map(own).take(left));
                break;
            }
            // What was read is hidden: more of it may be.
            count = count_max.max(TOGETHER);
        }
        rows.truncate(count_max);
        Ok(rows)
    }

    fn distrust(&self, what: &str) -> Fault {
        self.below.distrust(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::ops::Bound;

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
