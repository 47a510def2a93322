//! The calls of a contract: for each a definition in the spec and an export.

use crate::attribute::{arguments, doc, field_of, find, ident, named, option, others};
use crate::record::{codec, field_const};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{
    Attribute, Error, Expr, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Pat, Result, ReturnType, Type,
};

const OURS: &[&str] = &["on", "action", "view", "exit"];

/// `#[actions]`.
pub fn actions(_arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut item: ItemImpl = syn::parse2(item)?;
    let contract = (*item.self_ty).clone();
    let mut calls = vec![];
    for member in &mut item.items {
        let ImplItem::Fn(function) = member else { continue };
        let marks: Vec<Attribute> = function
            .attrs
            .iter()
            .filter(|a| OURS.iter().any(|name| a.path().is_ident(name)))
            .cloned()
            .collect();
        if marks.iter().any(|mark| !mark.path().is_ident("exit")) {
            calls.push(Call::read(function, &marks, &contract)?);
            function.attrs = others(&function.attrs, OURS).cloned().collect();
        } else if let Some(mark) = marks.first() {
            return Err(Error::new_spanned(mark, "`#[exit]` stands beside `#[action]`"));
        }
    }
    let (definitions, exports, arms): (Vec<_>, Vec<_>, Vec<_>) =
        calls.iter().map(|call| (call.definition(), call.export(), call.arm())).collect();
    Ok(quote! {
        #item

        #[doc(hidden)]
        mod __spec {
            use super::*;
            type C = #contract;
            use ::tenor_sdk::contract::{Books, Contract, Lifecycle, Messages, Names, Terms as _};
            const SOURCE: ::tenor_sdk::spec::Source = ::tenor_sdk::spec::Source {
                id: C::ID,
                version: C::VERSION,
                doc: C::DOC,
                terms: <C as Contract>::Terms::TERMS,
                states: <C as Contract>::State::STATES,
                schedules: <C as Contract>::Schedules::NAMES,
                books: <C as Contract>::Books::BOOKS,
                storage: C::STORAGE,
                calls: &[#(#definitions),*],
                errors: <C as Contract>::Errors::MESSAGES,
                events: <C as Contract>::Events::MESSAGES,
                purposes: <C as Contract>::Purposes::NAMES,
            };
            const BUILT: ::tenor_sdk::spec::Built = ::tenor_sdk::spec::build(&SOURCE);
            const LENGTH: usize = BUILT.length;
            #[cfg_attr(target_family = "wasm", unsafe(link_section = "tenor_spec"))]
            pub static SECTION: [u8; LENGTH] = ::tenor_sdk::spec::cut(&BUILT);
        }

        #(#exports)*

        /// The contract as a native twin runs it.
        #[cfg(not(target_family = "wasm"))]
        pub static TWIN: ::tenor_sdk::native::Contract = ::tenor_sdk::native::Contract {
            section: &__spec::SECTION,
            call: |export| match export {
                #(#arms,)*
                _ => ::core::option::Option::None,
            },
        };
    })
}

struct Call {
    contract: Type,
    function: Ident,
    doc: String,
    exit: bool,
    view: bool,
    kind: TokenStream,
    by: Vec<TokenStream>,
    from: Vec<TokenStream>,
    to: Option<TokenStream>,
    may_enter: Vec<TokenStream>,
    four_eyes: Option<TokenStream>,
    arguments: Vec<(Ident, Type)>,
    /// What the host hands over besides arguments, by the parameter's type.
    given: Option<Given>,
    returns: Returns,
}

/// Something that the host hands over to calls of a kind.
#[derive(Clone, Copy, PartialEq)]
enum Given {
    Occurrence,
    PlannedEntry,
    BookedEntries,
}

impl Given {
    fn of(ty: &Type) -> Option<Given> {
        let Type::Path(path) = ty else { return None };
        let known = [
            ("Occurrence", Given::Occurrence),
            ("PlannedEntry", Given::PlannedEntry),
            ("BookedEntries", Given::BookedEntries),
        ];
        known.into_iter().find(|(name, _)| path.path.is_ident(name)).map(|(_, given)| given)
    }

    /// The method of the context that reads it.
    fn reader(self) -> Ident {
        let name = match self {
            Given::Occurrence => "occurrence",
            Given::PlannedEntry => "planned_entry",
            Given::BookedEntries => "booked_entries",
        };
        Ident::new(name, Span::call_site())
    }
}

enum Returns {
    Nothing,
    Plain(Box<Type>),
    Fallible(Box<Type>),
}

impl Call {
    fn read(function: &ImplItemFn, marks: &[Attribute], contract: &Type) -> Result<Call> {
        let mut main = marks.iter().filter(|mark| !mark.path().is_ident("exit"));
        let (Some(mark), None) = (main.next(), main.next()) else {
            return Err(Error::new_spanned(
                &function.sig.ident,
                "a call is one of `#[on(…)]`, `#[action(…)]`, `#[view]`",
            ));
        };
        let mut call = Call {
            contract: contract.clone(),
            function: function.sig.ident.clone(),
            doc: doc(&function.attrs),
            exit: find(marks, "exit").is_some(),
            view: mark.path().is_ident("view") || says(mark, "before_entry")?,
            kind: quote!(Action),
            by: vec![],
            from: vec![],
            to: None,
            may_enter: vec![],
            four_eyes: None,
            arguments: vec![],
            given: None,
            returns: returns(&function.sig.output),
        };
        call.read_signature(function)?;
        if call.view {
            call.kind = quote!(View);
        }
        call.read_mark(mark)?;
        let needed = match call.kind.to_string().as_str() {
            "BeforeEntry" => Some((Given::PlannedEntry, "PlannedEntry")),
            "AfterEntries" => Some((Given::BookedEntries, "BookedEntries")),
            _ => None,
        };
        if let Some((needed, ty)) = needed
            && (call.given != Some(needed) || !call.arguments.is_empty())
        {
            return Err(Error::new_spanned(
                &function.sig,
                format!("a hook takes its context and one `{ty}`, and nothing else"),
            ));
        }
        Ok(call)
    }

    fn read_signature(&mut self, function: &ImplItemFn) -> Result<()> {
        let mut inputs = function.sig.inputs.iter();
        let receiver = inputs.next();
        let Some(FnArg::Receiver(own)) = receiver else {
            return Err(Error::new_spanned(
                &function.sig,
                "a call takes `&self` (a view) or `&mut self` (an action)",
            ));
        };
        if own.mutability.is_some() == self.view {
            return Err(Error::new_spanned(own, "a view takes `&self`, an action `&mut self`"));
        }
        if inputs.next().is_none() {
            return Err(Error::new_spanned(
                &function.sig,
                "a call takes `cx: &mut Cx` (an action) or `cx: &View` (a view)",
            ));
        }
        for input in inputs {
            let FnArg::Typed(typed) = input else { continue };
            let Pat::Ident(name) = &*typed.pat else {
                return Err(Error::new_spanned(
                    &typed.pat,
                    "an argument needs a name: it stands in the spec",
                ));
            };
            match Given::of(&typed.ty) {
                Some(given) => self.given = Some(given),
                None => self.arguments.push((name.ident.clone(), (*typed.ty).clone())),
            }
        }
        Ok(())
    }

    fn read_mark(&mut self, mark: &Attribute) -> Result<()> {
        let (mut retry, mut catch_up, mut missed, mut due) = (None, None, None, None);
        for expression in arguments(mark)? {
            let (name, values) = named(&expression)?;
            let one = || values.first().ok_or_else(|| Error::new_spanned(&expression, "a value is missing"));
            match name.as_str() {
                "open" => self.kind = quote!(Open),
                "sign" => self.kind = quote!(Sign),
                "before_entry" => self.kind = quote!(BeforeEntry),
                "after_entries" => self.kind = quote!(AfterEntries),
                "due" => due = Some(self.place("Schedules", "NAMES", one()?)?),
                "by" => self.by = self.authorities(one()?)?,
                "from" | "in_state" => self.from = self.states(&values)?,
                "to" => self.to = Some(self.state(one()?)?),
                "may_enter" => self.may_enter = self.states(&values)?,
                "four_eyes" => self.four_eyes = Some(self.four_eyes(&values, &expression)?),
                "retry" => retry = Some(self.retry(&values, &expression)?),
                "catch_up" => catch_up = Some(missed_rule(one()?)?),
                "missed" => missed = Some(missed_rule(one()?)?),
                _ => return Err(Error::new_spanned(&expression, format!("a call has no `{name}`"))),
            }
        }
        if let Some(schedule) = due {
            let (Some(catch_up), Some(missed)) = (catch_up, missed) else {
                return Err(Error::new_spanned(
                    mark,
                    "a handler says what becomes of late occurrences: `catch_up = each|latest|skip, missed = …`",
                ));
            };
            let retry = option(retry);
            self.kind =
                quote!(Due { schedule: #schedule, retry: #retry, catch_up: #catch_up, missed: #missed });
        } else if self.by.is_empty() && !self.view && self.kind.to_string() != "AfterEntries" {
            return Err(Error::new_spanned(
                mark,
                "say who may call it: `by = owner(terms.x) | party(terms.x) | role(R) | anyone`",
            ));
        }
        Ok(())
    }

    /// The place of a name in one of the contract's lists, found while compiling.
    fn place(&self, part: &str, list: &str, name: &Expr) -> Result<TokenStream> {
        let text = ident(name).ok_or_else(|| Error::new_spanned(name, "expected a name"))?;
        let (part, list) = (Ident::new(part, Span::call_site()), Ident::new(list, Span::call_site()));
        Ok(quote!(::tenor_sdk::spec::place(<C as Contract>::#part::#list, #text)))
    }

    fn state(&self, name: &Expr) -> Result<TokenStream> {
        let text = ident(name).ok_or_else(|| Error::new_spanned(name, "expected a lifecycle state"))?;
        Ok(quote!(::tenor_sdk::spec::state(<C as Contract>::State::STATES, #text)))
    }

    fn states(&self, names: &[Expr]) -> Result<Vec<TokenStream>> {
        names.iter().map(|name| self.state(name)).collect()
    }

    fn term(&self, name: &str) -> TokenStream {
        quote!(::tenor_sdk::spec::term(<C as Contract>::Terms::TERMS, #name))
    }

    fn authorities(&self, expression: &Expr) -> Result<Vec<TokenStream>> {
        if let Expr::Binary(either) = expression {
            let mut all = self.authorities(&either.left)?;
            all.extend(self.authorities(&either.right)?);
            return Ok(all);
        }
        let (name, values) = named(expression)?;
        let term = values.first().and_then(|value| field_of(value, "terms")).map(|name| self.term(&name));
        let authority = match (name.as_str(), term, values.first().and_then(ident)) {
            ("anyone", _, _) => quote!(Anyone),
            ("owner", Some(term), _) => quote!(Owner(#term)),
            ("party", Some(term), _) => quote!(Party(#term)),
            ("agreement", Some(term), _) => quote!(Agreement(#term)),
            ("role", _, Some(role)) => {
                let role = Ident::new(&role, Span::call_site());
                quote!(Role(::tenor_sdk::abi::role::Role::#role))
            }
            _ => {
                return Err(Error::new_spanned(
                    expression,
                    "expected owner(terms.x), party(terms.x), agreement(terms.x), role(R) or anyone",
                ));
            }
        };
        Ok(vec![quote!(::tenor_sdk::abi::spec::Authority::#authority)])
    }

    fn operand(&self, expression: &Expr) -> Result<TokenStream> {
        let operand = if let Some(name) = field_of(expression, "terms") {
            let term = self.term(&name);
            quote!(Term(#term))
        } else if let Some(name) = field_of(expression, "arg") {
            let place = self.arguments.iter().position(|(known, _)| *known == name);
            let place = place
                .ok_or_else(|| Error::new_spanned(expression, format!("there is no argument `{name}`")))?
                as u16;
            quote!(Argument(#place))
        } else {
            quote!(Constant(#expression))
        };
        Ok(quote!(::tenor_sdk::abi::spec::Operand::#operand))
    }

    fn four_eyes(&self, values: &[Expr], whole: &Expr) -> Result<TokenStream> {
        let (mut role, mut amount, mut above) = (None, None, None);
        for value in values {
            match (named(value)?, value) {
                ((name, _), Expr::Assign(pair)) if name == "role" => {
                    role = ident(&pair.right).map(|role| Ident::new(&role, Span::call_site()))
                }
                ((name, _), Expr::Assign(pair)) if name == "amount" => {
                    amount = Some(self.operand(&pair.right)?)
                }
                ((name, _), Expr::Assign(pair)) if name == "above" => {
                    above = Some(self.operand(&pair.right)?)
                }
                _ => return Err(Error::new_spanned(value, "expected role, amount, above")),
            }
        }
        let role =
            role.ok_or_else(|| Error::new_spanned(whole, "say which role approves: `role = CreditManager`"))?;
        let (amount, above) = (option(amount), option(above));
        Ok(
            quote!(::tenor_sdk::abi::spec::FourEyes { role: ::tenor_sdk::abi::role::Role::#role, amount: #amount, above: #above }),
        )
    }

    fn retry(&self, values: &[Expr], whole: &Expr) -> Result<TokenStream> {
        let expected =
            || Error::new_spanned(whole, "expected `retry(count, every = BusinessDays(1), then = State)`");
        let (mut count, mut every, mut then) = (None, None, None);
        for value in values {
            match value {
                Expr::Assign(pair) if ident(&pair.left).as_deref() == Some("every") => {
                    every = Some(&pair.right)
                }
                Expr::Assign(pair) if ident(&pair.left).as_deref() == Some("then") => {
                    then = Some(self.state(&pair.right)?)
                }
                other => count = Some(self.operand(other)?),
            }
        }
        let (Some(count), Some(every), Some(then)) = (count, every, then) else { return Err(expected()) };
        Ok(
            quote!(::tenor_sdk::abi::spec::Retry { count: #count, every: ::tenor_sdk::abi::spec::Spacing::#every, then: #then }),
        )
    }

    fn definition(&self) -> TokenStream {
        let (name, kind, by, from, may_enter) =
            (self.function.to_string(), &self.kind, &self.by, &self.from, &self.may_enter);
        let (to, four_eyes, exit, about) =
            (option(self.to.clone()), option(self.four_eyes.clone()), self.exit, &self.doc);
        let fields = self.arguments.iter().map(|(name, ty)| field_const(&name.to_string(), ty, ""));
        let answer: Type = match &self.returns {
            Returns::Nothing => syn::parse_quote!(()),
            Returns::Plain(ty) | Returns::Fallible(ty) => (**ty).clone(),
        };
        quote! {
            ::tenor_sdk::spec::Call {
                name: #name,
                kind: ::tenor_sdk::abi::spec::CallKind::#kind,
                by: &[#(#by),*],
                from: &[#(#from),*],
                to: #to,
                may_enter: &[#(#may_enter),*],
                four_eyes: #four_eyes,
                exit: #exit,
                arguments: &[#(#fields),*],
                returns: <#answer as ::tenor_sdk::spec::Typed>::SHAPE,
                doc: #about,
            }
        }
    }

    /// The name of the function that runs the call.
    fn entry(&self) -> Ident {
        format_ident!("__call_{}", self.function)
    }

    fn export(&self) -> TokenStream {
        let (entry, contract, function, export) =
            (self.entry(), &self.contract, &self.function, self.function.to_string());
        let holder = format_ident!("__Arguments_{}", self.function);
        let (names, types): (Vec<_>, Vec<_>) = self.arguments.iter().map(|(name, ty)| (name, ty)).unzip();
        let reading = codec(&holder, &self.arguments);
        let context = if self.view { quote!(View) } else { quote!(Cx) };
        let borrow = if self.view { quote!(&cx) } else { quote!(&mut cx) };
        let (given, take_given) = match self.given.map(Given::reader) {
            Some(reader) => (quote!(, given), quote!(let given = cx.#reader();)),
            None => (quote!(), quote!()),
        };
        let is_hook = matches!(self.given, Some(Given::PlannedEntry | Given::BookedEntries));
        // What a hook is handed over stands in the place of arguments.
        let take_arguments = match is_hook {
            true => quote!(),
            false => quote!(let arguments: #holder = ::tenor_sdk::context::arguments(cx.arguments());),
        };
        let (holding, reading) = match is_hook {
            true => (quote!(), quote!()),
            false => (quote!(#[allow(non_camel_case_types)] struct #holder { #(#names: #types),* }), reading),
        };
        let run = quote!(contract.#function(#borrow #given #(, arguments.#names)*));
        let done = match &self.returns {
            Returns::Nothing => {
                quote!({ #run; ::tenor_sdk::context::finish::<(), ()>(::core::result::Result::Ok(())) })
            }
            Returns::Plain(ty) => {
                quote!(::tenor_sdk::context::finish::<#ty, ()>(::core::result::Result::Ok(#run)))
            }
            Returns::Fallible(_) => quote!(::tenor_sdk::context::finish(#run)),
        };
        quote! {
            #holding
            #reading
            #[allow(unused_mut, unused_variables, clippy::let_unit_value)]
            fn #entry() -> i32 {
                let mut cx = ::tenor_sdk::context::#context::<#contract>::read();
                #take_arguments
                #take_given
                let mut contract = <#contract as ::tenor_sdk::contract::Contract>::handles();
                #done
            }
            #[cfg(target_family = "wasm")]
            const _: () = {
                #[unsafe(export_name = #export)]
                extern "C" fn export() -> i32 {
                    #entry()
                }
            };
        }
    }

    fn arm(&self) -> TokenStream {
        let (name, entry) = (self.function.to_string(), self.entry());
        quote!(#name => ::core::option::Option::Some(#entry()))
    }
}

/// Whether an attribute's list has a bare name.
fn says(mark: &Attribute, name: &str) -> Result<bool> {
    Ok(arguments(mark)?.iter().any(|expression| ident(expression).as_deref() == Some(name)))
}

fn missed_rule(expression: &Expr) -> Result<TokenStream> {
    let rule = match ident(expression).as_deref() {
        Some("each") => quote!(Each),
        Some("latest") => quote!(Latest),
        Some("skip") => quote!(Skip),
        _ => return Err(Error::new_spanned(expression, "expected each, latest or skip")),
    };
    Ok(quote!(::tenor_sdk::abi::spec::Missed::#rule))
}

fn returns(output: &ReturnType) -> Returns {
    let ReturnType::Type(_, ty) = output else { return Returns::Nothing };
    if let Type::Path(path) = &**ty
        && let Some(last) = path.path.segments.last()
        && last.ident == "Result"
        && let syn::PathArguments::AngleBracketed(inner) = &last.arguments
        && let Some(syn::GenericArgument::Type(answer)) = inner.args.first()
    {
        return Returns::Fallible(Box::new(answer.clone()));
    }
    Returns::Plain(ty.clone())
}
