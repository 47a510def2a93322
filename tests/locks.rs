//! Each product's numbers mean what `spec.lock` beside it says was released.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has nothing better to do")]

use tenor_abi::lock::{FILE, Lock};
use tenor_cli::{products, words};

#[test]
fn every_number_of_a_product_is_released_and_means_what_it_meant() {
    for product in products::ALL {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts").join(product.name).join(FILE);
        let released = std::fs::read_to_string(&path).unwrap_or_default();
        let now = Lock::of(&words::spec_of(product.wasm).unwrap()).unwrap();
        let added = Lock::parse(&released).unwrap().additions(&now);
        assert_eq!(added, Ok(vec![]), "see `tenor build contracts/{}`", product.name);
        assert_eq!(
            released,
            now.to_string(),
            "{} is not as `tenor build --release` writes it",
            path.display()
        );
        assert!(now.lines().len() > 40, "{} has hardly a number", product.name);
    }
}
