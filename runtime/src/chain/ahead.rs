//! What occurrences will ask for, read on another core while those before them run.

use super::build::ROWS_OF_OCCURRENCE;
use crate::execute::{self, BlockContext};
use crate::fault::Fault;
use crate::state::Overlay;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::Scope;
use tenor_wire::block::DueItem;

/// Occurrences whose rows are read together: what is read is still near the processor when it is taken in and asked for.
const TOGETHER: usize = 64;

/// Pieces that are read and not taken in yet, at most: as many as a block of due occurrences has.
const PIECES_MAX: usize = 512;

/// Dropped when all was read that was asked for first: who holds the other end waits for that.
pub(super) type Reading = Sender<()>;

/// What is to be read for, and who waits until it is.
type Asked = (Vec<DueItem>, Option<Reading>);

/// What was read for so many occurrences.
type Piece<'b> = (usize, Result<Overlay<'b>, Fault>);

/// The occurrences that come next, and what is being read for them.
pub(super) struct Ahead<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    block: &'env BlockContext<'env>,
    reader: Option<(Sender<Asked>, Receiver<Piece<'env>>)>,
    /// Pieces that the reader has and did not give yet.
    underway: usize,
    /// Those whose rows are at hand and whose turn has not come.
    at_hand: usize,
}

impl<'scope, 'env> Ahead<'scope, 'env> {
    /// Nothing comes yet.
    pub fn new(scope: &'scope Scope<'scope, 'env>, block: &'env BlockContext<'env>) -> Self {
        Ahead { scope, block, reader: None, underway: 0, at_hand: 0 }
    }

    /// These come next; few are read for at once.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn add(
        &mut self,
        state: &Overlay<'env>,
        items: &[DueItem],
        mut reading: Option<Reading>,
    ) -> Result<(), Fault> {
        if items.len() <= TOGETHER {
            return execute::ask_ahead(state, self.block, items);
        }
        let (scope, block) = (self.scope, self.block);
        let (asks, _) = self.reader.get_or_insert_with(|| reader(scope, state.beside(), block));
        let mut pieces = items.chunks(TOGETHER).peekable();
        while let Some(piece) = pieces.next() {
            let waits = if pieces.peek().is_none() { reading.take() } else { None };
            // A reader that gave up is noticed when its piece is asked for.
            let _ = asks.send((piece.to_vec(), waits));
            self.underway += 1;
        }
        Ok(())
    }

    /// The next one's turn comes: what was read for it is taken in.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn go_on(&mut self, state: &mut Overlay<'_>) -> Result<(), Fault> {
        if self.at_hand == 0
            && self.underway > 0
            && let Some((_, pieces)) = &self.reader
        {
            self.underway -= 1;
            let gave_up = |_| Fault::State("the thread that reads ahead gave up".into());
            let (count, read) = pieces.recv().map_err(gave_up)?;
            state.take_in(read?);
            self.at_hand = count;
        }
        self.at_hand = self.at_hand.saturating_sub(1);
        Ok(())
    }
}

/// A thread that reads for piece after piece, until nobody takes what it gives.
fn reader<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    beside: Overlay<'env>,
    block: &'env BlockContext<'env>,
) -> (Sender<Asked>, Receiver<Piece<'env>>) {
    let (asks, asked) = mpsc::channel::<Asked>();
    let (gives, given) = mpsc::sync_channel(PIECES_MAX);
    scope.spawn(move || {
        for (items, waits) in asked {
            let mut state = beside.beside();
            state.reserve(ROWS_OF_OCCURRENCE * items.len());
            let read = execute::ask_ahead(&state, block, &items).map(|()| state);
            drop(waits);
            if gives.send((items.len(), read)).is_err() {
                break;
            }
        }
    });
    (asks, given)
}
