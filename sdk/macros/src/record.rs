//! Records: their bytes are the count of fields and then the fields, trailing `None`s cut.

use crate::attribute::{doc, is_option};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, Fields, Ident, ItemStruct, Result, Type};

/// `#[record]`.
pub fn record(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemStruct = syn::parse2(item)?;
    let fields = named_fields(&item)?;
    let codec = codec(&item.ident, &fields);
    let (ident, name) = (&item.ident, item.ident.to_string());
    let typed = field_consts(&item)?;
    Ok(quote! {
        #[derive(Clone, PartialEq, Debug)]
        #item
        #codec
        impl ::tenor_sdk::spec::Typed for #ident {
            const SHAPE: &'static ::tenor_sdk::spec::Shape =
                &::tenor_sdk::spec::Shape::Record { name: #name, fields: &[#(#typed),*] };
        }
    })
}

/// Names and types of a struct's fields.
pub fn named_fields(item: &ItemStruct) -> Result<Vec<(Ident, Type)>> {
    match &item.fields {
        Fields::Named(fields) => {
            Ok(fields.named.iter().filter_map(|f| Some((f.ident.clone()?, f.ty.clone()))).collect())
        }
        Fields::Unit => Ok(vec![]),
        Fields::Unnamed(_) => Err(Error::new_spanned(item, "fields need names: they stand in the spec")),
    }
}

fn field_consts(item: &ItemStruct) -> Result<Vec<TokenStream>> {
    let Fields::Named(fields) = &item.fields else { return Ok(vec![]) };
    let consts = fields.named.iter().filter_map(|field| {
        let (name, ty, text) = (field.ident.as_ref()?.to_string(), &field.ty, doc(&field.attrs));
        Some(field_const(&name, ty, &text))
    });
    Ok(consts.collect())
}

/// A `spec::Field` of a name, a type and a text.
pub fn field_const(name: &str, ty: &Type, doc: &str) -> TokenStream {
    quote! {
        ::tenor_sdk::spec::Field { name: #name, shape: <#ty as ::tenor_sdk::spec::Typed>::SHAPE, doc: #doc }
    }
}

/// `Serialize` and `Deserialize` of a record.
pub fn codec(ident: &Ident, fields: &[(Ident, Type)]) -> TokenStream {
    let count = fields.len();
    let places: Vec<usize> = (1..=count).collect();
    let names: Vec<&Ident> = fields.iter().map(|(name, _)| name).collect();
    let missing: Vec<TokenStream> = fields
        .iter()
        .map(|(name, ty)| if is_option(ty) { quote!(self.#name.is_none()) } else { quote!(false) })
        .collect();
    let absent: Vec<TokenStream> = fields
        .iter()
        .map(|(name, ty)| match is_option(ty) {
            true => quote!(::core::option::Option::None),
            false => {
                let text = format!("`{name}` is missing");
                quote!(return ::core::result::Result::Err(::tenor_sdk::serde::de::Error::custom(#text)))
            }
        })
        .collect();
    let visitor = format_ident!("__{}Visitor", ident);
    let text = format!("the fields of {ident}");
    quote! {
        impl ::tenor_sdk::serde::Serialize for #ident {
            fn serialize<S: ::tenor_sdk::serde::Serializer>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
                use ::tenor_sdk::serde::ser::SerializeTuple as _;
                let mut count = 0usize;
                #(if !#missing { count = #places; })*
                let mut tuple = to.serialize_tuple(1 + count)?;
                tuple.serialize_element(&(count as u16))?;
                #(if count >= #places { tuple.serialize_element(&self.#names)?; })*
                tuple.end()
            }
        }
        impl<'de> ::tenor_sdk::serde::Deserialize<'de> for #ident {
            fn deserialize<D: ::tenor_sdk::serde::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {
                #[allow(non_camel_case_types)]
                struct #visitor;
                impl<'de> ::tenor_sdk::serde::de::Visitor<'de> for #visitor {
                    type Value = #ident;
                    fn expecting(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.write_str(#text)
                    }
                    #[allow(unused_variables, unused_mut)]
                    fn visit_seq<A: ::tenor_sdk::serde::de::SeqAccess<'de>>(self, mut seq: A) -> ::core::result::Result<#ident, A::Error> {
                        use ::tenor_sdk::serde::de::Error as _;
                        let __short = || A::Error::custom("the bytes end early");
                        let __given = seq.next_element::<u16>()?.ok_or_else(__short)? as usize;
                        if __given > #count {
                            return ::core::result::Result::Err(A::Error::custom("more fields than are known"));
                        }
                        #(let #names = if __given >= #places { seq.next_element()?.ok_or_else(__short)? } else { #absent };)*
                        ::core::result::Result::Ok(#ident { #(#names),* })
                    }
                }
                from.deserialize_tuple(1 + #count, #visitor)
            }
        }
    }
}
