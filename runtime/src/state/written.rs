//! What a block wrote, taken out of its overlay when the block is over: the postings of each account, and every row in the
//! order of the keys.

use super::base::Base;
use super::cells::{Below, Cell, Cells, Now, in_order, prefetch_next, soon};
use super::namespace::Kind;
use super::overlay::Overlay;
use super::posted::{Posted, PostingRow};
use super::record::AccountRecord;
use super::stored::{ACCOUNT_BYTES_MAX, write_account};
use crate::fault::Fault;
use crate::store::{ChangeRef, Changes};
use tenor_abi::id::AccountId;

/// Bytes of a posting's row and of another one, more or less.
const POSTING_ROW_BYTES: usize = 128;
const ROW_BYTES: usize = 256;

impl Overlay<'_> {
    /// Shows the postings that were added to each account, in order, and says which accounts those are.
    pub fn posted(&self, show: impl FnMut(&PostingRow<'_>)) -> Vec<Posted> {
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
        let Cells { list, postings, accounts, .. } = &cells;
        let is_left = |place: &usize| !postings.has(*place) && list[*place].is_written();
        let (posted, places) = (postings.accounts(), in_order(list, (0..list.len()).filter(is_left)));
        let room = postings.len() * POSTING_ROW_BYTES + (posted.len() + places.len()) * ROW_BYTES;
        let mut rows = Rows::new(&cells, memory.cleared(room));
        let mut others = (0..places.len()).peekable();
        for (number, Posted { account, seen, .. }) in posted.iter().enumerate() {
            let key = (Kind::Account as u8, &account.0[..]);
            while let Some(other) = others.next_if(|other| list[places[*other]].is_before(key)) {
                rows.add(&places, other);
            }
            soon(posted, number).iter().for_each(|posted| accounts.prefetch_at(posted.seen.at));
            rows.add_posted(account, &accounts.at(seen.at).record);
        }
        others.for_each(|other| rows.add(&places, other));
        rows.done()
    }
}

/// Rows in the making.
struct Rows<'c> {
    cells: &'c Cells,
    rows: Changes,
    /// Places of those that the base was not asked about.
    unasked: Vec<usize>,
    are_postings_shown: bool,
    record: Vec<u8>,
    account: [u8; ACCOUNT_BYTES_MAX],
}

impl Rows<'_> {
    fn new(cells: &Cells, rows: Changes) -> Rows<'_> {
        let account = [0; ACCOUNT_BYTES_MAX];
        Rows { cells, rows, unasked: vec![], are_postings_shown: false, record: vec![], account }
    }

    /// Adds an account that was posted on: it counts a posting more than the base has.
    fn add_posted(&mut self, account: &AccountId, record: &AccountRecord) {
        let end = write_account(&mut self.account, record);
        self.rows.push(&[&[Kind::Account as u8], &account.0], Some(&self.account[..end]));
    }

    /// Adds what is written in the next of some other cells, unless the base has the same; postings come between.
    fn add(&mut self, places: &[usize], next: usize) {
        let Cells { list, accounts, .. } = self.cells;
        prefetch_next(list, accounts, places, next);
        let Cell { key, below, now, .. } = &list[places[next]];
        if key[0] > Kind::History as u8 {
            self.add_postings();
        }
        let value = match now {
            Now::Unwritten => return,
            Now::Value(bytes) => Some(bytes.as_slice()),
            Now::Record(held) => {
                self.record.clear();
                held.append(&mut self.record);
                Some(self.record.as_slice())
            }
            Now::Account(at) => {
                let end = write_account(&mut self.account, &accounts.at(*at).record);
                Some(&self.account[..end])
            }
            Now::Deleted => None,
        };
        let is_same = match below {
            Below::Value(bytes, _) => value == Some(&**bytes),
            Below::Nothing => value.is_none(),
            Below::Unasked | Below::Account => {
                self.unasked.push(self.rows.len());
                false
            }
        };
        if !is_same {
            self.rows.push(&[key], value);
        }
    }

    fn add_postings(&mut self) {
        if !std::mem::replace(&mut self.are_postings_shown, true) {
            self.cells.postings.show(|posting| self.rows.push_written(|row| posting.write(row)));
        }
    }

    fn done(mut self) -> (Changes, Vec<usize>) {
        self.add_postings();
        (self.rows, self.unasked)
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
