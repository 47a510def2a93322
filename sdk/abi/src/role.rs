//! Roles that bank staff hold at a bank.

use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// What a member of staff may do at a bank. Append only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Offers and services loans.
    LoanOfficer,
    /// Approves what a loan officer may not do alone.
    CreditManager,
    /// Parties, keys, accounts, calendars.
    Operations,
    /// Reads everything, changes nothing.
    Auditor,
    /// Publishes products.
    ProductManager,
    /// Freezes accounts and frees them, together with operations.
    Compliance,
}

impl Role {
    /// Every role, in order of its number.
    pub const ALL: [Role; 6] = [
        Role::LoanOfficer,
        Role::CreditManager,
        Role::Operations,
        Role::Auditor,
        Role::ProductManager,
        Role::Compliance,
    ];

    /// The role's name as operators write it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::LoanOfficer => "loan_officer",
            Role::CreditManager => "credit_manager",
            Role::Operations => "operations",
            Role::Auditor => "auditor",
            Role::ProductManager => "product_manager",
            Role::Compliance => "compliance",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text is no role's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "not a role; roles are loan_officer, credit_manager, operations, auditor, product_manager, compliance"
)]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Role, UnknownRole> {
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}
