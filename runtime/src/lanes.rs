//! SHA3-256 of many messages at once: eight or four side by side where the processor can, else one after the other.
//!
//! The hashes of a trie come in hundreds that do not wait for one another. Several of them run through one
//! permutation when each 64-bit lane of Keccak is widened to a vector: of eight with AVX-512, which also rotates
//! and combines three words in one step, of four with AVX2. What comes out is the hash of the `sha3` crate, which
//! is the fallback and what the tests compare with.
//!
//! Source: FIPS 202, sections 3.2 to 3.4 (Keccak-p[1600, 24]), 5.1 and 6.1 (SHA3-256).

use std::num::NonZero;
use std::ops::Range;
use std::sync::LazyLock;
use std::thread;
use tenor_abi::id::Hash;
use tenor_abi::tag::{self, TreeTags};
use tenor_wire::crypto::plain_hash;

/// From so many things on every core makes its share of them.
const SHARED_FROM: usize = 8_192;
/// Bytes that a permutation takes in.
const RATE: usize = 136;
/// Leaves of a list that are hashed together: what is copied of them stays near the processor.
const TOGETHER: usize = 64;

/// Messages to hash, one behind the other in one buffer.
#[derive(Debug, Default)]
pub struct Messages {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Messages {
    /// Adds a message, given in parts.
    pub fn push(&mut self, parts: &[&[u8]]) {
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.ends.push(self.bytes.len());
    }

    /// Adds a message that is written where it will lie, into room for the longest; it says how long it is.
    #[inline(always)]
    pub fn push_written<const ROOM: usize>(&mut self, write: impl FnOnce(&mut [u8; ROOM]) -> usize) {
        let start = self.bytes.len();
        self.bytes.resize(start + ROOM, 0);
        let room = self.bytes[start..].first_chunk_mut().expect("room was just made");
        let length = write(room);
        self.bytes.truncate(start + length);
        self.ends.push(start + length);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes them out, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn get(&self, place: usize) -> &[u8] {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.bytes[start..self.ends[place]]
    }

    /// Their hashes, in order; of very many on every core.
    pub fn hashes(&self) -> Vec<Hash> {
        in_shares(self.len(), |share| self.hashes_of(share))
    }

    fn hashes_of(&self, share: Range<usize>) -> Vec<Hash> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx512f") {
            return self.hashes_abreast(share, wide::eight::hash);
        } else if std::arch::is_x86_feature_detected!("avx2") {
            return self.hashes_abreast(share, wide::four::hash);
        }
        share.map(|place| plain_hash(&[self.get(place)])).collect()
    }

    /// Messages of as many blocks go together, so that no lane waits for a longer one. The processor must have what
    /// `hash` is made for.
    #[cfg(target_arch = "x86_64")]
    fn hashes_abreast<const LANES: usize>(
        &self,
        share: Range<usize>,
        hash: unsafe fn([&[u8]; LANES]) -> [Hash; LANES],
    ) -> Vec<Hash> {
        let blocks = |place: &usize| self.get(*place).len() / RATE;
        let (first, mut hashes) = (share.start, vec![Hash::ZERO; share.len()]);
        let mut order: Vec<usize> = share.collect();
        order.sort_by_key(blocks);
        for alike in order.chunk_by(|a, b| blocks(a) == blocks(b)) {
            for few in alike.chunks(LANES) {
                if let [single] = few {
                    hashes[*single - first] = plain_hash(&[self.get(*single)]);
                    continue;
                }
                let messages = std::array::from_fn(|lane| self.get(few[lane.min(few.len() - 1)]));
                // Safe, because the caller has asked the processor what it has.
                #[allow(unsafe_code)]
                let found = unsafe { hash(messages) };
                few.iter().zip(found).for_each(|(place, hash)| hashes[*place - first] = hash);
            }
        }
        hashes
    }
}

/// Processors that this process may use. The system is asked once: it reads files to say so.
pub(crate) fn cores() -> usize {
    static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));
    *CORES
}

/// Shares into which very much work is cut: more than there are cores, so that it is held up less where a core does something
/// else meanwhile.
pub(crate) fn shares() -> usize {
    2 * cores()
}

/// Makes so many things, in order: very many in shares, on every core.
pub(crate) fn in_shares<T: Send>(count: usize, make: impl Fn(Range<usize>) -> Vec<T> + Sync) -> Vec<T> {
    in_shares_from(SHARED_FROM, count, make)
}

