//! The signer's guard: what the block key signed last, kept with the key and outside the data folder, so that a folder
//! that was brought back from a backup never signs another block at a height that it signed before.

use crate::stop::Stop;
use rustix::fs::{FlockOperation, flock};
use std::cmp::Ordering;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tenor_abi::id::{ChainId, Hash};
use tenor_wire::block::Header;
use tenor_wire::crypto::plain_hash;
use tenor_wire::op::RestartOp;

/// Bytes of a slot: number, chain, height, header hash, checksum.
const SLOT: usize = 8 + 32 + 8 + 32 + 32;

/// What was signed last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Signed {
    /// How many there were before: a restart may lead to a lower height, so the height says not what came last.
    number: u64,
    chain: ChainId,
    height: u64,
    header: Hash,
}

impl Signed {
    fn to_bytes(self) -> [u8; SLOT] {
        let mut bytes = [0; SLOT];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..40].copy_from_slice(&self.chain.0);
        bytes[40..48].copy_from_slice(&self.height.to_le_bytes());
        bytes[48..80].copy_from_slice(&self.header.0);
        let sum = plain_hash(&[&bytes[..80]]);
        bytes[80..].copy_from_slice(&sum.0);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Signed> {
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        let (chain, rest) = rest.split_first_chunk::<32>()?;
        let (height, rest) = rest.split_first_chunk::<8>()?;
        let (header, _) = rest.split_first_chunk::<32>()?;
        let signed = Signed {
            number: u64::from_le_bytes(*number),
            chain: ChainId(*chain),
            height: u64::from_le_bytes(*height),
            header: Hash(*header),
        };
        (signed.to_bytes() == bytes).then_some(signed)
    }
}

/// The guard's file, held by this process alone. Two slots are written in turn, so that one is whole whatever happens.
#[derive(Debug)]
pub struct Guard {
    path: PathBuf,
    file: File,
    signed: Signed,
}

impl Guard {
    /// Makes the guard of a chain at its genesis, or, where the one there was is lost, at the block that the chain is
    /// begun again from.
    ///
    /// # Errors
    /// [`Stop::Guard`] when the file is there already or cannot be written.
    pub fn create(path: &Path, genesis: &Header) -> Result<(), Stop> {
        let says = |error: std::io::Error| Stop::Guard(format!("{}: {error}", path.display()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(says)?;
        let (chain, height, header) = (genesis.chain, genesis.height, genesis.hash());
        let signed = Signed { number: 0, chain, height, header };
        file.write_all_at(&signed.to_bytes(), 0).and_then(|()| file.sync_all()).map_err(says)
    }

    /// Opens the guard and holds it against the newest block of the chain.
    ///
    /// # Errors
    /// [`Stop::Guard`] when there is none, it is another chain's, another process has it, or it has signed what this
    /// folder does not have: then the folder is an older copy, and may not sign.
    pub fn open(path: &Path, tip: &Header, restart: Option<&RestartOp>) -> Result<Guard, Stop> {
        let guard = Guard::load(path)?;
        let says = |why: String| Err(Stop::Guard(format!("{}: {why}", path.display())));
        let (signed, here, hash) = (guard.signed, tip.height, tip.hash());
        // A restart that was written before the guard heard of it is what this very guard's signer was told to do.
        if restart.is_some_and(|op| signed.chain != tip.chain && op.abandoned >= signed.height) {
            return Ok(guard);
        }
        match (signed.chain == tip.chain, signed.height.cmp(&here)) {
            (false, _) => says(format!(
                "it is of {}, the folder holds {}: a copy from before a restart may not sign, `tenor node restart` \
                 makes it a chain of its own",
                signed.chain, tip.chain
            )),
            (true, Ordering::Greater) => says(format!(
                "block {} was signed, the folder ends at block {here}: it is an older copy and may not sign; bring the \
                 newer folder back, or begin again from here with `tenor node restart`",
                signed.height
            )),
            (true, Ordering::Equal) if signed.header != hash => {
                says(format!("another block {here} was signed than the folder holds"))
            }
            _ => Ok(guard),
        }
    }

    /// Opens the guard, whatever the chain in the folder is: to begin again from there.
    ///
    /// # Errors
    /// [`Stop::Guard`] when there is none, it is damaged, or another process has it.
    pub fn load(path: &Path) -> Result<Guard, Stop> {
        let says = |why: &dyn std::fmt::Display| Stop::Guard(format!("{}: {why}", path.display()));
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| {
            says(&format!(
                "{error}; `tenor node guard` makes one for a chain that nobody has signed for yet, \
                 `tenor node restart --lost` for one whose guard is gone"
            ))
        })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| says(&"another process signs with it"))?;
        let mut bytes = [0; 2 * SLOT];
        let length = file.read_at(&mut bytes, 0).map_err(|error| says(&error))?;
        let slots = bytes[..length].chunks(SLOT).filter_map(Signed::from_bytes);
        let signed = slots.max_by_key(|signed| signed.number).ok_or_else(|| says(&"it is damaged"))?;
        Ok(Guard { path: path.into(), file, signed })
    }

    /// The highest block that was signed, as far as this guard knows.
    pub fn height(&self) -> u64 {
        self.signed.height
    }

    /// Remembers a block before it is signed.
    ///
    /// # Errors
    /// [`Stop::Guard`] when something at or above it was signed that is not this very block, or the disk says no.
    pub fn remember(&mut self, header: &Header) -> Result<(), Stop> {
        let next = self.next(header);
        if (next.chain, next.height, next.header)
            == (self.signed.chain, self.signed.height, self.signed.header)
        {
            return Ok(());
        }
        if next.chain != self.signed.chain || next.height <= self.signed.height {
            let (given, kept) = (header.height, self.signed.height);
            return Err(Stop::Guard(format!(
                "block {given} is not signed: block {kept} was, and only higher ones follow"
            )));
        }
        self.write(next)
    }

