//! The pool: transactions on their way to a block, bounded, in fair order among their senders.

use std::collections::{BTreeMap, HashMap, VecDeque};
use tenor_abi::id::{Hash, PartyId, TxId};
use tenor_runtime::execute::{Candidate, Rejection};
use tenor_wire::tx::IdempotencyKey;
use tokio::sync::oneshot;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Transactions.
    pub transactions: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Transactions of one party.
    pub per_sender: usize,
}

/// What became of a transaction that waited.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// Its receipt stands in a block.
    Placed {
        /// Height of the block.
        height: u64,
        /// Place in it.
        index: u32,
    },
    /// No block may hold it.
    Rejected(Rejection),
    /// The node stopped before it came to a block.
    Stopped,
}

/// Is told what became of a transaction.
pub type Waiter = oneshot::Receiver<Outcome>;

/// What the pool says to a transaction.
#[derive(Debug)]
pub enum Offered {
    /// It waits now.
    Taken(Waiter),
    /// The same operation under the same key waits already, perhaps in another transaction.
    Waits(TxId, Waiter),
    /// Another operation under the same key waits already.
    KeyTaken(TxId),
    /// Too much waits.
    Full(Full),
}

/// Which bound is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// [`Bounds::transactions`].
    Transactions,
    /// [`Bounds::bytes`].
    Bytes,
    /// [`Bounds::per_sender`].
    Sender,
}

type Key = (PartyId, IdempotencyKey);

struct Entry {
    key: Key,
    bytes: usize,
    waiters: Vec<oneshot::Sender<Outcome>>,
}

/// Transactions that wait, and those that are on their way into the block in the making.
pub struct Pool {
    bounds: Bounds,
    /// Those that wait, by sender, the first come first.
    queues: BTreeMap<PartyId, VecDeque<Candidate>>,
    /// Everything that was taken and has no outcome yet.
    entries: HashMap<TxId, Entry>,
    keys: BTreeMap<Key, (TxId, Hash)>,
    bytes: usize,
    waiting: usize,
    /// The sender that was served last; the next block begins behind it.
    last: Option<PartyId>,
}

impl Pool {
    /// An empty pool.
    pub fn new(bounds: Bounds) -> Pool {
        Pool {
            bounds,
            queues: BTreeMap::new(),
            entries: HashMap::new(),
            keys: BTreeMap::new(),
            bytes: 0,
            waiting: 0,
            last: None,
        }
    }

