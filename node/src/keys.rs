//! Keys of a data folder: a file each, readable by its owner alone. A sandbox's lie there as they are, a bank's are
//! sealed under a passphrase.

use crate::seal::{Passphrases, Sealed};
use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
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
    passphrases: Option<Passphrases>,
}

impl Keys {
    /// The keys in a data folder.
    pub fn of(data: &Path) -> Keys {
        Keys { folder: data.join("keys"), passphrases: None }
    }

    /// The same keys, sealed ones opened by these passphrases, and new ones sealed under them.
    pub fn opened_by(self, passphrases: Option<&Path>) -> Keys {
        Keys { passphrases: passphrases.map(Passphrases::at), ..self }
    }

    /// Writes keys into a new data folder, sealed where there are passphrases.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn write(data: &Path, keys: &[(String, [u8; 32])], passphrases: Option<&Path>) -> Result<()> {
        let keystore = Keys::of(data).opened_by(passphrases);
        fs::create_dir_all(&keystore.folder).context("making the folder of keys")?;
        keys.iter().try_for_each(|(name, bytes)| keystore.add(name, bytes))
    }

    /// Adds a key.
    ///
    /// # Errors
    /// When there is one of this name, or the disk says no.
    pub fn add(&self, name: &str, secret: &[u8; 32]) -> Result<()> {
        let path = self.path(name)?;
        let text = match &self.passphrases {
            Some(passphrases) => {
                serde_json::to_string_pretty(&Sealed::seal(name, secret, &passphrases.of(name)?)?)?
            }
            None => hex(secret),
        };
        if path.exists() {
            bail!("there is a key `{name}` already");
        }
        // It has its name only once it is whole, and takes nobody else's.
        let begun = path.with_extension("begun");
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&begun)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::hard_link(&begun, &path)
        };
        let written = write();
        let _ = fs::remove_file(&begun);
        // The folder is synced as well: a key whose name is lost in a crash is lost.
        let synced = written.and_then(|()| fs::File::open(&self.folder)?.sync_all());
        synced.with_context(|| format!("writing the key `{name}`"))
    }

    /// A key by its name.
    ///
    /// # Errors
    /// When there is none, naming those that there are; when it is sealed and its passphrase is not given or another.
    pub fn get(&self, name: &str) -> Result<SecretKey> {
        let path = self.path(name)?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let names = self.names()?;
                bail!(
                    "there is no key `{name}`{}",
                    crate::near::hint(name, names.iter().map(String::as_str))
                );
            }
            Err(error) => return Err(error).with_context(|| format!("reading the key `{name}`")),
        };
        let damaged = || format!("the key `{name}` is damaged");
        let bytes = match unhex(text.trim_end()) {
            Some(bytes) => <[u8; 32]>::try_from(bytes).ok().with_context(damaged)?,
            None => {
                let sealed: Sealed = serde_json::from_str(&text).ok().with_context(damaged)?;
                let Some(passphrases) = &self.passphrases else {
                    bail!(
                        "the key `{name}` is sealed: `--passphrases` names a file with its passphrase, or a folder"
                    );
                };
                sealed.open(name, &passphrases.of(name)?)?
            }
        };
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
