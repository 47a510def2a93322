//! Bytes as hexadecimal digits, as people, files and JSON hold them.

use alloc::string::String;
use alloc::vec::Vec;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The digits of bytes: two for each, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |place: u8| char::from(DIGITS[usize::from(place & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The bytes of digits in either case; none where something else stands there, or half a byte.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&all)), Some(all));
        assert_eq!((hex(&[0, 0xab]).as_str(), unhex("00AB")), ("00ab", Some(alloc::vec![0, 0xab])));
        for wrong in ["0", "0g", "+1", "é", "0 "] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
