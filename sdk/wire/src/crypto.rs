//! The one hash and the one signature.

use k256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use serde::{Deserialize, Serialize};
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

/// The one signature algorithm so far: ECDSA on secp256k1 over a SHA3-256 digest, low-S.
pub const SECP256K1: u8 = 0;

/// Why a key or signature does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    /// The algorithm byte is unknown.
    #[error("signature algorithm {0} is not known; 0 (secp256k1) is")]
    Algorithm(u8),
    /// The bytes are not a point of the curve in compressed form.
    #[error("the public key is not a point of secp256k1 in compressed form")]
    Key,
    /// r or s is zero or not below the order.
    #[error("the signature's numbers are out of range")]
    Range,
    /// s is in the upper half of the order; the other of the two forms is the one allowed.
    #[error("the signature has a high s; normalise it to the lower half of the order")]
    HighS,
    /// The signature is of other bytes or by another key.
    #[error("the signature does not match key and digest")]
    Mismatch,
}

/// A public key: algorithm, then the compressed point (parity byte 2 or 3, x big-endian).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PublicKey {
    /// [`SECP256K1`].
    pub algorithm: u8,
    /// 2 for an even y, 3 for an odd one.
    pub parity: u8,
    /// The x coordinate, big-endian.
    #[serde(with = "tenor_abi::codec::raw")]
    pub x: [u8; 32],
}

/// A signature: algorithm, then r and s, big-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Signature {
    /// [`SECP256K1`].
    pub algorithm: u8,
    /// r.
    #[serde(with = "tenor_abi::codec::raw")]
    pub r: [u8; 32],
    /// s, in the lower half of the order.
    #[serde(with = "tenor_abi::codec::raw")]
    pub s: [u8; 32],
}

/// A public key ready to verify with; decoding the point is done once.
#[derive(Clone, Debug)]
pub struct Verifier(k256::ecdsa::VerifyingKey);

impl PublicKey {
    /// The key, decoded for verification.
    ///
    /// # Errors
    /// [`SignatureError::Algorithm`], [`SignatureError::Key`].
    pub fn verifier(&self) -> Result<Verifier, SignatureError> {
        if self.algorithm != SECP256K1 {
            return Err(SignatureError::Algorithm(self.algorithm));
        }
        // SEC1 knows more forms of a point; one key has one form here.
        if !matches!(self.parity, 2 | 3) {
            return Err(SignatureError::Key);
        }
        let mut point = [0; 33];
        point[0] = self.parity;
        point[1..].copy_from_slice(&self.x);
        let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(&point).map_err(|_| SignatureError::Key)?;
        Ok(Verifier(key))
    }
}

impl Verifier {
    /// Checks a signature over a digest.
    ///
    /// # Errors
    /// [`SignatureError`]: which rule it breaks.
    pub fn verify(&self, digest: &Hash, signature: &Signature) -> Result<(), SignatureError> {
        if signature.algorithm != SECP256K1 {
            return Err(SignatureError::Algorithm(signature.algorithm));
        }
        let parsed = k256::ecdsa::Signature::from_scalars(signature.r, signature.s)
            .map_err(|_| SignatureError::Range)?;
        if parsed.normalize_s() != parsed {
            return Err(SignatureError::HighS);
        }
        self.0.verify_prehash(&digest.0, &parsed).map_err(|_| SignatureError::Mismatch)
    }
}

/// A secret key. It has no text form and is not printed.
pub struct SecretKey(k256::ecdsa::SigningKey);

impl core::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

impl SecretKey {
    /// The key of 32 secret bytes; none where they are zero or not below the order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<SecretKey> {
        k256::ecdsa::SigningKey::from_slice(bytes).ok().map(SecretKey)
    }

    /// The 32 secret bytes, for a keystore.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes().into()
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        let point = self.0.verifying_key().to_sec1_point(true);
        let bytes = point.as_bytes();
        let mut x = [0; 32];
        x.copy_from_slice(&bytes[1..33]);
        PublicKey { algorithm: SECP256K1, parity: bytes[0], x }
    }

    /// Signs a digest: RFC 6979, so the same key and digest give the same signature; low s.
    pub fn sign(&self, digest: &Hash) -> Signature {
        let made: k256::ecdsa::Signature =
            self.0.sign_prehash(&digest.0).expect("a digest of 32 bytes can always be signed");
        let (r, s) = made.normalize_s().split_bytes();
        Signature { algorithm: SECP256K1, r: r.into(), s: s.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenor_abi::tag;

    fn key() -> SecretKey {
        SecretKey::from_bytes(&[7; 32]).unwrap()
    }

    #[test]
    fn the_hash_is_sha3_256_over_tag_and_parts() {
        // SHA3-256 of the empty string, from FIPS 202.
        assert_eq!(plain_hash(&[]).0[..4], [0xa7, 0xff, 0xc6, 0xf8]);
        assert_eq!(hash(tag::HEADER, &[b"ab", b"c"]), plain_hash(&[&[tag::HEADER.0], b"abc"]));
    }

    #[test]
    fn a_signature_is_reproducible_and_verifies() {
        let digest = hash(tag::TRANSACTION, &[b"x"]);
        let signature = key().sign(&digest);
        assert_eq!(signature, key().sign(&digest));
        let verifier = key().public().verifier().unwrap();
        assert_eq!(verifier.verify(&digest, &signature), Ok(()));
        let other = hash(tag::TRANSACTION, &[b"y"]);
        assert_eq!(verifier.verify(&other, &signature), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_high_s_is_refused() {
        let digest = hash(tag::TRANSACTION, &[b"x"]);
        let mut signature = key().sign(&digest);
        // n - s: the other, equally valid form of the same signature.
        let order = [
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
            0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41u8,
        ];
        let mut borrow = 0i16;
        for at in (0..32).rev() {
            let difference = i16::from(order[at]) - i16::from(signature.s[at]) - borrow;
            borrow = i16::from(difference < 0);
            signature.s[at] = (difference + 256 * borrow) as u8;
        }
        let verifier = key().public().verifier().unwrap();
        assert_eq!(verifier.verify(&digest, &signature), Err(SignatureError::HighS));
    }

    #[test]
    fn unknown_algorithms_and_bad_numbers_are_named() {
        let digest = Hash([1; 32]);
        let verifier = key().public().verifier().unwrap();
        let good = key().sign(&digest);
        let wrong = Signature { algorithm: 9, ..good };
        assert_eq!(verifier.verify(&digest, &wrong), Err(SignatureError::Algorithm(9)));
        let wrong = Signature { r: [0; 32], ..good };
        assert_eq!(verifier.verify(&digest, &wrong), Err(SignatureError::Range));
        let wrong = PublicKey { parity: 5, ..key().public() };
        assert_eq!(wrong.verifier().unwrap_err(), SignatureError::Key);
    }
}
