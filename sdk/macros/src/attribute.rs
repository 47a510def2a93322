//! Reading attributes: doc comments, and lists of expressions such as `by = owner(terms.payer), from(Active)`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Lit, Meta, Result, Token};

/// The doc comment, its lines joined by spaces.
pub fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter(|a| a.path().is_ident("doc")).filter_map(|a| match &a.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Str(text) => Some(text.value().trim().to_string()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").trim().to_string()
}

/// The attributes that are not ours, to be kept on the item.
pub fn others<'a>(attributes: &'a [Attribute], ours: &'a [&'a str]) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(|a| !ours.iter().any(|name| a.path().is_ident(name)))
}

/// One attribute of a name.
pub fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|a| a.path().is_ident(name))
}

/// The expressions of an attribute's list.
pub fn list(tokens: TokenStream) -> Result<Vec<Expr>> {
    let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
    Ok(parser.parse2(tokens)?.into_iter().collect())
}

/// The expressions of an attribute, none where it has no list.
pub fn arguments(attribute: &Attribute) -> Result<Vec<Expr>> {
    match &attribute.meta {
        Meta::Path(_) => Ok(vec![]),
        Meta::List(inner) => list(inner.tokens.clone()),
        Meta::NameValue(pair) => Err(Error::new(pair.span(), "write the values in parentheses")),
    }
}

/// `name = value` or `name(a, b)` as name and values; a bare `name` has none.
pub fn named(expression: &Expr) -> Result<(String, Vec<Expr>)> {
    let wrong = || Error::new(expression.span(), "expected `name`, `name = value` or `name(…)`");
    match expression {
        Expr::Path(_) => Ok((ident(expression).ok_or_else(wrong)?, vec![])),
        Expr::Assign(pair) => Ok((ident(&pair.left).ok_or_else(wrong)?, vec![(*pair.right).clone()])),
        Expr::Call(call) => Ok((ident(&call.func).ok_or_else(wrong)?, call.args.iter().cloned().collect())),
        _ => Err(wrong()),
    }
}

/// The name that an expression is.
pub fn ident(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        _ => None,
    }
}

/// The field of `base.field`.
pub fn field_of(expression: &Expr, base: &str) -> Option<String> {
    match expression {
        Expr::Field(field) if ident(&field.base).as_deref() == Some(base) => match &field.member {
            syn::Member::Named(name) => Some(name.to_string()),
            syn::Member::Unnamed(_) => None,
        },
        _ => None,
    }
}

/// The text of a string literal.
pub fn text(expression: &Expr) -> Result<String> {
    match expression {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Str(text) => Ok(text.value()),
            other => Err(Error::new(other.span(), "expected a text in quotes")),
        },
        other => Err(Error::new(other.span(), "expected a text in quotes")),
    }
}

/// `Some(…)` or `None` as tokens.
pub fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// Whether a type is written as an `Option`.
pub fn is_option(ty: &syn::Type) -> bool {
    match ty {
        syn::Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Option"),
        _ => false,
    }
}
