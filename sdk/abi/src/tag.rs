//! Domain tags: the first byte of everything that is hashed, one meaning each, never reused.

/// A domain tag: one byte in front of the hashed bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag(pub u8);

/// The pair of tags of one kind of list tree: its leaves and its inner nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeTags {
    /// In front of a leaf's bytes.
    pub leaf: Tag,
    /// In front of the two child hashes.
    pub node: Tag,
}

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $byte:literal;)*) => {
        $($(#[$doc])* pub const $name: Tag = Tag($byte);)*
        /// Every tag with its name, in order of its byte.
        pub const ALL: &[(&str, Tag)] = &[$((stringify!($name), $name)),*];
    };
}

tags! {
    /// Leaf of the state trie.
    TRIE_LEAF = 0x00;
    /// Inner node of the state trie.
    TRIE_NODE = 0x01;
    /// Leaf of a block's list of items.
    ITEMS_LEAF = 0x02;
    /// Inner node of a block's list of items.
    ITEMS_NODE = 0x03;
    /// Leaf of a block's list of receipts.
    RECEIPTS_LEAF = 0x04;
    /// Inner node of a block's list of receipts.
    RECEIPTS_NODE = 0x05;
    /// Leaf of the ancestry of a header: an earlier header hash.
    ANCESTRY_LEAF = 0x06;
    /// Inner node of the ancestry.
    ANCESTRY_NODE = 0x07;
    /// Leaf of an account's history.
    HISTORY_LEAF = 0x08;
    /// Inner node of an account's history.
    HISTORY_NODE = 0x09;
    /// Leaf of a receipt's list of entries.
    ENTRIES_LEAF = 0x0a;
    /// Inner node of a receipt's list of entries.
    ENTRIES_NODE = 0x0b;
    /// Leaf of a receipt's list of events.
    EVENTS_LEAF = 0x0c;
    /// Inner node of a receipt's list of events.
    EVENTS_NODE = 0x0d;
    /// Leaf of a batch's list of transfers or of their sub-receipts.
    BATCH_LEAF = 0x0e;
    /// Inner node of a batch's list.
    BATCH_NODE = 0x0f;
    /// Body of a transaction; the hash is the transaction's id.
    TRANSACTION = 0x10;
    /// Operation bytes, for telling two transactions under one key apart.
    OPERATION = 0x11;
    /// Block header.
    HEADER = 0x12;
    /// What a validator signs for a block.
    CERTIFICATE = 0x13;
    /// Genesis document; the hash is the chain id.
    GENESIS = 0x14;
    /// Deployed wasm bytes.
    CODE = 0x15;
    /// Party id from the item that made it.
    PARTY = 0x16;
    /// Account id from owner, asset and purpose.
    ACCOUNT = 0x17;
    /// Asset id from issuer and code.
    ASSET = 0x18;
    /// Agreement id from the item that made it.
    AGREEMENT = 0x19;
    /// Hold id from the item that made it.
    HOLD = 0x1a;
    /// Proposal id from its content and the item that made it.
    PROPOSAL = 0x1b;
    /// Running hash of the idempotency keys of one day.
    KEY_DAY = 0x1c;
    /// Validator set.
    VALIDATORS = 0x1d;
    /// Chain parameters.
    PARAMETERS = 0x1e;
    /// Salted commitment to free text.
    TEXT = 0x1f;
    /// Commitment to a natural person.
    PERSON = 0x20;
    /// Data of a receipt: what a contract returned or refused with.
    DATA = 0x21;
    /// Piece of long bytes that are hashed in pieces: a payload of the block log, the keys that a block used.
    PIECES_LEAF = 0x22;
    /// Calendar id from publisher and code.
    CALENDAR = 0x23;
    /// Occurrence id from agreement, kind, number and attempt.
    OCCURRENCE = 0x24;
    /// Spec of an interface.
    INTERFACE = 0x25;
    /// Chain id after a restart.
    RESTART = 0x26;
    /// Seed of a sandbox key or salt; never part of a chain's own rules.
    SEED = 0x27;
    /// Inner node over such pieces.
    PIECES_NODE = 0x28;
    /// Occurrence id of the end of a hold.
    EXPIRY = 0x29;
}

/// List of items of a block.
pub const ITEMS: TreeTags = TreeTags { leaf: ITEMS_LEAF, node: ITEMS_NODE };
/// List of receipts of a block.
pub const RECEIPTS: TreeTags = TreeTags { leaf: RECEIPTS_LEAF, node: RECEIPTS_NODE };
/// Earlier header hashes.
pub const ANCESTRY: TreeTags = TreeTags { leaf: ANCESTRY_LEAF, node: ANCESTRY_NODE };
/// History of an account.
pub const HISTORY: TreeTags = TreeTags { leaf: HISTORY_LEAF, node: HISTORY_NODE };
/// Entries of a receipt.
pub const ENTRIES: TreeTags = TreeTags { leaf: ENTRIES_LEAF, node: ENTRIES_NODE };
/// Events of a receipt.
pub const EVENTS: TreeTags = TreeTags { leaf: EVENTS_LEAF, node: EVENTS_NODE };
/// Transfers of a batch.
pub const BATCH: TreeTags = TreeTags { leaf: BATCH_LEAF, node: BATCH_NODE };
/// Pieces of long bytes.
pub const PIECES: TreeTags = TreeTags { leaf: PIECES_LEAF, node: PIECES_NODE };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_has_its_own_byte() {
        for (index, (name, tag)) in ALL.iter().enumerate() {
            assert_eq!(tag.0 as usize, index, "{name}");
        }
    }
}
