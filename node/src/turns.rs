//! Turns: who reads when, so that nobody who asks for much keeps others waiting.
//!
//! Each customer and each other token has a share of the readers and of the bytes that wait to be sent; what is beyond
//! waits in a queue of their own, and of the queues one after the other is served.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenor_abi::id::PartyId;
use tokio::sync::oneshot;

/// Whose a share is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Who {
    /// A customer's, whichever token is shown.
    Customer(PartyId),
    /// Another token's; none in an open sandbox.
    Token(Option<String>),
}

/// How much somebody may have at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Readers at work.
    pub readers: usize,
    /// Requests that wait for a turn; at least 1.
    pub waiting: usize,
    /// Bytes of answers that are not sent, beyond which nothing more is read.
    pub unsent_bytes: usize,
}

/// The shares of all.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Readers that there are.
    pub readers: usize,
    /// What a customer may have.
    pub customer: Share,
    /// What another token may have.
    pub token: Share,
}

/// As many wait as may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

/// The turns of a node.
#[derive(Debug)]
pub struct Turns {
    shares: Shares,
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    at_work: usize,
    all: BTreeMap<Who, Own>,
    /// Who was served last; the next turn is looked for behind.
    last: Option<Who>,
}

#[derive(Debug, Default)]
struct Own {
    at_work: usize,
    unsent_bytes: usize,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

impl Own {
    /// Whether somebody waits who may read now. Who has gone waits no more.
    fn may(&mut self, share: &Share) -> bool {
        while self.waiting.front().is_some_and(oneshot::Sender::is_closed) {
            self.waiting.pop_front();
        }
        !self.waiting.is_empty() && self.at_work < share.readers && self.unsent_bytes < share.unsent_bytes
    }

    fn is_nothing(&self) -> bool {
        self.at_work == 0 && self.unsent_bytes == 0 && self.waiting.is_empty()
    }
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    who: Who,
}

/// Bytes of an answer, until they are sent and this is dropped.
#[derive(Debug)]
pub struct Unsent {
    turns: Arc<Turns>,
    who: Who,
    bytes: usize,
}

impl Turns {
    /// Turns at so many readers.
    pub fn new(shares: Shares) -> Turns {
        Turns { shares, content: Mutex::default() }
    }

    /// Queues for a turn, which may come at once; whoever drops what is given back is no longer there. `patient` waits
    /// behind however many.
    ///
    /// # Errors
    /// [`Busy`].
    pub fn queue(self: &Arc<Self>, who: Who, patient: bool) -> Result<oneshot::Receiver<Turn>, Busy> {
        let (teller, turn) = oneshot::channel();
        let most = self.share(&who).waiting;
        let mut content = self.content();
        let own = content.all.entry(who).or_default();
        own.waiting.retain(|waiting| !waiting.is_closed());
        // Where somebody waits, nobody of this share may read now.
        if own.waiting.len() >= most && !patient {
            return Err(Busy);
        }
        own.waiting.push_back(teller);
        drop(content);
        self.serve();
        Ok(turn)
    }

    /// Counts bytes of an answer.
    pub fn unsent(self: &Arc<Self>, who: Who, bytes: usize) -> Unsent {
        self.content().all.entry(who.clone()).or_default().unsent_bytes += bytes;
        Unsent { turns: Arc::clone(self), who, bytes }
    }

    fn share(&self, who: &Who) -> &Share {
        match who {
            Who::Customer(_) => &self.shares.customer,
            Who::Token(_) => &self.shares.token,
        }
    }

    /// Gives out every turn that there is.
    fn serve(self: &Arc<Self>) {
        while let Some((teller, turn)) = self.next() {
            // Who has gone just now gives it back.
            let _ = teller.send(turn);
        }
    }

