//! One signer makes the blocks alone, in the same form as a quorum would.

use super::above::Above;
use super::ahead::Reading;
use super::build::{Built, Done, of_what_is_due};
use super::{Chain, Genesis, Replica};
use crate::execute::{BlockContext, Candidate, Contracts};
use crate::fault::Fault;
use crate::ledger;
use crate::schedule::Queues;
use crate::state::{Base, Overlay};
use crate::store::Changes;
use crate::vm::Guest;
use std::mem::take;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{ChainId, Hash};
use tenor_wire::block::{Block, Certificate};
use tenor_wire::crypto::SecretKey;

/// The sequencer of a chain with one validator.
#[derive(Debug)]
pub struct Solo {
    key: SecretKey,
}

impl Solo {
    /// The sequencer that signs with the validator's key.
    pub fn new(key: SecretKey) -> Solo {
        Solo { key }
    }

    /// Makes, writes durably, signs and commits the next block.
    ///
    /// The block and its writes are synced before the signature is made, so what the signer has signed is
    /// always in its log.
    ///
    /// # Errors
    /// [`Fault`]: the replica is broken.
    pub fn produce(
        &self,
        replica: &mut impl Replica,
        time: Timestamp,
        candidates: Vec<Candidate>,
    ) -> Result<(Built, Block), Fault> {
        // The log holds every block that was signed, so signing its newest one again signs nothing new.
        replica.recertify(&|header| Certificate::solo(header, &self.key))?;
        let built = replica.build(time, candidates)?;
        replica.persist(&built.header.hash())?;
        let block = replica.commit(Certificate::solo(&built.header, &self.key))?;
        Ok((built, block))
    }

    /// Makes blocks of what falls due until an instant, one after another: each is executed while the one before it is
    /// hashed, and over the state that has it while it is written durably, signed and committed. `made` is told of each, in
    /// order, when all of that is done.
    ///
    /// # Errors
    /// [`Fault`]: the replica is broken. A block whose making it ended is not there.
    pub fn produce_due(
        &self,
        chain: &mut Chain,
        until: Timestamp,
        mut made: impl FnMut(Block),
    ) -> Result<(), Fault> {
        chain.recertify(&|header| Certificate::solo(header, &self.key))?;
        chain.unstash()?;
        let mut due = Due::of(chain, until);
        let Some(base) = chain.base.reader() else {
            // It is read by nobody while it changes: one block after another.
            while let Some((time, done)) =
                due.execute(chain.base.as_ref(), mpsc::channel().0, Changes::default())?
            {
                let header = chain.stash(chain.id(), time, done, &|| ())?;
                chain.persist(&header.hash())?;
                made(chain.commit(Certificate::solo(&header, &self.key))?);
            }
            return Ok(());
        };
        thread::scope(|scope| {
            let (hand_over, executed) = mpsc::sync_channel(1);
            let ((show, taken_in), (tell, settled)) = (mpsc::channel(), mpsc::channel());
            let settling = scope.spawn(move || -> Result<(), Fault> {
                for (time, done, next) in executed {
                    // While its leaves are put into the trie nobody reads: what the next block needs is read before.
                    let next: Receiver<()> = next;
                    let block = self.settle(chain, time, done, &|| _ = next.recv(), &|| _ = show.send(()))?;
                    if tell.send(block).is_err() {
                        break;
                    }
                }
                Ok(())
            });
            let mut execute = || -> Result<(), Fault> {
                let mut next = due.execute(base.as_ref(), mpsc::channel().0, Changes::default())?;
                let (mut before, mut memory) = (None, Changes::default());
                while let Some((time, done)) = next {
                    let rows = Arc::clone(&done.rows);
                    let (reading, read) = mpsc::channel();
                    if hand_over.send((time, done, read)).is_err() {
                        break;
                    }
                    // The next one is executed over its rows, and handed over when the state has them.
                    next = due.execute(&Above::of(&rows, base.as_ref()), reading, take(&mut memory))?;
                    if taken_in.recv().is_err() {
                        break;
                    }
                    settled.try_iter().for_each(&mut made);
                    // The one before it is settled: where nobody keeps its rows, those of another one lie in their place.
                    memory = before.replace(rows).and_then(Arc::into_inner).unwrap_or_default();
                }
                Ok(())
            };
            let executed = execute();
            drop(hand_over);
            settled.iter().for_each(&mut made);
            settling.join().unwrap_or_else(|panic| resume_unwind(panic)).and(executed)
        })
    }

    /// Hashes, writes, signs and commits the block that was executed behind the newest one; before its leaves are put
    /// into the trie, `ready` returns, and `taken_in` is called once the state has it.
    fn settle(
        &self,
        chain: &mut Chain,
        time: Timestamp,
        done: Done,
        ready: &dyn Fn(),
        taken_in: &dyn Fn(),
    ) -> Result<Block, Fault> {
        let header = chain.stash(chain.id(), time, done, ready)?;
        chain.persist_beside(taken_in)?;
        chain.commit(Certificate::solo(&header, &self.key))
    }

    /// The key that certificates are signed with.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }
}

/// Executes one block after another of what falls due, without the chain that they become blocks of.
struct Due {
    chain: ChainId,
    genesis: Arc<Genesis>,
    guest: Arc<dyn Guest>,
    contracts: Arc<Contracts>,
    /// Height and time of the newest block that was executed.
    height: u64,
    time: Timestamp,
    until: Timestamp,
}

impl Due {
    fn of(chain: &Chain, until: Timestamp) -> Due {
        Due {
            chain: chain.id(),
            genesis: Arc::clone(&chain.genesis),
            guest: Arc::clone(&chain.guest),
            contracts: Arc::clone(&chain.contracts),
            height: chain.tip.height,
            time: chain.tip.time,
            until,
        }
    }

    /// The next block, over the state after the one before it: none when nothing falls due any more.
    fn execute(
        &mut self,
        base: &dyn Base,
        reading: Reading,
        memory: Changes,
    ) -> Result<Option<(Timestamp, Done)>, Fault> {
        let state = Overlay::new(base);
        let queues = Queues::of(&state)?;
        let wakes = [queues.next_wake(), ledger::next_expiry(&state)?];
        let wake = wakes.into_iter().flatten().min().filter(|wake| *wake <= self.until);
        let Some(wake) = wake else { return Ok(None) };
        (self.height, self.time) = (self.height + 1, wake.max(Timestamp(self.time.0 + 1)));
        let block = BlockContext {
            chain: self.chain,
            before: self.chain,
            // Only what begins a chain again asks for it, and nothing that falls due does.
            parent: Hash::ZERO,
            validators: &self.genesis.validators,
            height: self.height,
            time: self.time,
            parameters: &self.genesis.parameters,
            guest: self.guest.as_ref(),
            contracts: &self.contracts,
            is_new: true,
        };
        Ok(Some((self.time, of_what_is_due(&block, base, queues, reading, memory)?)))
    }
}
