//! Reading values: each takes its bytes from the front.

use super::RAW;
use core::fmt;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};

/// The bytes are no value of the type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unlike;

impl fmt::Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a value of this type")
    }
}

impl core::error::Error for Unlike {}

impl Error for Unlike {
    fn custom<T: fmt::Display>(_: T) -> Unlike {
        Unlike
    }
}

/// What is not read yet.
pub(super) struct Reader<'de> {
    pub rest: &'de [u8],
}

impl<'de> Reader<'de> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Unlike> {
        let (first, rest) = self.rest.split_first().ok_or(Unlike)?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'de [u8], Unlike> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Unlike)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of at most so many bits.
    #[inline]
    fn short(&mut self, bits: u32) -> Result<u64, Unlike> {
        let (mut number, mut shift) = (0, 0);
        while shift < bits {
            let byte = self.byte()?;
            let low = u64::from(byte & 0x7f);
            if shift + 7 > bits && low >> (bits - shift) != 0 {
                return Err(Unlike);
            }
            number |= low << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
        Err(Unlike)
    }

    #[inline]
    fn long(&mut self) -> Result<u128, Unlike> {
        // Most are short, and wasm has no wider numbers than u64.
        let (mut short, mut shift) = (0u64, 0);
        while shift < 63 {
            let byte = self.byte()?;
            short |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(short.into());
            }
            shift += 7;
        }
        let mut number = u128::from(short);
        while shift < 128 {
            let byte = self.byte()?;
            let low = u128::from(byte & 0x7f);
            if shift == 126 && low > 3 {
                return Err(Unlike);
            }
            number |= low << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
        Err(Unlike)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, Unlike> {
        usize::try_from(self.short(usize::BITS)?).map_err(|_| Unlike)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de [u8], Unlike> {
        let length = self.length()?;
        self.take(length)
    }

    #[inline]
    fn is_some(&mut self) -> Result<bool, Unlike> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unlike),
        }
    }
}

macro_rules! numbers {
    ($($name:ident $visit:ident: $reader:ident => $number:expr;)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
            let $reader = self;
            visitor.$visit($number)
        }
    )*};
}

macro_rules! none_of {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unlike> {
            Err(Unlike)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unlike;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_bool visit_bool: reader => reader.is_some()?;
        deserialize_u8 visit_u8: reader => reader.byte()?;
        deserialize_i8 visit_i8: reader => reader.byte()? as i8;
        deserialize_u16 visit_u16: reader => reader.short(16)? as u16;
        deserialize_u32 visit_u32: reader => reader.short(32)? as u32;
        deserialize_u64 visit_u64: reader => reader.short(64)?;
        deserialize_u128 visit_u128: reader => reader.long()?;
        deserialize_i16 visit_i16: reader => { let number = reader.short(16)? as u16; (number >> 1) as i16 ^ -((number & 1) as i16) };
        deserialize_i32 visit_i32: reader => { let number = reader.short(32)? as u32; (number >> 1) as i32 ^ -((number & 1) as i32) };
        deserialize_i64 visit_i64: reader => { let number = reader.short(64)?; (number >> 1) as i64 ^ -((number & 1) as i64) };
        deserialize_i128 visit_i128: reader => { let number = reader.long()?; (number >> 1) as i128 ^ -((number & 1) as i128) };
        deserialize_bytes visit_borrowed_bytes: reader => reader.text()?;
        deserialize_byte_buf visit_borrowed_bytes: reader => reader.text()?;
        deserialize_str visit_borrowed_str: reader => core::str::from_utf8(reader.text()?).map_err(|_| Unlike)?;
        deserialize_string visit_borrowed_str: reader => core::str::from_utf8(reader.text()?).map_err(|_| Unlike)?;
    }

    none_of! {
        deserialize_any deserialize_ignored_any deserialize_identifier
        deserialize_f32 deserialize_f64 deserialize_char
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        if self.is_some()? { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        let left = self.length()?;
        visitor.visit_seq(Parts { reader: self, left })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Unlike> {
        visitor.visit_seq(Parts { reader: self, left })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        if name == RAW {
            return visitor.visit_borrowed_bytes(self.take(left)?);
        }
        visitor.visit_seq(Parts { reader: self, left })
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unlike> {
        let left = self.length()?;
        visitor.visit_map(Parts { reader: self, left })
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        visitor.visit_seq(Parts { reader: self, left: fields.len() })
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        visitor.visit_enum(self)
    }
}

/// The parts of a value that are left.
struct Parts<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: usize,
}

impl<'de> Parts<'_, 'de> {
    #[inline]
    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Unlike> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    /// A length that lies reserves no memory to speak of: a part mostly has a byte at least.
    fn hint(&self) -> Option<usize> {
        Some(self.left.min(self.reader.rest.len()))
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Unlike;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Unlike> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = Unlike;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Unlike> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unlike> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> EnumAccess<'de> for &mut Reader<'de> {
    type Error = Unlike;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Unlike> {
        let number = self.short(32)? as u32;
        let variant = seed.deserialize(IntoDeserializer::<Unlike>::into_deserializer(number))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de> {
    type Error = Unlike;

    #[inline]
    fn unit_variant(self) -> Result<(), Unlike> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Unlike> {
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Unlike> {
        self.deserialize_tuple(left, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unlike> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
