//! The contract struct: its parts by name, its storage handles by place.

use crate::attribute::{doc, list, named, text};
use crate::record::named_fields;
use proc_macro2::TokenStream;
use quote::quote;
use std::collections::BTreeMap;
use syn::{Error, Expr, ItemStruct, Result};

/// `#[contract]`.
pub fn contract(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut given: BTreeMap<String, Expr> = BTreeMap::new();
    for expression in list(arguments)? {
        let (name, mut values) = named(&expression)?;
        let value = values.pop().ok_or_else(|| Error::new_spanned(&expression, "expected `name = value`"))?;
        given.insert(name, value);
    }
    let item: ItemStruct = syn::parse2(item)?;
    let needed = |name: &str| {
        given.get(name).ok_or_else(|| Error::new_spanned(&item.ident, format!("`{name} = …` is missing")))
    };
    let (id, version) = (text(needed("id")?)?, version(needed("version")?)?);
    let (terms, state) = (needed("terms")?, needed("state")?);
    let unit: Expr = syn::parse_quote!(());
    let part = |name: &str| given.get(name).unwrap_or(&unit);
    let (schedules, books, purposes, errors, events) =
        (part("schedules"), part("books"), part("purposes"), part("errors"), part("events"));
    let known = ["id", "version", "terms", "state", "schedules", "books", "purposes", "errors", "events"];
    if let Some(unknown) = given.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Error::new_spanned(
            &given[unknown],
            format!("a contract has no `{unknown}`; it has {}", known.join(", ")),
        ));
    }
    let fields = named_fields(&item)?;
    let (names, types): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let labels: Vec<String> = names.iter().map(ToString::to_string).collect();
    let places: Vec<u16> = (0..names.len() as u16).collect();
    let (ident, about, visibility) = (&item.ident, doc(&item.attrs), &item.vis);
    Ok(quote! {
        #[derive(Debug)]
        #item
        /// What this contract's actions are given.
        #visibility type Cx = ::tenor_sdk::context::Cx<#ident>;
        /// What this contract's views are given.
        #[allow(dead_code)]
        #visibility type View = ::tenor_sdk::context::View<#ident>;
        impl ::tenor_sdk::contract::Contract for #ident {
            type Terms = #terms;
            type State = #state;
            type Schedules = #schedules;
            type Books = #books;
            type Purposes = #purposes;
            type Errors = #errors;
            type Events = #events;
            const STORAGE: &'static [::tenor_sdk::spec::Storage] = &[#(::tenor_sdk::spec::Storage {
                name: #labels,
                kind: <#types as ::tenor_sdk::storage::Handle>::KIND,
                key: <#types as ::tenor_sdk::storage::Handle>::KEY,
                value: <#types as ::tenor_sdk::storage::Handle>::VALUE,
            }),*];
            const ID: &'static str = #id;
            const VERSION: [u16; 3] = [#(#version),*];
            const DOC: &'static str = #about;
            fn handles() -> Self {
                #ident { #(#names: ::tenor_sdk::storage::Handle::at(#places)),* }
            }
        }
    })
}

fn version(expression: &Expr) -> Result<Vec<u16>> {
    let written = text(expression)?;
    let parts: Option<Vec<u16>> = written.split('.').map(|part| part.parse().ok()).collect();
    parts
        .filter(|parts| parts.len() == 3)
        .ok_or_else(|| Error::new_spanned(expression, "a version is three numbers, like \"1.0.0\""))
}
