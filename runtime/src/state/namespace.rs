//! The one table of record kinds: their number, what they are to the root, and who owns them.
//!
//! A full key is the kind's number and then the key's bytes. *Leaves* are in the trie. *Summarised* rows are
//! covered by a hash that a leaf holds. *Derived* rows can be made again from leaves.

pub use tenor_wire::trie::owner_of;

/// What a record is to the state root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// In the trie.
    Leaf,
    /// Covered by a hash in a leaf.
    Summarised,
    /// Made again from leaves when missing.
    Derived,
}

/// Under whom a leaf lies in the trie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The first 32 bytes of the key: an agreement, an account or a party.
    First32,
    /// The kind itself.
    Kind,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal $standing:ident $owner:ident;)*) => {
        /// A kind of record.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $number),* }

        impl Kind {
            /// Every kind in order of its number.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];
            /// The kind of a number.
            pub const fn of(number: u8) -> Option<Kind> {
                match number { $($number => Some(Kind::$name),)* _ => None }
            }
            /// What it is to the root.
            pub const fn standing(self) -> Standing {
                match self { $(Kind::$name => Standing::$standing),* }
            }
            /// Under whom it lies.
            pub const fn owner(self) -> Owner {
                match self { $(Kind::$name => Owner::$owner),* }
            }
        }
    };
}

kinds! {
    /// party → who it is
    Party = 1 Leaf First32;
    /// party, key number u16 → key
    Key = 2 Leaf First32;
    /// bank, party, role → held
    Role = 3 Leaf First32;
    /// asset → what it is
    Asset = 4 Leaf Kind;
    /// account → counters, limits, flags, history root
    Account = 5 Leaf First32;
    /// account, hold → money set aside
    Hold = 6 Leaf First32;
    /// account, agreement → what the agreement may debit
    Grant = 7 Leaf First32;
    /// agreement → contract, terms, state
    Agreement = 8 Leaf First32;
    /// agreement, storage key → value of the contract
    Storage = 9 Leaf First32;
    /// agreement, schedule u16 → recurrence and next occurrence
    Schedule = 10 Leaf First32;
    /// proposal → action waiting for approval
    Proposal = 11 Leaf Kind;
    /// calendar → weekend and holidays
    Calendar = 12 Leaf Kind;
    /// rate table → rates by date
    RateTable = 13 Leaf Kind;
    /// bank or party → quota
    Quota = 14 Leaf First32;
    /// parameters in force and to come
    Parameters = 15 Leaf Kind;
    /// code hash → published contract
    Contract = 16 Leaf Kind;
    /// code hash → wasm bytes
    Code = 17 Leaf Kind;
    /// bank → zone and cut-off by instant
    Zone = 18 Leaf First32;
    /// day u32 → running hash of the day's idempotency keys
    KeyDay = 19 Leaf Kind;
    /// bank, asset, product name → limit and use
    Exposure = 20 Leaf First32;
    /// the oldest key day that is accepted
    KeyWindow = 21 Leaf Kind;
    /// bank, account code u16 → general-ledger key, side, back window
    AccountCode = 22 Leaf First32;
    /// bank → the last day whose books are closed
    ClosedBooks = 23 Leaf First32;
    /// account, sequence u64 → what corrections took back of a posting
    Correction = 24 Leaf First32;
    /// day u32, agreement, external key → the entry under it
    EntryKey = 25 Leaf Kind;
    /// account, whose u8, moment u8 → a hook
    Hook = 26 Leaf First32;
    /// agreement → how far it has read the accounts that it is a hook of
    Cursor = 27 Leaf First32;
    /// height u64 big-endian → that the chain was begun again there
    Restart = 28 Leaf Kind;
    /// party, key number u16 → what a limited key has moved
    KeySpent = 29 Leaf First32;

    /// day u32, party, key → operation hash and receipt place
    Idempotency = 64 Summarised Kind;
    /// account, sequence u64 → posting with running counters
    History = 65 Summarised First32;
    /// account → peaks of the history tree
    HistoryPeaks = 66 Summarised First32;

    /// bank, due time, agreement, schedule, number, attempt → nothing
    Due = 96 Derived Kind;
    /// bank, name, version → code hash
    Name = 97 Derived Kind;
    /// owner, account → nothing
    AccountOf = 98 Derived Kind;
    /// party, agreement → nothing
    AgreementOf = 99 Derived Kind;
    /// hold, account → nothing
    HoldOf = 100 Derived Kind;
    /// end of the hold's time, hold → nothing
    Expiry = 101 Derived Kind;
}

impl Kind {
    /// The full key of a key of this kind.
    pub fn full_key(self, key: &[u8]) -> Vec<u8> {
        let mut full = Vec::with_capacity(1 + key.len());
        full.push(self as u8);
        full.extend_from_slice(key);
        full
    }
}

/// The kind of a full key.
pub fn kind_of(full_key: &[u8]) -> Option<Kind> {
    Kind::of(*full_key.first()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_standing_are_frozen() {
        let text: Vec<String> =
            Kind::ALL.iter().map(|k| format!("{}={k:?}/{:?}", *k as u8, k.standing())).collect();
        let golden = "1=Party/Leaf 2=Key/Leaf 3=Role/Leaf 4=Asset/Leaf 5=Account/Leaf 6=Hold/Leaf 7=Grant/Leaf \
            8=Agreement/Leaf 9=Storage/Leaf 10=Schedule/Leaf 11=Proposal/Leaf 12=Calendar/Leaf 13=RateTable/Leaf \
            14=Quota/Leaf 15=Parameters/Leaf 16=Contract/Leaf 17=Code/Leaf 18=Zone/Leaf 19=KeyDay/Leaf \
            20=Exposure/Leaf 21=KeyWindow/Leaf 22=AccountCode/Leaf 23=ClosedBooks/Leaf 24=Correction/Leaf \
            25=EntryKey/Leaf 26=Hook/Leaf 27=Cursor/Leaf 28=Restart/Leaf 29=KeySpent/Leaf 64=Idempotency/Summarised 65=History/Summarised \
            66=HistoryPeaks/Summarised 96=Due/Derived 97=Name/Derived 98=AccountOf/Derived 99=AgreementOf/Derived \
            100=HoldOf/Derived 101=Expiry/Derived";
        assert_eq!(text.join(" "), golden);
    }

    #[test]
    fn a_verifier_knows_the_owners_of_leaves() {
        for kind in Kind::ALL.iter().filter(|kind| kind.standing() == Standing::Leaf) {
            let key = kind.full_key(&[7; 40]);
            let owner = match kind.owner() {
                Owner::First32 => &[7; 32][..],
                Owner::Kind => &[*kind as u8],
            };
            assert_eq!(owner_of(&key), owner, "{kind:?}");
            assert_eq!(owner_of(&kind.full_key(&[7; 31])), [*kind as u8], "a short key has no owner");
        }
        assert_eq!(owner_of(&[]), []);
    }

    #[test]
    fn an_accounts_records_lie_under_it() {
        let mut key = vec![9; 32];
        key.extend([1; 32]);
        assert_eq!(owner_of(&Kind::Grant.full_key(&key)), [9; 32]);
        assert_eq!(owner_of(&Kind::Asset.full_key(&key)), [4]);
    }
}
