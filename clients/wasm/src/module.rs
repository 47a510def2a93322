//! The spec in a module: what its terms, calls and arguments are.

use tenor_abi::spec::{SECTION, Spec};

/// Bytes before the first section: magic and version.
const HEAD: [u8; 8] = *b"\0asm\x01\0\0\0";

/// The spec of a contract; none where the bytes are no module with one.
pub fn spec(wasm: &[u8]) -> Option<Spec> {
    let mut rest = wasm.strip_prefix(&HEAD)?;
    while let Some((id, behind)) = rest.split_first() {
        let (content, next) = counted(behind)?;
        if *id == 0
            && let (name, data) = counted(content)?
            && name == SECTION.as_bytes()
        {
            return Spec::from_section(data).ok();
        }
        rest = next;
    }
    None
}

/// So many bytes as a length before them says (LEB128), and what is behind them.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0u32;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        length |= u32::from(byte & 0x7f).checked_shl(7 * place as u32)?;
        if byte & 0x80 == 0 {
            return bytes[place + 1..].split_at_checked(length as usize);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_has_no_spec() {
        let cases: [&[u8]; 6] = [
            b"",
            b"\0asm",
            &HEAD,
            &[&HEAD[..], &[0]].concat(),
            &[&HEAD[..], &[0, 0xff]].concat(),
            &[&HEAD[..], &[0; 9]].concat(),
        ];
        for bytes in cases {
            assert_eq!(spec(bytes), None, "{bytes:?}");
        }
        assert_eq!(counted(&[0x82, 0x80, 0, 7, 8, 9]), Some((&[7, 8][..], &[9][..])));
        assert_eq!(counted(&[0xff; 9]), None);
    }
}
