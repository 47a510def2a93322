//! Where committed blocks are kept: the block log on disk, or a list in memory.

use crate::fault::Fault;
use crate::log::{Extent, Kind, Log, Position, Reader, Record};
use crate::store::WriteSet;
use std::path::Path;
use std::sync::Arc;
use tenor_abi::codec;
use tenor_abi::id::{ChainId, Hash};
use tenor_wire::block::{Block, Certificate};

/// Most bytes of an encoded block.
pub const BLOCK_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Keeps blocks.
pub trait Journal: Send + Sync {
    /// Writes a block, of which these are the canonical bytes, and its write set durably.
    ///
    /// # Errors
    /// [`Fault`]; nothing more is taken then.
    fn append(&mut self, block: &Block, bytes: &[u8], writes: &WriteSet) -> Result<(), Fault>;
    /// Keeps the newest block's certificate; it becomes durable with the next block.
    ///
    /// # Errors
    /// As [`Journal::append`].
    fn certify(&mut self, certificate: Certificate) -> Result<(), Fault>;
    /// A block by height.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be read.
    fn block(&self, height: u64) -> Result<Option<Block>, Fault>;
    /// A block's write set.
    ///
    /// # Errors
    /// As [`Journal::block`].
    fn writes(&self, height: u64) -> Result<Option<WriteSet>, Fault>;
    /// A block's certificate.
    ///
    /// # Errors
    /// As [`Journal::block`].
    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault>;
    /// Height of the newest block.
    fn tip(&self) -> Option<u64>;
    /// Height of the oldest block: what was before it was let go.
    fn oldest(&self) -> u64 {
        0
    }
    /// The place behind a block, from which opening can go on; none in memory.
    ///
    /// # Errors
    /// As [`Journal::block`].
    fn position_behind(&self, height: u64) -> Result<Option<Position>, Fault>;
    /// The files that it has now, how much of each counts; none in memory.
    ///
    /// # Errors
    /// As [`Journal::block`].
    fn extent(&self) -> Result<Vec<Extent>, Fault>;
    /// A journal of its own, in memory, that has the blocks up to a height and goes on from there.
    fn fork(&self, height: u64) -> MemoryJournal;
}

/// What was committed, to be read while blocks go on.
pub trait Blocks: Send + Sync {
    /// As [`Journal::block`].
    ///
    /// # Errors
    /// As [`Journal::block`].
    fn block(&self, height: u64) -> Result<Option<Block>, Fault>;
    /// As [`Journal::writes`].
    ///
    /// # Errors
    /// As [`Journal::block`].
    fn writes(&self, height: u64) -> Result<Option<WriteSet>, Fault>;
    /// As [`Journal::certificate`].
    ///
    /// # Errors
    /// As [`Journal::block`].
    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault>;
    /// As [`Journal::oldest`].
    fn oldest(&self) -> u64;
}

/// Blocks in the block log.
#[derive(Debug)]
pub struct FileJournal {
    log: Log,
    /// The newest certificate, until it is durable.
    waiting: Option<Certificate>,
}

fn decoded<T: serde::Serialize + serde::de::DeserializeOwned>(
    bytes: &[u8],
    what: &str,
    height: u64,
) -> Result<T, Fault> {
    codec::decode(bytes, BLOCK_BYTES_MAX)
        .map_err(|error| Fault::Log(format!("{what} of height {height}: {error}")))
}

/// A block of the log in a folder that nobody has open; nothing is changed.
///
/// # Errors
/// [`Fault`] when it cannot be read.
pub fn peek_block(folder: &Path, chain: ChainId, height: u64) -> Result<Option<Block>, Fault> {
    let bytes = Log::peek(folder, chain, Kind::Block, height)?;
    bytes.map(|bytes| decoded(&bytes, "block", height)).transpose()
}

impl FileJournal {
    /// The journal over an open log.
    pub fn new(log: Log) -> FileJournal {
        FileJournal { log, waiting: None }
    }

    /// The chain that the log was begun with: its genesis document's, also behind a restart.
    pub fn chain(&self) -> ChainId {
        self.log.chain()
    }
}

impl Journal for FileJournal {
    fn append(&mut self, block: &Block, bytes: &[u8], writes: &WriteSet) -> Result<(), Fault> {
        let height = block.header.height;
        let certificate =
            self.waiting.as_ref().map(|certificate| (certificate.height, codec::encode(certificate)));
        let mut records = Vec::with_capacity(3);
        if let Some((height, payload)) = &certificate {
            records.push(Record::new(Kind::Certificate, *height, payload));
        }
        records.push(Record::new(Kind::Block, height, bytes));
        let (payload, root) = (writes.bytes(), writes.hash());
        records.push(Record { kind: Kind::Writes, height, payload, root });
        self.log.append(&records)?;
        self.log.sync()?;
        self.waiting = None;
        Ok(())
    }

