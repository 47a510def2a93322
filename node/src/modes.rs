//! Modes: what lies in a data folder is its owner's alone.

use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Modes by which others than the owner may do something.
const OTHERS: u32 = 0o077;
/// Modes by which others than the owner may write.
const OTHERS_WRITE: u32 = 0o022;
/// What there is in a data folder to keep from others: secrets, and what a node believes. Of a folder what lies in it too,
/// but of the log, which nobody reaches but through its folder.
const PARTS: [(&str, bool); 6] = [
    ("", false),
    ("keys", true),
    ("tokens.json", false),
    ("webhooks", true),
    ("names.json", false),
    ("log", false),
];
/// By which of them a node knows who may do what: where others write there, anybody may do anything.
const BELIEVED: [&str; 3] = ["", "keys", "tokens.json"];

/// A file or folder that others than its owner may use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Open {
    /// Where it is.
    pub path: PathBuf,
    /// Whether others may write there.
    pub writable: bool,
    /// Whether a node must not believe it then.
    pub believed: bool,
}

/// What to do about it.
pub fn remedy<'p>(paths: impl IntoIterator<Item = &'p Path>) -> String {
    let paths = paths.into_iter().map(|path| format!(" {}", path.display()));
    format!("`chmod -R go={}`", paths.collect::<String>())
}

/// What of a data folder others than its owner may read or write.
///
/// # Errors
/// When the disk says no.
pub fn open_to_others(data: &Path) -> Result<Vec<Open>> {
    let mut found = vec![];
    for (part, inside) in PARTS {
        // The folder itself, without a slash behind it.
        let path = if part.is_empty() { data.to_path_buf() } else { data.join(part) };
        let believed = BELIEVED.contains(&part);
        found.extend(open(&path, believed)?);
        if inside && path.is_dir() {
            let mut paths = vec![];
            for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
                paths.push(entry?.path());
            }
            paths.sort();
            for path in paths {
                found.extend(open(&path, believed)?);
            }
        }
    }
    Ok(found)
}

/// What of the files that lie outside a data folder others than its owner may read or write: those of a folder, too.
///
/// # Errors
/// When the disk says no.
pub fn beside_open_to_others<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result<Vec<Open>> {
    let mut found = vec![];
    for path in paths {
        let inside = path.is_dir().then(|| fs::read_dir(path)).transpose();
        let inside = inside.with_context(|| format!("reading {}", path.display()))?;
        found.extend(open(path, true)?);
        for entry in inside.into_iter().flatten() {
            found.extend(open(&entry?.path(), true)?);
        }
    }
    Ok(found)
}

fn open(path: &Path, believed: bool) -> Result<Option<Open>> {
    let mode = match fs::metadata(path) {
        Ok(about) => about.permissions().mode(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let open = Open { path: path.into(), writable: mode & OTHERS_WRITE != 0, believed };
    Ok((mode & OTHERS != 0).then_some(open))
}

/// The names of what is open in a data folder, as people read them.
pub fn names<'o>(data: &Path, open: impl Iterator<Item = &'o Open>) -> String {
    let name = |open: &Open| match open.path.strip_prefix(data) {
        Ok(inside) if inside.as_os_str().is_empty() => data.display().to_string(),
        Ok(inside) => inside.display().to_string(),
        Err(_) => open.path.display().to_string(),
    };
    open.map(name).collect::<Vec<_>>().join(", ")
}

/// The bytes of a file that only its owner may write; none where there is no such file.
///
/// # Errors
/// When others may write it, or the disk says no.
pub fn read_believed(path: &Path) -> Result<Option<Vec<u8>>> {
    let reading = || format!("reading {}", path.display());
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(reading),
    };
    // Of the very file that is read, whatever is under its name meanwhile.
    let mode = file.metadata().with_context(reading)?.permissions().mode();
    if mode & OTHERS_WRITE != 0 {
        bail!(
            "{} may be written by others than its owner: look what is in it, then `chmod go= {0}`",
            path.display()
        );
    }
    let mut bytes = vec![];
    file.read_to_end(&mut bytes).with_context(reading)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_may_use_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let set = |name: &str, mode: u32| {
            fs::set_permissions(data.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(data.join("keys")).unwrap();
        fs::create_dir_all(data.join("state")).unwrap();
        fs::write(data.join("keys/bank.key"), "").unwrap();
        let guard = folder.path().join("guard");
        fs::write(&guard, "").unwrap();
        for (mode, readable, writable) in [(0o600, false, false), (0o640, true, false), (0o666, true, true)] {
            fs::set_permissions(&guard, fs::Permissions::from_mode(mode)).unwrap();
            let found = beside_open_to_others([&*guard, &folder.path().join("no such file")]).unwrap();
            assert_eq!(found.len(), usize::from(readable), "{mode:o}");
            assert_eq!(found.iter().any(|open| open.writable), writable, "{mode:o}");
        }
        fs::write(data.join("tokens.json"), "[]").unwrap();
        for (name, mode) in [("keys/bank.key", 0o600), ("keys", 0o700), ("tokens.json", 0o600)] {
            set(name, mode);
        }
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
        set("state", 0o777);
        assert_eq!(open_to_others(&data).unwrap(), []);
        assert_eq!(read_believed(&data.join("tokens.json")).unwrap().unwrap(), b"[]");
        assert_eq!(read_believed(&data.join("names.json")).unwrap(), None);
        set("tokens.json", 0o620);
        set("keys/bank.key", 0o604);
        fs::set_permissions(&data, fs::Permissions::from_mode(0o750)).unwrap();
        let found = open_to_others(&data).unwrap();
        assert_eq!(names(&data, found.iter()), format!("{}, keys/bank.key, tokens.json", data.display()));
        assert_eq!(found.iter().map(|open| open.writable).collect::<Vec<_>>(), [false, false, true]);
        let said = read_believed(&data.join("tokens.json")).unwrap_err().to_string();
        assert!(said.contains("written by others") && said.contains("chmod go= "), "{said}");
    }
}
