//! What readers see: the newest block as a chain of its own, and where transactions of late stand.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenor_abi::id::TxId;
use tenor_runtime::chain::{Chain, Replica};
use tenor_runtime::fault::Fault;
use tenor_wire::block::{Block, Item};
use tokio::sync::watch;

/// Transactions whose places are known by their ids alone; older ones are found by party and idempotency key.
const PLACES_MAX: usize = 200_000;
/// Blocks that are kept decoded for those who follow.
const RECENT_MAX: usize = 64;
/// Blocks whose transactions are known after a start.
const BLOCKS_READ: u64 = 1_000;

/// The chain as of a block; it does not change, and whoever reads it waits for no writer.
pub struct Tip {
    /// A fork that stands at the block.
    pub chain: Chain,
}

#[derive(Default)]
struct Places {
    by_id: HashMap<TxId, (u64, u32)>,
    order: VecDeque<TxId>,
    recent: VecDeque<Arc<Block>>,
}

/// Where readers look.
pub struct Hub {
    tip: watch::Sender<Arc<Tip>>,
    places: Mutex<Places>,
}

impl Hub {
    /// What there is to see of a chain now.
    ///
    /// # Errors
    /// [`Fault`] of the store or the log.
    pub fn of(chain: &Chain) -> Result<Hub, Fault> {
        let (tip, _) = watch::channel(Arc::new(Tip { chain: chain.fork()? }));
        let hub = Hub { tip, places: Mutex::default() };
        let height = chain.tip().height;
        for height in height.saturating_sub(BLOCKS_READ)..=height {
            if let Some(block) = chain.block(height)? {
                hub.remember(Arc::new(block));
            }
        }
        Ok(hub)
    }

    /// Shows a block that was just committed.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn show(&self, chain: &Chain, block: Block) -> Result<(), Fault> {
        let tip = Arc::new(Tip { chain: chain.fork()? });
        self.remember(Arc::new(block));
        self.tip.send_replace(tip);
        Ok(())
    }

    /// The newest block.
    pub fn tip(&self) -> Arc<Tip> {
        Arc::clone(&self.tip.borrow())
    }

    /// Is told of each newest block.
    pub fn follow(&self) -> watch::Receiver<Arc<Tip>> {
        self.tip.subscribe()
    }

    /// Where the receipt of a transaction stands, where it is one of late.
    pub fn place_of(&self, id: &TxId) -> Option<(u64, u32)> {
        self.places().by_id.get(id).copied()
    }

    /// A block, decoded already where it is a recent one.
    ///
    /// # Errors
    /// [`Fault`] of the log.
    pub fn block(&self, tip: &Tip, height: u64) -> Result<Option<Arc<Block>>, Fault> {
        let recent = {
            let places = self.places();
            let first = places.recent.front().map_or(0, |block| block.header.height);
            let place = height.checked_sub(first).map(|place| place as usize);
            place.and_then(|place| places.recent.get(place).cloned())
        };
        match recent {
            Some(block) => Ok(Some(block)),
            None => Ok(tip.chain.block(height)?.map(Arc::new)),
        }
    }

    fn remember(&self, block: Arc<Block>) {
        let mut places = self.places();
        for (index, item) in block.items.iter().enumerate() {
            if let Item::Tx(tx) = item {
                let id = tx.id();
                places.by_id.insert(id, (block.header.height, index as u32));
                places.order.push_back(id);
            }
        }
        while places.order.len() > PLACES_MAX {
            if let Some(id) = places.order.pop_front() {
                places.by_id.remove(&id);
            }
        }
        places.recent.push_back(block);
        if places.recent.len() > RECENT_MAX {
            places.recent.pop_front();
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
