//! What writes lie over: the state after a block, to be read.

use crate::fault::Fault;
use crate::store::Row;

/// State as it was after a block.
pub trait Base: Sync {
    /// The value at a full key.
    ///
    /// # Errors
    /// [`Fault`] when the store fails or the value is not what the trie says.
    fn get(&self, full_key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// The values at many full keys, in order.
    ///
    /// # Errors
    /// As [`Base::get`].
    fn get_all(&self, full_keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        full_keys.iter().map(|full_key| self.get(full_key)).collect()
    }

    /// The first row at or after `from` and before `end`.
    ///
    /// # Errors
    /// As [`Base::get`].
    fn next(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, Fault>;

    /// The first rows at or after `from` and before `end`, at most so many.
    ///
    /// # Errors
    /// As [`Base::get`].
    fn next_rows(&self, from: &[u8], end: &[u8], count_max: usize) -> Result<Vec<Row>, Fault> {
        one_by_one(from, count_max, |from| self.next(from, end))
    }

    /// A row that was read is not what a leaf says, as `what` tells: what the disk has is not believed at the next opening.
    fn distrust(&self, what: &str) -> Fault {
        Fault::State(what.into())
    }
}

/// The first rows at or after `from` that are told one by one, at most so many.
pub(super) fn one_by_one(
    from: &[u8],
    count_max: usize,
    mut next: impl FnMut(&[u8]) -> Result<Option<Row>, Fault>,
) -> Result<Vec<Row>, Fault> {
    let (mut rows, mut from) = (vec![], from.to_vec());
    while rows.len() < count_max
        && let Some(row) = next(&from)?
    {
        from.clone_from(&row.0);
        from.push(0);
        rows.push(row);
    }
    Ok(rows)
}
