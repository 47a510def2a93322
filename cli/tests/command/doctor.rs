//! The doctor and the figures: nothing found in a good folder, each damage found under its code, all of it healed.

use crate::home::{copy, done, folder, program, tenor};
use serde_json::Value;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tenor_runtime::store::FolderLock;

/// Exit code and document of a command.
fn run(data: &Path, words: &[&str]) -> (u8, Value) {
    let (code, out) = tenor(data, &[words, &["--json"]].concat());
    (code, serde_json::from_str(&out).unwrap_or_default())
}

fn codes(document: &Value) -> Vec<&str> {
    document["findings"].as_array().unwrap().iter().map(|line| line["code"].as_str().unwrap()).collect()
}

/// A sandbox with a standing order that has been paid and waits.
fn sandbox() -> (tempfile::TempDir, PathBuf) {
    let (scratch, data) = folder();
    done(&data, &["init"]);
    done(&data, &["key", "new", "ada"]);
    done(&data, &["key", "new", "landlord", "--fund", "0.00 EUR"]);
    done(&data, &["deploy", "recurring"]);
    let rent = ["open", "standing-order", "--as", "ada", "--name=rent", "payer=ada", "payee=landlord"];
    let terms = ["amount=100.00 EUR", "rhythm=monthly", "first=2026-01-10", "day=10"];
    done(&data, &[&rent[..], &terms].concat());
    done(&data, &["advance", "--to", "2026-03-20"]);
    (scratch, data)
}

/// The command as a user who may read the folder and not write in it.
fn as_a_reader(scratch: &Path, data: &Path, words: &[&str]) -> (Option<i32>, String) {
    let command = scratch.join("tenor");
    fs::copy(env!("CARGO_BIN_EXE_tenor"), &command).unwrap();
    let mut run = Command::new(command);
    if fs::metadata(data).unwrap().uid() == 0 {
        // Nobody may do everything but root.
        run.uid(65_534).gid(65_534);
    }
    run.args(words).arg("--data").arg(data);
    let done = loop {
        match run.output() {
            // A program that another test began just now has the copy still open for writing, until it is one itself.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            done => break done.unwrap(),
        }
    };
    let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (done.status.code(), text)
}

fn set_modes(path: &Path, folder: u32, file: u32) {
    let is_folder = path.is_dir();
    if is_folder {
        fs::read_dir(path).unwrap().for_each(|entry| set_modes(&entry.unwrap().path(), folder, file));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(if is_folder { folder } else { file })).unwrap();
}

