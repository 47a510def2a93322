//! Where pages go that leave memory: a file without a name, which goes with the process that has it.
//!
//! It is no copy of anything that must last: what leaves memory for it and comes back is as it was in memory, held
//! by a checksum that covers the page's hash too. What it cannot take stays where it was.
//!
//! A place holds the length of the page u32, the length of what lies beside it u32, CRC-32 of the page's hash and
//! both, the page, what lies beside it; integers are little-endian.

use super::StoreError;
use crate::log::write_at;
use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions, remove_file};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tenor_abi::id::Hash;

/// What the file is called until it loses its name.
const FILE: &str = "spill";
/// Bytes of a unit; a page takes whole ones.
const UNIT_BYTES: usize = 1024;
/// Bytes before a page: two lengths and the checksum.
const HEAD_BYTES: usize = 12;

/// Where a page lies in the file, in units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(super) first: u32,
    pub(super) count: u16,
}

#[derive(Default)]
struct Units {
    /// Units of the file.
    end: u32,
    /// Places that nobody has, by their length.
    free: BTreeMap<u16, Vec<u32>>,
    /// Places that were given back while a checkpoint may still read them, with the number of that one.
    given_back: VecDeque<(u32, Place)>,
    /// A page as it is written.
    bytes: Vec<u8>,
}

/// The file.
pub(super) struct Spill {
    file: File,
    units: Mutex<Units>,
}

