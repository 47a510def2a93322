//! Keys of a sandbox folder: a file each, readable by its owner alone.

use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tenor_wire::crypto::SecretKey;
use tenor_wire::hexadecimal::{hex, unhex};

/// Name of the key that signs blocks.
pub const VALIDATOR: &str = "validator";

/// The keys of a folder.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// The keys in a data folder.
    pub fn of(data: &Path) -> Keys {
        Keys { folder: data.join("keys") }
    }

    /// Writes keys into a new data folder.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn write(data: &Path, keys: &[(String, [u8; 32])]) -> Result<()> {
        let folder = data.join("keys");
        fs::create_dir_all(&folder).context("making the folder of keys")?;
        let keystore = Keys { folder };
        keys.iter().try_for_each(|(name, bytes)| keystore.add(name, bytes))
    }

    /// Adds a key.
    ///
    /// # Errors
    /// When there is one of this name, or the disk says no.
    pub fn add(&self, name: &str, secret: &[u8; 32]) -> Result<()> {
        let path = self.path(name)?;
        let text = hex(secret);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("there is a key `{name}` already, or it cannot be written"))?;
        // The folder is synced as well: a key whose name is lost in a crash is lost.
        let written = file
            .write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::File::open(&self.folder)?.sync_all());
        written.context("writing a key")
    }

    /// A key by its name.
    ///
    /// # Errors
    /// When there is none, naming those that there are.
    pub fn get(&self, name: &str) -> Result<SecretKey> {
        let path = self.path(name)?;
        let Ok(text) = fs::read_to_string(&path) else {
            let names = self.names()?;
            bail!("there is no key `{name}`{}", crate::near::hint(name, names.iter().map(String::as_str)));
        };
        let damaged = || format!("the key `{name}` is damaged");
        let bytes = unhex(text.trim_end()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.with_context(damaged)?;
        SecretKey::from_bytes(&bytes).with_context(damaged)
    }

    /// The names of all keys.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).context("reading the folder of keys")? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "key") {
                names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            }
        }
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> Result<PathBuf> {
        let sound = !name.is_empty()
            && name.len() <= 32
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !sound {
            bail!("`{}` is no name for a key: 1 to 32 letters, digits, - and _ are", name.escape_debug());
        }
        Ok(self.folder.join(format!("{name}.key")))
    }
}
