//! From JSON to values.

use super::{JsonError, names, unhex};
use serde::de::value::{SeqDeserializer, StrDeserializer, U32Deserializer, U64Deserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Error, IntoDeserializer, Visitor};
use serde_json::{Map, Value};
use tenor_abi::codec::RAW;
use tenor_abi::date::{Date, Timestamp};

/// The value of a JSON text. Unknown fields are refused; what may be missing reads as none.
///
/// # Errors
/// [`JsonError`] that names what does not fit.
pub fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, JsonError> {
    let value: Value = serde_json::from_str(json).map_err(|error| JsonError(error.to_string()))?;
    T::deserialize(Reader(&value))
}

#[derive(Clone, Copy)]
struct Reader<'v>(&'v Value);

impl<'v> Reader<'v> {
    fn wrong<T>(self, needed: &str) -> Result<T, JsonError> {
        let given = self.0.to_string();
        let short: String = given.chars().take(60).collect();
        Err(JsonError(format!("{needed} is needed, `{short}` given")))
    }

    fn text(self, needed: &str) -> Result<&'v str, JsonError> {
        self.0.as_str().map_or_else(|| self.wrong(needed), Ok)
    }

    /// A long number: decimal text in its one form.
    fn long<N: std::str::FromStr + ToString>(self) -> Result<N, JsonError> {
        let needed = "a whole number within its range, as decimal text,";
        let text = self.text(needed)?;
        match text.parse::<N>() {
            Ok(number) if number.to_string() == text => Ok(number),
            _ => self.wrong(needed),
        }
    }

    fn short<N: TryFrom<i64>>(self) -> Result<N, JsonError> {
        let number = self.0.as_i64().and_then(|number| N::try_from(number).ok());
        number.map_or_else(|| self.wrong("a whole number within its range"), Ok)
    }

    fn bytes(self) -> Result<Vec<u8>, JsonError> {
        let needed = "lower-case hexadecimal text";
        unhex(self.text(needed)?).map_or_else(|| self.wrong(needed), Ok)
    }

    fn list(self) -> Result<&'v [Value], JsonError> {
        self.0.as_array().map_or_else(|| self.wrong("a list"), |list| Ok(list.as_slice()))
    }

    fn object(self) -> Result<&'v Map<String, Value>, JsonError> {
        self.0.as_object().map_or_else(|| self.wrong("an object"), Ok)
    }
}

fn known(name: &str, names: &'static [&'static str]) -> Result<u32, JsonError> {
    match names.iter().position(|known| *known == name) {
        Some(place) => Ok(place as u32),
        None => {
            let short: String = name.chars().take(60).collect();
            Err(JsonError(format!("`{short}` is not known; possible: {}", names.join(", "))))
        }
    }
}

fn raw(bytes: Vec<u8>) -> SeqDeserializer<std::vec::IntoIter<u8>, JsonError> {
    SeqDeserializer::new(bytes.into_iter())
}

impl<'v> IntoDeserializer<'v, JsonError> for Reader<'v> {
    type Deserializer = Reader<'v>;

    fn into_deserializer(self) -> Reader<'v> {
        self
    }
}

/// The fields of an object, one after the other.
struct Fields<'v> {
    fields: serde_json::map::Iter<'v>,
    value: Option<&'v Value>,
}

impl<'v> de::MapAccess<'v> for Fields<'v> {
    type Error = JsonError;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, JsonError> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::<JsonError>::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'v>>(&mut self, seed: V) -> Result<V::Value, JsonError> {
        let value = self.value.take().ok_or_else(|| JsonError::custom("a field has no value"))?;
        seed.deserialize(Reader(value))
    }
}

/// A variant by its place, and its content.
struct Variant<'v> {
    place: u32,
    content: Option<&'v Value>,
}

impl<'v> Variant<'v> {
    fn content(&self) -> Result<Reader<'v>, JsonError> {
        self.content.map(Reader).ok_or_else(|| JsonError("this variant has content".into()))
    }
}

impl<'v> de::EnumAccess<'v> for Variant<'v> {
    type Error = JsonError;
    type Variant = Variant<'v>;

    fn variant_seed<V: DeserializeSeed<'v>>(self, seed: V) -> Result<(V::Value, Variant<'v>), JsonError> {
        let place: U32Deserializer<JsonError> = self.place.into_deserializer();
        Ok((seed.deserialize(place)?, self))
    }
}

