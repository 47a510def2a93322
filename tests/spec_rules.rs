//! What a spec must say before the host lets a contract in, tried on a product's own.
#![allow(clippy::unwrap_used, reason = "a product that cannot be read has nothing to be tried on")]

use tenor_abi::role::Role;
use tenor_abi::spec::{Authority, CallKind, Setter, Spec};
use tenor_cli::{products, words};

/// What is said of the standing order after a change.
fn said(change: impl Fn(&mut Spec)) -> Result<(), String> {
    let mut spec = words::spec_of(products::find("recurring").unwrap().wasm).unwrap();
    let exports: Vec<String> = spec.calls.iter().map(|call| call.name.clone()).collect();
    change(&mut spec);
    spec.validate(&exports).map_err(|error| error.to_string())
}

fn term<'s>(spec: &'s mut Spec, name: &str) -> &'s mut tenor_abi::spec::TermDef {
    spec.terms.iter_mut().find(|term| term.name == name).unwrap()
}

#[test]
fn a_default_is_a_value_of_its_term() {
    assert_eq!(said(|_| ()), Ok(()));
    for (name, text, sound) in [
        ("retries_max", "3", true),
        ("retries_max", "300", false),
        ("convention", "sideways", false),
        ("amount", "12.50 EUR", true),
        ("amount", "12.50", false),
        ("calendar", "TARGET", false),
    ] {
        let result = said(|spec| term(spec, name).default = Some(text.into()));
        assert_eq!(result.is_ok(), sound, "{name} {text}: {result:?}");
        if let Err(error) = result {
            assert!(
                error.starts_with(&format!("default of term `{name}`: ")) && error.contains(text),
                "{error}"
            );
        }
    }
}

#[test]
fn what_staff_open_a_customer_can_sign() {
    let by_staff = |spec: &mut Spec| spec.calls[0].by = vec![Authority::Role(Role::LoanOfficer)];
    let error = said(by_staff).unwrap_err();
    assert_eq!(
        error,
        "term `amount`: is the customer's to set, but staff may open and no call lets the customer sign"
    );
    let agreed = |spec: &mut Spec| spec.terms.iter_mut().for_each(|term| term.setter = Setter::Fixed);
    assert_eq!(said(|spec| (by_staff(spec), agreed(spec)).0), Ok(()));
    // Resuming becomes the call by which the customer signs.
    assert_eq!(
        said(|spec| {
            by_staff(spec);
            spec.calls[3].kind = CallKind::Sign;
        }),
        Ok(())
    );
}
