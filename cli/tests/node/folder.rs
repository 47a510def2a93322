//! What lies in a data folder: its owner's alone, changed by many at once, and read again by a node that runs.

use crate::bank::{Bank, DESCRIPTION};
use crate::home::{Node, command, done, sandbox};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};
use tenor_cli::keys::Keys;

/// The real program under a umask that hides nothing.
fn openly(words: &[&str], data: &Path) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tenor")]);
    command.args(words).arg("--data").arg(data).output().unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below a folder that others than its owner may use.
fn open_below(path: &Path) -> Vec<PathBuf> {
    let mode = fs::symlink_metadata(path).unwrap().permissions().mode();
    let mut open = if mode & 0o077 == 0 { vec![] } else { vec![path.to_path_buf()] };
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| open.extend(open_below(&entry.unwrap().path())));
    }
    open
}

fn fails(data: &Path, words: &[&str]) -> (Option<i32>, String) {
    let output = command(data, words).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What the operator's listener says of the node.
fn ready(node: &Node) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(format!("{}/readyz", node.admin)).call().unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

#[track_caller]
fn soon(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::yield_now();
    }
}

#[test]
fn whatever_the_umask_says_a_folder_is_its_owner_s_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, backup) = (scratch.path().join("data"), scratch.path().join("backup"));
    let token = data.join("bank.token");
    for words in [
        &["node", "init"][..],
        &["key", "new", "ada"],
        &[
            "node",
            "token",
            "new",
            "bank",
            "--scope=bank",
            "--scope=webhooks",
            "--out",
            token.to_str().unwrap(),
        ],
        &["backup", "create", backup.to_str().unwrap()],
    ] {
        let output = openly(words, &data);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // With a state, a socket and a webhook of a node that runs.
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tenor")]);
    shell.args(command(&data, &["--sandbox", "--webhook-hosts=http://127.0.0.1:9"]).get_args());
    let node = Node::of(shell, &data);
    let hook = serde_json::json!({ "url": "http://127.0.0.1:9/" });
    node.post("/v1/webhooks", &hook);
    assert!(data.join("webhooks").exists() && data.join("socket").exists());
    assert_eq!(open_below(&data), Vec::<PathBuf>::new());
    assert_eq!(node.stop(), Some(0));
    assert_eq!(open_below(&backup), Vec::<PathBuf>::new());
    // Nor does a copy of it that somebody has opened stay so.
    let again = scratch.path().join("again");
    set_mode(&backup.join("names.json"), 0o666);
    assert!(openly(&["backup", "restore", backup.to_str().unwrap()], &again).status.success());
    assert_eq!(open_below(&again), Vec::<PathBuf>::new());
}

