//! What occurrences will ask for, read on another core while those before them run.

use crate::execute::{self, BlockContext};
use crate::fault::Fault;
use crate::state::{Base, Overlay};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::thread::{Scope, ScopedJoinHandle};
use tenor_wire::block::DueItem;

/// Occurrences whose rows are read together.
const TOGETHER: usize = 512;

/// The occurrences that come next, a piece of them being read for.
pub(super) struct Ahead<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    base: &'env dyn Base,
    block: &'env BlockContext<'env>,
    /// Those that nothing was read for yet.
    waiting: VecDeque<DueItem>,
    /// How many are being read for, and what comes of it.
    underway: Option<(usize, ScopedJoinHandle<'scope, Result<Overlay<'env>, Fault>>)>,
    /// Those whose rows are at hand and whose turn has not come.
    at_hand: usize,
}

impl<'scope, 'env> Ahead<'scope, 'env> {
    /// Nothing comes yet.
    pub fn new(
        scope: &'scope Scope<'scope, 'env>,
        base: &'env dyn Base,
        block: &'env BlockContext<'env>,
    ) -> Self {
        Ahead { scope, base, block, waiting: VecDeque::new(), underway: None, at_hand: 0 }
    }

    /// These come next.
    pub fn add(&mut self, items: Vec<DueItem>) {
        self.waiting.extend(items);
    }

    /// The next one's turn comes: sees to it that its rows are at hand. How many more are now.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn go_on(&mut self, state: &mut Overlay<'_>) -> Result<usize, Fault> {
        let mut more = 0;
        if self.at_hand == 0 {
            more = match self.underway.take() {
                Some((count, reading)) => {
                    state.take_in(reading.join().unwrap_or_else(|panic| resume_unwind(panic))?);
                    count
                }
                None => {
                    let items = self.next();
                    execute::ask_ahead(state, self.block, &items)?;
                    items.len()
                }
            };
            self.at_hand = more;
            self.begin();
        }
        self.at_hand = self.at_hand.saturating_sub(1);
        Ok(more)
    }

    /// Begins to read for the next piece.
    fn begin(&mut self) {
        let (base, block, items) = (self.base, self.block, self.next());
        if items.is_empty() {
            return;
        }
        let count = items.len();
        let read = move || {
            let state = Overlay::new(base);
            execute::ask_ahead(&state, block, &items)?;
            Ok(state)
        };
        self.underway = Some((count, self.scope.spawn(read)));
    }

    fn next(&mut self) -> Vec<DueItem> {
        self.waiting.drain(..TOGETHER.min(self.waiting.len())).collect()
    }
}
