//! Writing values: each field's bytes behind those before it.

use super::RAW;
use alloc::vec::Vec;
use core::fmt;
use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// A value has no form: a float, a character, or a list of unknown length.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoForm;

impl fmt::Display for NoForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a form")
    }
}

impl core::error::Error for NoForm {}

impl Error for NoForm {
    fn custom<T: fmt::Display>(_: T) -> NoForm {
        NoForm
    }
}

/// Bytes in the making.
pub(super) struct Writer<'w> {
    pub bytes: &'w mut Vec<u8>,
    /// The bytes that come next stand without their length.
    raw: bool,
}

impl<'w> Writer<'w> {
    pub fn new(bytes: &'w mut Vec<u8>) -> Writer<'w> {
        Writer { bytes, raw: false }
    }

    #[inline]
    fn short(&mut self, mut rest: u64) {
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    #[inline]
    fn long(&mut self, mut rest: u128) {
        // Most are short, and wasm has no wider numbers than u64.
        while rest > u64::MAX.into() {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.short(rest as u64);
    }
}

type Written = Result<(), NoForm>;

macro_rules! numbers {
    ($($name:ident $ty:ty: $value:ident => $write:ident $number:expr;)*) => {$(
        #[inline]
        fn $name(self, $value: $ty) -> Written {
            self.$write($number);
            Ok(())
        }
    )*};
}

impl Serializer for &mut Writer<'_> {
    type Ok = ();
    type Error = NoForm;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Written {
        self.serialize_u8(u8::from(value))
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Written {
        self.bytes.push(value);
        Ok(())
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Written {
        self.serialize_u8(value as u8)
    }

    // A signed number's sign is its lowest bit.
    numbers! {
        serialize_u16 u16: value => short u64::from(value);
        serialize_u32 u32: value => short u64::from(value);
        serialize_u64 u64: value => short value;
        serialize_u128 u128: value => long value;
        serialize_i16 i16: value => short u64::from((value << 1 ^ value >> 15) as u16);
        serialize_i32 i32: value => short u64::from((value << 1 ^ value >> 31) as u32);
        serialize_i64 i64: value => short (value << 1 ^ value >> 63) as u64;
        serialize_i128 i128: value => long (value << 1 ^ value >> 127) as u128;
    }

    // The trait names floats; here is where they are refused, for they have no form.
    fn serialize_f32(self, _: f32) -> Written {
        Err(NoForm)
    }

    fn serialize_f64(self, _: f64) -> Written {
        Err(NoForm)
    }

    fn serialize_char(self, _: char) -> Written {
        Err(NoForm)
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Written {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Written {
        if !core::mem::take(&mut self.raw) {
            self.short(value.len() as u64);
        }
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Written {
        self.serialize_u8(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        self.bytes.push(1);
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Written {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, number: u32, _: &'static str) -> Written {
        self.serialize_u32(number)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Written {
        self.raw = name == RAW;
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
        value: &T,
    ) -> Written {
        self.short(u64::from(number));
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self, NoForm> {
        self.short(length.ok_or(NoForm)? as u64);
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, NoForm> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NoForm> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NoForm> {
        self.short(u64::from(number));
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self, NoForm> {
        self.serialize_seq(length)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NoForm> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, NoForm> {
        self.short(u64::from(number));
        Ok(self)
    }
}

macro_rules! parts {
    ($($part:ident $method:ident($($name:ident)?);)*) => {$(
        impl $part for &mut Writer<'_> {
            type Ok = ();
            type Error = NoForm;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Written {
                $(let _ = $name;)?
                value.serialize(&mut **self)
            }

            #[inline]
            fn end(self) -> Written {
                Ok(())
            }
        }
    )*};
}

parts! {
    SerializeSeq serialize_element();
    SerializeTuple serialize_element();
    SerializeTupleStruct serialize_field();
    SerializeTupleVariant serialize_field();
    SerializeStruct serialize_field(name);
    SerializeStructVariant serialize_field(name);
}

impl SerializeMap for &mut Writer<'_> {
    type Ok = ();
    type Error = NoForm;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        key.serialize(&mut **self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(&mut **self)
    }

    fn end(self) -> Written {
        Ok(())
    }
}