impl Spill {
    /// Makes the file in a folder and takes its name away.
    pub fn new(folder: &Path) -> Result<Spill, StoreError> {
        let path = folder.join(FILE);
        let io = |error| StoreError::of_io(&path.display().to_string(), &error);
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).map_err(io)?;
        remove_file(&path).map_err(io)?;
        Ok(Spill { file, units: Mutex::default() })
    }

    /// Takes a page and what lies beside it in memory. Places that were given back are free again when the checkpoint
    /// `stored` is on the disk.
    pub fn put(&self, hash: &Hash, page: &[u8], beside: &[u8], stored: u32) -> Result<Place, StoreError> {
        let mut units = self.units();
        let Units { end, free, given_back, bytes } = &mut *units;
        while let Some((_, place)) = given_back.pop_front_if(|(until, _)| *until <= stored) {
            free.entry(place.count).or_default().push(place.first);
        }
        let full = || StoreError::Full("the file that pages are spilled to has no place left".into());
        let count = (HEAD_BYTES + page.len() + beside.len()).div_ceil(UNIT_BYTES);
        let count = u16::try_from(count).map_err(|_| full())?;
        let reused = free.get_mut(&count).and_then(Vec::pop);
        let first = match reused {
            Some(first) => first,
            None => std::mem::replace(end, end.checked_add(u32::from(count)).ok_or_else(full)?),
        };
        bytes.clear();
        for head in [page.len() as u32, beside.len() as u32, checksum(hash, &[page, beside])] {
            bytes.extend(head.to_le_bytes());
        }
        bytes.extend(page);
        bytes.extend(beside);
        bytes.resize(usize::from(count) * UNIT_BYTES, 0);
        let place = Place { first, count };
        write_at(&self.file, bytes, place.offset()).map_err(|error| {
            free.entry(count).or_default().push(first);
            StoreError::of_io(FILE, &error)
        })?;
        Ok(place)
    }

    /// What is made of a page and what lies beside it; none where they are not what their checksum says.
    pub fn page<T>(
        &self,
        place: Place,
        hash: &Hash,
        read: impl FnOnce(&[u8], &[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        let mut bytes = vec![0; usize::from(place.count) * UNIT_BYTES];
        let read_exact = self.file.read_exact_at(&mut bytes, place.offset());
        read_exact.map_err(|error| StoreError::of_io(FILE, &error))?;
        let (head, rest) = bytes.split_at(HEAD_BYTES);
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let page = rest.split_at_checked(number(0) as usize).and_then(|(page, rest)| {
            let beside = rest.get(..number(4) as usize)?;
            (checksum(hash, &[page, beside]) == number(8)).then(|| read(page, beside))
        });
        Ok(page)
    }

    /// Takes a place back, which the checkpoint `until` may still read; `until` never falls.
    pub fn give_back(&self, place: Place, until: u32) {
        self.units().given_back.push_back((until, place));
    }

    /// Bytes of the file.
    pub fn size_bytes(&self) -> u64 {
        u64::from(self.units().end) * UNIT_BYTES as u64
    }

    fn units(&self) -> MutexGuard<'_, Units> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn checksum(hash: &Hash, parts: &[&[u8]]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&hash.0);
    parts.iter().for_each(|part| checksum.update(part));
    checksum.finalize()
}

impl Place {
    fn offset(self) -> u64 {
        u64::from(self.first) * UNIT_BYTES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::fail_at;

    const HASH: Hash = Hash([7; 32]);

    fn put(spill: &Spill, page: &[u8], stored: u32) -> Result<Place, StoreError> {
        spill.put(&HASH, page, &[4, 2], stored)
    }

    fn read(spill: &Spill, place: Place) -> Vec<u8> {
        let read = |page: &[u8], beside: &[u8]| (page.to_vec(), beside.to_vec());
        let (page, beside) = spill.page(place, &HASH, read).unwrap().unwrap();
        assert_eq!(beside, [4, 2]);
        page
    }

    #[test]
    fn what_was_spilled_is_read_again_and_its_place_used_again_when_nobody_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let spill = Spill::new(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");
        let pages: Vec<Vec<u8>> = (0..40).map(|page: u8| vec![page; usize::from(page) * 300]).collect();
        let places: Vec<Place> = pages.iter().map(|page| put(&spill, page, 0).unwrap()).collect();
        for (page, place) in pages.iter().zip(&places) {
            assert_eq!(&read(&spill, *place), page);
        }
        let size_bytes = spill.size_bytes();
        // The second checkpoint is not on the disk yet: it may read what was given back.
        spill.give_back(places[39], 2);
        let beside = put(&spill, &pages[39], 1).unwrap();
        assert_ne!(beside, places[39]);
        assert_eq!(read(&spill, places[39]), pages[39]);
        let again = put(&spill, &pages[38], 2).unwrap();
        assert_eq!((again.first, spill.size_bytes()), (places[39].first, size_bytes + 12 * 1024));
        assert_eq!((read(&spill, again), read(&spill, beside)), (pages[38].clone(), pages[39].clone()));
    }

    #[test]
    fn what_is_not_as_it_was_spilled_is_not_given() {
        let folder = tempfile::tempdir().unwrap();
        let spill = Spill::new(folder.path()).unwrap();
        let place = put(&spill, &[1; 100], 0).unwrap();
        let is_read = |hash: &Hash| spill.page(place, hash, |_, _| ()).unwrap().is_some();
        assert!(!is_read(&Hash([8; 32])), "another page, or the same as it was before");
        for at in 0..HEAD_BYTES + 102 {
            let mut byte = [0];
            spill.file.read_exact_at(&mut byte, at as u64).unwrap();
            spill.file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
            assert!(!is_read(&HASH), "byte {at}");
            spill.file.write_all_at(&byte, at as u64).unwrap();
        }
        assert!(is_read(&HASH));
    }

    #[test]
    fn a_disk_that_says_no_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let spill = Spill::new(folder.path()).unwrap();
        let kept = put(&spill, &[1; 10], 0).unwrap();
        fail_at(Some(0));
        assert!(matches!(put(&spill, &[2; 10], 0), Err(StoreError::Full(_))));
        fail_at(None);
        let after = put(&spill, &[3; 10], 0).unwrap();
        assert_eq!((read(&spill, kept), read(&spill, after)), (vec![1; 10], vec![3; 10]));
        assert!(matches!(put(&spill, &vec![0; 64 << 20], 0), Err(StoreError::Full(_))), "no page is as long");
        assert_eq!(spill.size_bytes(), 2048);
    }
}