#[test]
fn what_others_may_read_is_named_and_what_they_may_write_is_not_believed() {
    let (_folder, data) = sandbox();
    let found = |data: &Path| -> Vec<String> {
        let output =
            Command::new(env!("CARGO_BIN_EXE_tenor")).args(["doctor", "--json", "--data"]).arg(data).output();
        let document: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
        let lines = document["findings"].as_array().unwrap().iter();
        lines.map(|line| format!("{}: {}; {}", line["code"], line["what"], line["remedy"])).collect()
    };
    let set =
        |modes: [(&str, u32); 4]| modes.into_iter().for_each(|(name, mode)| set_mode(&data.join(name), mode));
    set([("", 0o700), ("log", 0o700), ("tokens.json", 0o600), ("names.json", 0o600)]);
    assert_eq!(found(&data), Vec::<String>::new());
    set([("", 0o755), ("log", 0o755), ("tokens.json", 0o644), ("names.json", 0o664)]);
    let said = found(&data);
    let remedy = format!("`chmod -R go= {}`", data.display());
    assert!(said[0].contains("folder-writable") && said[0].contains("may write names.json"), "{said:?}");
    assert!(said[1].contains(&format!("may read {}, tokens.json, log", data.display())), "{said:?}");
    assert!(said.len() == 2 && said.iter().all(|line| line.contains(&remedy)), "{said:?}");
    // Read by others it is warned of; written by them it is not believed.
    let (node, log) = Node::told(command(&data, &["--sandbox"]), &data);
    soon("the node warns", || log.lock().unwrap().contains(&remedy));
    assert_eq!(node.stop(), Some(0));
    for (name, mode, shut) in
        [("tokens.json", 0o602, 0o600), ("keys/bank.key", 0o620, 0o600), ("keys", 0o770, 0o700)]
    {
        set_mode(&data.join(name), mode);
        let (code, said) = fails(&data, &["--sandbox"]);
        assert!(
            code == Some(10) && said.contains(&format!("may write {name}")) && said.contains(&remedy),
            "{said}"
        );
        set_mode(&data.join(name), shut);
    }
    set_mode(&data, 0o777);
    assert_eq!(fails(&data, &["--sandbox"]).0, Some(10));
    set_mode(&data, 0o700);
    // What others begin to write while it runs is not taken either.
    let node = Node::sandbox(&data);
    let tokens = data.join("tokens.json");
    set_mode(&tokens, 0o666);
    fs::write(&tokens, "[]").unwrap();
    assert_eq!(node.get_as("ada", "/v1/accounts").0, 200);
    assert!(ready(&node).1.contains("may be written by others"), "{:?}", ready(&node));
    set_mode(&tokens, 0o600);
    assert_eq!(node.get_as("ada", "/v1/accounts").0, 401);
    assert_eq!(ready(&node).1.lines().count(), 1);
}

#[test]
fn tokens_that_many_change_at_once_are_all_as_they_were_told() {
    const MANY: usize = 12;
    let (_folder, data) = sandbox();
    let token = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenor"));
        let output = command.args(["node", "token"]).args(words).arg("--data").arg(&data).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    thread::scope(|scope| {
        for number in 0..MANY {
            scope.spawn(move || token(&["new", &format!("n{number}"), "--scope=bank"]));
        }
    });
    thread::scope(|scope| {
        for number in 0..MANY {
            scope.spawn(move || token(&["end", &format!("n{number}")]));
            scope.spawn(move || token(&["new", &format!("m{number}"), "--scope=bank"]));
        }
    });
    let listed = done(&data, &["node", "token", "list"]);
    let mut names: Vec<&str> =
        listed["tokens"].as_array().unwrap().iter().filter_map(|token| token["token"].as_str()).collect();
    names.retain(|name| name.starts_with(['n', 'm']));
    names.sort_by_key(|name| name[1..].parse::<usize>().unwrap());
    let expected: Vec<String> = (0..MANY).map(|number| format!("m{number}")).collect();
    assert_eq!(names, expected);
    for wrong in ["", "a\nb"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenor"));
        command.args(["node", "token", "new", wrong, "--scope=bank", "--data"]).arg(&data);
        let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
        assert!(said.contains("is no name for a token"), "{said}");
    }
}

#[test]
fn damaged_tokens_stop_a_start_and_change_nothing_of_a_node_that_runs() {
    let (_folder, data) = sandbox();
    let tokens = data.join("tokens.json");
    let sound = fs::read(&tokens).unwrap();
    fs::write(&tokens, "{").unwrap();
    let (code, said) = fails(&data, &["--sandbox"]);
    assert!(code == Some(10) && said.contains("tokens.json is damaged"), "{said}");
    fs::write(&tokens, &sound).unwrap();
    let (node, log) = Node::told(command(&data, &["--sandbox"]), &data);
    fs::write(&tokens, "{").unwrap();
    assert_eq!(node.get_as("bank", "/v1/accounts").0, 200);
    let (status, said) = ready(&node);
    assert!(status == 200 && said.contains("tokens.json is damaged"), "{said}");
    soon("the log says so", || log.lock().unwrap().contains("tokens.json is damaged"));
    fs::write(&tokens, &sound).unwrap();
    assert_eq!(ready(&node).1.lines().count(), 1);
    assert_eq!(node.get_as("bank", "/v1/accounts").0, 200);
}

