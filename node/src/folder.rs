//! The data folder: genesis, log, state, keys and the names that this bank knows.
//!
//! A folder is made under a temporary name and renamed when everything in it is synced, so a folder that is
//! there is whole.

use crate::compiler::compiler;
use crate::kept::Kept;
use crate::keys::Keys;
use crate::view::check_made;
pub use crate::view::names::Names;
use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tenor_abi::id::AssetId;
use tenor_runtime::chain::{Chain, Genesis, Opened, Told};
use tenor_runtime::fault::Fault;
use tenor_runtime::state::Room;
use tenor_runtime::state::record::AssetRecord;
use tenor_runtime::store::FolderLock;
use tenor_runtime::vm::{Engine, Guest};

/// Name of the genesis document in a data folder.
pub const GENESIS: &str = "genesis";
const NAMES: &str = "names.json";
/// What was compiled for this chain; it is made again where it is missing.
const COMPILED: &str = "compiled";

/// An open data folder, held by this process alone; or the names and keys of one whose chain is elsewhere.
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// The chain in it.
    pub chain: Chain,
    /// The keys in it.
    pub keys: Keys,
    /// The names in it.
    pub names: Names,
    /// What opening it did.
    pub opened: Opened,
    room: Room,
    _lock: Option<FolderLock>,
}

/// The wasm engine.
///
/// # Errors
/// When this machine cannot run wasm.
pub fn engine() -> Result<Arc<dyn Guest>> {
    Ok(Arc::new(Engine::new()?.compiled_by(compiler())))
}

/// The engine of a folder, which keeps what was compiled there.
fn engine_in(path: &Path) -> Result<Arc<dyn Guest>> {
    raise_files();
    Ok(Arc::new(Engine::new()?.compiled_by(compiler()).kept_in(&path.join(COMPILED))?))
}

/// Takes as many files as the system lets this process have: each connection is one, and each loaded module whose memory
/// begins with anything.
pub(crate) fn raise_files() {
    let limits = getrlimit(Resource::Nofile);
    // What the system does not give is not there: who comes too many waits in its queue.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits });
}

impl Folder {
    /// Whether a folder holds a chain.
    pub fn exists(path: &Path) -> bool {
        path.join(GENESIS).exists()
    }

    /// Makes a folder with a genesis and keys, which are sealed where there are passphrases.
    ///
    /// # Errors
    /// When something is there already, or the disk says no.
    pub fn create(
        path: &Path,
        genesis: &Genesis,
        keys: &[(String, [u8; 32])],
        names: &Names,
        passphrases: Option<&Path>,
    ) -> Result<()> {
        make_whole(path, |making| {
            write_synced(&making.join(GENESIS), &genesis.to_bytes())?;
            write_synced(&making.join(NAMES), serde_json::to_string_pretty(names)?.as_bytes())?;
            Keys::write(making, keys, passphrases)?;
            drop(Chain::create(making, genesis.clone(), engine()?, Room::default())?);
            Ok(())
        })
    }

    /// Locks a folder for this process alone and reads its genesis document; the chain in it is not opened.
    ///
    /// # Errors
    /// When there is no chain in it, or another process has it.
    pub fn lock(path: &Path) -> Result<(FolderLock, Genesis)> {
        if !Folder::exists(path) {
            bail!("{} holds no chain; `tenor init --data {}` makes one", path.display(), path.display());
        }
        Ok((FolderLock::take(path)?, Folder::genesis(path)?))
    }

    /// Opens a folder for this process alone, with room in memory for its state.
    ///
    /// # Errors
    /// When there is no chain in it, another process has it, or it is damaged beyond what the log can heal.
    pub fn open(path: &Path, room: Room) -> Result<Folder> {
        let (lock, genesis) = Folder::lock(path)?;
        let (chain, opened) = Chain::open(path, genesis, engine_in(path)?, room)?;
        let names = Folder::names(path)?;
        let _lock = Some(lock);
        Ok(Folder { path: path.into(), chain, keys: Keys::of(path), names, opened, room, _lock })
    }

    /// The names and keys of a folder, which may be in use, beside a chain that is elsewhere; where there is no folder,
    /// there are none.
    ///
    /// # Errors
    /// When the names cannot be read.
    pub fn beside(path: &Path, chain: Chain) -> Result<Folder> {
        let names = if path.join(NAMES).exists() { Folder::names(path)? } else { Names::default() };
        let (opened, room) = (Opened::default(), Room::default());
        Ok(Folder { path: path.into(), chain, keys: Keys::of(path), names, opened, room, _lock: None })
    }

    /// The same folder, its sealed keys opened by passphrases.
    pub fn keys_opened_by(mut self, passphrases: Option<&Path>) -> Folder {
        self.keys = self.keys.opened_by(passphrases);
        self
    }

