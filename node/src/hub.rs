//! What readers see: the newest block as a chain of its own, blocks of late, and where transactions stand.

use crate::places::{Known, Places};
use anyhow::Result as Opened;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tenor_abi::id::TxId;
use tenor_runtime::chain::{Chain, Replica};
use tenor_runtime::fault::Fault;
use tenor_wire::block::Block;
use tokio::sync::watch;

/// Blocks that are kept decoded for those who follow, and their items together, about 2 KB each.
const RECENT_MAX: usize = 64;
const RECENT_ITEMS_MAX: usize = 2_000;
/// Blocks that are kept however large they are: those that requests of now are answered of.
const RECENT_MIN: usize = 2;

/// The chain as of a block; it does not change, and whoever reads it waits for no writer.
pub struct Tip {
    /// A fork that stands at the block.
    pub chain: Chain,
}

#[derive(Default)]
struct Recent {
    blocks: VecDeque<Arc<Block>>,
    items: usize,
}

/// Where readers look.
pub struct Hub {
    tip: watch::Sender<Arc<Tip>>,
    recent: Mutex<Recent>,
    places: Arc<Places>,
}

impl Hub {
    /// What there is to see now of the chain of a data folder.
    ///
    /// # Errors
    /// When the store, the log or the disk says no.
    pub fn of(chain: &Chain, data: &Path) -> Opened<Hub> {
        let (tip, _) = watch::channel(Arc::new(Tip { chain: chain.fork()? }));
        Ok(Hub { tip, recent: Mutex::default(), places: Places::open(data, chain)? })
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

    /// Where the receipt of a transaction stands. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn place_of(&self, id: &TxId) -> Opened<Known> {
        self.places.find(id)
    }

    /// A block, decoded already where it is a recent one.
    ///
    /// # Errors
    /// [`Fault`] of the log.
    pub fn block(&self, tip: &Tip, height: u64) -> Result<Option<Arc<Block>>, Fault> {
        let recent = {
            let recent = self.recent();
            let first = recent.blocks.front().map_or(0, |block| block.header.height);
            let place = height.checked_sub(first).map(|place| place as usize);
            place.and_then(|place| recent.blocks.get(place).cloned())
        };
        match recent {
            Some(block) => Ok(Some(block)),
            None => Ok(tip.chain.block(height)?.map(Arc::new)),
        }
    }

    fn remember(&self, block: Arc<Block>) {
        self.places.note(&block);
        let mut recent = self.recent();
        recent.items += block.items.len();
        recent.blocks.push_back(block);
        while recent.blocks.len() > RECENT_MAX
            || (recent.items > RECENT_ITEMS_MAX && recent.blocks.len() > RECENT_MIN)
        {
            let Some(oldest) = recent.blocks.pop_front() else { break };
            recent.items -= oldest.items.len();
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