#[test]
fn a_folder_that_this_user_cannot_write_is_named_with_what_to_do() {
    let (scratch, data) = sandbox();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    set_modes(&data, 0o555, 0o444);
    let (code, text) = as_a_reader(scratch.path(), &data, &["list", "agreements"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("cannot be written by this user") && text.contains("work as its owner"), "{text}");
    let (code, text) = as_a_reader(scratch.path(), &data, &["doctor"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.starts_with("folder-read-only: ") && text.contains("chown -R"), "{text}");
    set_modes(&data, 0o755, 0o600);
    done(&data, &["verify"]);
}

#[test]
fn a_good_folder_has_nothing_and_each_damage_its_code() {
    let (_scratch, data) = sandbox();
    let root = done(&data, &["verify"])["state_root"].clone();
    assert_eq!(done(&data, &["doctor"])["findings"].as_array().map(Vec::len), Some(0));

    let key = data.join("keys/ada.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, found) = run(&data, &["doctor"]);
    assert_eq!((code, codes(&found)), (3, vec!["key-readable"]));
    assert!(found["findings"][0]["remedy"].as_str().unwrap().contains("chmod 600"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();

    let segment = data.join("log/00000000000000000000.log");
    let log = fs::read(&segment).unwrap();
    fs::write(&segment, [&log[..], b"half a record"].concat()).unwrap();
    let (code, found) = run(&data, &["doctor"]);
    assert_eq!((code, codes(&found)), (3, vec!["log-torn"]));
    let what = found["findings"][0]["what"].as_str().unwrap();
    let place = format!("at offset {} in 13 bytes", log.len());
    assert!(what.contains("segment 00000000000000000000.log ends") && what.contains(&place), "{what}");
    // Who opens it hears of it once.
    let said = program(&data, &["list", "agreements"]).output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.starts_with("warning: segment ") && said.contains(&place), "{said}");
    let again = program(&data, &["list", "agreements"]).output().unwrap();
    assert!(again.stderr.is_empty());
    let log = fs::read(&segment).unwrap();
    let mut flipped = log.clone();
    flipped[1000] ^= 1;
    fs::write(&segment, flipped).unwrap();
    let (code, found) = run(&data, &["doctor"]);
    assert_eq!((code, codes(&found)[0]), (3, "log-damaged"));
    assert!(found["findings"][0]["remedy"].as_str().unwrap().contains("backup"));
    // What the log cannot give is not thrown away.
    assert_eq!(run(&data, &["doctor", "--rebuild"]).0, 1);
    assert!(data.join("state").exists());
    fs::write(&segment, &log).unwrap();

    fs::remove_dir_all(data.join("state")).unwrap();
    let (code, found) = run(&data, &["doctor"]);
    assert_eq!((code, codes(&found)), (3, vec!["state-unreadable"]));
    assert!(!data.join("state").exists(), "nothing is healed by looking");
    let rebuilt = done(&data, &["doctor", "--rebuild"]);
    assert!(codes(&rebuilt).is_empty() && rebuilt["rebuilt"]["blocks"].as_u64() > Some(5), "{rebuilt}");
    assert_eq!(done(&data, &["verify"])["state_root"], root);

    // A folder that is in use, or none, cannot be examined.
    let lock = FolderLock::take(&data).unwrap();
    assert_eq!(run(&data, &["doctor"]).0, 1);
    drop(lock);
    assert_eq!(run(&data.join("nowhere"), &["doctor"]).0, 1);
}

#[test]
fn figures_are_those_of_the_folder() {
    let (_scratch, data) = sandbox();
    let stat = done(&data, &["db", "stat"]);
    assert_eq!(stat["tip"], stat["mark"], "a clean stop leaves nothing to redo");
    let rows = |kind: &str| stat["kinds"][kind]["rows"].as_u64().unwrap_or(0);
    assert_eq!(rows("Party"), done(&data, &["list", "parties"])["list"].as_array().unwrap().len() as u64);
    assert_eq!(rows("Account"), done(&data, &["list", "accounts"])["list"].as_array().unwrap().len() as u64);
    assert_eq!((rows("Agreement"), rows("Schedule"), rows("Due")), (1, 1, 1));
    assert_eq!(rows("AccountOf"), rows("Account"));
    let leaves: u64 = tenor_runtime::state::Kind::ALL
        .iter()
        .filter(|kind| kind.standing() == tenor_runtime::state::namespace::Standing::Leaf)
        .map(|kind| rows(&format!("{kind:?}")))
        .sum();
    assert_eq!(stat["leaves"].as_u64(), Some(leaves));
    let segment = fs::metadata(data.join("log/00000000000000000000.log")).unwrap().len();
    assert_eq!((stat["log"]["segments"].as_u64(), stat["log"]["bytes"].as_u64()), (Some(1), Some(segment)));
    assert!(stat["state"]["bytes"].as_u64() > Some(0));
    assert!(stat["memory"]["leaves"]["pages"].as_u64() > Some(0));
}

#[test]
fn a_statement_with_a_lost_posting_is_refused_and_the_next_start_heals_it() {
    let (_scratch, data) = sandbox();
    let statement = done(&data, &["statement", "landlord"]);
    assert_eq!(statement["lines"].as_array().map(Vec::len), Some(3), "{statement}");
    // All postings, gone from sled.
    done(&data, &["db", "stat"]);
    let disk = sled::open(data.join("state")).unwrap();
    let rows = disk.open_tree("rows").unwrap();
    let all: Vec<_> = rows.iter().map(|row| row.unwrap().0).filter(|key| key[0] == 65).collect();
    assert!(!all.is_empty());
    all.iter().for_each(|key| rows.remove(key).map(|_| ()).unwrap());
    disk.flush().unwrap();
    drop((rows, disk));
    let (code, found) = run(&data, &["doctor"]);
    assert_eq!((code, codes(&found)), (3, vec!["state-row"]));
    assert_eq!(run(&data, &["statement", "landlord"]).0, 1);
    assert_eq!(done(&data, &["statement", "landlord"]), statement);
    assert!(codes(&done(&data, &["doctor"])).is_empty());
}

/// Whatever of sled's trees is gone in mid-scenario, what contracts do next comes to the same root, or a fault is named
/// and the next start heals it.
#[test]
fn contracts_run_to_the_same_root_whatever_the_store_lost() {
    let (scratch, data) = sandbox();
    done(&data, &["db", "stat"]);
    let copy = |name: &str| {
        let to = scratch.path().join(name);
        copy(&data, &to);
        to
    };
    let to_the_end = |data: &Path| {
        for date in ["2026-04-20", "2026-05-20", "2026-06-20"] {
            // A fault that was named is healed by the next start.
            let ran = (0..2).any(|_| run(data, &["advance", "--to", date]).0 == 0);
            assert!(ran, "{date}");
        }
        let verified = done(data, &["verify"]);
        assert!(codes(&done(data, &["doctor"])).is_empty());
        (verified["state_root"].clone(), verified["items"].clone())
    };
    let expected = to_the_end(&copy("whole"));
    let trees = ["leaves-a", "leaves-b", "index-a", "index-b", "rows", "top", "mark"];
    for tree in trees {
        let lost = copy(tree);
        let disk = sled::open(lost.join("state")).unwrap();
        disk.open_tree(tree).unwrap().clear().unwrap();
        disk.flush().unwrap();
        drop(disk);
        assert_eq!(to_the_end(&lost), expected, "without {tree}");
    }
    // And single rows of the trees, each in turn.
    for (number, tree) in ["index-a", "index-b", "leaves-a", "leaves-b"].iter().cycle().take(12).enumerate() {
        let lost = copy(&format!("{tree}-{number}"));
        let disk = sled::open(lost.join("state")).unwrap();
        let rows = disk.open_tree(tree).unwrap();
        let keys: Vec<_> = rows.iter().keys().map(Result::unwrap).collect();
        if let Some(key) = keys.get(number * 7 % keys.len().max(1)) {
            rows.remove(key).unwrap();
        }
        disk.flush().unwrap();
        drop((rows, disk));
        assert_eq!(to_the_end(&lost), expected, "without a row of {tree}");
    }
}