    /// The chain as it stood after the block of a height: from memory where that state is at hand, else made from the
    /// nearest snapshot and the log, telling how far that has come.
    ///
    /// # Errors
    /// When there is no such block yet, or the log does not reach back so far.
    pub fn chain_at(&self, height: u64, told: Told<'_>) -> Result<Chain> {
        check_made(&self.chain, height)?;
        match self.chain.fork_at(height) {
            Err(Fault::Gone { .. }) => {}
            forked => return Ok(forked?),
        }
        Ok(self.chain.fork_from_log(&self.path, height, self.room, told)?)
    }

    /// What a word stands for, as [`crate::view::words::Lookup`] asks: names from this bank, decimals from the
    /// chain's own record of the asset.
    pub fn lookup(&self, asked: &str) -> Option<String> {
        let Some(code) = asked.strip_prefix("decimals:") else { return self.names.lookup(asked) };
        let asset: AssetId = self.names.assets.get(code)?.parse().ok()?;
        let record: Option<AssetRecord> = self.chain.record(&asset.0).ok()?;
        record.map(|record| record.scale.to_string())
    }

    /// The genesis document of a folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn genesis(path: &Path) -> Result<Genesis> {
        let bytes = fs::read(path.join(GENESIS)).context("reading the genesis document")?;
        Genesis::from_bytes(&bytes).with_context(|| format!("{} is damaged", path.join(GENESIS).display()))
    }

    /// The names in a folder, which may be in use.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn names(path: &Path) -> Result<Names> {
        read_names(&path.join(NAMES))
    }

    /// The names in a folder as a running node knows them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn names_kept(path: &Path) -> Result<Kept<Names>> {
        Kept::open(path.join(NAMES), read_names)
    }

    /// Changes the names on the disk, beside whatever else has changed them meanwhile: `change` sees them as they are
    /// there. Nothing is written where it says no.
    ///
    /// # Errors
    /// What `change` says, or when the disk says no.
    pub fn name(&mut self, change: impl FnOnce(&mut Names) -> Result<()>) -> Result<()> {
        let path = self.path.join(NAMES);
        let _lock = lock_for(&path)?;
        let mut names = read_names(&path)?;
        change(&mut names)?;
        replace(&path, serde_json::to_string_pretty(&names)?.as_bytes())?;
        self.names = names;
        Ok(())
    }
}

fn read_names(path: &Path) -> Result<Names> {
    let names = fs::read(path).context("reading the names")?;
    serde_json::from_slice(&names).with_context(|| format!("{} is damaged", path.display()))
}

/// Held while a file is read and replaced, by commands and nodes that have no folder's lock: `names.lock` for
/// `names.json`.
///
/// # Errors
/// When the disk says no.
pub fn lock_for(path: &Path) -> Result<File> {
    let path = path.with_extension("lock");
    let lock = File::create(&path).and_then(|lock| lock.lock().map(|()| lock));
    lock.with_context(|| format!("locking {}", path.display()))
}

/// Makes a folder whole or not at all: under a temporary name beside it, renamed when `make` is done and has synced
/// what it made.
///
/// # Errors
/// When something is there already, `make` says no, or the disk does.
pub fn make_whole<T>(path: &Path, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    if path.exists() {
        bail!("{} exists already; name another folder, or remove it first", path.display());
    }
    let name = path.file_name().with_context(|| format!("{} names no folder", path.display()))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let making = parent.join(format!(".{}.making", name.to_string_lossy()));
    if making.exists() {
        fs::remove_dir_all(&making).with_context(|| format!("clearing {}", making.display()))?;
    }
    fs::create_dir_all(&making).with_context(|| format!("making {}", making.display()))?;
    let made = match make(&making) {
        Ok(made) => made,
        Err(error) => {
            // What is left over does no harm: the next try clears it.
            let _ = fs::remove_dir_all(&making);
            return Err(error);
        }
    };
    sync(&making)?;
    fs::rename(&making, path).with_context(|| format!("naming {}", path.display()))?;
    sync(parent)?;
    Ok(made)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// When the disk says no.
pub fn sync(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("syncing {}", folder.display()))
}

/// Writes a file and syncs it.
///
/// # Errors
/// When the disk says no.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Replaces a file whole: it holds the old bytes or the new ones, never a part.
///
/// # Errors
/// When the disk says no.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    // A name of its own: files that differ in their endings alone may be replaced at once.
    let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
    let beside = path.with_file_name(format!("{}.new", name.to_string_lossy()));
    write_synced(&beside, bytes)?;
    fs::rename(&beside, path).with_context(|| format!("replacing {}", path.display()))?;
    sync(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}
