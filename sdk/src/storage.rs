//! Storage handles: typed fields of a contract. Their keys come from the field's place, never from text.

use crate::host;
use crate::spec::{Shape, Typed};
use alloc::string::String;
use alloc::vec::Vec;
use core::marker::PhantomData;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tenor_abi::codec;
use tenor_abi::date::Date;
use tenor_abi::id::{AccountId, AgreementId, AssetId, CalendarId, Hash, PartyId};
use tenor_abi::spec::{Basic, StorageKind};

/// Room for a key on the stack: most are a field's place and an id or two numbers more.
const KEY_BYTES: usize = 48;

/// The bytes of a key in the making.
#[derive(Clone, Debug)]
pub struct KeyBytes {
    short: [u8; KEY_BYTES],
    length: usize,
    /// All of them, where they are more than the room.
    long: Vec<u8>,
}

impl KeyBytes {
    fn of(place: u16) -> KeyBytes {
        let mut key = KeyBytes { short: [0; KEY_BYTES], length: 0, long: Vec::new() };
        key.push(&place.to_be_bytes());
        key
    }

    /// Appends bytes.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match self.short.get_mut(self.length..end) {
            Some(to) => to.copy_from_slice(bytes),
            None => self.push_long(bytes),
        }
        self.length = end;
    }

    #[cold]
    fn push_long(&mut self, bytes: &[u8]) {
        if self.long.is_empty() {
            self.long.extend_from_slice(&self.short[..self.length]);
        }
        self.long.extend_from_slice(bytes);
    }
}

impl core::ops::Deref for KeyBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.short.get(..self.length).unwrap_or(&self.long)
    }
}

/// A value that can be stored.
pub trait Value: Serialize + DeserializeOwned + Typed {}
impl<T: Serialize + DeserializeOwned + Typed> Value for T {}

/// A key whose bytes sort like its values.
pub trait Key: Typed + Sized {
    /// Appends the bytes.
    fn write(&self, out: &mut KeyBytes);
    /// Takes the bytes from the front.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (first, rest) = bytes.split_first_chunk::<LENGTH>()?;
    *bytes = rest;
    Some(*first)
}

macro_rules! number_keys {
    ($($ty:ty),*) => {$(
        impl Key for $ty {
            fn write(&self, out: &mut KeyBytes) {
                out.push(&self.to_be_bytes());
            }
            fn read(bytes: &mut &[u8]) -> Option<$ty> {
                take(bytes).map(<$ty>::from_be_bytes)
            }
        }
    )*};
}
number_keys!(u8, u16, u32, u64, u128);

macro_rules! id_keys {
    ($($ty:ident),*) => {$(
        impl Key for $ty {
            fn write(&self, out: &mut KeyBytes) {
                out.push(&self.0);
            }
            fn read(bytes: &mut &[u8]) -> Option<$ty> {
                take(bytes).map($ty)
            }
        }
    )*};
}
id_keys!(PartyId, AccountId, AgreementId, AssetId, CalendarId, Hash);

impl Key for Date {
    fn write(&self, out: &mut KeyBytes) {
        // The sign bit turned over makes negative days sort before positive ones.
        out.push(&(self.days() as u32 ^ 1 << 31).to_be_bytes());
    }
    fn read(bytes: &mut &[u8]) -> Option<Date> {
        take(bytes).map(|bytes| Date::from_days((u32::from_be_bytes(bytes) ^ 1 << 31) as i32))
    }
}

impl Key for String {
    fn write(&self, out: &mut KeyBytes) {
        // A zero inside is written as 0 255, the end as 0 0: shorter texts sort first.
        for byte in self.bytes() {
            out.push(&[byte]);
            if byte == 0 {
                out.push(&[0xff]);
            }
        }
        out.push(&[0, 0]);
    }
    fn read(bytes: &mut &[u8]) -> Option<String> {
        let mut text = Vec::new();
        loop {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            if *byte == 0 {
                let (next, rest) = bytes.split_first()?;
                *bytes = rest;
                if *next == 0 {
                    return String::from_utf8(text).ok();
                }
            }
            text.push(*byte);
        }
    }
}

impl<A: Key, B: Key> Typed for (A, B) {
    const SHAPE: &'static Shape = &Shape::Record {
        name: "Pair",
        fields: &[
            crate::spec::Field { name: "first", shape: A::SHAPE, doc: "" },
            crate::spec::Field { name: "second", shape: B::SHAPE, doc: "" },
        ],
    };
}

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self, out: &mut KeyBytes) {
        self.0.write(out);
        self.1.write(out);
    }
    fn read(bytes: &mut &[u8]) -> Option<(A, B)> {
        Some((A::read(bytes)?, B::read(bytes)?))
    }
}

/// A storage field of a contract.
pub trait Handle {
    /// What kind of field.
    const KIND: StorageKind;
    /// Its key type.
    const KEY: &'static Shape;
    /// Its value type.
    const VALUE: &'static Shape;
    /// The handle of the field at a place.
    fn at(place: u16) -> Self;
}

const NO_KEY: &Shape = &Shape::Basic(Basic::Unit);

fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> T {
    let Ok(value) = codec::decode_own(bytes) else { panic!("only this field writes these bytes") };
    value
}

/// The bytes just after every key that begins with these.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    end
}

/// One value.
#[derive(Debug)]
pub struct Item<T> {
    place: u16,
    _value: PhantomData<T>,
}

