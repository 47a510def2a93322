//! The signer's guard: what the block key signed last, kept with the key and outside the data folder, so that a folder
//! that was brought back from a backup never signs another block at a height that it signed before.

use crate::stop::Stop;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tenor_abi::id::{ChainId, Hash};
use tenor_wire::block::Header;
use tenor_wire::crypto::plain_hash;

/// Bytes of a slot: chain, height, header hash, checksum.
const SLOT: usize = 32 + 8 + 32 + 32;

/// What was signed last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Signed {
    chain: ChainId,
    height: u64,
    header: Hash,
}

impl Signed {
    fn to_bytes(self) -> [u8; SLOT] {
        let mut bytes = [0; SLOT];
        bytes[..32].copy_from_slice(&self.chain.0);
        bytes[32..40].copy_from_slice(&self.height.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.header.0);
        let sum = plain_hash(&[&bytes[..72]]);
        bytes[72..].copy_from_slice(&sum.0);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Signed> {
        let (chain, rest) = bytes.split_first_chunk::<32>()?;
        let (height, rest) = rest.split_first_chunk::<8>()?;
        let (header, _) = rest.split_first_chunk::<32>()?;
        let signed =
            Signed { chain: ChainId(*chain), height: u64::from_le_bytes(*height), header: Hash(*header) };
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
    /// Makes the guard of a chain at its genesis.
    ///
    /// # Errors
    /// [`Stop::Guard`] when the file is there already or cannot be written.
    pub fn create(path: &Path, genesis: &Header) -> Result<(), Stop> {
        let says = |error: std::io::Error| Stop::Guard(format!("{}: {error}", path.display()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(says)?;
        let signed = Signed { chain: genesis.chain, height: genesis.height, header: genesis.hash() };
        file.write_all_at(&signed.to_bytes(), 0).and_then(|()| file.sync_all()).map_err(says)
    }

    /// Opens the guard and holds it against the newest block of the chain.
    ///
    /// # Errors
    /// [`Stop::Guard`] when there is none, it is another chain's, another process has it, or it has signed what this
    /// folder does not have: then the folder is an older copy, and may not sign.
    pub fn open(path: &Path, tip: &Header) -> Result<Guard, Stop> {
        let says = |why: &dyn std::fmt::Display| Stop::Guard(format!("{}: {why}", path.display()));
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| {
            says(&format!("{error}; `tenor node guard` makes one for a chain that nobody has signed for yet"))
        })?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| says(&"another process signs with it"))?;
        let mut bytes = [0; 2 * SLOT];
        let length = file.read_at(&mut bytes, 0).map_err(|error| says(&error))?;
        let slots = bytes[..length].chunks(SLOT).filter_map(Signed::from_bytes);
        let signed = slots.max_by_key(|signed| signed.height).ok_or_else(|| says(&"it is damaged"))?;
        let guard = Guard { path: path.into(), file, signed };
        let (here, hash) = (tip.height, tip.hash());
        match (signed.chain == tip.chain, signed.height.cmp(&here)) {
            (false, _) => Err(says(&format!("it is of {}, the folder holds {}", signed.chain, tip.chain))),
            (true, std::cmp::Ordering::Greater) => Err(says(&format!(
                "block {} was signed, the folder ends at block {here}: it is an older copy and may not sign",
                signed.height
            ))),
            (true, std::cmp::Ordering::Equal) if signed.header != hash => {
                Err(says(&format!("another block {here} was signed than the folder holds")))
            }
            _ => Ok(guard),
        }
    }

    /// Remembers a block before it is signed.
    ///
    /// # Errors
    /// [`Stop::Guard`] when something at or above it was signed that is not this very block, or the disk says no.
    pub fn remember(&mut self, header: &Header) -> Result<(), Stop> {
        let next = Signed { chain: header.chain, height: header.height, header: header.hash() };
        if next == self.signed {
            return Ok(());
        }
        if next.chain != self.signed.chain || next.height <= self.signed.height {
            let (given, kept) = (header.height, self.signed.height);
            return Err(Stop::Guard(format!(
                "block {given} is not signed: block {kept} was, and only higher ones follow"
            )));
        }
        let place = (next.height % 2) * SLOT as u64;
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
        let mut guard = Guard::open(&path, &header(0, 0)).unwrap();
        for height in 1..=3 {
            guard.remember(&header(height, 5)).unwrap();
        }
        guard.remember(&header(3, 5)).unwrap();
        for other in [header(3, 6), header(2, 5), header(1, 5)] {
            assert!(refusal(guard.remember(&other)).contains("block 3 was"));
        }
        assert!(refusal(Guard::open(&path, &header(3, 5))).contains("another process"));
        drop(guard);
        assert!(refusal(Guard::open(&path, &header(2, 5))).contains("an older copy"));
        assert!(refusal(Guard::open(&path, &header(3, 6))).contains("another block 3"));
        let other = Header { chain: ChainId([2; 32]), ..header(3, 5) };
        assert!(refusal(Guard::open(&path, &other)).contains("the folder holds"));
        // The chain may have gone on without a guard, as a sandbox does.
        Guard::open(&path, &header(3, 5)).unwrap();
        Guard::open(&path, &header(9, 9)).unwrap();
    }

    #[test]
    fn a_torn_write_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("guard");
        Guard::create(&path, &header(0, 0)).unwrap();
        let mut guard = Guard::open(&path, &header(0, 0)).unwrap();
        guard.remember(&header(1, 1)).unwrap();
        guard.remember(&header(2, 2)).unwrap();
        drop(guard);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Guard::open(&path, &header(1, 1)).unwrap().signed.height, 1);
        bytes[SLOT + 40] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(refusal(Guard::open(&path, &header(1, 1))).contains("damaged"));
    }
}
