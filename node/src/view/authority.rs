//! Who may do what with an agreement, by its spec and terms.

use tenor_abi::id::{AccountId, PartyId};
use tenor_abi::spec::{Authority, CallDef, Spec};
use tenor_abi::value::{self, Value};
use tenor_runtime::chain::Chain;
use tenor_runtime::fault::Fault;
use tenor_runtime::state::record::{AccountRecord, AgreementRecord, Holder, RoleRecord, key};

/// Who may make calls of an agreement.
pub struct Authorities<'a> {
    chain: &'a Chain,
    spec: &'a Spec,
    record: &'a AgreementRecord,
    terms: Vec<Value>,
}

impl<'a> Authorities<'a> {
    /// Those of an agreement, by its spec and terms.
    pub fn of(chain: &'a Chain, spec: &'a Spec, record: &'a AgreementRecord) -> Authorities<'a> {
        let terms = value::decode_own_fields(spec, value::terms_of(spec), &record.terms).unwrap_or_default();
        Authorities { chain, spec, record, terms }
    }

    /// Whether the terms name a party as somebody who may do something: a payee who may do nothing is not one of them.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn names(&self, party: &PartyId) -> Result<bool, Fault> {
        let all = self.spec.calls.iter().flat_map(|def| &def.by);
        for by in all.filter(|by| matches!(by, Authority::Owner(_) | Authority::Party(_))) {
            if self.may(by, party)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a party may make a call.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn any(&self, def: &CallDef, party: &PartyId) -> Result<bool, Fault> {
        for by in &def.by {
            if self.may(by, party)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn may(&self, by: &Authority, party: &PartyId) -> Result<bool, Fault> {
        Ok(match by {
            Authority::Anyone => true,
            Authority::Owner(term) => match self.terms.get(usize::from(*term)) {
                Some(Value::Account(account)) => self.owner(account)? == Some(*party),
                _ => false,
            },
            Authority::Party(term) => self.terms.get(usize::from(*term)) == Some(&Value::Party(*party)),
            Authority::Role(role) => {
                let row = key::role(&self.record.bank, party, *role);
                self.chain.record::<RoleRecord>(&row)?.is_some()
            }
        })
    }

    fn owner(&self, account: &AccountId) -> Result<Option<PartyId>, Fault> {
        let record: Option<AccountRecord> = self.chain.record(&account.0)?;
        Ok(record.and_then(|record| match record.owner {
            Holder::Party(party) => Some(party),
            Holder::Agreement(_) => None,
        }))
    }

    /// An authority in words.
    pub fn words(&self, by: &Authority) -> String {
        let term =
            |number: &u16| self.spec.terms.get(usize::from(*number)).map_or("?", |term| term.name.as_str());
        match by {
            Authority::Anyone => "anyone".into(),
            Authority::Owner(number) => format!("the owner of `{}`", term(number)),
            Authority::Party(number) => format!("the party `{}`", term(number)),
            Authority::Role(role) => format!("a {} of the bank", role.name()),
        }
    }
}
