//! Backups: made, checked, restored to the same state, and every bad one named.

use crate::home::{copy, run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tenor_abi::date::Timestamp;
use tenor_cli::desk::Desk;
use tenor_cli::folder::Folder;
use tenor_node::backup::{Backup, BackupError};
use tenor_runtime::state::Room;
use tenor_wire::crypto::plain_hash;
use tenor_wire::hexadecimal::hex;

#[track_caller]
fn done(words: &[&str]) -> Value {
    let (code, out) = run([words, &["--json"]].concat());
    assert_eq!(code, 0, "{words:?}: {out}");
    serde_json::from_str(&out).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A sandbox in which money has moved, its backup, and the folder that both are in.
fn backed_up() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let (data, to) = (scratch.path().join("data"), scratch.path().join("backup"));
    done(&["init", "--data", text(&data)]);
    done(&["key", "new", "ada", "--data", text(&data)]);
    done(&["key", "new", "shop", "--fund", "0.00 EUR", "--data", text(&data)]);
    done(&["transfer", "ada", "shop", "12.50 EUR", "--data", text(&data)]);
    let made = done(&["backup", "create", text(&to), "--data", text(&data)]);
    assert_eq!((made["height"].as_u64(), made["keys"].as_bool()), (Some(3), Some(true)));
    (scratch, data, to)
}

/// Why a backup is refused: by `check` and, for the same reason, by `restore`, which leaves nothing behind.
#[track_caller]
fn refused(from: &Path) -> BackupError {
    let open = || Backup::open(from).map_err(anyhow::Error::from);
    let checked = open().and_then(|backup| Ok(backup.check(&mut |_, _, _| {})?)).unwrap_err();
    let to = from.with_extension("restored");
    let restored =
        open().and_then(|backup| backup.restore(&to, Room::default(), &mut |_, _, _| {})).unwrap_err();
    assert!(!to.exists());
    let (checked, restored) = (format!("{checked:#}"), restored);
    assert!(format!("{restored:#}").contains(checked.split("; ").next().unwrap()), "{checked}, {restored:#}");
    open().and_then(|backup| Ok(backup.check(&mut |_, _, _| {})?)).unwrap_err().downcast().unwrap()
}

const SEGMENT: &str = "log/00000000000000000000.log";

#[test]
fn a_restored_folder_is_the_one_that_was_backed_up() {
    let (scratch, data, to) = backed_up();
    assert_eq!(done(&["backup", "check", text(&to)])["height"], 3);
    let again = scratch.path().join("again");
    let restored = done(&["backup", "restore", text(&to), "--data", text(&again)]);
    let (ours, theirs) =
        (done(&["verify", "--data", text(&data)]), done(&["verify", "--data", text(&again)]));
    assert_eq!((&ours["state_root"], &ours["items"]), (&theirs["state_root"], &theirs["items"]));
    assert_eq!(restored["state_root"], ours["state_root"]);
    assert_eq!(theirs["state_rebuilt"], false);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&again.join("keys/ada.key")), 0o600, "keys stay their owner's alone");
    // It goes on, by the same keys and names.
    done(&["transfer", "ada", "shop", "1.00 EUR", "--data", text(&again)]);
    assert_eq!(done(&["show", "account", "shop", "--data", text(&again)])["balance"], "13.50");
    assert_eq!(done(&["show", "account", "shop", "--data", text(&data)])["balance"], "12.50");
    // A folder is never written over.
    for words in [["create", text(&to)], ["restore", text(&to)]] {
        let words = [&["backup"][..], &words, &["--data", text(&data)]].concat();
        assert_eq!(run(words).0, 1);
    }
    assert_eq!(done(&["backup", "check", text(&to)])["height"], 3);
    // Nothing half made is left beside.
    let left = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("making")));
}

