//! Every limit that contracts and their host share, in one place. Changing one changes the protocol.

/// Largest amount of one posting, in minor units.
pub const AMOUNT_MAX: u128 = 10u128.pow(30);
/// Largest value of an account counter, in minor units.
pub const COUNTER_MAX: u128 = 10u128.pow(36);
