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
/// Blocks that are kept decoded for those who follow, and their items together.
const RECENT_MAX: usize = 64;
const RECENT_ITEMS_MAX: usize = 20_000;
/// Blocks whose transactions are known after a start, and their items together.
const BLOCKS_READ: usize = 1_000;
const ITEMS_READ: usize = 50_000;

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
    recent_items: usize,
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
        let (mut blocks, mut items) = (vec![], 0);
        for height in (0..=chain.tip().height).rev().take(BLOCKS_READ) {
            let Some(block) = chain.block(height)? else { break };
            items += block.items.len();
            blocks.push(Arc::new(block));
            if items >= ITEMS_READ {
                break;
            }
        }
        blocks.into_iter().rev().for_each(|block| hub.remember(block));
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

    /// Shows a chain whose newest block got its certificate again.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn show_again(&self, chain: &Chain) -> Result<(), Fault> {
        self.tip.send_replace(Arc::new(Tip { chain: chain.fork()? }));
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
        places.recent_items += block.items.len();
        places.recent.push_back(block);
        // The newest stays, however large it is.
        while places.recent.len() > RECENT_MAX
            || (places.recent_items > RECENT_ITEMS_MAX && places.recent.len() > 1)
        {
            let Some(oldest) = places.recent.pop_front() else { break };
            places.recent_items -= oldest.items.len();
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
