//! What a block wrote, taken out of its overlay when the block is over: the postings of each account, and every row in the
//! order of the keys.

use super::base::Base;
use super::cells::{Below, Cell, Cells, Now, in_order, prefetch_next};
use super::namespace::Kind;
use super::overlay::Overlay;
use super::posted::PostingRow;
use super::stored::{ACCOUNT_BYTES_MAX, write_account};
use crate::fault::Fault;
use crate::store::{ChangeRef, Changes};
use tenor_abi::id::AccountId;

/// Bytes of a posting's row and of another one, more or less.
const POSTING_ROW_BYTES: usize = 128;
const ROW_BYTES: usize = 256;

impl Overlay<'_> {
    /// Shows the postings that were added to each account, in order, and says how many there are.
    pub fn posted(&self, show: impl FnMut(&PostingRow<'_>)) -> Vec<(AccountId, u32)> {
        let mut cells = self.cells.borrow_mut();
        cells.order_postings();
        cells.postings.show(show);
        cells.postings.accounts().to_vec()
    }

    /// Every key written, with its value, in key order; a value equal to the base's is left out.
    ///
    /// # Errors
    /// [`Fault`] of the base.
    pub fn into_writes(self) -> Result<Changes, Fault> {
        let base = self.base;
        let (rows, unasked) = self.into_rows(Changes::default());
        Ok(match known_rows(base, &rows, &unasked)?.as_slice() {
            [] => rows,
            known => rows.without(known),
        })
    }

    /// As [`Overlay::into_writes`], in the memory of changes that nobody needs any more, and without asking the base: the
    /// places of those rows that it was not asked about, of which it may have some ([`known_rows`]).
    pub fn into_rows(self, memory: Changes) -> (Changes, Vec<usize>) {
        let mut cells = self.cells.into_inner();
        cells.order_postings();
        let Cells { list, postings, accounts: kept, .. } = &cells;
        let is_left = |place: &usize| list[*place].is_written() && !postings.has(*place);
        let places = in_order(list, postings.cells().chain((0..list.len()).filter(is_left)));
        let room = postings.len() * POSTING_ROW_BYTES + places.len() * ROW_BYTES;
        let (mut rows, mut record) = (memory.cleared(room), vec![]);
        let mut account = [0; ACCOUNT_BYTES_MAX];
        let show_postings =
            |rows: &mut Changes| postings.show(|posting| rows.push_written(|row| posting.write(row)));
        let (mut are_postings_shown, mut unasked) = (false, vec![]);
        for (number, &place) in places.iter().enumerate() {
            prefetch_next(list, kept, &places, number);
            let Cell { key, below, now, .. } = &list[place];
            if !are_postings_shown && key[0] > Kind::History as u8 {
                show_postings(&mut rows);
                are_postings_shown = true;
            }
            let value = match now {
                Now::Unwritten => continue,
                Now::Value(bytes) => Some(bytes.as_slice()),
                Now::Record(held) => {
                    record.clear();
                    held.append(&mut record);
                    Some(record.as_slice())
                }
                Now::Account(at) => {
                    let end = write_account(&mut account, &kept.at(*at).record);
                    Some(&account[..end])
                }
                Now::Deleted => None,
            };
            let is_same = match below {
                // It counts a posting more.
                _ if postings.has(place) => false,
                Below::Value(bytes, _) => value == Some(&**bytes),
                Below::Nothing => value.is_none(),
                Below::Unasked | Below::Account => {
                    unasked.push(rows.len());
                    false
                }
            };
            if !is_same {
                rows.push(&[key], value);
            }
        }
        if !are_postings_shown {
            show_postings(&mut rows);
        }
        (rows, unasked)
    }
}

/// Of rows at some places those that a base has already.
///
/// # Errors
/// [`Fault`] of the base.
pub fn known_rows(base: &dyn Base, rows: &Changes, places: &[usize]) -> Result<Vec<usize>, Fault> {
    let Some(last) = places.last() else { return Ok(vec![]) };
    let mut asked = places.iter().copied().peekable();
    let is_asked = |row: &(usize, _)| asked.next_if(|place| *place == row.0).is_some();
    let asked: Vec<(usize, ChangeRef<'_>)> =
        rows.iter().take(last + 1).enumerate().filter(is_asked).collect();
    let keys: Vec<&[u8]> = asked.iter().map(|(_, row)| row.0).collect();
    let there = base.get_all(&keys)?;
    let known = asked.iter().zip(there).filter(|((_, row), there)| there.as_deref() == row.1);
    Ok(known.map(|((place, _), _)| *place).collect())
}
