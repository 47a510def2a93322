//! How items ended, and their receipts. What a receipt hashes is hashed for many items side by side, once they
//! have all run: nothing in a block asks for it before.

use super::contract::Module;
use crate::lanes::{Messages, root_of_leaves};
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};
use tenor_abi::codec;
use tenor_abi::event::Event;
use tenor_abi::id::Hash;
use tenor_abi::tag;
use tenor_wire::crypto::hash;
use tenor_wire::receipt::{Entry, Fate, FullReceipt, Receipt};

/// How an item ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Ending {
    /// Id of the transaction or of the occurrence's attempt.
    pub item: Hash,
    /// What became of it.
    pub fate: Fate,
    /// As in [`Receipt`].
    pub code: u16,
    /// Gas used, that of hooks included.
    pub gas: u64,
    /// Gas of the hooks alone, out of what the block sets apart for them.
    pub hook_gas: u64,
    /// The modules that it called or might have, in order.
    pub called: SmallVec<[Arc<Module>; 1]>,
    /// What it returned or was refused with.
    pub data: Vec<u8>,
    /// Entries booked.
    pub entries: Vec<Entry>,
    /// Events reported.
    pub events: Vec<Event>,
}

impl Ending {
    /// The receipt of one item alone.
    pub fn receipt(self) -> FullReceipt {
        let Ending { item, fate, code, gas, data, entries, events, .. } = self;
        FullReceipt::new(item, fate, code, gas, data, entries, events)
    }
}

/// Items whose receipts are hashed side by side: what is hashed of them stays near the processor.
const TOGETHER: usize = 256;

/// The receipts of items, those of [`Ending::receipt`].
pub fn receipts(endings: Vec<Ending>) -> Vec<FullReceipt> {
    let mut receipts = Vec::with_capacity(endings.len());
    let (mut messages, mut bytes) = (Messages::default(), vec![]);
    let mut endings = endings.into_iter();
    while !endings.as_slice().is_empty() {
        let some: Vec<Ending> = endings.by_ref().take(TOGETHER).collect();
        seal(some, &mut messages, &mut bytes, &mut receipts);
    }
    receipts
}

fn seal(endings: Vec<Ending>, messages: &mut Messages, bytes: &mut Vec<u8>, receipts: &mut Vec<FullReceipt>) {
    messages.clear();
    for ending in &endings {
        if !ending.data.is_empty() {
            messages.push(&[&[tag::DATA.0], &ending.data]);
        }
        for entry in &ending.entries {
            bytes.clear();
            codec::append(bytes, entry);
            messages.push(&[&[tag::ENTRIES.leaf.0], bytes]);
        }
        for event in &ending.events {
            bytes.clear();
            codec::append(bytes, event);
            messages.push(&[&[tag::EVENTS.leaf.0], bytes]);
        }
    }
    let mut hashes = messages.hashes().into_iter();
    let mut next = |count: usize| hashes.by_ref().take(count).collect::<Vec<Hash>>();
    let seal = |ending: Ending| {
        let Ending { item, fate, code, gas, data, entries, events, .. } = ending;
        let data_hash = next(usize::from(!data.is_empty())).first().copied().unwrap_or_else(hash_of_nothing);
        let entries_root = root_of_leaves(tag::ENTRIES, next(entries.len()));
        let events_root = root_of_leaves(tag::EVENTS, next(events.len()));
        let receipt =
            Receipt { item, fate, code, data: data_hash, gas, entries: entries_root, events: events_root };
        FullReceipt { receipt, data, entries, events }
    };
    receipts.extend(endings.into_iter().map(seal));
}

/// The hash of empty data, which most receipts have.
fn hash_of_nothing() -> Hash {
    static NOTHING: OnceLock<Hash> = OnceLock::new();
    *NOTHING.get_or_init(|| hash(tag::DATA, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tenor_abi::event::EventBody;
    use tenor_abi::id::AgreementId;

    proptest! {
        #[test]
        fn many_receipts_are_those_of_each(items in prop::collection::vec((any::<Vec<u8>>(), 0usize..7), 0..9)) {
            let ending = |(data, events): (Vec<u8>, usize)| Ending {
                item: Hash([1; 32]),
                fate: Fate::Done,
                code: 0,
                gas: 5,
                hook_gas: 0,
                called: SmallVec::new(),
                entries: vec![],
                events: vec![Event { agreement: AgreementId([7; 32]), body: EventBody::Contract { number: 1, data: data.clone() } }; events],
                data,
            };
            let endings: Vec<Ending> = items.into_iter().map(ending).collect();
            let alone: Vec<FullReceipt> = endings.iter().cloned().map(Ending::receipt).collect();
            prop_assert_eq!(receipts(endings), alone);
        }
    }
}
