//! Secrets under a passphrase: argon2id makes a key of it, ChaCha20-Poly1305 (RFC 8439) seals with that.

use anyhow::{Context, Result, bail};
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use tenor_wire::hexadecimal::{hex, unhex};

/// Version of the form.
const FORM: u32 = 1;
/// Memory that guessing a passphrase takes, KiB.
const MEMORY_KIB: u32 = 64 * 1024;
/// Most memory that a file may ask for, KiB.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
/// Passes over it.
const PASSES: u32 = 3;
/// Most passes that a file may ask for.
const PASSES_MAX: u32 = 64;
/// Fewest characters of a passphrase.
const LENGTH_MIN: usize = 12;

/// Where passphrases lie: one file for every key, or a folder with a file for each, under the key's name.
#[derive(Clone, Debug)]
pub struct Passphrases(PathBuf);

impl Passphrases {
    /// Those of a file or folder.
    pub fn at(path: &Path) -> Passphrases {
        Passphrases(path.into())
    }

    /// The passphrase of a key: its file's first line.
    ///
    /// # Errors
    /// When it cannot be read or is too short.
    pub fn of(&self, name: &str) -> Result<String> {
        let path = if self.0.is_dir() { self.0.join(name) } else { self.0.clone() };
        let text = fs::read_to_string(&path)
            .with_context(|| format!("reading the passphrase of `{name}` from {}", path.display()))?;
        let line = text.lines().next().unwrap_or_default();
        if line.chars().count() < LENGTH_MIN {
            bail!("{}: a passphrase has at least {LENGTH_MIN} characters", path.display());
        }
        Ok(line.into())
    }
}

/// A sealed secret, as its file says it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    tenor_key: u32,
    memory_kib: u32,
    passes: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

impl Sealed {
    /// Seals a secret of a name; under another name it does not open.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn seal(name: &str, secret: &[u8; 32], passphrase: &str) -> Result<Sealed> {
        let (mut salt, mut nonce) = ([0; 16], [0; 12]);
        for bytes in [&mut salt[..], &mut nonce[..]] {
            getrandom::fill(bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        }
        let cipher = cipher(passphrase, &salt, MEMORY_KIB, PASSES)?;
        let mut bytes = *secret;
        let tag = cipher
            .encrypt_inout_detached(&Nonce::from(nonce), name.as_bytes(), bytes.as_mut_slice().into())
            .map_err(|_| anyhow::anyhow!("`{name}` cannot be sealed"))?;
        let sealed = hex(&[&bytes[..], &tag[..]].concat());
        Ok(Sealed {
            tenor_key: FORM,
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            salt: hex(&salt),
            nonce: hex(&nonce),
            sealed,
        })
    }

    /// Opens the secret of a name.
    ///
    /// # Errors
    /// When the passphrase is another one, or the file is damaged.
    pub fn open(&self, name: &str, passphrase: &str) -> Result<[u8; 32]> {
        let damaged = || format!("the key `{name}` is damaged");
        if self.tenor_key != FORM {
            bail!("the key `{name}` has form {}, this build reads {FORM}", self.tenor_key);
        }
        if self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX {
            bail!("{}: it asks for more work than any key is sealed with", damaged());
        }
        let salt = unhex(&self.salt).with_context(damaged)?;
        let nonce: [u8; 12] =
            unhex(&self.nonce).and_then(|bytes| bytes.try_into().ok()).with_context(damaged)?;
        let sealed = unhex(&self.sealed).with_context(damaged)?;
        let (bytes, tag) = sealed.split_first_chunk::<32>().with_context(damaged)?;
        let tag: [u8; 16] = tag.try_into().ok().with_context(damaged)?;
        let mut secret = *bytes;
        cipher(passphrase, &salt, self.memory_kib, self.passes)?
            .decrypt_inout_detached(
                &Nonce::from(nonce),
                name.as_bytes(),
                secret.as_mut_slice().into(),
                &Tag::from(tag),
            )
            .map_err(|_| {
                anyhow::anyhow!("this is not the passphrase of the key `{name}`, or it is damaged")
            })?;
        Ok(secret)
    }
}

fn cipher(passphrase: &str, salt: &[u8], memory_kib: u32, passes: u32) -> Result<ChaCha20Poly1305> {
    let wrong = |error: argon2::Error| anyhow::anyhow!("argon2id: {error}");
    let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(wrong)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(wrong)?;
    Ok(ChaCha20Poly1305::new(&Key::from(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_under_its_name_and_passphrase_alone() {
        let sealed = Sealed::seal("bank", &[7; 32], "correct horse battery").unwrap();
        assert_eq!(sealed.open("bank", "correct horse battery").unwrap(), [7; 32]);
        let no = |sealed: &Sealed, name: &str, passphrase: &str| {
            sealed.open(name, passphrase).unwrap_err().to_string()
        };
        assert!(no(&sealed, "bank", "correct horse batterie").contains("not the passphrase"));
        assert!(no(&sealed, "other", "correct horse battery").contains("not the passphrase"));
        let greedy = Sealed { memory_kib: u32::MAX, ..sealed.clone() };
        assert!(no(&greedy, "bank", "correct horse battery").contains("more work"));
        let newer = Sealed { tenor_key: 2, ..sealed.clone() };
        assert!(no(&newer, "bank", "correct horse battery").contains("form 2"));
        let text = serde_json::to_string(&sealed).unwrap();
        assert!(!text.contains(&hex(&[7; 32])));
    }

    #[test]
    fn passphrases_lie_in_one_file_or_a_file_each() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bank"), "the bank's own one\n").unwrap();
        fs::write(folder.path().join("short"), "short\n").unwrap();
        let each = Passphrases::at(folder.path());
        assert_eq!(each.of("bank").unwrap(), "the bank's own one");
        assert!(each.of("short").unwrap_err().to_string().contains("at least 12"));
        assert!(each.of("nobody").unwrap_err().to_string().contains("`nobody`"));
        let one = Passphrases::at(&folder.path().join("bank"));
        assert_eq!(one.of("nobody").unwrap(), "the bank's own one");
    }
}
