//! Terms: a record of which it is known who sets each field, and which accounts signing opens to debits.

use crate::attribute::{arguments, doc, find, ident, named, option, others};
use crate::record::{codec, field_const, named_fields};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, Field, Fields, Ident, ItemStruct, Lit, Result};

const OURS: &[&str] = &["fixed", "customer", "product", "debit"];

/// `#[terms]`.
pub fn terms(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemStruct = syn::parse2(item)?;
    let fields = named_fields(&item)?;
    let names: Vec<String> = fields.iter().map(|(name, _)| name.to_string()).collect();
    let Fields::Named(written) = &item.fields else {
        return Err(Error::new_spanned(&item, "terms need fields"));
    };
    let consts = written.named.iter().map(|field| term(field, &names)).collect::<Result<Vec<_>>>()?;
    let mut kept = item.clone();
    for field in &mut kept.fields {
        field.attrs = others(&field.attrs, OURS).cloned().collect();
    }
    let (ident, codec) = (&item.ident, codec(&item.ident, &fields));
    Ok(quote! {
        #[derive(Clone, PartialEq, Debug)]
        #kept
        #codec
        impl ::tenor_sdk::contract::Terms for #ident {
            const TERMS: &'static [::tenor_sdk::spec::Term] = &[#(#consts),*];
        }
    })
}

fn term(field: &Field, names: &[String]) -> Result<TokenStream> {
    let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
    let base = field_const(&name, &field.ty, &doc(&field.attrs));
    let (setter, default) = setter(field)?;
    let debit = find(&field.attrs, "debit").map(|attribute| debit(attribute, names)).transpose()?;
    let (default, debit) = (option(default.map(|text| quote!(#text))), option(debit));
    Ok(quote! {
        ::tenor_sdk::spec::Term { field: #base, setter: ::tenor_sdk::abi::spec::Setter::#setter, default: #default, debit: #debit }
    })
}

fn setter(field: &Field) -> Result<(Ident, Option<String>)> {
    let set: Vec<_> = field
        .attrs
        .iter()
        .filter(|a| ["fixed", "customer", "product"].iter().any(|name| a.path().is_ident(name)))
        .collect();
    let [attribute] = set.as_slice() else {
        return Err(Error::new_spanned(
            field,
            "say who sets this term: `#[fixed]`, `#[customer]` or `#[product(default = …)]`",
        ));
    };
    let kind = attribute.path().get_ident().map(ToString::to_string).unwrap_or_default();
    let span = attribute.path().segments[0].ident.span();
    let setter = Ident::new(&(kind[..1].to_uppercase() + &kind[1..]), span);
    let mut default = None;
    for expression in arguments(attribute)? {
        match (named(&expression)?, &expression) {
            ((name, _), Expr::Assign(pair)) if name == "default" => {
                default = Some(default_text(&pair.right)?)
            }
            _ => return Err(Error::new_spanned(expression, "only `default = …` stands here")),
        }
    }
    Ok((setter, default))
}

/// A default as the text that somebody would enter: `3`, `"TARGET"`, `true`.
fn default_text(expression: &Expr) -> Result<String> {
    match expression {
        Expr::Lit(lit) => Ok(match &lit.lit {
            Lit::Str(text) => text.value(),
            Lit::Int(number) => number.base10_digits().to_string(),
            Lit::Bool(truth) => truth.value.to_string(),
            other => return Err(Error::new_spanned(other, "a default is a text, a number, true or false")),
        }),
        other => Err(Error::new_spanned(other, "a default is a text, a number, true or false")),
    }
}

fn debit(attribute: &syn::Attribute, names: &[String]) -> Result<TokenStream> {
    let (mut max, mut per) = (None, quote!(Day));
    for expression in arguments(attribute)? {
        let (name, values) = named(&expression)?;
        let value = values
            .first()
            .and_then(ident)
            .ok_or_else(|| Error::new_spanned(&expression, "expected `max = term, per = Month`"))?;
        match name.as_str() {
            "max" => {
                let place = names.iter().position(|known| *known == value);
                max =
                    Some(place.ok_or_else(|| {
                        Error::new_spanned(&expression, format!("there is no term `{value}`"))
                    })? as u16);
            }
            "per" => {
                let period = Ident::new(&value, proc_macro2::Span::call_site());
                per = quote!(#period);
            }
            _ => return Err(Error::new_spanned(&expression, "expected `max = term, per = Month`")),
        }
    }
    let max =
        max.ok_or_else(|| Error::new_spanned(attribute, "say the most that may be debited: `max = term`"))?;
    Ok(quote!(::tenor_sdk::abi::spec::DebitDef { max: #max, per: ::tenor_sdk::abi::spec::Period::#per }))
}
