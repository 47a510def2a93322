//! Interfaces: a trait of calls becomes a handle on an agreement that offers them.

use crate::attribute::doc;
use crate::record::codec;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Error, FnArg, Ident, ItemTrait, Pat, Result, ReturnType, TraitItem, TraitItemFn, Type};

/// `#[interface]`.
pub fn interface(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let item: ItemTrait = syn::parse2(item)?;
    let (ident, visibility, about) = (&item.ident, &item.vis, docs(&item.attrs));
    if doc(&item.attrs).is_empty() {
        return Err(Error::new_spanned(ident, "say in a doc comment what agreements with this interface do"));
    }
    let mut methods = vec![];
    let mut signatures = vec![];
    for member in &item.items {
        let TraitItem::Fn(function) = member else {
            return Err(Error::new_spanned(member, "an interface has calls and nothing else"));
        };
        let (method, signature) = call(ident, function)?;
        methods.push(method);
        signatures.push(signature);
    }
    Ok(quote! {
        #(#about)*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #visibility struct #ident(::tenor_sdk::interface::Remote);
        impl #ident {
            /// The signatures of its calls, in their order.
            pub const SIGNATURES: &'static [&'static [u8]] = &[#(#signatures),*];
            /// A handle on an agreement, each of whose calls may use so much gas; what a call leaves comes back.
            pub const fn at(agreement: ::tenor_sdk::abi::id::AgreementId, gas: u64) -> Self {
                #ident(::tenor_sdk::interface::Remote { agreement, gas })
            }
            #(#methods)*
        }
    })
}

fn docs(attributes: &[Attribute]) -> Vec<&Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).collect()
}

/// The method of a call, and the path of its signature.
fn call(interface: &Ident, function: &TraitItemFn) -> Result<(TokenStream, TokenStream)> {
    let (name, about) = (&function.sig.ident, docs(&function.attrs));
    let mut inputs = function.sig.inputs.iter();
    let Some(FnArg::Receiver(own)) = inputs.next() else {
        return Err(Error::new_spanned(
            &function.sig,
            "a call takes `&self` (a view) or `&mut self` (an action)",
        ));
    };
    let mut arguments: Vec<(Ident, Type)> = vec![];
    for input in inputs {
        match input {
            FnArg::Typed(typed) => match &*typed.pat {
                Pat::Ident(pattern) => arguments.push((pattern.ident.clone(), (*typed.ty).clone())),
                other => return Err(Error::new_spanned(other, "an argument needs a name")),
            },
            FnArg::Receiver(_) => return Err(Error::new_spanned(input, "a call has one `self`")),
        }
    }
    let answer: Type = match &function.sig.output {
        ReturnType::Default => syn::parse_quote!(()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    let acts = own.mutability.is_some();
    let kind = if acts { quote!(ACTION) } else { quote!(VIEW) };
    let (context, method) = match acts {
        true => (quote!(&mut ::tenor_sdk::context::Cx<C>), quote!(act)),
        false => (quote!(&::tenor_sdk::context::View<C>), quote!(ask)),
    };
    let (names, types): (Vec<_>, Vec<_>) = arguments.iter().map(|(name, ty)| (name, ty)).unzip();
    let holder = format_ident!("__{}_{}", interface, name);
    let writing = codec(&holder, &arguments);
    let (text, constant) = (name.to_string(), format_ident!("SIGNATURE_{}", name.to_string().to_uppercase()));
    let failing = "Why it has no answer; then it has left nothing.";
    let tokens = quote! {
        #[doc(hidden)]
        pub const #constant: &'static [u8] = {
            const MADE: ::tenor_sdk::interface::Signature = ::tenor_sdk::interface::signature(
                ::tenor_sdk::abi::interface::#kind,
                #text,
                &[#(<#types as ::tenor_sdk::spec::Typed>::SHAPE),*],
                <#answer as ::tenor_sdk::spec::Typed>::SHAPE,
            );
            const LENGTH: usize = MADE.length;
            const BYTES: [u8; LENGTH] = ::tenor_sdk::interface::cut(&MADE);
            &BYTES
        };
        #(#about)*
        ///
        /// # Errors
        #[doc = #failing]
        pub fn #name<C: ::tenor_sdk::contract::Contract>(
            &self,
            cx: #context
            #(, #names: #types)*
        ) -> ::core::result::Result<#answer, ::tenor_sdk::interface::NoAnswer> {
            #[allow(non_camel_case_types)]
            struct #holder { #(#names: #types),* }
            #writing
            self.0.#method(cx, #interface::#constant, &#holder { #(#names),* })
        }
    };
    Ok((tokens, quote!(#interface::#constant)))
}
