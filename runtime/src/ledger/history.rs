//! The history trees of accounts, brought up to date once per block.
//!
//! While a block is made its postings are rows only. At its end they become leaves of their accounts' trees, all
//! together, so that hashes which do not wait for one another are made side by side; the roots are those of
//! trees that grow posting by posting.

use crate::fault::Fault;
use crate::lanes::Messages;
use crate::state::Overlay;
use crate::state::record::{AccountRecord, HistoryPeaksRecord};
use tenor_abi::id::{AccountId, Hash};
use tenor_abi::tag;
use tenor_wire::merkle::{self, Mmr, Pair};

/// Postings that are hashed side by side: their bytes stay near the processor.
const TOGETHER: usize = 512;

/// Puts the postings of a block into their accounts' trees: peaks, and the root in each account's leaf.
///
/// # Errors
/// [`Fault`] when the store fails, or has another history than the leaf says.
pub fn settle_history(state: &mut Overlay<'_>) -> Result<(), Fault> {
    let (mut leaves, mut hashes) = (Messages::default(), vec![]);
    let posted = state.posted(|posting| {
        leaves.push(&[&[tag::HISTORY.leaf.0], posting]);
        if leaves.len() >= TOGETHER {
            hashes.extend(leaves.hashes());
            leaves.clear();
        }
    });
    hashes.extend(leaves.hashes());
    let mut hashes = hashes.into_iter();
    let (mut accounts, mut kept) = (Vec::with_capacity(posted.len()), Vec::with_capacity(posted.len()));
    let mut trees: Vec<(Mmr, Vec<Hash>)> = Vec::with_capacity(posted.len());
    for (account, count) in posted {
        let peaks: Option<HistoryPeaksRecord> = state.get(&account.0)?;
        let tree = peaks.map_or_else(Mmr::default, |peaks| peaks.tree);
        trees.push((tree, hashes.by_ref().take(count).collect()));
        kept.push(state.account(&account, None, |_, record| record.history_root)?);
        accounts.push(account);
    }
    // The trees before the block are what the accounts' leaves say.
    let before = merkle::roots(trees.iter().map(|(tree, _)| tree), nodes);
    if let Some(place) = (0..before.len()).find(|place| kept[*place] != Some(before[*place])) {
        return Err(unlike(state, &accounts[place]));
    }
    merkle::extend_all(&mut trees, nodes);
    let trees: Vec<Mmr> = trees.into_iter().map(|(tree, _)| tree).collect();
    let roots = merkle::roots(trees.iter(), nodes);
    for ((account, tree), root) in accounts.into_iter().zip(trees).zip(roots) {
        let record = state.account(&account, None, |_, record| *record)?;
        let mut record: AccountRecord = record.ok_or_else(|| unlike(state, &account))?;
        if record.history_count != tree.count() {
            return Err(unlike(state, &account));
        }
        record.history_root = root;
        state.set(&account.0, record);
        state.set(&account.0, HistoryPeaksRecord { tree });
    }
    Ok(())
}

fn nodes(pairs: &[Pair]) -> Vec<Hash> {
    let mut messages = Messages::default();
    pairs.iter().for_each(|(left, right)| messages.push(&[&[tag::HISTORY.node.0], &left.0, &right.0]));
    messages.hashes()
}

fn unlike(state: &Overlay<'_>, account: &AccountId) -> Fault {
    state.distrust();
    Fault::State(format!(
        "the history of {account} is not what its leaf says; the next start makes the state again"
    ))
}
