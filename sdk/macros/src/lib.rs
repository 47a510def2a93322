//! The attributes a product team writes contracts with. What each does is documented where it is used: see
//! `tenor_sdk`.

use proc_macro::TokenStream;

mod attribute;
mod calls;
mod contract;
mod interface;
mod literal;
mod names;
mod record;
mod terms;

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $module:ident::$function:ident;)*) => {$(
        $(#[$doc])*
        #[proc_macro_attribute]
        pub fn $name(arguments: TokenStream, item: TokenStream) -> TokenStream {
            $module::$function(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
        }
    )*};
}

attributes! {
    /// The terms of a contract: `#[fixed]`, `#[customer]` or `#[product(default = …)]` on each field says who
    /// sets it; `#[debit(max = field, per = Month)]` makes signing them a grant.
    terms = terms::terms;
    /// The lifecycle: one `#[initial]` state, `#[terminal]` ones at the end.
    lifecycle = names::lifecycle;
    /// The kinds of schedules.
    schedules = names::names;
    /// What entries are for.
    purposes = names::names;
    /// The agreement's own accounts: `#[book(side = Asset, gl = "1410", asset = account, negative)]`.
    books = names::books;
    /// Refusals: a variant each, its fields, its doc comment as the text.
    errors = names::messages;
    /// Events: a variant each, its fields, its doc comment as the text.
    events = names::messages;
    /// A struct that is stored, passed or returned.
    record = record::record;
    /// An enum of plain variants that is stored, passed or returned.
    choice = names::choice;
    /// The contract: a struct of storage handles.
    contract = contract::contract;
    /// What another contract offers: a trait of calls, `&self` a view and `&mut self` an action, that becomes a handle
    /// on an agreement with those calls.
    interface = interface::interface;
    /// The calls of a contract.
    actions = calls::actions;
}

/// An amount checked while compiling: `money!(EUR 12.50)`.
#[proc_macro]
pub fn money(input: TokenStream) -> TokenStream {
    literal::money(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// A yearly rate checked while compiling: `rate!("4.25%")`.
#[proc_macro]
pub fn rate(input: TokenStream) -> TokenStream {
    literal::rate(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// A date checked while compiling: `date!(2026-01-31)`.
#[proc_macro]
pub fn date(input: TokenStream) -> TokenStream {
    literal::date(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