    /// Transactions that wait for a block.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Transactions that have no outcome yet, and their bytes.
    pub fn held(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Whether a transaction has no outcome yet.
    pub fn holds(&self, id: &TxId) -> bool {
        self.entries.contains_key(id)
    }

    /// Takes a transaction whose form and signatures hold. Nothing that waits makes room for it.
    pub fn offer(&mut self, candidate: Candidate) -> Offered {
        let (id, body) = (candidate.id(), &candidate.transaction().body);
        let key = (body.actor(), body.key);
        let operation = body.operation_hash();
        let (teller, waiter) = oneshot::channel();
        if let Some((known, same)) = self.keys.get(&key) {
            if *same != operation {
                return Offered::KeyTaken(*known);
            }
            if let Some(entry) = self.entries.get_mut(known) {
                // Who has gone away is not told any more.
                entry.waiters.retain(|waiter| !waiter.is_closed());
                entry.waiters.push(teller);
            }
            return Offered::Waits(*known, waiter);
        }
        let bytes = candidate.transaction().to_bytes().len();
        if self.entries.len() >= self.bounds.transactions {
            return Offered::Full(Full::Transactions);
        }
        if self.bytes + bytes > self.bounds.bytes {
            return Offered::Full(Full::Bytes);
        }
        if self.queues.get(&key.0).is_some_and(|queue| queue.len() >= self.bounds.per_sender) {
            return Offered::Full(Full::Sender);
        }
        self.entries.insert(id, Entry { key, bytes, waiters: vec![teller] });
        self.keys.insert(key, (id, operation));
        self.queues.entry(key.0).or_default().push_back(candidate);
        self.bytes += bytes;
        self.waiting += 1;
        Offered::Taken(waiter)
    }

    /// Takes transactions out for a block: one of each sender in turn, behind the one that was served last.
    pub fn take(&mut self, count_max: usize, bytes_max: usize) -> Vec<Candidate> {
        let mut taken = vec![];
        let mut bytes = 0;
        while taken.len() < count_max {
            let behind = self.last.and_then(|last| {
                self.queues.range((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded)).next()
            });
            let Some(sender) = behind.or(self.queues.iter().next()).map(|(sender, _)| *sender) else { break };
            let Some(queue) = self.queues.get_mut(&sender) else { break };
            let Some(next) = queue.front() else { break };
            bytes += self.entries.get(&next.id()).map_or(0, |entry| entry.bytes);
            if bytes > bytes_max && !taken.is_empty() {
                break;
            }
            taken.extend(queue.pop_front());
            if queue.is_empty() {
                self.queues.remove(&sender);
            }
            self.last = Some(sender);
        }
        self.waiting -= taken.len();
        taken
    }

    /// Puts back what had no room in the block, in front of what came later.
    pub fn give_back(&mut self, candidates: Vec<Candidate>) {
        self.waiting += candidates.len();
        for candidate in candidates.into_iter().rev() {
            self.queues.entry(candidate.transaction().body.actor()).or_default().push_front(candidate);
        }
    }

    /// Says what became of a transaction, and lets it go.
    pub fn resolve(&mut self, id: &TxId, outcome: &Outcome) {
        let Some(entry) = self.entries.remove(id) else { return };
        self.keys.remove(&entry.key);
        self.bytes -= entry.bytes;
        for waiter in entry.waiters {
            // Who does not wait any more asks again.
            let _ = waiter.send(outcome.clone());
        }
    }

    /// Lets everything go; the node stops.
    pub fn stop(&mut self) {
        let all: Vec<TxId> = self.entries.keys().copied().collect();
        all.iter().for_each(|id| self.resolve(id, &Outcome::Stopped));
        self.queues.clear();
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenor_abi::date::Timestamp;
    use tenor_abi::id::{AccountId, ChainId};
    use tenor_wire::op::{Operation, TransferOp};
    use tenor_wire::tx::{Authoriser, Body, Transaction};

    const BOUNDS: Bounds = Bounds { transactions: 6, bytes: 1_000_000, per_sender: 4 };

    fn transaction(sender: u8, choice: u8, amount: u128) -> Candidate {
        let account = AccountId([sender; 32]);
        let operation = Operation::Transfer(TransferOp {
            from: account,
            to: account,
            amount,
            narrative: None,
            reference: None,
        });
        let body = Body {
            version: 1,
            chain: ChainId([0; 32]),
            authorisers: vec![Authoriser { party: PartyId([sender; 32]), key: 0 }],
            key: IdempotencyKey::new(0, [choice; 12]),
            valid_from: Timestamp(0),
            valid_until: Timestamp(1),
            gas_limit: 0,
            spend_max: vec![],
            operation,
        };
        Transaction { body, signatures: vec![] }.into()
    }

    fn is_taken(offered: &Offered) -> bool {
        matches!(offered, Offered::Taken(_))
    }

    fn order(taken: &[Candidate]) -> Vec<(u8, u8)> {
        let of = |c: &Candidate| (c.transaction().body.actor().0[0], c.transaction().body.key.0[15]);
        taken.iter().map(of).collect()
    }

    #[test]
    fn senders_take_turns_and_what_had_no_room_keeps_its_place() {
        let mut pool = Pool::new(BOUNDS);
        for (sender, choice) in [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)] {
            assert!(is_taken(&pool.offer(transaction(sender, choice, 1))));
        }
        let first = pool.take(4, usize::MAX);
        assert_eq!(order(&first), [(1, 1), (2, 1), (3, 1), (1, 2)]);
        pool.give_back(vec![first[3].clone()]);
        assert_eq!(pool.waiting(), 2);
        assert_eq!(order(&pool.take(9, usize::MAX)), [(1, 2), (1, 3)]);
        assert_eq!((pool.waiting(), pool.held().0), (0, 5));
    }

    #[test]
    fn nothing_is_replaced_and_bounds_hold() {
        let mut pool = Pool::new(BOUNDS);
        for choice in 1..=4 {
            assert!(is_taken(&pool.offer(transaction(1, choice, 1))));
        }
        assert!(matches!(pool.offer(transaction(1, 1, 1)), Offered::Waits(..)));
        assert!(matches!(pool.offer(transaction(1, 1, 2)), Offered::KeyTaken(_)));
        assert!(matches!(pool.offer(transaction(1, 5, 1)), Offered::Full(Full::Sender)));
        assert!(is_taken(&pool.offer(transaction(2, 1, 1))));
        assert!(is_taken(&pool.offer(transaction(3, 1, 1))));
        assert!(matches!(pool.offer(transaction(4, 1, 1)), Offered::Full(Full::Transactions)));
        let taken = pool.take(9, usize::MAX);
        let placed = Outcome::Placed { height: 1, index: 0 };
        taken.iter().for_each(|candidate| pool.resolve(&candidate.id(), &placed));
        assert_eq!(pool.held(), (0, 0));
        let mut tight = Pool::new(Bounds { bytes: 10, ..BOUNDS });
        assert!(matches!(tight.offer(transaction(1, 1, 1)), Offered::Full(Full::Bytes)));
    }

    #[test]
    fn everybody_who_waits_is_told() {
        let mut pool = Pool::new(BOUNDS);
        let Offered::Taken(mut first) = pool.offer(transaction(1, 1, 1)) else { panic!("there is room") };
        let Offered::Waits(id, mut second) = pool.offer(transaction(1, 1, 1)) else { panic!("it waits") };
        let placed = Outcome::Placed { height: 7, index: 3 };
        pool.resolve(&id, &placed);
        assert_eq!((first.try_recv().unwrap(), second.try_recv().unwrap()), (placed.clone(), placed));
        let Offered::Taken(mut third) = pool.offer(transaction(1, 2, 1)) else { panic!("there is room") };
        pool.stop();
        assert_eq!((third.try_recv().unwrap(), pool.held()), (Outcome::Stopped, (0, 0)));
    }
}
