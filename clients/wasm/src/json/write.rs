//! From values to JSON.

use super::{JsonError, hex, names};
use serde::ser::{self, Serialize};
use tenor_abi::codec;

/// The JSON of a value.
///
/// # Errors
/// [`JsonError`] for a type that has no form here: a float, or a map.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, JsonError> {
    let mut writer = Writer { out: String::new(), byte: None };
    value.serialize(&mut writer)?;
    Ok(writer.out)
}

/// A text between quotation marks.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Writer {
    out: String,
    /// The byte that was written last, if it was one: a tuple of bytes alone is hexadecimal text.
    byte: Option<u8>,
}

impl Writer {
    fn put(&mut self, text: &str) -> Result<(), JsonError> {
        self.out.push_str(text);
        Ok(())
    }

    fn variant(&mut self, name: &str) {
        self.out.push('{');
        self.out.push_str(&quoted(name));
        self.out.push(':');
    }
}

/// What has parts: the text after them, and whether one stands there already.
struct Parts<'w> {
    writer: &'w mut Writer,
    end: &'static str,
    any: bool,
}

impl Parts<'_> {
    fn part<T: Serialize + ?Sized>(&mut self, name: Option<&str>, value: &T) -> Result<(), JsonError> {
        if std::mem::replace(&mut self.any, true) {
            self.writer.out.push(',');
        }
        if let Some(name) = name {
            self.writer.out.push_str(&quoted(name));
            self.writer.out.push(':');
        }
        value.serialize(&mut *self.writer)
    }
}

/// A tuple: hexadecimal text as long as all of its parts are bytes.
struct Tuple<'w> {
    writer: &'w mut Writer,
    parts: Vec<String>,
    bytes: Vec<u8>,
}

impl ser::SerializeTuple for Tuple<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        let mut part = Writer { out: String::new(), byte: None };
        value.serialize(&mut part)?;
        self.bytes.extend(part.byte);
        self.parts.push(part.out);
        Ok(())
    }

    fn end(self) -> Result<(), JsonError> {
        if self.bytes.len() == self.parts.len() {
            return self.writer.put(&quoted(&hex(&self.bytes)));
        }
        self.writer.put(&format!("[{}]", self.parts.join(",")))
    }
}

/// Parts without names, each behind the one before.
macro_rules! parts {
    ($($part:ident $put:ident)*) => {$(
        impl ser::$part for Parts<'_> {
            type Ok = ();
            type Error = JsonError;

            fn $put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
                self.part(None, value)
            }

            fn end(self) -> Result<(), JsonError> {
                self.writer.put(self.end)
            }
        }
    )*};
}

parts! {
    SerializeSeq serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

impl ser::SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.part(Some(name), value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.writer.put(self.end)
    }
}

impl ser::SerializeStructVariant for Parts<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.part(Some(name), value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.writer.put(self.end)
    }
}

macro_rules! numbers {
    ($($name:ident $ty:ty)*) => {$(
        fn $name(self, number: $ty) -> Result<(), JsonError> {
            self.put(&number.to_string())
        }
    )*};
}

macro_rules! long_numbers {
    ($($name:ident $ty:ty)*) => {$(
        fn $name(self, number: $ty) -> Result<(), JsonError> {
            self.put(&format!("\"{number}\""))
        }
    )*};
}

impl<'w> ser::Serializer for &'w mut Writer {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = Parts<'w>;
    type SerializeTuple = Tuple<'w>;
    type SerializeTupleStruct = Parts<'w>;
    type SerializeTupleVariant = Parts<'w>;
    type SerializeMap = ser::Impossible<(), JsonError>;
    type SerializeStruct = Parts<'w>;
    type SerializeStructVariant = Parts<'w>;

    numbers! { serialize_u16 u16 serialize_u32 u32 serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 }
    long_numbers! { serialize_u64 u64 serialize_i64 i64 serialize_u128 u128 serialize_i128 i128 }

    fn serialize_u8(self, number: u8) -> Result<(), JsonError> {
        self.byte = Some(number);
        self.put(&number.to_string())
    }

    fn serialize_bool(self, value: bool) -> Result<(), JsonError> {
        self.put(if value { "true" } else { "false" })
    }

    fn serialize_f32(self, _: f32) -> Result<(), JsonError> {
        Err(JsonError("floats have no form".into()))
    }

    fn serialize_f64(self, _: f64) -> Result<(), JsonError> {
        Err(JsonError("floats have no form".into()))
    }

    fn serialize_char(self, value: char) -> Result<(), JsonError> {
        self.put(&quoted(&value.to_string()))
    }

    fn serialize_str(self, text: &str) -> Result<(), JsonError> {
        self.put(&quoted(text))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), JsonError> {
        self.put(&quoted(&hex(bytes)))
    }

    fn serialize_none(self) -> Result<(), JsonError> {
        self.put("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), JsonError> {
        self.put("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), JsonError> {
        self.put("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), JsonError> {
        self.put(&quoted(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        match names::text_of(name, &codec::encode(value)) {
            Some(text) => self.put(&quoted(&text)),
            None => value.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.put("}")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'w>, JsonError> {
        self.out.push('[');
        Ok(Parts { writer: self, end: "]", any: false })
    }

    fn serialize_tuple(self, _: usize) -> Result<Tuple<'w>, JsonError> {
        Ok(Tuple { writer: self, parts: vec![], bytes: vec![] })
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'w>, JsonError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'w>, JsonError> {
        self.variant(variant);
        self.out.push('[');
        Ok(Parts { writer: self, end: "]}", any: false })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, JsonError> {
        Err(JsonError("maps have no form".into()))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'w>, JsonError> {
        self.out.push('{');
        Ok(Parts { writer: self, end: "}", any: false })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'w>, JsonError> {
        self.variant(variant);
        self.out.push('{');
        Ok(Parts { writer: self, end: "}}", any: false })
    }
}
