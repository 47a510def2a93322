//! What there is to see: balances, states, events, views, blocks.

use super::{Bank, decoded, fields};
use tenor_abi::event::{Event, EventBody};
use tenor_abi::id::{AccountId, AgreementId, AssetId, CodeHash};
use tenor_abi::money::Decimal;
use tenor_abi::spec::Spec;
use tenor_runtime::chain::Replica;
use tenor_runtime::state::record::{AccountRecord, AgreementRecord, ContractRecord};
use tenor_wire::block::Block;
use tenor_wire::op::account_id;
use tenor_wire::receipt::{Entry, Fate};

impl Bank {
    /// What an account holds, as a decimal number.
    pub fn balance(&self, account: AccountId) -> String {
        let record = self.account_record(account);
        Decimal(record.balance(), record.currency.scale).to_string()
    }

    /// What a book of an agreement holds, as a decimal number.
    pub fn book(&self, agreement: AgreementId, asset: AssetId, name: &str) -> String {
        self.balance(account_id(&agreement.0, &asset, name))
    }

    fn account_record(&self, account: AccountId) -> AccountRecord {
        let record = self.chain.record(&account.0).unwrap_or_else(|fault| panic!("{fault}"));
        record.unwrap_or_else(|| panic!("there is no {account}"))
    }

    /// The name of an agreement's lifecycle state.
    pub fn state(&self, agreement: AgreementId) -> String {
        let record = self.agreement(agreement);
        self.spec(&record.code).state_name(record.state).to_string()
    }

    /// The names of the contract's own events of an agreement, in order.
    pub fn events(&self, agreement: AgreementId) -> Vec<String> {
        let spec = self.spec(&self.agreement(agreement).code);
        let all =
            self.blocks().into_iter().flat_map(|block| block.receipts).flat_map(|receipt| receipt.events);
        all.filter(|event| event.agreement == agreement)
            .filter_map(|event| match event.body {
                EventBody::Contract { number, .. } => {
                    spec.events.get(usize::from(number)).map(|def| def.name.clone())
                }
                _ => None,
            })
            .collect()
    }

    /// Asks a view without arguments; the answer's type is the view's.
    ///
    /// # Panics
    /// When the view refuses or fails.
    #[track_caller]
    pub fn view<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        agreement: AgreementId,
        name: &str,
    ) -> T {
        self.view_with(agreement, name, &[])
    }

    /// Asks a view with arguments given one by one in canonical bytes.
    ///
    /// # Panics
    /// When the view refuses or fails.
    #[track_caller]
    pub fn view_with<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        agreement: AgreementId,
        name: &str,
        arguments: &[Vec<u8>],
    ) -> T {
        let spec = self.spec(&self.agreement(agreement).code);
        let view = spec.call(name).unwrap_or_else(|| panic!("there is no view `{name}`"));
        let answer = self
            .chain
            .view(agreement, name, &fields(&spec, view, arguments))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        decoded(&answer)
    }

    /// Every block so far.
    pub fn blocks(&self) -> Vec<Block> {
        (0..=self.chain.tip().height)
            .filter_map(|height| self.chain.block(height).unwrap_or_else(|fault| panic!("{fault}")))
            .collect()
    }

    /// What every item came to, gas apart: fate, code, data, entries, events.
    #[allow(clippy::type_complexity)]
    pub fn trace(&self) -> Vec<(Fate, u16, Vec<u8>, Vec<Entry>, Vec<Event>)> {
        let receipts = self.blocks().into_iter().flat_map(|block| block.receipts);
        receipts
            .map(|full| (full.receipt.fate, full.receipt.code, full.data, full.entries, full.events))
            .collect()
    }

    pub(super) fn agreement(&self, id: AgreementId) -> AgreementRecord {
        let record = self.chain.record(&id.0).unwrap_or_else(|fault| panic!("{fault}"));
        record.unwrap_or_else(|| panic!("there is no {id}"))
    }

    pub(super) fn spec(&self, code: &CodeHash) -> Spec {
        let record: Option<ContractRecord> =
            self.chain.record(&code.0).unwrap_or_else(|fault| panic!("{fault}"));
        decoded(&record.unwrap_or_else(|| panic!("there is no {code}")).spec)
    }
}
