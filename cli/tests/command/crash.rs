//! The real command killed again and again: nothing acknowledged is lost, nothing is done twice, and the
//! folder goes on to where an uninterrupted run ends.

use crate::home::program;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tenor_cli::folder::Folder;
use tenor_runtime::chain::Replica;
use tenor_runtime::state::{CACHE_BYTES_MIN, Room};
use tenor_runtime::store::FolderLock;

/// Kills in CI; `TENOR_ROUNDS` asks for more.
const ROUNDS: u64 = 50;

fn rounds() -> u64 {
    std::env::var("TENOR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

fn demo(data: &Path, cache_mb: &str) -> Child {
    let mut command = program(data, &["demo", "--json", "--seed", "11"]);
    command.env("TENOR_CACHE_MB", cache_mb);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn log_bytes(data: &Path) -> u64 {
    std::fs::metadata(data.join("log/00000000000000000000.log")).map_or(0, |file| file.len())
}

/// Lets the demo run until its log has grown by so many bytes, then kills it.
fn killed_after(data: &Path, growth: u64, cache_mb: &str) -> bool {
    let (before, mut child) = (log_bytes(data), demo(data, cache_mb));
    while log_bytes(data) < before + growth {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[test]
fn fifty_kills_lose_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let killed = |number: usize| scratch.path().join(format!("killed-{number}"));
    // Where a kill comes late, because the machine is busy, a demo may be done before all rounds are.
    let (mut data, mut done) = (killed(0), vec![]);
    let (mut kills, mut inside_writes, mut from_marks, mut height) = (0, 0, 0, 0);
    // A growth that differs from round to round, so that kills fall between and inside all kinds of writes.
    let growth = |round: u64| 1 + round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 200_000;
    for round in 0..rounds() {
        // With a small cache a checkpoint is nearly always on its way.
        if !killed_after(&data, growth(round), if round % 4 == 0 { "256" } else { "1" }) {
            done.push(data);
            (data, height) = (killed(done.len()), 0);
            continue;
        }
        kills += 1;
        if !data.exists() {
            continue;
        }
        let room = Room { cache_bytes: CACHE_BYTES_MIN, ..Room::default() };
        let folder = Folder::open(&data, room).unwrap();
        assert!(!folder.opened.rebuilt, "round {round}: what the mark says is there");
        inside_writes += u64::from(folder.opened.torn.bytes > 0 || folder.opened.redone > 0);
        let tip = folder.chain.tip().clone();
        from_marks += u64::from(folder.opened.redone < tip.height && tip.height > height + 1);
        assert!(tip.height >= height, "round {round}: the chain went back from {height} to {}", tip.height);
        height = tip.height;
        let block = folder.chain.block(height).unwrap().unwrap();
        assert_eq!(block.header, tip);
        drop(folder);
        FolderLock::take(&data).unwrap();
    }
    assert!(kills >= rounds().min(40), "only {kills} kills: the demo ended early");
    println!(
        "{kills} kills, {inside_writes} with something to cut or redo, {from_marks} behind a checkpoint, height {height}"
    );
    assert!(inside_writes > 0, "no kill fell inside a write");
    assert!(from_marks > 5, "hardly a checkpoint was made: {from_marks}");
    let whole = |data: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_tenor"))
            .args(["demo", "--json", "--seed", "11", "--data"])
            .arg(data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["state_root"], document["replayed_root"]);
        for (code, row) in document["trial_balance"].as_object().unwrap() {
            assert!(row["difference"].as_str().unwrap().bytes().all(|b| b == b'0' || b == b'.'), "{code}");
        }
        assert!(
            document["agreements"].as_u64() >= Some(120) && document["occurrences"].as_u64() >= Some(2_000)
        );
        document
    };
    let straight = whole(&scratch.path().join("straight"));
    for killed in done.iter().chain([&data]) {
        let killed = whole(killed);
        for figure in ["state_root", "blocks", "transactions", "occurrences"] {
            assert_eq!(killed[figure], straight[figure], "{figure}");
        }
    }
    let killed = whole(&data);
    // A finished folder prints its stored result; another seed is refused.
    assert_eq!(whole(&data)["wall_ms"], killed["wall_ms"]);
    let other = Command::new(env!("CARGO_BIN_EXE_tenor"))
        .args(["demo", "--seed", "12", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(
        !other.status.success()
            && String::from_utf8_lossy(&other.stderr).contains("was not made by the demo with seed 12")
    );
}
