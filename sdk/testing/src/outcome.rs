//! What became of a step of a test.

use tenor_abi::refusal::Refusal;
use tenor_abi::spec::CODE_OWN;
use tenor_runtime::execute::Rejection;
use tenor_wire::receipt::{Fate, FullReceipt};

/// What became of a step.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The receipt, or why there is none.
    pub receipt: Result<FullReceipt, Rejection>,
}

impl Outcome {
    /// The receipt of what was done.
    ///
    /// # Panics
    /// When it was refused, failed or rejected, saying why.
    #[track_caller]
    pub fn done(self) -> FullReceipt {
        let receipt = self.receipt.unwrap_or_else(|rejection| panic!("rejected: {rejection}"));
        let why = Refusal::from_data(&receipt.data).map_or_else(String::new, |refusal| refusal.to_string());
        assert_eq!(receipt.receipt.fate, Fate::Done, "code {:#x} {why}", receipt.receipt.code);
        receipt
    }

    /// The host's refusal.
    ///
    /// # Panics
    /// When it was not refused by the host.
    #[track_caller]
    pub fn refusal(self) -> Refusal {
        let receipt = self.receipt.unwrap_or_else(|rejection| panic!("rejected: {rejection}"));
        assert_eq!(receipt.receipt.fate, Fate::Refused, "{receipt:?}");
        Refusal::from_data(&receipt.data)
            .unwrap_or_else(|| panic!("refused by the contract: {:#x}", receipt.receipt.code))
    }

    /// The place of the contract's own refusal in its list.
    ///
    /// # Panics
    /// When it was not refused by the contract.
    #[track_caller]
    pub fn contract_refusal(self) -> u16 {
        let receipt = self.receipt.unwrap_or_else(|rejection| panic!("rejected: {rejection}"));
        assert!(
            receipt.receipt.fate == Fate::Refused && receipt.receipt.code >= CODE_OWN,
            "{:?}",
            receipt.receipt
        );
        receipt.receipt.code - CODE_OWN
    }

    /// The rejection.
    ///
    /// # Panics
    /// When there is a receipt.
    #[track_caller]
    pub fn rejection(self) -> Rejection {
        match self.receipt {
            Err(rejection) => rejection,
            Ok(receipt) => panic!("{:?}", receipt.receipt),
        }
    }
}
