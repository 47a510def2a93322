//! The disk below the state: sled, written behind the log in checkpoints.
//!
//! sled loses acknowledged writes at power loss and may refuse to open afterwards; both are harmless here,
//! because the log is ahead of it and can make all of it again. A checkpoint is pages and rows, then, when they
//! are durable, the mark. What the mark says is checked: the top carries its hash, each page its own.

use super::page::PageBytes;
use super::spill::Spill;
use super::{Change, DirtyPage, Mark, PageNumber, Row, StoreError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tenor_abi::codec;
#[cfg(test)]
use tenor_abi::id::Hash;
use tenor_wire::crypto::plain_hash;

/// Bytes of sled's own page cache: it serves only what is not in ours.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of the top that lie under one key.
const CHUNK_BYTES: usize = 4096;
/// How often and how long opening waits for a lock that is being given back.
const LOCK_TRIES: u32 = 400;
const LOCK_WAIT: std::time::Duration = std::time::Duration::from_millis(5);
/// The key of the mark.
const MARK: &str = "mark";
/// The file that says that the mark does not count.
const DISTRUSTED: &str = "distrusted";

/// What a page belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Table {
    /// Leaves of the trie.
    Leaves,
    /// Rows in the order of their keys.
    Index,
}

impl Table {
    /// What it is called in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Leaves => "leaves",
            Table::Index => "index",
        }
    }
}

/// One of the two places of a page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

impl Side {
    pub(super) const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// Rows as they wait to be written; none where one is deleted.
pub type WaitingRows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// sled's trees.
pub struct Disk {
    folder: PathBuf,
    db: sled::Db,
    spill: Spill,
    pages: [[sled::Tree; 2]; 2],
    rows: sled::Tree,
    top: sled::Tree,
    marks: sled::Tree,
    /// Whether the folder goes with it.
    is_scratch: bool,
    /// The newest checkpoint whose mark is on the disk.
    stored: AtomicU32,
    written_bytes: AtomicU64,
    /// What was found damaged first.
    damage: OnceLock<String>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("stored", &self.stored).finish()
    }
}

/// sled panics on some damage; at this border a panic is an answer.
fn guarded<T>(what: &str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        // A file of its own that is not there, or not whole, is no disk that says no.
        Ok(Err(sled::Error::Io(error)))
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData
            ) =>
        {
            Err(StoreError::Damaged(format!("{what}: {error}")))
        }
        Ok(Err(sled::Error::Io(error))) => Err(StoreError::of_io(what, &error)),
        Ok(Err(error)) => Err(StoreError::Damaged(format!("{what}: {error}"))),
        Err(_) => Err(StoreError::Damaged(format!("{what}: the database gave up"))),
    }
}

impl Disk {
    /// Opens or makes the database in a folder.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when sled cannot read what is there.
    pub fn open(folder: &Path) -> Result<Disk, StoreError> {
        let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let mut tries = 0;
        let db = loop {
            // A sled that was just dropped in this process gives its lock back from a thread of its own.
            let opened = guarded("open", || Ok(config.open()))?;
            match opened {
                Err(sled::Error::Io(error)) if error.kind() == ErrorKind::Other && tries < LOCK_TRIES => {
                    tries += 1
                }
                opened => break guarded("open", || opened)?,
            }
            std::thread::sleep(LOCK_WAIT);
        };
        let tree = |name: &str| guarded("open", || db.open_tree(name));
        let disk = Disk {
            folder: folder.into(),
            spill: Spill::new(folder)?,
            pages: [[tree("leaves-a")?, tree("leaves-b")?], [tree("index-a")?, tree("index-b")?]],
            rows: tree("rows")?,
            top: tree("top")?,
            marks: tree("mark")?,
            db,
            is_scratch: false,
            stored: AtomicU32::new(0),
            written_bytes: AtomicU64::new(0),
            damage: OnceLock::new(),
        };
        if let Some(mark) = disk.mark()? {
            disk.stored.store(mark.sequence, Ordering::Release);
        }
        Ok(disk)
    }

    /// Makes a database in a folder that goes when it is dropped.
    ///
    /// # Errors
    /// As [`Disk::open`].
    pub fn scratch(folder: &Path) -> Result<Disk, StoreError> {
        let mut disk = Disk::open(folder)?;
        disk.is_scratch = true;
        Ok(disk)
    }