/// As [`in_shares`], where so many are very many.
fn in_shares_from<T: Send>(
    very_many: usize,
    count: usize,
    make: impl Fn(Range<usize>) -> Vec<T> + Sync,
) -> Vec<T> {
    if count < very_many {
        return make(0..count);
    }
    let (make, each) = (&make, count.div_ceil(shares()));
    let mut shares = (0..count).step_by(each).map(|from| from..count.min(from + each));
    let first = shares.next().unwrap_or_default();
    thread::scope(|scope| {
        let others: Vec<_> = shares.map(|share| scope.spawn(move || make(share))).collect();
        let mut made = make(first);
        made.reserve_exact(count.saturating_sub(made.len()));
        for thread in others {
            made.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        made
    })
}

/// The root of a list of leaves: that of [`tenor_wire::merkle::root`].
pub fn list_root<'l>(tags: TreeTags, leaves: impl Iterator<Item = &'l [u8]>) -> Hash {
    root_of_leaves(tags, leaf_hashes(tags, leaves))
}

fn leaf_hashes<'l>(tags: TreeTags, leaves: impl Iterator<Item = &'l [u8]>) -> Vec<Hash> {
    let (mut messages, mut hashes) = (Messages::default(), vec![]);
    for leaf in leaves {
        messages.push(&[&[tags.leaf.0], leaf]);
        if messages.len() >= TOGETHER {
            hashes.extend(messages.hashes());
            messages.clear();
        }
    }
    hashes.extend(messages.hashes());
    hashes
}

/// Bytes of a piece; the last one may be shorter.
const PIECE_BYTES: usize = 4096;

/// Pieces from which on they are hashed on every core.
const PIECES_SHARED_FROM: usize = 512;

/// The root over the pieces of long bytes, of which several are hashed at a time.
pub fn root_of_pieces(bytes: &[u8]) -> Hash {
    let piece_hashes = |share: Range<usize>| {
        let end = bytes.len().min(share.end * PIECE_BYTES);
        leaf_hashes(tag::PIECES, bytes[share.start * PIECE_BYTES..end].chunks(PIECE_BYTES))
    };
    let hashes = in_shares_from(PIECES_SHARED_FROM, bytes.len().div_ceil(PIECE_BYTES), piece_hashes);
    root_of_leaves(tag::PIECES, hashes)
}

/// The root of a list by the hashes of its leaves.
pub fn root_of_leaves(tags: TreeTags, mut level: Vec<Hash>) -> Hash {
    let mut messages = Messages::default();
    while level.len() > 1 {
        messages.clear();
        let pairs = level.chunks_exact(2);
        // The last of an odd level goes up as it is.
        let last = pairs.remainder().to_vec();
        pairs.for_each(|pair| messages.push(&[&[tags.node.0], &pair[0].0, &pair[1].0]));
        level = messages.hashes();
        level.extend(last);
    }
    level.first().copied().unwrap_or(Hash::ZERO)
}

/// Keccak on vectors of lanes.
#[cfg(target_arch = "x86_64")]
mod wide {
    use super::RATE;
    use tenor_abi::id::Hash;

    /// Words of 64 bits that a permutation takes in.
    const RATE_WORDS: usize = RATE / 8;

    const ROUNDS: [u64; 24] = [
        0x0000000000000001,
        0x0000000000008082,
        0x800000000000808a,
        0x8000000080008000,
        0x000000000000808b,
        0x0000000080000001,
        0x8000000080008081,
        0x8000000000008009,
        0x000000000000008a,
        0x0000000000000088,
        0x0000000080008009,
        0x000000008000000a,
        0x000000008000808b,
        0x800000000000008b,
        0x8000000000008089,
        0x8000000000008003,
        0x8000000000008002,
        0x8000000000000080,
        0x000000000000800a,
        0x800000008000000a,
        0x8000000080008081,
        0x8000000000008080,
        0x0000000080000001,
        0x8000000080008008,
    ];

