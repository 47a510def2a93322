//! The history trees of accounts, brought up to date once per block.
//!
//! While a block is made its postings are rows only. At its end they become leaves of their accounts' trees, all
//! together, so that hashes which do not wait for one another are made side by side; the roots are those of
//! trees that grow posting by posting.

use crate::fault::Fault;
use crate::lanes::Messages;
use crate::state::record::{HistoryPeaksRecord, to_bytes};
use crate::state::{Kind, Overlay, POSTING_BYTES_MAX, Posted};
use tenor_abi::id::{AccountId, Hash};
use tenor_abi::tag;
use tenor_wire::merkle::{self, Mmr, Pair};

/// Postings that are hashed side by side: their bytes stay near the processor.
const TOGETHER: usize = 512;

/// Accounts that are looked for together.
const NEAR: usize = 64;

/// Puts the postings of a block into their accounts' trees: peaks, and the root in each account's leaf.
///
/// # Errors
/// [`Fault`] when the store fails, or has another history than the leaf says.
pub fn settle_history(state: &mut Overlay<'_>) -> Result<(), Fault> {
    let (mut leaves, mut hashes) = (Messages::default(), vec![]);
    let posted = state.posted(|posting| {
        leaves.push_written(|leaf: &mut [u8; 1 + POSTING_BYTES_MAX]| {
            leaf[0] = tag::HISTORY.leaf.0;
            posting.write_value(leaf, 1)
        });
        if leaves.len() >= TOGETHER {
            hashes.extend(leaves.hashes());
            leaves.clear();
        }
    });
    hashes.extend(leaves.hashes());
    let mut hashes = hashes.into_iter();
    let peaks: Vec<_> = posted.iter().map(|posted| Kind::HistoryPeaks.full_key(&posted.account.0)).collect();
    state.ask_ahead(&peaks)?;
    let (mut kept, mut places) = (Vec::with_capacity(posted.len()), Vec::with_capacity(posted.len()));
    let mut trees: Vec<(Mmr, Vec<Hash>)> = Vec::with_capacity(posted.len());
    for some in posted.chunks(NEAR) {
        // They lie far apart: all of them are asked for before the first is waited for.
        state.prefetch_seen(some.iter().map(|posted| posted.seen));
        state.prefetch_records::<HistoryPeaksRecord>(some.iter().map(|posted| &posted.account.0));
        for Posted { account, seen, .. } in some {
            kept.push(state.account_at(*seen, account, |record| record.history_root)?);
            places.push(state.record_place::<HistoryPeaksRecord>(&account.0)?);
        }
        for Posted { count, .. } in some {
            let peaks: Option<HistoryPeaksRecord> = state.record_at(places[trees.len()])?;
            let tree = peaks.map_or_else(Mmr::default, |peaks| peaks.tree);
            trees.push((tree, hashes.by_ref().take(*count as usize).collect()));
        }
    }
    // The trees before the block are what the accounts' leaves say.
    let before = merkle::roots(trees.iter().map(|(tree, _)| tree), nodes);
    if let Some(place) = (0..before.len()).find(|place| kept[*place] != before[*place]) {
        return Err(unlike(state, &posted[place].account));
    }
    merkle::extend_all(&mut trees, nodes);
    let trees: Vec<Mmr> = trees.into_iter().map(|(tree, _)| tree).collect();
    let roots = merkle::roots(trees.iter(), nodes);
    for ((Posted { account, seen, .. }, place), (tree, root)) in
        posted.iter().zip(places).zip(trees.into_iter().zip(roots))
    {
        if state.set_history_root(*seen, root) != tree.count() {
            return Err(unlike(state, account));
        }
        state.set_row_at(place, Some(to_bytes(&HistoryPeaksRecord { tree })));
    }
    Ok(())
}

fn nodes(pairs: &[Pair]) -> Vec<Hash> {
    let mut messages = Messages::default();
    pairs.iter().for_each(|(left, right)| messages.push(&[&[tag::HISTORY.node.0], &left.0, &right.0]));
    messages.hashes()
}

fn unlike(state: &Overlay<'_>, account: &AccountId) -> Fault {
    state.distrust(&format!("the history of {account} is not what its leaf says"))
}