    /// How far it has come; none when nothing is there, or nothing that can be believed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn mark(&self) -> Result<Option<Mark>, StoreError> {
        if self.folder.join(DISTRUSTED).exists() {
            return Ok(None);
        }
        let Some(bytes) = guarded("mark", || self.marks.get(MARK))? else { return Ok(None) };
        let damaged = || StoreError::Damaged("the mark is not what its checksum says".into());
        let (checksum, mark) = bytes.split_first_chunk::<32>().ok_or_else(damaged)?;
        if plain_hash(&[mark]).0 != *checksum {
            return Err(damaged());
        }
        codec::decode_own(mark).map(Some).map_err(|_| damaged())
    }

    /// Asks sled; where it finds itself damaged, the mark is taken away.
    fn asking<T>(&self, what: &str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
        guarded(what, work).inspect_err(|error| {
            if matches!(error, StoreError::Damaged(_)) {
                self.distrust(&error.to_string());
            }
        })
    }

    /// What is here is damaged, as `what` says, and is not believed at the next opening. Returns that with what becomes
    /// of it.
    pub fn distrust(&self, what: &str) -> String {
        let becomes = match self.forget_mark() {
            Ok(()) => "the next start makes the state again from the log".into(),
            Err(error) => format!("and the state store could not be marked as damaged: {error}"),
        };
        self.note_damage(format!("{what}; {becomes}"))
    }

    /// Notes damage for whoever asks whether there is any, and returns what it says.
    pub(super) fn note_damage(&self, said: String) -> String {
        self.damage.get_or_init(|| said.clone());
        said
    }

    /// What was found damaged first since this was opened; none where nothing was.
    pub fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// Takes the mark away. It is a file beside sled's own, because sled may be too damaged to take a write.
    fn forget_mark(&self) -> Result<(), StoreError> {
        let path = self.folder.join(DISTRUSTED);
        let forget = || File::create(&path)?.sync_all().and_then(|()| File::open(&self.folder)?.sync_all());
        forget().map_err(|error| StoreError::Io(format!("{}: {error}", path.display())))
    }

    /// The top that a mark refers to.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is not what the mark says.
    pub fn top(&self, mark: &Mark) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::with_capacity(mark.top_bytes as usize);
        for chunk in 0..mark.top_bytes.div_ceil(CHUNK_BYTES as u64) {
            let key = top_key(mark.sequence, chunk as u32);
            bytes.extend(self.asking("top", || self.top.get(key))?.iter().flat_map(|chunk| chunk.iter()));
        }
        bytes.truncate(mark.top_bytes as usize);
        if plain_hash(&[&bytes]) != mark.top {
            return Err(StoreError::Damaged("the top of the state is not what the mark says".into()));
        }
        Ok(bytes)
    }

    /// What is made of a page's bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn page<T>(
        &self,
        table: Table,
        side: Side,
        number: PageNumber,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StoreError> {
        let tree = &self.pages[table as usize][side as usize];
        Ok(self.asking("read", || tree.get(number.to_be_bytes()))?.map(|bytes| read(&bytes)))
    }

    /// Where pages go that leave memory.
    pub(super) fn spill(&self) -> &Spill {
        &self.spill
    }

    /// Bytes of the pages that left memory.
    pub fn spilled_bytes(&self) -> u64 {
        self.spill.size_bytes()
    }

    /// A row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.asking("read", || self.rows.get(key))?.map(|value| value.to_vec()))
    }

    /// The last row at or before a key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn row_before(&self, key: &[u8]) -> Result<Option<Row>, StoreError> {
        let found = self.asking("scan", || self.rows.range::<&[u8], _>(..=key).next_back().transpose())?;
        Ok(found.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    /// The first row at or after `from` and before `end`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_row(&self, from: &[u8], end: &[u8]) -> Result<Option<Row>, StoreError> {
        if from >= end {
            return Ok(None);
        }
        let range = (Bound::Included(from), Bound::Excluded(end));
        let found = self.asking("scan", || self.rows.range::<&[u8], _>(range).next().transpose())?;
        Ok(found.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    /// The newest checkpoint that is on the disk.
    pub fn stored(&self) -> u32 {
        self.stored.load(Ordering::Acquire)
    }

    /// Bytes written since opening.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of sled's files.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        guarded("size", || self.db.size_on_disk())
    }

    /// Writes pages and rows in key order, so that sled's memory stays flat.
    pub(crate) fn write_parts(
        &self,
        pages: &mut [DirtyPage],
        rows: &[Change],
        top: &[u8],
        sequence: u32,
    ) -> Result<(), StoreError> {
        pages.sort_unstable_by_key(|page| (page.table, page.side, page.number));
        for pages in pages.chunk_by(|page, next| (page.table, page.side) == (next.table, next.side)) {
            self.make_places(pages)?;
        }
        for page in pages {
            let tree = self.tree(page);
            let put = |bytes: &[u8]| self.put(tree, &page.number.to_be_bytes(), bytes);
            match &page.bytes {
                PageBytes::Here(bytes) => put(bytes)?,
                PageBytes::Spilled(place, hash) => {
                    let written = self.spill.page(*place, hash, |bytes, _| put(bytes))?.transpose()?;
                    let changed = || StoreError::Io(format!("page {} is not as it was spilled", page.number));
                    written.ok_or_else(changed)?;
                }
            }
        }
        for (key, value) in rows {
            match value {
                Some(value) => self.put(&self.rows, key, value)?,
                None => self.asking("write", || self.rows.remove(key)).map(|_| ())?,
            }
        }
        for (number, chunk) in (0u32..).zip(top.chunks(CHUNK_BYTES)) {
            self.put(&self.top, &top_key(sequence, number), chunk)?;
        }
        self.asking("flush", || self.db.flush()).map(|_| ())
    }

    /// The tree in which a page has its place.
    fn tree(&self, page: &DirtyPage) -> &sled::Tree {
        &self.pages[page.table as usize][page.side as usize]
    }

    /// Makes empty places for the pages that go behind all others of one tree. sled cuts a node that grows at its end
    /// into halves, and what it wrote of both stays on the disk with the first: twice the bytes of what is in it.
    /// Nodes that were cut before there was anything in them take each page once.
    fn make_places(&self, pages: &[DirtyPage]) -> Result<(), StoreError> {
        let Some(tree) = pages.first().map(|page| self.tree(page)) else { return Ok(()) };
        let last = self.asking("write", || tree.last())?.map(|(key, _)| key);
        let keys = pages.iter().map(|page| page.number.to_be_bytes());
        for key in keys.skip_while(|key| last.as_ref().is_some_and(|last| key[..] <= last[..])) {
            self.put(tree, &key, &[])?;
        }
        Ok(())
    }

    /// Writes the mark, when everything that it refers to is durable.
    pub(crate) fn write_mark(&self, mark: &Mark) -> Result<(), StoreError> {
        let bytes = codec::encode(mark);
        let sealed = [&plain_hash(&[&bytes]).0[..], &bytes].concat();
        self.put(&self.marks, MARK.as_bytes(), &sealed)?;
        self.asking("flush", || self.db.flush())?;
        self.stored.store(mark.sequence, Ordering::Release);
        Ok(())
    }

    /// Writes a whole checkpoint of a trie.
    #[cfg(test)]
    pub(crate) fn write_trie(
        &self,
        sequence: u32,
        root: Hash,
        mut pages: Vec<DirtyPage>,
        top: &[u8],
    ) -> Mark {
        let mark = Mark {
            sequence,
            height: 0,
            root,
            top_bytes: top.len() as u64,
            top: plain_hash(&[top]),
            log: Default::default(),
        };
        self.write_parts(&mut pages, &[], top, sequence).unwrap();
        self.write_mark(&mark).unwrap();
        mark
    }

    fn put(&self, tree: &sled::Tree, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.written_bytes.fetch_add((key.len() + value.len()) as u64, Ordering::Relaxed);
        self.asking("write", || tree.insert(key, value)).map(|_| ())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_scratch {
            // What is left over is cleared by whoever makes the folder next.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Tops take turns under two prefixes, so that the one of the last mark is never overwritten.
fn top_key(sequence: u32, chunk: u32) -> [u8; 5] {
    let [a, b, c, d] = chunk.to_be_bytes();
    [(sequence & 1) as u8, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_BYTES: usize = 3_000;

    /// Pages with contents of their own, so that none looks like another.
    fn pages(numbers: std::ops::Range<PageNumber>) -> Vec<DirtyPage> {
        let bytes = |number: PageNumber| number.to_be_bytes().repeat(PAGE_BYTES / 4);
        let page = |number| DirtyPage {
            table: Table::Leaves,
            side: Side::A,
            number,
            bytes: PageBytes::Here(bytes(number).into()),
        };
        numbers.map(page).collect()
    }

    #[test]
    fn a_file_that_is_missing_or_short_is_damage_and_a_disk_that_says_no_is_not() {
        let said = |kind: ErrorKind| {
            guarded("read", || sled::Result::<()>::Err(sled::Error::Io(kind.into()))).unwrap_err()
        };
        for kind in [ErrorKind::NotFound, ErrorKind::UnexpectedEof, ErrorKind::InvalidData] {
            assert!(matches!(said(kind), StoreError::Damaged(_)), "{kind}");
        }
        assert!(matches!(said(ErrorKind::StorageFull), StoreError::Full(_)));
        for kind in [ErrorKind::PermissionDenied, ErrorKind::Other] {
            assert!(matches!(said(kind), StoreError::Io(_)), "{kind}");
        }
    }

    /// Bytes on disk of so many pages, written in two parts, for a hundred bytes of them.
    fn on_disk_percent(numbers: PageNumber) -> u64 {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        for numbers in [0..numbers / 3 * 2, numbers / 3 * 2..numbers] {
            disk.write_parts(&mut pages(numbers), &[], &[], 1).unwrap();
        }
        for page in pages(0..numbers) {
            let PageBytes::Here(expected) = page.bytes else { unreachable!() };
            let found = disk.page(page.table, page.side, page.number, <[u8]>::to_vec).unwrap();
            assert_eq!(found.as_deref(), Some(&*expected), "page {}", page.number);
        }
        disk.size_bytes().unwrap() * 100 / (u64::from(numbers) * PAGE_BYTES as u64)
    }

    #[test]
    fn pages_behind_all_others_take_their_bytes_once() {
        // When sled's own threads come late it takes more room for what it could have used again: then another time.
        // Without places it never takes less than 170.
        let taken: Vec<u64> =
            (0..8).map(|_| on_disk_percent(6_000)).take_while(|taken| *taken >= 130).collect();
        assert!(taken.len() < 8, "{taken:?}");
    }
}