    fn next(self: &Arc<Self>) -> Option<(oneshot::Sender<Turn>, Turn)> {
        let mut content = self.content();
        let content = &mut *content;
        if content.at_work >= self.shares.readers {
            return None;
        }
        let behind = content.last.clone().map_or(Unbounded, Excluded);
        let mut found = None;
        for from in [behind, Unbounded] {
            let mut all = content.all.range_mut((from, Unbounded));
            found = all.find_map(|(who, own)| own.may(self.share(who)).then(|| who.clone()));
            if found.is_some() {
                break;
            }
        }
        let who = found?;
        let own = content.all.get_mut(&who)?;
        let teller = own.waiting.pop_front()?;
        own.at_work += 1;
        content.at_work += 1;
        content.last = Some(who.clone());
        Some((teller, Turn { turns: Arc::clone(self), who }))
    }

    /// Takes something back, and gives out what it lets others have.
    fn back(self: &Arc<Self>, who: &Who, back: impl FnOnce(&mut Own)) {
        let mut content = self.content();
        if let Some(own) = content.all.get_mut(who) {
            back(own);
            if own.is_nothing() {
                content.all.remove(who);
            }
        }
        drop(content);
        self.serve();
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.content().at_work -= 1;
        self.turns.back(&self.who, |own| own.at_work -= 1);
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.turns.back(&self.who, |own| own.unsent_bytes -= self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { readers: 2, waiting: 3, unsent_bytes: 10 };

    fn turns() -> Arc<Turns> {
        Arc::new(Turns::new(Shares { readers: 4, customer: SHARE, token: SHARE }))
    }

    fn who(number: u8) -> Who {
        Who::Customer(PartyId([number; 32]))
    }

    /// Whether a turn has come, and the turn.
    fn come(turn: &mut oneshot::Receiver<Turn>) -> Option<Turn> {
        turn.try_recv().ok()
    }

    #[test]
    fn who_asks_for_much_keeps_nobody_else_waiting() {
        let turns = turns();
        let mut asked: Vec<_> = (0..5).map(|_| turns.queue(who(1), false).unwrap()).collect();
        assert_eq!(turns.queue(who(1), false).err(), Some(Busy));
        let mut own: Vec<_> = asked.iter_mut().map(come).collect();
        assert_eq!(own.iter().filter(|turn| turn.is_some()).count(), 2);
        let mut other = turns.queue(who(2), false).unwrap();
        assert!(come(&mut other).is_some());
        // Who has gone is not served: the next one is, and there is room in the queue again.
        let (mut fifth, mut fourth) = (asked.pop().unwrap(), asked.pop().unwrap());
        drop(asked.pop());
        let sixth = turns.queue(who(1), false).unwrap();
        let mut patient = turns.queue(who(1), true).unwrap();
        own[0] = None;
        let turn = come(&mut fourth);
        assert!(turn.is_some() && come(&mut fifth).is_none());
        drop((own, turn));
        let turn = come(&mut fifth);
        assert!(turn.is_some() && come(&mut patient).is_none());
        // One that came and was not taken is given back.
        drop(sixth);
        assert!(come(&mut patient).is_some());
        drop(turn);
        let content = turns.content();
        assert_eq!((content.at_work, content.all.len()), (0, 0));
    }

    #[test]
    fn shares_are_served_in_turn() {
        let turns = turns();
        let mut all: Vec<_> = [1, 1, 2, 2].map(|number| turns.queue(who(number), false).unwrap()).into();
        let mut at_work: Vec<_> = all.iter_mut().map(|turn| come(turn).unwrap()).collect();
        let mut waiting: Vec<_> =
            [1, 1, 2, 3].map(|number| (number, turns.queue(who(number), false).unwrap())).into();
        let mut order = vec![];
        while let Some(turn) = at_work.pop() {
            drop(turn);
            for (number, waits) in &mut waiting {
                if let Some(turn) = come(waits) {
                    order.push(*number);
                    at_work.insert(0, turn);
                }
            }
        }
        assert_eq!(order, [3, 2, 1, 1]);
    }

    #[test]
    fn nothing_is_read_while_too_much_is_unsent() {
        let turns = turns();
        let unsent = [turns.unsent(who(1), 6), turns.unsent(who(1), 6)];
        let mut waits = turns.queue(who(1), false).unwrap();
        assert!(come(&mut waits).is_none());
        assert!(come(&mut turns.queue(who(2), false).unwrap()).is_some());
        drop(unsent);
        assert!(come(&mut waits).is_some());
        assert!(turns.content().all.is_empty());
    }
}
