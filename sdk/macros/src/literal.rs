//! Literals checked while compiling.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, LitStr, Result};

/// Decimals of the minor unit by currency code. Source: ISO 4217; codes that are not here have two.
const SCALES: &[(u8, &[&str])] = &[
    (
        0,
        &[
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
            "XAF", "XOF", "XPF",
        ],
    ),
    (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
    (4, &["CLF", "UYW"]),
];

/// `money!(EUR 12.50)`.
pub fn money(input: TokenStream) -> Result<TokenStream> {
    let written = input.to_string();
    let wrong = |text: &str| Error::new_spanned(&input, format!("{text}; write `money!(EUR 12.50)`"));
    let (code, amount) =
        written.split_once(' ').ok_or_else(|| wrong("a currency and an amount are needed"))?;
    let amount = amount.replace([' ', '_'], "");
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(wrong("a currency is three capital letters"));
    }
    let scale = SCALES.iter().find(|(_, codes)| codes.contains(&code)).map_or(2, |(scale, _)| *scale);
    let (whole, part) = amount.split_once('.').unwrap_or((&amount, ""));
    if part.len() > usize::from(scale) {
        return Err(wrong(&format!("{code} has {scale} decimals")));
    }
    let digits = format!("{whole}{part:0<width$}", width = usize::from(scale));
    let minor: i128 = digits.parse().map_err(|_| wrong("not an amount"))?;
    Ok(
        quote!(::tenor_sdk::abi::money::Money::new(#minor, ::tenor_sdk::abi::money::Currency::of(#code, #scale))),
    )
}

/// `rate!("4.25%")`.
pub fn rate(input: TokenStream) -> Result<TokenStream> {
    let text: LitStr = syn::parse2(input)?;
    Ok(quote! {
        const { match ::tenor_sdk::abi::rate::Rate::parse(#text) { Some(rate) => rate, None => panic!("a rate is written like 4.25%") } }
    })
}

/// `date!(2026-01-31)`.
pub fn date(input: TokenStream) -> Result<TokenStream> {
    let written = input.to_string().replace(' ', "");
    let wrong = || Error::new_spanned(&input, "a date is written like 2026-01-31");
    let parts: Vec<&str> = written.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return Err(wrong()) };
    let (Ok(year), Ok(month), Ok(day)) = (year.parse::<i32>(), month.parse::<u8>(), day.parse::<u8>()) else {
        return Err(wrong());
    };
    Ok(quote!(const { ::tenor_sdk::abi::date::Date::of(#year, #month, #day) }))
}
