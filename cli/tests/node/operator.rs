//! What an operator meets: starting, stopping, looking, and everything that can be wrong.

use crate::home::{Node, Wallet, command, done, sandbox, tenor};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;
use tenor_cli::folder::Folder;
use tenor_node::guard::Guard;
use tenor_runtime::chain::{Genesis, Replica};
use tenor_runtime::state::Room;
use tenor_runtime::store::FolderLock;

/// Exit code and standard error of a node that does not come up.
fn fails(data: &Path, words: &[&str]) -> (Option<i32>, String) {
    said(&mut command(data, words))
}

fn said(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_node_starts_says_how_it_is_and_stops_clean() {
    let (_folder, data) = sandbox();
    let before = done(&data, &["show", "account", "ada"])["balance"].clone();
    let node = Node::sandbox(&data);
    assert!(node.is_ready());
    let metrics = node.metrics();
    for line in ["# TYPE tenor_block_height gauge", "tenor_http_request_duration_seconds_bucket", "# EOF"] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    let (code, shown) =
        tenor(&["node", "status", &format!("--admin-listen={}", node.admin.trim_start_matches("http://"))]);
    assert!(code == 0 && shown.starts_with("ready at block "), "{shown}");
    assert_eq!(node.balance("ada"), before.as_str().unwrap());
    assert_eq!(node.stop(), Some(0));
    // Whatever was made is there, and nothing has to be done again.
    let folder = Folder::open(&data, Room::default()).unwrap();
    assert_eq!((folder.opened.torn.bytes, folder.opened.redone), (0, 0));
    let (code, _) = tenor(&["node", "status", "--admin-listen=127.0.0.1:9"]);
    assert_eq!(code, 1);
}

#[test]
fn a_node_to_which_nothing_comes_writes_its_state_to_disk() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    assert_eq!(node.submit(&ada.pays(&bob.account, 1, 1)).0, 201);
    let shows = |name: &str| {
        let metrics = node.metrics();
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        value.unwrap()
    };
    let begun = Instant::now();
    while shows("tenor_state_checkpoint_height ") < shows("tenor_block_height ") {
        assert!(begun.elapsed().as_secs() < 60, "no checkpoint was begun");
        thread::yield_now();
    }
    assert!(shows("tenor_state_leaves ") > 0);
    assert_eq!(shows("tenor_state_waits "), 0);
}

fn backs_up(data: &Path, to: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenor"));
    said(command.args(["backup", "create"]).arg(to).arg("--data").arg(data))
}

