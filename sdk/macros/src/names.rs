//! Enums: lifecycles, plain names, books, refusals and events, choices.

use crate::attribute::{arguments, doc, find, ident, named, others, text};
use crate::record::field_const;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Fields, Ident, ItemEnum, Result, Variant};

fn plain(item: &ItemEnum) -> Result<Vec<&Variant>> {
    match item
        .variants
        .iter()
        .find(|variant| !matches!(variant.fields, Fields::Unit) || variant.discriminant.is_some())
    {
        Some(variant) => {
            Err(Error::new_spanned(variant, "only plain variants stand here: their numbers are their places"))
        }
        None => Ok(item.variants.iter().collect()),
    }
}

/// The enum without our attributes on its variants.
fn stripped(item: &ItemEnum, ours: &[&str]) -> ItemEnum {
    let mut item = item.clone();
    for variant in &mut item.variants {
        variant.attrs = others(&variant.attrs, ours).cloned().collect();
    }
    item
}

fn number_arms(item: &ItemEnum) -> (Vec<&Ident>, Vec<u16>) {
    (item.variants.iter().map(|v| &v.ident).collect(), (0..item.variants.len() as u16).collect())
}

/// `#[lifecycle]`.
pub fn lifecycle(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemEnum = syn::parse2(item)?;
    let states = plain(&item)?.into_iter().map(|variant| {
        let name = variant.ident.to_string();
        let kind = match (find(&variant.attrs, "initial"), find(&variant.attrs, "terminal")) {
            (Some(_), None) => quote!(Initial),
            (None, Some(_)) => quote!(Terminal),
            (None, None) => quote!(Middle),
            (Some(_), Some(wrong)) => {
                return Err(Error::new_spanned(wrong, "a state cannot be initial and terminal"));
            }
        };
        Ok(quote!(::tenor_sdk::spec::State { name: #name, kind: ::tenor_sdk::abi::spec::StateKind::#kind }))
    });
    let states = states.collect::<Result<Vec<_>>>()?;
    let (ident, kept, (variants, numbers)) =
        (&item.ident, stripped(&item, &["initial", "terminal"]), number_arms(&item));
    Ok(quote! {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #kept
        impl ::tenor_sdk::contract::Lifecycle for #ident {
            const STATES: &'static [::tenor_sdk::spec::State] = &[#(#states),*];
            fn number(self) -> u16 {
                match self { #(#ident::#variants => #numbers),* }
            }
            fn of(number: u16) -> ::core::option::Option<Self> {
                match number { #(#numbers => ::core::option::Option::Some(#ident::#variants),)* _ => ::core::option::Option::None }
            }
        }
    })
}

/// `#[schedules]` and `#[purposes]`.
pub fn names(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemEnum = syn::parse2(item)?;
    plain(&item)?;
    let (ident, (variants, numbers)) = (&item.ident, number_arms(&item));
    let names = variants.iter().map(|variant| variant.to_string());
    Ok(quote! {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #item
        impl ::tenor_sdk::contract::Names for #ident {
            const NAMES: &'static [&'static str] = &[#(#names),*];
            fn number(self) -> u16 {
                match self { #(#ident::#variants => #numbers),* }
            }
        }
    })
}

/// `#[books]`.
pub fn books(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemEnum = syn::parse2(item)?;
    let books = plain(&item)?.into_iter().map(book).collect::<Result<Vec<_>>>()?;
    let (ident, kept, (variants, numbers)) = (&item.ident, stripped(&item, &["book"]), number_arms(&item));
    Ok(quote! {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #kept
        impl ::tenor_sdk::contract::Books for #ident {
            const BOOKS: &'static [::tenor_sdk::spec::Book] = &[#(#books),*];
            fn number(self) -> u16 {
                match self { #(#ident::#variants => #numbers),* }
            }
        }
    })
}

fn book(variant: &Variant) -> Result<TokenStream> {
    let missing =
        || Error::new_spanned(variant, "a book needs `#[book(side = …, gl = \"…\", asset = term)]`");
    let attribute = find(&variant.attrs, "book").ok_or_else(missing)?;
    let (mut side, mut gl, mut asset, mut negative) = (None, None, None, false);
    for expression in arguments(attribute)? {
        let (name, values) = named(&expression)?;
        let value = values.first();
        match (name.as_str(), value) {
            ("side", Some(value)) => side = ident(value).map(|side| Ident::new(&side, variant.ident.span())),
            ("gl", Some(value)) => gl = Some(text(value)?),
            ("asset", Some(value)) => asset = ident(value),
            ("negative", None) => negative = true,
            _ => return Err(Error::new_spanned(expression, "a book has side, gl, asset, negative")),
        }
    }
    let (Some(side), Some(gl), Some(asset)) = (side, gl, asset) else { return Err(missing()) };
    let name = kebab(&variant.ident.to_string());
    Ok(quote! {
        ::tenor_sdk::spec::Book {
            name: #name, side: ::tenor_sdk::abi::spec::BookSide::#side, gl: #gl, asset: #asset, negative: #negative
        }
    })
}

/// `InterestDue` as `interest-due`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for (place, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && place > 0 {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// `#[errors]` and `#[events]`.
pub fn messages(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemEnum = syn::parse2(item)?;
    let ident = &item.ident;
    let (mut consts, mut numbers, mut data) = (vec![], vec![], vec![]);
    for (place, variant) in item.variants.iter().enumerate() {
        let (name, label, text, place) =
            (&variant.ident, variant.ident.to_string(), doc(&variant.attrs), place as u16);
        let fields: Vec<_> = match &variant.fields {
            Fields::Named(fields) => fields.named.iter().collect(),
            Fields::Unit => vec![],
            Fields::Unnamed(fields) => {
                return Err(Error::new_spanned(fields, "fields need names: they stand in the spec"));
            }
        };
        let names: Vec<_> = fields.iter().filter_map(|field| field.ident.as_ref()).collect();
        let typed = fields.iter().filter_map(|field| {
            Some(field_const(&field.ident.as_ref()?.to_string(), &field.ty, &doc(&field.attrs)))
        });
        consts.push(quote!(::tenor_sdk::spec::Message { name: #label, fields: &[#(#typed),*], doc: #text }));
        numbers.push(quote!(#ident::#name { .. } => #place));
        // Pairs within pairs have the bytes of their parts, one after the other: their count, then each.
        let (count, parts) = (names.len() as u16, names.iter().rev());
        let parts = parts.fold(quote!(()), |rest, name| quote!((#name, #rest)));
        data.push(
            quote!(#ident::#name { #(#names),* } => ::tenor_sdk::abi::codec::encode(&(#count, #parts))),
        );
    }
    Ok(quote! {
        #[derive(Clone, PartialEq, Debug)]
        #item
        impl ::tenor_sdk::contract::Messages for #ident {
            const MESSAGES: &'static [::tenor_sdk::spec::Message] = &[#(#consts),*];
            fn number(&self) -> u16 {
                match self { #(#numbers),* }
            }
            fn data(&self) -> ::tenor_sdk::prelude::Vec<u8> {
                match self { #(#data),* }
            }
        }
    })
}

/// `#[choice]`.
pub fn choice(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemEnum = syn::parse2(item)?;
    plain(&item)?;
    let (ident, name, (variants, _)) = (&item.ident, item.ident.to_string(), number_arms(&item));
    let numbers: Vec<u32> = (0..item.variants.len() as u32).collect();
    let names: Vec<String> = variants.iter().map(|variant| variant.to_string()).collect();
    Ok(quote! {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #item
        impl ::tenor_sdk::serde::Serialize for #ident {
            fn serialize<S: ::tenor_sdk::serde::Serializer>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
                let number: u32 = match self { #(#ident::#variants => #numbers),* };
                ::tenor_sdk::serde::Serialize::serialize(&number, to)
            }
        }
        impl<'de> ::tenor_sdk::serde::Deserialize<'de> for #ident {
            fn deserialize<D: ::tenor_sdk::serde::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {
                match <u32 as ::tenor_sdk::serde::Deserialize>::deserialize(from)? {
                    #(#numbers => ::core::result::Result::Ok(#ident::#variants),)*
                    _ => ::core::result::Result::Err(::tenor_sdk::serde::de::Error::custom("no such variant")),
                }
            }
        }
        impl ::tenor_sdk::spec::Typed for #ident {
            const SHAPE: &'static ::tenor_sdk::spec::Shape =
                &::tenor_sdk::spec::Shape::Enum { name: #name, variants: &[#(#names),*] };
        }
    })
}
