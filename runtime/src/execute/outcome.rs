//! What became of an item, before its receipt is hashed.
//!
//! The hashes of a block's receipts do not wait for one another, so they are made together at its end.

use crate::lanes::{self, Messages};
use tenor_abi::codec;
use tenor_abi::event::Event;
use tenor_abi::id::Hash;
use tenor_abi::tag::{self, TreeTags};
use tenor_wire::receipt::{Entry, Fate, FullReceipt, Receipt};

/// What became of an item.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// Id of the transaction or of the occurrence's attempt.
    pub item: Hash,
    /// What became of it.
    pub fate: Fate,
    /// 0 when done; below 0x8000 the host's code, from there on the contract's.
    pub code: u16,
    /// Gas used.
    pub gas: u64,
    /// What the item returned or was refused with.
    pub data: Vec<u8>,
    /// Entries booked.
    pub entries: Vec<Entry>,
    /// Events reported.
    pub events: Vec<Event>,
}

/// The receipts of a block's outcomes, in order.
pub fn receipts(outcomes: Vec<Outcome>) -> Vec<FullReceipt> {
    let mut leaves = Messages::default();
    let leaf = |leaves: &mut Messages, tags: TreeTags, bytes: &[u8]| leaves.push(&[&[tags.leaf.0], bytes]);
    for outcome in &outcomes {
        leaves.push(&[&[tag::DATA.0], &outcome.data]);
        outcome.entries.iter().for_each(|entry| leaf(&mut leaves, tag::ENTRIES, &codec::encode(entry)));
        outcome.events.iter().for_each(|event| leaf(&mut leaves, tag::EVENTS, &codec::encode(event)));
    }
    let mut hashes = leaves.hashes().into_iter();
    let mut of_list = |tags, count| lanes::root_of_leaves(tags, hashes.by_ref().take(count).collect());
    let receipt = |outcome: Outcome| {
        let Outcome { item, fate, code, gas, data, entries, events } = outcome;
        let receipt = Receipt {
            item,
            fate,
            code,
            // The root of a list of one leaf is the leaf.
            data: of_list(tag::ENTRIES, 1),
            gas,
            entries: of_list(tag::ENTRIES, entries.len()),
            events: of_list(tag::EVENTS, events.len()),
        };
        FullReceipt { receipt, data, entries, events }
    };
    outcomes.into_iter().map(receipt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenor_abi::date::{Date, Timestamp};
    use tenor_abi::entry::EntryId;
    use tenor_wire::receipt::EntrySource;

    #[test]
    fn receipts_made_together_are_whole() {
        let outcome = |number: u8| {
            let entry = |index: u8| Entry {
                id: EntryId { item: Hash([number; 32]), index: u32::from(index) },
                source: EntrySource::Party,
                booked_at: Timestamp(7),
                value_date: Date::of(2026, 1, 31),
                postings: vec![],
                narrative: None,
                reference: None,
                corrects: None,
            };
            let data = vec![number; usize::from(number) * 50];
            let entries = (0..number % 4).map(entry).collect();
            Outcome {
                item: Hash([number; 32]),
                fate: Fate::Done,
                code: 0,
                gas: 9,
                data,
                entries,
                events: vec![],
            }
        };
        let outcomes: Vec<Outcome> = (0..9).map(outcome).collect();
        let receipts = receipts(outcomes.clone());
        for (outcome, receipt) in outcomes.into_iter().zip(receipts) {
            assert!(receipt.is_whole());
            assert_eq!((outcome.item, outcome.data), (receipt.receipt.item, receipt.data));
        }
    }
}