    fn certify(&mut self, certificate: Certificate) -> Result<(), Fault> {
        self.waiting = Some(certificate);
        Ok(())
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Fault> {
        self.log.reader().block(height)
    }

    fn writes(&self, height: u64) -> Result<Option<WriteSet>, Fault> {
        self.log.reader().writes(height)
    }

    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault> {
        match self.waiting.as_ref().filter(|certificate| certificate.height == height) {
            Some(waiting) => Ok(Some(waiting.clone())),
            None => self.log.reader().certificate(height),
        }
    }

    fn tip(&self) -> Option<u64> {
        self.log.tip()
    }

    fn oldest(&self) -> u64 {
        self.log.reader().oldest()
    }

    fn position_behind(&self, height: u64) -> Result<Option<Position>, Fault> {
        Ok(self.log.position_behind(height)?)
    }

    fn extent(&self) -> Result<Vec<Extent>, Fault> {
        Ok(self.log.extent()?)
    }

    fn fork(&self, height: u64) -> MemoryJournal {
        let below: Arc<dyn Blocks> = Arc::new(self.log.reader().clone());
        let certificates = self.waiting.iter().cloned().collect();
        MemoryJournal { below: Some((below, height)), blocks: vec![], certificates }
    }
}

impl Blocks for Reader {
    fn block(&self, height: u64) -> Result<Option<Block>, Fault> {
        let bytes = self.read(Kind::Block, height)?;
        bytes.map(|bytes| decoded(&bytes, "block", height)).transpose()
    }

    fn writes(&self, height: u64) -> Result<Option<WriteSet>, Fault> {
        let found = self.read_with_root(Kind::Writes, height)?;
        let read = |(bytes, root): (Vec<u8>, Hash)| {
            WriteSet::of_payload(&bytes, root)
                .map_err(|error| Fault::Log(format!("writes of height {height}: {error}")))
        };
        found.map(read).transpose()
    }

    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault> {
        let bytes = self.read(Kind::Certificate, height)?;
        bytes.map(|bytes| decoded(&bytes, "certificate", height)).transpose()
    }

    fn oldest(&self) -> u64 {
        Reader::oldest(self)
    }
}

/// Blocks in memory: for tests, simulation and replay; those of a fork begin behind what it was forked from.
#[derive(Clone, Default)]
pub struct MemoryJournal {
    /// What has the blocks up to a height.
    below: Option<(Arc<dyn Blocks>, u64)>,
    blocks: Vec<Arc<(Block, WriteSet)>>,
    certificates: Vec<Certificate>,
}

impl MemoryJournal {
    fn first(&self) -> u64 {
        self.below.as_ref().map_or(0, |(_, height)| height + 1)
    }

    fn own(&self, height: u64) -> Option<&(Block, WriteSet)> {
        self.blocks.get(height.checked_sub(self.first())? as usize).map(Arc::as_ref)
    }

    fn below(&self, height: u64) -> Option<&dyn Blocks> {
        self.below.as_ref().filter(|(_, last)| height <= *last).map(|(below, _)| below.as_ref())
    }
}

impl Journal for MemoryJournal {
    fn append(&mut self, block: &Block, _: &[u8], writes: &WriteSet) -> Result<(), Fault> {
        self.blocks.push(Arc::new((block.clone(), writes.clone())));
        Ok(())
    }

    fn certify(&mut self, certificate: Certificate) -> Result<(), Fault> {
        self.certificates.push(certificate);
        Ok(())
    }

    fn block(&self, height: u64) -> Result<Option<Block>, Fault> {
        match self.below(height) {
            Some(below) => below.block(height),
            None => Ok(self.own(height).map(|(block, _)| block.clone())),
        }
    }

    fn writes(&self, height: u64) -> Result<Option<WriteSet>, Fault> {
        match self.below(height) {
            Some(below) => below.writes(height),
            None => Ok(self.own(height).map(|(_, writes)| writes.clone())),
        }
    }

    fn certificate(&self, height: u64) -> Result<Option<Certificate>, Fault> {
        match (self.certificates.iter().rfind(|certificate| certificate.height == height), self.below(height))
        {
            (Some(own), _) => Ok(Some(own.clone())),
            (None, Some(below)) => below.certificate(height),
            (None, None) => Ok(None),
        }
    }

    fn oldest(&self) -> u64 {
        self.below.as_ref().map_or(0, |(below, _)| below.oldest())
    }

    fn tip(&self) -> Option<u64> {
        (self.first() + self.blocks.len() as u64).checked_sub(1)
    }

    fn position_behind(&self, _: u64) -> Result<Option<Position>, Fault> {
        Ok(None)
    }

    fn extent(&self) -> Result<Vec<Extent>, Fault> {
        Ok(vec![])
    }

    fn fork(&self, height: u64) -> MemoryJournal {
        let mut fork = self.clone();
        let below = fork.below.take().map(|(below, last)| (below, last.min(height)));
        fork.blocks.truncate((height + 1).saturating_sub(self.first()) as usize);
        fork.certificates.retain(|certificate| certificate.height <= height);
        MemoryJournal { below, ..fork }
    }
}