#[test]
fn a_name_that_is_given_while_a_node_runs_is_known_to_it() {
    let (_folder, data) = sandbox();
    let node = Node::sandbox(&data);
    assert_eq!(node.get_as("bank", "/v1/parties/shop").0, 400);
    let token = data.join("bank.token");
    done(&data, &["key", "new", "shop", "--node", &node.api, "--token-file", token.to_str().unwrap()]);
    assert_eq!(node.get_as("bank", "/v1/parties/shop").0, 200);
    assert_eq!(node.balance("shop"), "1000.00");
    fs::write(data.join("names.json"), "{").unwrap();
    assert_eq!(node.balance("shop"), "1000.00");
    assert!(ready(&node).1.contains("names.json is damaged"));
}

/// Changes a byte in the middle of what the store has in pages of the trie.
fn change_pages(data: &Path, what: &[u8]) {
    let disk = sled::open(data.join("state")).unwrap();
    let mut changed = 0;
    for tree in ["leaves-a", "leaves-b"] {
        let pages = disk.open_tree(tree).unwrap();
        for (number, page) in pages.iter().map(Result::unwrap) {
            let Some(at) = page.windows(what.len()).position(|bytes| bytes == what) else { continue };
            let mut page = page.to_vec();
            page[at + what.len() / 2] ^= 1;
            pages.insert(number, page).unwrap();
            changed += 1;
        }
    }
    assert!(changed > 0, "no page has it");
    disk.flush().unwrap();
}

#[test]
fn a_node_whose_state_was_found_damaged_is_not_ready_until_it_is_started_again() {
    let (_folder, data) = sandbox();
    done(&data, &["db", "stat"]);
    let key = Keys::of(&data).get("bob").unwrap().public();
    change_pages(&data, &key.x);
    let node = Node::sandbox(&data);
    assert!(node.is_ready(), "nobody has read it");
    let (status, answer) = node.get_as("bank", "/v1/parties/bob");
    assert_eq!((status, answer["code"].as_str()), (500, Some("broken")), "{answer}");
    // Who reads something else meanwhile changes nothing of it.
    assert_eq!(node.get_as("bank", "/v1/network").0, 200);
    let (status, said) = ready(&node);
    let expected =
        "of the leaves is not what its hash says; the next start makes the state again from the log";
    assert!(status == 503 && said.contains(expected), "{said}");
    assert_eq!(node.stop(), Some(0));
    let node = Node::sandbox(&data);
    assert_eq!(node.get_as("bank", "/v1/parties/bob").0, 200);
    assert_eq!(ready(&node).0, 200);
}

/// A bank's chain of which no block was made since it began.
fn founded(start: &str) -> Bank {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bank.toml");
    let text = fs::read_to_string(DESCRIPTION).unwrap();
    let mut lines: Vec<String> =
        text.lines().filter(|line| !line.starts_with("start")).map(String::from).collect();
    lines.insert(0, format!("start = \"{start}\""));
    fs::write(&file, lines.join("\n")).unwrap();
    Bank::found(&file)
}

#[test]
fn a_clock_that_is_wrong_is_told_at_once() {
    let (_folder, data) = sandbox();
    done(&data, &["advance", "--to", "2090-01-01"]);
    let (mut node, log) = Node::told(command(&data, &["--clock-wait-s=600"]), &data);
    let (status, said) = ready(&node);
    assert!(status == 503 && said.contains("the newest block is of 2090-01-01"), "{said}");
    soon("the log says so", || log.lock().unwrap().contains("the newest block is of 2090-01-01"));
    node.kill();
    // Farther ahead than a block may follow its parent: nothing is waited for.
    let bank = founded("2026-01-01");
    let output = command(&bank.data, &[]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(12) && said.contains("tenor node clock"), "{said}");
    assert!(
        output.stdout.is_empty(),
        "it says where it listens: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    let bank = founded("2090-01-01");
    let node = Node::run(&bank.data, &["--clock-wait-s=600"]);
    assert_eq!(ready(&node).0, 503);
}