    /// Remembers the first block of a chain that was begun again, before it is signed: whatever was signed of the chain
    /// before is given up by name.
    ///
    /// # Errors
    /// [`Stop::Guard`] when more was signed than is given up, the chain is the one that was signed for, or the disk
    /// says no.
    pub fn begin_again(&mut self, header: &Header, op: &RestartOp) -> Result<(), Stop> {
        if header.chain == self.signed.chain {
            return self.remember(header);
        }
        if op.abandoned < self.signed.height {
            let (given, signed) = (op.abandoned, self.signed.height);
            return Err(Stop::Guard(format!("block {given} is given up, and block {signed} was signed")));
        }
        self.write(self.next(header))
    }

    /// Remembers the newest block of a folder that this guard was opened with, where it has not heard of it.
    ///
    /// # Errors
    /// As [`Guard::remember`].
    pub fn catch_up(&mut self, tip: &Header, restart: Option<&RestartOp>) -> Result<(), Stop> {
        match restart {
            Some(op) => self.begin_again(tip, op),
            None => self.remember(tip),
        }
    }

    fn next(&self, header: &Header) -> Signed {
        let (number, chain) = (self.signed.number + 1, header.chain);
        Signed { number, chain, height: header.height, header: header.hash() }
    }

    fn write(&mut self, next: Signed) -> Result<(), Stop> {
        let place = (next.number % 2) * SLOT as u64;
        let written = self.file.write_all_at(&next.to_bytes(), place).and_then(|()| self.file.sync_data());
        written.map_err(|error| Stop::Guard(format!("{}: {error}", self.path.display())))?;
        self.signed = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenor_abi::date::Timestamp;
    use tenor_abi::id::PartyId;

    fn header(height: u64, time: u64) -> Header {
        Header {
            version: 1,
            protocol: 1,
            chain: ChainId([1; 32]),
            height,
            time: Timestamp(time),
            parent: Hash::ZERO,
            ancestry: Hash::ZERO,
            items: Hash::ZERO,
            items_count: 0,
            receipts: Hash::ZERO,
            receipts_count: 0,
            state: Hash::ZERO,
            outbox: Hash::ZERO,
            validators: Hash::ZERO,
            parameters: Hash::ZERO,
            proposer: PartyId([1; 32]),
        }
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, Stop>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn nothing_is_signed_twice_at_a_height() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard");
        Guard::create(&path, &header(0, 0)).unwrap();
        let mut guard = Guard::open(&path, &header(0, 0), None).unwrap();
        for height in 1..=3 {
            guard.remember(&header(height, 5)).unwrap();
        }
        guard.remember(&header(3, 5)).unwrap();
        for other in [header(3, 6), header(2, 5), header(1, 5)] {
            assert!(refusal(guard.remember(&other)).contains("block 3 was"));
        }
        assert!(refusal(Guard::open(&path, &header(3, 5), None)).contains("another process"));
        drop(guard);
        assert!(refusal(Guard::open(&path, &header(2, 5), None)).contains("an older copy"));
        assert!(refusal(Guard::open(&path, &header(3, 6), None)).contains("another block 3"));
        let other = Header { chain: ChainId([2; 32]), ..header(3, 5) };
        assert!(refusal(Guard::open(&path, &other, None)).contains("the folder holds"));
        // The chain may have gone on without a guard, as a sandbox does.
        Guard::open(&path, &header(3, 5), None).unwrap();
        Guard::open(&path, &header(9, 9), None).unwrap();
    }

    #[test]
    fn a_torn_write_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard");
        Guard::create(&path, &header(0, 0)).unwrap();
        let mut guard = Guard::open(&path, &header(0, 0), None).unwrap();
        guard.remember(&header(1, 1)).unwrap();
        guard.remember(&header(2, 2)).unwrap();
        drop(guard);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[48] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Guard::open(&path, &header(1, 1), None).unwrap().signed.height, 1);
        bytes[SLOT + 48] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(refusal(Guard::open(&path, &header(1, 1), None)).contains("damaged"));
    }

    #[test]
    fn a_chain_is_begun_again_below_what_was_signed_once_it_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard");
        Guard::create(&path, &header(0, 0)).unwrap();
        let mut guard = Guard::open(&path, &header(0, 0), None).unwrap();
        (1..=9).for_each(|height| guard.remember(&header(height, 5)).unwrap());
        let op =
            |abandoned| RestartOp { parent: Hash::ZERO, abandoned, time: Timestamp(9), nonce: Hash::ZERO };
        let first = Header { chain: ChainId([2; 32]), ..header(4, 9) };
        assert!(refusal(guard.begin_again(&first, &op(8))).contains("block 9 was signed"));
        drop(guard);
        // Written to the log, and the process ended before the guard heard of it.
        Guard::open(&path, &first, Some(&op(9))).unwrap();
        assert!(refusal(Guard::open(&path, &first, Some(&op(8)))).contains("the folder holds"));
        let mut guard = Guard::load(&path).unwrap();
        guard.begin_again(&first, &op(9)).unwrap();
        assert_eq!(guard.height(), 4);
        guard.begin_again(&first, &op(9)).unwrap();
        let other = Header { time: Timestamp(10), ..first.clone() };
        assert!(refusal(guard.begin_again(&other, &op(9))).contains("block 4 was"));
        guard.remember(&Header { chain: ChainId([2; 32]), ..header(5, 10) }).unwrap();
        assert!(refusal(guard.remember(&header(10, 11))).contains("only higher ones"));
        drop(guard);
        assert!(refusal(Guard::open(&path, &header(9, 5), None)).contains("from before a restart"));
    }
}