#[test]
fn a_folder_is_backed_up_while_blocks_are_made_in_it() {
    let (scratch, data, _) = backed_up();
    let mut desk = Desk::at_tip(Folder::open(&data, Room::default()).unwrap()).unwrap();
    let still = desk.folder().chain.still().unwrap();
    let (height, root) = (still.header().height, still.header().state);
    let to = scratch.path().join("meanwhile");
    let blocks = std::thread::scope(|scope| {
        let copying = scope.spawn(|| Backup::write(&still, &data, &to, &mut |_, _, _| {}).unwrap());
        let mut blocks = 0;
        while !copying.is_finished() || blocks < 20 {
            desk.block(Timestamp(desk.time().0 + 1_000), vec![]).unwrap();
            blocks += 1;
        }
        let made = copying.join().unwrap();
        assert_eq!((made.height(), made.root()), (height, root));
        blocks
    });
    assert_eq!(desk.folder().chain.tip().height, height + blocks);
    drop((still, desk));
    Backup::open(&to).unwrap().check(&mut |_, _, _| {}).unwrap();
    let again = scratch.path().join("again");
    done(&["backup", "restore", text(&to), "--data", text(&again)]);
    let verified = done(&["verify", "--data", text(&again)]);
    assert_eq!(
        (verified["height"].as_u64(), verified["state_root"].as_str()),
        (Some(height), Some(root.to_string().as_str()))
    );
    assert_eq!(done(&["doctor", "--data", text(&again)])["findings"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_cut_off_a_torn_log_is_told_by_whoever_leaves_it_out() {
    let (scratch, data, _) = backed_up();
    let whole = fs::read(data.join(SEGMENT)).unwrap();
    let torn = [&whole[..], b"half a record"].concat();
    let tear = || fs::write(data.join(SEGMENT), &torn).unwrap();
    let told = |words: &[&str], data: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenor"));
        let output = command.args(words).args(["--json", "--data"]).arg(data).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let cut = |told: &(String, String)| {
        let warning = format!("at offset {} in 13 bytes", whole.len());
        assert!(told.1.starts_with("warning: segment ") && told.1.contains(&warning), "{told:?}");
        let document: Value = serde_json::from_str(&told.0).unwrap();
        assert_eq!(document["cut_bytes"], 13, "{document}");
    };
    tear();
    // Also where there is no backup after all: it was cut.
    let said = told(&["backup", "create", text(scratch.path())], &data);
    assert!(said.0.is_empty() && said.1.starts_with("warning: segment "), "{said:?}");
    tear();
    let to = scratch.path().join("torn");
    cut(&told(&["backup", "create", text(&to)], &data));
    assert_eq!(fs::read(to.join(SEGMENT)).unwrap(), whole);
    let again = scratch.path().join("again");
    let said = told(&["backup", "restore", text(&to)], &again);
    assert!(said.0.contains("\"cut_bytes\": 0") && said.1.is_empty(), "{said:?}");
    // A backup whose log was torn when it was listed.
    fs::write(to.join(SEGMENT), &torn).unwrap();
    let sum = |bytes: &[u8]| hex(&plain_hash(&[bytes]).0);
    let list = fs::read_to_string(to.join("backup.json")).unwrap();
    let bytes = |bytes: &[u8]| format!("\"bytes\": {}", bytes.len());
    let list = list.replace(&sum(&whole), &sum(&torn)).replace(&bytes(&whole), &bytes(&torn));
    fs::write(to.join("backup.json"), list).unwrap();
    let again = scratch.path().join("cut");
    cut(&told(&["backup", "restore", text(&to)], &again));
    assert_eq!(fs::read(again.join(SEGMENT)).unwrap(), whole);
}

#[test]
fn a_damaged_log_makes_no_backup() {
    let (scratch, data, _) = backed_up();
    let desk = Desk::at_tip(Folder::open(&data, Room::default()).unwrap()).unwrap();
    let still = desk.folder().chain.still().unwrap();
    let to = scratch.path().join("damaged");
    let whole = fs::read(data.join(SEGMENT)).unwrap();
    let refused = |damage: &dyn Fn(&mut Vec<u8>), said: &str| {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(data.join(SEGMENT), &bytes).unwrap();
        let error = format!("{:#}", Backup::write(&still, &data, &to, &mut |_, _, _| {}).unwrap_err());
        assert!(error.contains("nothing was backed up") && error.contains(said), "{error}");
        assert!(!to.exists() && !scratch.path().join(".damaged.making").exists());
    };
    let middle = whole.len() / 2;
    refused(&|bytes| bytes[middle..middle + 100].fill(0), "is damaged at offset");
    refused(&|bytes| bytes[300] ^= 1, "is damaged at offset");
    refused(&|bytes| bytes.truncate(middle), "run `tenor doctor`");
    fs::write(data.join(SEGMENT), &whole).unwrap();
    Backup::write(&still, &data, &to, &mut |_, _, _| {}).unwrap();
}

#[test]
fn every_bad_backup_is_named() {
    let (scratch, data, to) = backed_up();
    let fresh = |name: &str| {
        let copied = scratch.path().join(name);
        copy(&to, &copied);
        copied
    };
    let change = |path: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = fs::read(path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    };
    let flip = |path: &Path, at: usize| change(path, &|bytes| bytes[at] ^= 1);

    assert!(matches!(Backup::open(scratch.path()), Err(BackupError::Nothing(_))));

    let bad = fresh("chunk");
    flip(&bad.join("snapshot/000000.rows"), 500);
    let error = refused(&bad).to_string();
    assert!(
        error.contains("chunk 000000.rows is damaged") && error.contains("copy the snapshot again"),
        "{error}"
    );

    let bad = fresh("segment");
    fs::remove_file(bad.join(SEGMENT)).unwrap();
    assert!(matches!(refused(&bad), BackupError::MissingSegment(name) if name == SEGMENT));

    let bad = fresh("newer");
    change(&bad.join("backup.json"), &|bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace("\"format\": 1", "\"format\": 2").into_bytes();
    });
    assert!(matches!(Backup::open(&bad), Err(BackupError::Newer { given: 2 })));
    let bad = fresh("newer-snapshot");
    change(&bad.join("snapshot/manifest"), &|bytes| bytes[8] = 7);
    let error = Backup::open(&bad).unwrap_err().to_string();
    assert!(error.contains("the snapshot has format 7, this build reads 1"), "{error}");

    let bad = fresh("half");
    change(&bad.join(SEGMENT), &|bytes| bytes.truncate(bytes.len() - 100));
    assert!(matches!(refused(&bad), BackupError::HalfCopied { file, .. } if file == SEGMENT));
    for gone in ["names.json", "genesis", "keys/ada.key", "snapshot/manifest", "snapshot/000000.rows"] {
        let bad = fresh(&format!("half-{}", gone.replace('/', "-")));
        fs::remove_file(bad.join(gone)).unwrap();
        let error = Backup::open(&bad).map_or_else(|error| error, |_| refused(&bad));
        assert!(matches!(&error, BackupError::HalfCopied { file, given: 0, .. } if file == gone), "{error}");
    }

    let bad = fresh("damaged");
    flip(&bad.join("names.json"), 10);
    assert!(matches!(refused(&bad), BackupError::Damaged(name) if name == "names.json"));
    let bad = fresh("log");
    flip(&bad.join(SEGMENT), 300);
    assert!(matches!(refused(&bad), BackupError::Log(_)));
    let bad = fresh("list");
    flip(&bad.join("backup.json"), 0);
    assert!(matches!(Backup::open(&bad), Err(BackupError::List(_))));

    let bad = fresh("height");
    change(&bad.join("backup.json"), &|bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace("\"height\": 3", "\"height\": 99").into_bytes();
    });
    assert!(matches!(refused(&bad), BackupError::Height { listed: 99, height: 3 }));

    for outside in ["../names.json", "/names.json"] {
        let bad = fresh(&format!("outside-{}", outside.len()));
        change(&bad.join("backup.json"), &|bytes| {
            *bytes = String::from_utf8_lossy(bytes).replace("names.json", outside).into_bytes();
        });
        assert!(matches!(Backup::open(&bad), Err(BackupError::List(text)) if text.contains("outside")));
    }

    // A later backup's snapshot beside an earlier one's log.
    done(&["transfer", "ada", "shop", "1.00 EUR", "--data", text(&data)]);
    let later = scratch.path().join("later");
    done(&["backup", "create", text(&later), "--data", text(&data)]);
    fs::copy(to.join(SEGMENT), later.join(SEGMENT)).unwrap();
    assert!(matches!(refused(&later), BackupError::Future { tip: 3, height: 4 }));

    // Another bank's genesis, snapshot, log.
    let (_other_scratch, _, other) = backed_up();
    for part in ["genesis", "snapshot"] {
        let bad = fresh(&format!("other-{part}"));
        let (from, into) = (other.join(part), bad.join(part));
        if from.is_dir() {
            copy(&from, &into)
        } else {
            fs::copy(from, into).map(|_| ()).unwrap()
        }
        let error = refused(&bad);
        assert!(matches!(&error, BackupError::OtherChain { .. }), "{part}: {error}");
    }
    let bad = fresh("other-log");
    fs::copy(other.join(SEGMENT), bad.join(SEGMENT)).unwrap();
    let error = refused(&bad).to_string();
    assert!(error.contains("is of another chain"), "{error}");
}