impl<T: Value> Handle for Item<T> {
    const KIND: StorageKind = StorageKind::Item;
    const KEY: &'static Shape = NO_KEY;
    const VALUE: &'static Shape = T::SHAPE;
    fn at(place: u16) -> Item<T> {
        Item { place, _value: PhantomData }
    }
}

impl<T: Value> Item<T> {
    /// The value, if one was set.
    pub fn get(&self) -> Option<T> {
        host::stored(&self.place.to_be_bytes(), decoded)
    }

    /// Sets the value.
    pub fn set(&mut self, value: &T) {
        host::storage_set(&self.place.to_be_bytes(), &codec::encode(value));
    }

    /// Removes the value.
    pub fn clear(&mut self) {
        host::storage_remove(&self.place.to_be_bytes());
    }
}

impl<T: Value + Default> Item<T> {
    /// The value, or the type's default.
    pub fn get_or_default(&self) -> T {
        self.get().unwrap_or_default()
    }
}

/// Values by key, in key order.
#[derive(Debug)]
pub struct Map<K, V> {
    place: u16,
    _types: PhantomData<(K, V)>,
}

impl<K: Key, V: Value> Handle for Map<K, V> {
    const KIND: StorageKind = StorageKind::Map;
    const KEY: &'static Shape = K::SHAPE;
    const VALUE: &'static Shape = V::SHAPE;
    fn at(place: u16) -> Map<K, V> {
        Map { place, _types: PhantomData }
    }
}

impl<K: Key, V: Value> Map<K, V> {
    fn key(&self, key: &K) -> KeyBytes {
        let mut bytes = KeyBytes::of(self.place);
        key.write(&mut bytes);
        bytes
    }

    /// The value at a key.
    pub fn get(&self, key: &K) -> Option<V> {
        host::stored(&self.key(key), decoded)
    }

    /// Sets the value at a key.
    pub fn set(&mut self, key: &K, value: &V) {
        host::storage_set(&self.key(key), &codec::encode(value));
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &K) -> bool {
        host::storage_remove(&self.key(key))
    }

    /// Every key and value in key order.
    pub fn iter(&self) -> impl Iterator<Item = (K, V)> {
        let prefix = self.place.to_be_bytes();
        scan(prefix.to_vec(), after(&prefix))
    }

    /// The keys from one on, in key order.
    pub fn iter_from<'m>(&'m self, from: &K) -> impl Iterator<Item = (K, V)> + use<'m, K, V> {
        scan(self.key(from).to_vec(), after(&self.place.to_be_bytes()))
    }
}

impl<A: Key, B: Key, V: Value> Map<(A, B), V> {
    /// Every entry whose key begins with a first part, in key order.
    pub fn iter_under<'m>(&'m self, first: &A) -> impl Iterator<Item = ((A, B), V)> + use<'m, A, B, V> {
        let mut prefix = KeyBytes::of(self.place);
        first.write(&mut prefix);
        scan(prefix.to_vec(), after(&prefix))
    }
}

fn scan<K: Key, V: Value>(mut from: Vec<u8>, end: Vec<u8>) -> impl Iterator<Item = (K, V)> {
    core::iter::from_fn(move || {
        let (key, value) = host::storage_next(&from, &end)?;
        from.clone_from(&key);
        from.push(0);
        let key = K::read(&mut &key[2..])?;
        Some((key, decoded(&value)))
    })
}

/// Keys in order, without values.
#[derive(Debug)]
pub struct Index<K> {
    map: Map<K, ()>,
}

impl<K: Key> Handle for Index<K> {
    const KIND: StorageKind = StorageKind::Index;
    const KEY: &'static Shape = K::SHAPE;
    const VALUE: &'static Shape = NO_KEY;
    fn at(place: u16) -> Index<K> {
        Index { map: Map::at(place) }
    }
}

impl<K: Key> Index<K> {
    /// Whether a key is there.
    pub fn has(&self, key: &K) -> bool {
        self.map.get(key).is_some()
    }

    /// Adds a key.
    pub fn add(&mut self, key: &K) {
        self.map.set(key, &());
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &K) -> bool {
        self.map.remove(key)
    }

    /// Every key in order.
    pub fn iter(&self) -> impl Iterator<Item = K> {
        self.map.iter().map(|(key, ())| key)
    }
}

/// Values by number, appended.
#[derive(Debug)]
pub struct Log<T> {
    count: Item<u32>,
    place: u16,
    _value: PhantomData<T>,
}

impl<T: Value> Handle for Log<T> {
    const KIND: StorageKind = StorageKind::Log;
    const KEY: &'static Shape = &Shape::Basic(Basic::U32);
    const VALUE: &'static Shape = T::SHAPE;
    fn at(place: u16) -> Log<T> {
        Log { count: Item::at(place), place, _value: PhantomData }
    }
}

impl<T: Value> Log<T> {
    fn key(&self, number: u32) -> KeyBytes {
        let mut key = KeyBytes::of(self.place);
        key.push(&number.to_be_bytes());
        key
    }

    /// How many values there are.
    pub fn len(&self) -> u32 {
        self.count.get().unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a value.
    pub fn push(&mut self, value: &T) {
        let count = self.len();
        host::storage_set(&self.key(count), &codec::encode(value));
        self.count.set(&(count + 1));
    }

    /// The value of a number.
    pub fn get(&self, number: u32) -> Option<T> {
        host::stored(&self.key(number), decoded)
    }

    /// Replaces the value of a number that is there.
    pub fn replace(&mut self, number: u32, value: &T) {
        host::storage_set(&self.key(number), &codec::encode(value));
    }

    /// Every value in order.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        (0..self.len()).map_while(|number| self.get(number))
    }
}
