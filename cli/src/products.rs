//! The bank's products, built to wasm with the command.

/// A product that the command carries.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Name of its crate.
    pub name: &'static str,
    /// Its module.
    pub wasm: &'static [u8],
}

macro_rules! products {
    ($($name:literal),*) => {
        /// Every product.
        pub const ALL: &[Product] = &[$(Product {
            name: $name,
            wasm: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".wasm")),
        }),*];
    };
}
products!("recurring", "loan", "loyalty");

/// A product by the name of its crate.
pub fn find(name: &str) -> Option<&'static Product> {
    ALL.iter().find(|product| product.name == name)
}