impl<'v> de::VariantAccess<'v> for Variant<'v> {
    type Error = JsonError;

    fn unit_variant(self) -> Result<(), JsonError> {
        match self.content {
            None => Ok(()),
            Some(content) => Reader(content).wrong("the variant's name alone"),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'v>>(self, seed: T) -> Result<T::Value, JsonError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, JsonError> {
        de::Deserializer::deserialize_tuple(self.content()?, len, visitor)
    }

    fn struct_variant<V: Visitor<'v>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        de::Deserializer::deserialize_struct(self.content()?, "", fields, visitor)
    }
}

macro_rules! numbers {
    ($($name:ident $visit:ident $read:ident)*) => {$(
        fn $name<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
            visitor.$visit(self.$read()?)
        }
    )*};
}

impl<'v> de::Deserializer<'v> for Reader<'v> {
    type Error = JsonError;

    numbers! {
        deserialize_u8 visit_u8 short
        deserialize_u16 visit_u16 short
        deserialize_u32 visit_u32 short
        deserialize_i8 visit_i8 short
        deserialize_i16 visit_i16 short
        deserialize_u64 visit_u64 long
        deserialize_i64 visit_i64 long
        deserialize_u128 visit_u128 long
        deserialize_i128 visit_i128 long
    }

    fn deserialize_any<V: Visitor<'v>>(self, _: V) -> Result<V::Value, JsonError> {
        self.wrong("something of a known type")
    }

    /// A number, or a date: dates are read as the number of their day.
    fn deserialize_i32<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        match self.0.as_str().map(str::parse::<Date>) {
            Some(Ok(date)) => visitor.visit_i32(date.days()),
            Some(Err(error)) => Err(JsonError(error.to_string())),
            None => visitor.visit_i32(self.short()?),
        }
    }

    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.0.as_bool().map_or_else(|| self.wrong("true or false"), |value| visitor.visit_bool(value))
    }

    fn deserialize_f32<V: Visitor<'v>>(self, _: V) -> Result<V::Value, JsonError> {
        self.wrong("no float")
    }

    fn deserialize_f64<V: Visitor<'v>>(self, _: V) -> Result<V::Value, JsonError> {
        self.wrong("no float")
    }

    fn deserialize_char<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_str(self.text("a text")?)
    }

    fn deserialize_string<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_bytes(&self.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        if self.0.is_null() { visitor.visit_unit() } else { self.wrong("null") }
    }

    fn deserialize_unit_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        if let Some(bytes) = names::id_bytes(name, self.0.as_str().unwrap_or_default()) {
            return visitor.visit_newtype_struct(raw(bytes?.to_vec()));
        }
        if name == "Timestamp" {
            let time =
                self.text("a time")?.parse::<Timestamp>().map_err(|error| JsonError(error.to_string()))?;
            let ms: U64Deserializer<JsonError> = time.0.into_deserializer();
            return visitor.visit_newtype_struct(ms);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        let mut list = SeqDeserializer::new(self.list()?.iter().map(Reader));
        let value = visitor.visit_seq(&mut list)?;
        list.end()?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, JsonError> {
        if self.0.is_array() {
            return self.deserialize_seq(visitor);
        }
        match self.bytes()? {
            bytes if bytes.len() == len => visitor.visit_seq(&mut raw(bytes)),
            _ => self.wrong(&format!("hexadecimal text of {len} bytes")),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        // Bytes of a known number are shown as a tuple is.
        if name == RAW { self.deserialize_tuple(len, visitor) } else { self.deserialize_seq(visitor) }
    }

    fn deserialize_map<V: Visitor<'v>>(self, _: V) -> Result<V::Value, JsonError> {
        self.wrong("no map")
    }

    fn deserialize_struct<V: Visitor<'v>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        let object = self.object()?;
        for name in object.keys() {
            known(name, fields)?;
        }
        visitor.visit_map(Fields { fields: object.iter(), value: None })
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        if let Some(name) = self.0.as_str() {
            return visitor.visit_enum(Variant { place: known(name, variants)?, content: None });
        }
        let mut fields = self.object()?.iter();
        match (fields.next(), fields.next()) {
            (Some((name, content)), None) => {
                visitor.visit_enum(Variant { place: known(name, variants)?, content: Some(content) })
            }
            _ => self.wrong("an object with the variant's name alone"),
        }
    }

    fn deserialize_identifier<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    /// The chain's own binary form: types with two forms read the same one from here.
    fn is_human_readable(&self) -> bool {
        false
    }
}
