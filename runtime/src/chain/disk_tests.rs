//! What is stored where the disk says no, at each of its calls in turn.

use super::grown::{CHAIN, Grown, ROOM, Template, all, write_files};
use super::open::Stored;
use super::past_tests::walked;
use crate::fault::Fault;
use crate::log::{By, fail_at, failed};
use crate::state::State;

#[test]
fn a_disk_that_says_no_at_any_call_loses_nothing_that_was_acknowledged() {
    const BLOCKS: usize = 18;
    let (mut calls, mut spilled) = (0, 0);
    for failing in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let mut grown = Grown::begin(folder.path(), 8_000).unwrap();
        grown.block().unwrap();
        fail_at(Some(failing));
        let told = (0..BLOCKS).find_map(|_| grown.block().err());
        let Some(told) = told else {
            if failed() == Some(By::Spill) {
                assert!(all(&grown.base).unwrap() == grown.rows, "call {failing}: a page stays in memory");
                spilled += 1;
                continue;
            }
            assert_eq!(failed(), None, "call {failing} failed and nobody was told");
            calls = failing;
            break;
        };
        assert!(matches!(&told, Fault::Storage(text) if text.contains("the disk is full")), "{told}");
        // The disk would take it again; the log does not, for what is on the disk is unknown.
        for _ in 0..2 {
            let refused = grown.block().unwrap_err().to_string();
            assert!(refused.contains("an earlier write to the log failed"), "call {failing}: {refused}");
        }
        assert_eq!(grown.base.root(), grown.tip().state, "what was not acknowledged is not in the state");
        let (tip, rows) = (grown.tip().clone(), grown.rows.clone());
        drop(grown);
        fail_at(None);
        let (mut again, _) = Grown::open(folder.path(), &rows);
        let found = again.tip().height;
        assert!(
            found == tip.height || found == tip.height + 1,
            "call {failing}: {found} after {}",
            tip.height
        );
        assert_eq!(again.base.root(), again.tip().state);
        if found == tip.height {
            assert!(*again.tip() == tip && all(&again.base).unwrap() == rows, "call {failing}");
        }
        let rows = all(&again.base).unwrap();
        again.rows = rows;
        again.block().unwrap();
        let rows = again.rows.clone();
        drop(again);
        let (again, _) = Grown::open(folder.path(), &rows);
        assert!(again.tip().height == found + 1 && all(&again.base).unwrap() == rows);
    }
    assert!(calls as usize - spilled > BLOCKS * 4, "only {calls} calls: segments were never changed");
    assert!(spilled > 0, "no page had to leave memory");
}

#[test]
fn what_is_shown_first_is_in_no_state_that_stays_where_the_disk_says_no() {
    const BLOCKS: usize = 12;
    for failing in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let mut grown = Grown::begin(folder.path(), 8_000).unwrap();
        grown.block().unwrap();
        fail_at(Some(failing));
        let told = (0..BLOCKS).find_map(|_| grown.block_shown_first());
        let was = failed();
        fail_at(None);
        assert_eq!(told.is_some(), was == Some(By::Log), "call {failing}");
        if let Some(before) = &told {
            assert_eq!(before.root(), grown.tip().state);
            assert!(walked(before, &[255]) == grown.rows, "call {failing}: the state before is whole");
        }
        let (tip, rows, is_told) = (grown.tip().clone(), grown.rows.clone(), told.is_some());
        drop((grown, told));
        // What was written may be there though nobody was told; what was not is nowhere.
        let Stored { base, tip: found, .. } = Stored::open(folder.path(), CHAIN, ROOM).unwrap();
        assert_eq!(base.root(), found.state);
        if !is_told || found.height != tip.height + 1 {
            assert!(found == tip && all(&base).unwrap() == rows, "call {failing}");
        }
        if was.is_none() {
            assert!(failing as usize > BLOCKS * 4, "only {failing} calls: segments were never changed");
            break;
        }
    }
}

#[test]
fn opening_fails_when_the_disk_says_no_and_works_when_it_does_not() {
    let template = Template::make();
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &template.files);
    for failing in 0.. {
        fail_at(Some(failing));
        let opened = Stored::open(folder.path(), CHAIN, ROOM);
        fail_at(None);
        match opened {
            Ok(stored) => {
                assert!(failing > 0 && all(&stored.base).unwrap() == template.rows);
                break;
            }
            Err(fault) => {
                assert!(matches!(&fault, Fault::Storage(text) if text.contains("disk is full")), "{fault}")
            }
        }
    }
}
