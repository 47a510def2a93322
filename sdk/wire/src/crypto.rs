//! The one hash and the one signature.

use tenor_abi::id::Hash;
use tenor_abi::tag::Tag;

/// SHA3-256 over a domain tag and parts, one after the other.
///
/// Parts are joined without separators: whoever hashes more than one part of changing length puts lengths
/// between them.
pub fn hash(tag: Tag, parts: &[&[u8]]) -> Hash {
    let mut state = Hasher::new(tag);
    for part in parts {
        state.update(part);
    }
    state.finish()
}

/// SHA3-256 without a tag, for the few places whose rule says so (trie paths, log checksums).
pub fn plain_hash(parts: &[&[u8]]) -> Hash {
    use sha3::Digest;
    let mut state = sha3::Sha3_256::new();
    for part in parts {
        state.update(part);
    }
    Hash(state.finalize().into())
}

/// A tagged hash in the making.
pub struct Hasher(sha3::Sha3_256);

impl Hasher {
    /// Begins with the tag.
    pub fn new(tag: Tag) -> Hasher {
        use sha3::Digest;
        let mut state = sha3::Sha3_256::new();
        state.update([tag.0]);
        Hasher(state)
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        sha3::Digest::update(&mut self.0, bytes);
    }

    /// The hash of all that was added.
    pub fn finish(self) -> Hash {
        Hash(sha3::Digest::finalize(self.0).into())
    }
}