#[test]
fn a_backup_is_made_while_blocks_are_made() {
    let (folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (ada, bob) = (Wallet::of(&node, "ada"), Wallet::of(&node, "bob"));
    let to = folder.path().join("backup");
    let words = ["backup", "create", to.to_str().unwrap()];
    let (made, paid) = thread::scope(|scope| {
        let making = scope.spawn(|| done(&data, &words));
        let mut paid = 0;
        while !making.is_finished() {
            paid += 1;
            assert_eq!(node.submit(&ada.pays(&bob.account, 1, paid)).0, 201);
        }
        (making.join().unwrap(), paid)
    });
    assert_eq!(node.submit(&ada.pays(&bob.account, 1, paid + 1)).0, 201);
    let (code, said_) = backs_up(&data, &to);
    assert!(code == Some(1) && said_.contains("exists already"), "{said_}");
    assert!(data.join("socket").exists());
    assert_eq!(std::fs::metadata(data.join("socket")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(node.stop(), Some(0));
    assert!(!data.join("socket").exists());
    // The backup is the chain as it stood at a block in between.
    assert_eq!(tenor(&["backup", "check", to.to_str().unwrap()]).0, 0);
    let again = folder.path().join("again");
    done(&again, &["backup", "restore", to.to_str().unwrap()]);
    let (height, tip) = (made["height"].as_u64().unwrap(), Folder::open(&data, Room::default()).unwrap());
    assert!(height < tip.chain.tip().height);
    let restored = Folder::open(&again, Room::default()).unwrap();
    assert_eq!(restored.chain.block(height).unwrap(), tip.chain.block(height).unwrap());
    assert_eq!(restored.chain.tip().state.to_string(), made["state_root"].as_str().unwrap());
    drop((tip, restored));
    // Nobody answers in a folder that another process has without being a node.
    let lock = FolderLock::take(&data).unwrap();
    let (code, said_) = backs_up(&data, &folder.path().join("another"));
    assert!(code == Some(1) && said_.contains("in use by process"), "{said_}");
    assert!(said_.contains("no running node answers"), "{said_}");
    drop(lock);
}

#[test]
fn what_is_wrong_is_said_with_a_code_of_its_own() {
    let (folder, data) = sandbox();
    let node = Node::sandbox(&data);
    let (code, said_) = fails(&data, &[]);
    assert!(code == Some(10) && said_.contains(&format!("in use by process {}", node.child.id())), "{said_}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("--listen={}", taken.local_addr().unwrap());
    let mut twice = Command::new(env!("CARGO_BIN_EXE_tenor"));
    twice.args(["node", "run", &at, "--admin-listen=127.0.0.1:0", "--data"]).arg(&data);
    let (code, said_) = said(&mut twice);
    assert!(code == Some(11) && said_.contains("`listen`"), "{said_}");
    drop(node);
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, "blok_ms = 5\n").unwrap();
    let (code, said_) = fails(&data, &["--config", file.to_str().unwrap()]);
    assert!(code == Some(2) && said_.contains("did you mean `block_ms`?"), "{said_}");
    let (code, said_) = fails(&data, &["--access=open"]);
    assert!(code == Some(2) && said_.contains("`access` is `open`"), "{said_}");
    let (code, said_) = fails(&folder.path().join("nowhere"), &[]);
    assert!(code == Some(10) && said_.contains("holds no chain"), "{said_}");
    // A sandbox that has lived into the future, run by the system's clock: no block is made before its parent.
    done(&data, &["advance", "--to", "2090-01-01"]);
    let (code, said_) = fails(&data, &["--clock-wait-s=0"]);
    assert!(code == Some(12) && said_.contains("the newest block is of 2090-01-01"), "{said_}");
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let (folder, data) = sandbox();
    let file = folder.path().join("node.toml");
    std::fs::write(&file, "heartbeat_s = 7\n").unwrap();
    let words =
        ["config", "--sources", "--config", file.to_str().unwrap(), "--block-ms=900", "--json", "--data"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenor"));
    command.args(words).arg(&data).env("TENOR_WAIT_S", "8").env("TENOR_BLOK_MS", "3");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`TENOR_BLOK_MS`") && said.contains("did you mean `TENOR_BLOCK_MS`?"), "{said}");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| {
        let rows = shown["settings"].as_array().unwrap();
        let row = rows.iter().find(|row| row["key"] == name).unwrap();
        format!("{} {}", row["value"].as_str().unwrap(), row["from"].as_str().unwrap())
    };
    assert_eq!(of("block_ms"), "900 flag");
    assert_eq!(of("wait_s"), "8 environment");
    assert_eq!(of("heartbeat_s"), format!("7 file {}", file.display()));
    assert_eq!(of("head_s"), "10 default");
}

/// A chain that is no sandbox, of a sandbox's own document.
fn earnest(data: &Path, of: &Path) -> Genesis {
    let mut genesis = Folder::genesis(of).unwrap();
    genesis.parameters.sandbox = false;
    let names = Folder::names(of).unwrap();
    let keys = tenor_cli::keys::Keys::of(of);
    let secrets: Vec<_> = keys
        .names()
        .unwrap()
        .into_iter()
        .map(|name| {
            let bytes = tenor_wire::hexadecimal::unhex(
                &std::fs::read_to_string(of.join(format!("keys/{name}.key"))).unwrap(),
            )
            .unwrap();
            (name, bytes.try_into().unwrap())
        })
        .collect();
    Folder::create(data, &genesis, &secrets, &names, None).unwrap();
    genesis
}

#[test]
fn outside_a_sandbox_nothing_is_signed_without_the_guard() {
    let (folder, model) = sandbox();
    let (data, guard) = (folder.path().join("earnest"), folder.path().join("guard"));
    earnest(&data, &model);
    let (code, said_) = fails(&data, &[]);
    assert!(code == Some(2) && said_.contains("`guard` is needed"), "{said_}");
    let (code, said_) = fails(&data, &["--sandbox"]);
    assert!(code == Some(2) && said_.contains("the chain in the folder is none"), "{said_}");
    let flag = format!("--guard={}", guard.display());
    let (code, said_) = fails(&data, &[&flag]);
    assert!(code == Some(13) && said_.contains("tenor node guard"), "{said_}");
    done(&data, &["node", "guard", guard.to_str().unwrap()]);
    let old = folder.path().join("old");
    let copied = Command::new("cp").arg("-r").args([&data, &old]).status().unwrap();
    assert!(copied.success());
    let node = Node::run(&data, &[&flag, "--heartbeat-s=1"]);
    while !node.metrics().contains("tenor_block_height 2\n") {
        std::thread::yield_now();
    }
    assert_eq!(node.stop(), Some(0));
    // The same folder goes on; an older copy of it may not sign.
    assert_eq!(Node::run(&data, &[&flag]).stop(), Some(0));
    let (code, said_) = fails(&old, &[&flag]);
    assert!(code == Some(13) && said_.contains("an older copy and may not sign"), "{said_}");
    let tip = Folder::open(&data, Room::default()).unwrap().chain.tip().clone();
    Guard::open(&guard, &tip, None).unwrap();
}