    /// A block of each of some messages that fill as many whole ones: word after word, those of all of them side by side.
    #[inline(always)]
    fn words<const LANES: usize>(messages: &[&[u8]; LANES], block: usize) -> [[u64; LANES]; RATE_WORDS] {
        let mut words = [[0; LANES]; RATE_WORDS];
        for (lane, message) in messages.iter().enumerate() {
            let rest = &message[block * RATE..];
            let mut last = [0; RATE];
            let bytes = match rest.first_chunk() {
                Some(whole) => whole,
                None => {
                    last[..rest.len()].copy_from_slice(rest);
                    // The domain bits of SHA3 and the first bit of the padding, then its last.
                    last[rest.len()] = 0x06;
                    last[RATE - 1] |= 0x80;
                    &last
                }
            };
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                word[lane] = u64::from_le_bytes(*bytes);
            }
        }
        words
    }

    /// The hashes whose words stand side by side.
    #[inline(always)]
    fn hashes<const LANES: usize>(words: [[u64; LANES]; 4]) -> [Hash; LANES] {
        let mut hashes = [Hash::ZERO; LANES];
        for (lane, hash) in hashes.iter_mut().enumerate() {
            for (bytes, word) in hash.0.as_chunks_mut().0.iter_mut().zip(words) {
                *bytes = word[lane].to_le_bytes();
            }
        }
        hashes
    }

    /// Steps ρ and π: lane `from`, rotated, becomes lane `to`.
    macro_rules! moved {
        ($rotated:ident $state:ident $to:ident: $($from:literal $at:literal $bits:literal),*) => {
            $($to[$at] = $rotated!($state[$from], $bits);)*
        };
    }

    macro_rules! moved_all {
        ($rotated:ident $state:ident $to:ident) => {
            moved!($rotated $state $to: 1 10 1, 2 20 62, 3 5 28, 4 15 27, 5 16 36, 6 1 44, 7 11 6, 8 21 55, 9 6 20, 10 7 3,
                11 17 10, 12 2 43, 13 12 25, 14 22 39, 15 23 41, 16 8 45, 17 18 15, 18 3 21, 19 13 8, 20 14 18,
                21 24 2, 22 9 61, 23 19 56, 24 4 14)
        };
    }

    /// Four messages with AVX2.
    pub mod four {
        use super::{RATE, ROUNDS, hashes, words};
        use std::arch::x86_64::{
            __m256i, _mm256_andnot_si256, _mm256_extract_epi64, _mm256_or_si256, _mm256_set_epi64x,
            _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_slli_epi64, _mm256_srli_epi64, _mm256_xor_si256,
        };
        use tenor_abi::id::Hash;

        macro_rules! rotated {
            ($lane:expr, $bits:literal) => {
                _mm256_or_si256(_mm256_slli_epi64::<$bits>($lane), _mm256_srli_epi64::<{ 64 - $bits }>($lane))
            };
        }

        #[target_feature(enable = "avx2")]
        fn permute(state: &mut [__m256i; 25]) {
            for constant in ROUNDS {
                let mut columns = [_mm256_setzero_si256(); 5];
                for x in 0..5 {
                    let upper = _mm256_xor_si256(state[x], state[x + 5]);
                    let lower = _mm256_xor_si256(state[x + 10], state[x + 15]);
                    columns[x] = _mm256_xor_si256(_mm256_xor_si256(upper, lower), state[x + 20]);
                }
                for x in 0..5 {
                    let mixed = _mm256_xor_si256(columns[(x + 4) % 5], rotated!(columns[(x + 1) % 5], 1));
                    for y in 0..5 {
                        state[x + 5 * y] = _mm256_xor_si256(state[x + 5 * y], mixed);
                    }
                }
                let mut next = [_mm256_setzero_si256(); 25];
                next[0] = state[0];
                moved_all!(rotated state next);
                for y in [0, 5, 10, 15, 20] {
                    for x in 0..5 {
                        let beyond = _mm256_andnot_si256(next[y + (x + 1) % 5], next[y + (x + 2) % 5]);
                        state[y + x] = _mm256_xor_si256(next[y + x], beyond);
                    }
                }
                state[0] = _mm256_xor_si256(state[0], _mm256_set1_epi64x(constant as i64));
            }
        }

        /// The hashes of messages that fill as many whole blocks.
        #[target_feature(enable = "avx2")]
        pub fn hash(messages: [&[u8]; 4]) -> [Hash; 4] {
            let mut state = [_mm256_setzero_si256(); 25];
            for block in 0..=messages[0].len() / RATE {
                for (lane, word) in state.iter_mut().zip(words(&messages, block)) {
                    let [a, b, c, d] = word.map(|word| word as i64);
                    *lane = _mm256_xor_si256(*lane, _mm256_set_epi64x(d, c, b, a));
                }
                permute(&mut state);
            }
            hashes(std::array::from_fn(|word| {
                [
                    _mm256_extract_epi64::<0>(state[word]) as u64,
                    _mm256_extract_epi64::<1>(state[word]) as u64,
                    _mm256_extract_epi64::<2>(state[word]) as u64,
                    _mm256_extract_epi64::<3>(state[word]) as u64,
                ]
            }))
        }
    }

    /// Eight messages with AVX-512.
    pub mod eight {
        use super::{RATE, ROUNDS, hashes, words};
        use std::arch::x86_64::{
            __m512i, _mm512_loadu_epi64, _mm512_rol_epi64, _mm512_set1_epi64, _mm512_setzero_si512,
            _mm512_storeu_epi64, _mm512_ternarylogic_epi64, _mm512_xor_si512,
        };
        use tenor_abi::id::Hash;

        macro_rules! rotated {
            ($lane:expr, $bits:literal) => {
                _mm512_rol_epi64::<$bits>($lane)
            };
        }

        /// What three bits become: the xor of all, and the first one xor the third where the second is not set.
        const XOR: i32 = 0x96;
        const XOR_BEYOND: i32 = 0xd2;

        #[target_feature(enable = "avx512f")]
        fn permute(state: &mut [__m512i; 25]) {
            for constant in ROUNDS {
                let mut columns = [_mm512_setzero_si512(); 5];
                for x in 0..5 {
                    let upper = _mm512_ternarylogic_epi64::<XOR>(state[x], state[x + 5], state[x + 10]);
                    columns[x] = _mm512_ternarylogic_epi64::<XOR>(upper, state[x + 15], state[x + 20]);
                }
                for x in 0..5 {
                    let turned = rotated!(columns[(x + 1) % 5], 1);
                    for y in 0..5 {
                        let lane = state[x + 5 * y];
                        state[x + 5 * y] =
                            _mm512_ternarylogic_epi64::<XOR>(lane, columns[(x + 4) % 5], turned);
                    }
                }
                let mut next = [_mm512_setzero_si512(); 25];
                next[0] = state[0];
                moved_all!(rotated state next);
                for y in [0, 5, 10, 15, 20] {
                    for x in 0..5 {
                        let (behind, beyond) = (next[y + (x + 1) % 5], next[y + (x + 2) % 5]);
                        state[y + x] = _mm512_ternarylogic_epi64::<XOR_BEYOND>(next[y + x], behind, beyond);
                    }
                }
                state[0] = _mm512_xor_si512(state[0], _mm512_set1_epi64(constant as i64));
            }
        }

        /// The hashes of messages that fill as many whole blocks.
        #[target_feature(enable = "avx512f")]
        pub fn hash(messages: [&[u8]; 8]) -> [Hash; 8] {
            let mut state = [_mm512_setzero_si512(); 25];
            for block in 0..=messages[0].len() / RATE {
                for (lane, word) in state.iter_mut().zip(words(&messages, block)) {
                    // Safe, because eight words are what it reads.
                    #[allow(unsafe_code)]
                    let word = unsafe { _mm512_loadu_epi64(word.as_ptr().cast()) };
                    *lane = _mm512_xor_si512(*lane, word);
                }
                permute(&mut state);
            }
            hashes(std::array::from_fn(|word| {
                let mut words = [0; 8];
                // Safe, because eight words are what it writes.
                #[allow(unsafe_code)]
                unsafe {
                    _mm512_storeu_epi64(words.as_mut_ptr().cast(), state[word]);
                }
                words
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_hashed_as_the_one_hash_does_it() {
        let bytes: Vec<u8> = (0..600u32).map(|at| (at * 7 + at / 256) as u8).collect();
        let mut messages = Messages::default();
        // Lengths on both sides of every block's end, in an order that mixes them.
        let lengths: Vec<usize> = (0..600).map(|place| place * 271 % 600).collect();
        lengths.iter().for_each(|length| messages.push(&[&bytes[..length / 2], &bytes[length / 2..*length]]));
        let expected: Vec<Hash> = lengths.iter().map(|length| plain_hash(&[&bytes[..*length]])).collect();
        assert_eq!(messages.hashes(), expected);
    }

    /// Whichever of them a processor takes, the others give the same.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn four_abreast_are_hashed_as_eight_are() {
        if !std::arch::is_x86_feature_detected!("avx2") {
            return;
        }
        let bytes: Vec<u8> = (0..300u32).map(|at| (at * 5) as u8).collect();
        let mut messages = Messages::default();
        (0..300).for_each(|length| messages.push(&[&bytes[..length]]));
        let expected: Vec<Hash> = (0..300).map(|length| plain_hash(&[&bytes[..length]])).collect();
        assert_eq!(messages.hashes_abreast(0..300, wide::four::hash), expected);
    }

    #[test]
    fn very_many_are_hashed_in_order() {
        let mut messages = Messages::default();
        let numbers = || 0..SHARED_FROM + 5;
        numbers().for_each(|number| messages.push(&[&number.to_le_bytes()]));
        let expected: Vec<Hash> = numbers().map(|number| plain_hash(&[&number.to_le_bytes()])).collect();
        assert_eq!(messages.hashes(), expected);
    }

    #[test]
    fn a_list_has_the_root_that_a_verifier_makes() {
        let leaves: Vec<Vec<u8>> = (0..70u8).map(|at| vec![at; usize::from(at) * 9]).collect();
        for count in 0..leaves.len() {
            let list = || leaves[..count].iter().map(Vec::as_slice);
            assert_eq!(
                list_root(tag::ITEMS, list()),
                tenor_wire::merkle::root(tag::ITEMS, list()),
                "{count}"
            );
        }
    }

    #[test]
    fn a_buffer_can_be_used_again() {
        let mut messages = Messages::default();
        messages.push(&[b"first"]);
        messages.clear();
        assert!(messages.is_empty());
        messages.push(&[b"second"]);
        assert_eq!(messages.hashes(), [plain_hash(&[b"second"])]);
    }
}
