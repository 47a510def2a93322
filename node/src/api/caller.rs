//! Who asks, and what they may see: the bank everything, a customer what is the customer's own.

use super::Api;
use super::problem::{self, Problem};
use crate::access::{Grant, Scope};
use crate::config::Access;
use crate::hangup::Hangup;
use crate::tls::Peer;
use crate::turns::Who;
use crate::view::authority::Authorities;
use crate::view::reading;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use std::sync::{Arc, OnceLock};
use tenor_abi::id::{AccountId, AgreementId, PartyId};
use tenor_runtime::chain::Chain;
use tenor_runtime::fault::Fault;
use tenor_runtime::state::record::{AccountRecord, AgreementRecord, Holder};
use tenor_wire::block::Item;
use tenor_wire::receipt::FullReceipt;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    grant: Grant,
    /// Whether it is heard when they go.
    pub hangup: Hangup,
}

/// Who is known to have asked, for what becomes of the answer.
#[derive(Clone, Debug, Default)]
pub struct Asker(Arc<OnceLock<Who>>);

impl Asker {
    /// Who asked, where somebody did whose token was looked at.
    pub fn who(&self) -> Option<&Who> {
        self.0.get()
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Caller, Problem> {
        let hangup = parts.extensions.get::<Hangup>().cloned().unwrap_or_default();
        let caller = Caller { grant: grant(parts, api)?, hangup };
        if let Some(Asker(asker)) = parts.extensions.get() {
            // It is the same one each time that it is looked at.
            let _ = asker.set(caller.who());
        }
        Ok(caller)
    }
}

fn grant(parts: &Parts, api: &Api) -> Result<Grant, Problem> {
    let mut all = parts.headers.get_all(header::AUTHORIZATION).iter();
    let shown = all.next().map(|value| value.to_str().unwrap_or_default());
    if all.next().is_some() {
        return Err(Problem::new(
            problem::UNAUTHENTICATED,
            "one `Authorization` is needed, several were sent",
        ));
    }
    // Tokens end by the system's clock, in a sandbox too.
    let now = crate::clock::Clock::system().now();
    let Some(shown) = shown else {
        if let Some(Peer(fingerprint)) = parts.extensions.get() {
            let unknown =
                || Problem::new(problem::UNAUTHENTICATED, "the certificate stands for no token here");
            return api.tokens.of_certificate(fingerprint, now.0)?.ok_or_else(unknown);
        }
        return match api.config.access {
            Access::Open => Ok(Grant::all()),
            Access::Token => Err(Problem::new(problem::UNAUTHENTICATED, "no token was sent")),
        };
    };
    let wrong = || Problem::new(problem::UNAUTHENTICATED, "the token is not known here or has ended");
    // RFC 9110, 11.1: the scheme's case does not matter.
    let (scheme, secret) = shown.split_once(' ').ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(wrong());
    }
    api.tokens.grant(secret, now.0)?.ok_or_else(wrong)
}

impl Caller {
    /// Whose share of the node is used.
    pub fn who(&self) -> Who {
        match self.customer() {
            Some(party) => Who::Customer(party),
            None => Who::Token(self.token().map(String::from)),
        }
    }

    /// The customer who asks; none where it is the bank.
    pub fn customer(&self) -> Option<PartyId> {
        self.grant.party
    }

    /// Name of the token that was shown; none in an open sandbox.
    pub fn token(&self) -> Option<&str> {
        self.grant.token.as_ref().map(|token| token.name.as_str())
    }

    /// Whether what was shown still counts.
    ///
    /// # Errors
    /// When the tokens cannot be read.
    pub fn still_counts(&self, api: &Api) -> anyhow::Result<bool> {
        api.tokens.holds(&self.grant, crate::clock::Clock::system().now().0)
    }

    /// The bank itself, in what the node does by its own.
    pub fn bank() -> Caller {
        Caller { grant: Grant::all(), hangup: Hangup::default() }
    }

    /// Whether everything may be seen.
    pub fn is_bank(&self) -> bool {
        self.grant.scopes.contains(&Scope::Bank)
    }

    /// Whether something may be read at all.
    ///
    /// # Errors
    /// [`problem::NOT_ALLOWED`].
    pub fn may_read(&self) -> Result<(), Problem> {
        match self.is_bank() || self.customer().is_some() {
            true => Ok(()),
            false => Err(Problem::new(problem::NOT_ALLOWED, "the scope `bank` or `customer` is needed")),
        }
    }

    /// Whether a scope is held.
    ///
    /// # Errors
    /// [`problem::NOT_ALLOWED`].
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        let name = Scope::ALL.iter().find(|(_, known)| *known == scope).map_or("?", |(name, _)| name);
        match self.grant.scopes.contains(&scope) {
            true => Ok(()),
            false => Err(Problem::new(problem::NOT_ALLOWED, format!("the scope `{name}` is needed"))),
        }
    }

    /// Whether a party may be seen.
    pub fn sees_party(&self, party: &PartyId) -> bool {
        self.is_bank() || self.customer() == Some(*party)
    }

    /// Whether an agreement may be seen: one that the customer opened, signed, or may do something with.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn sees_agreement(&self, chain: &Chain, id: &AgreementId) -> Result<bool, Fault> {
        let Some(customer) = self.customer() else { return Ok(self.is_bank()) };
        let Some(record) = chain.record::<AgreementRecord>(&id.0)? else { return Ok(false) };
        if record.opened_by == customer || record.signers.contains(&customer) {
            return Ok(true);
        }
        // The contract of an agreement is there, or the state is damaged, which whoever reads more is told.
        let Ok(spec) = reading::spec(chain, &record.code) else { return Ok(false) };
        Authorities::of(chain, &spec, &record).names(&customer)
    }

    /// Whether an account may be seen: a customer's own, and the books of the customer's agreements.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn sees_account(&self, chain: &Chain, id: &AccountId) -> Result<bool, Fault> {
        let Some(customer) = self.customer() else { return Ok(self.is_bank()) };
        let record: Option<AccountRecord> = chain.record(&id.0)?;
        match record.map(|record| record.owner) {
            Some(Holder::Party(owner)) => Ok(owner == customer),
            Some(Holder::Agreement(agreement)) => self.sees_agreement(chain, &agreement),
            None => Ok(false),
        }
    }

    /// Whether an item may be seen: one that the customer signed, or that touches what is the customer's.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn sees_item(&self, chain: &Chain, item: &Item, receipt: &FullReceipt) -> Result<bool, Fault> {
        let Some(customer) = self.customer() else { return Ok(self.is_bank()) };
        let signed = match item {
            Item::Tx(tx) => tx.body.authorisers.iter().any(|by| by.party == customer),
            Item::Due(due) => self.sees_agreement(chain, &due.agreement)?,
            Item::Expiry(_) => false,
        };
        if signed {
            return Ok(true);
        }
        for posting in receipt.entries.iter().flat_map(|entry| &entry.postings) {
            let record: Option<AccountRecord> = chain.record(&posting.account.0)?;
            if record.is_some_and(|record| record.owner == Holder::Party(customer)) {
                return Ok(true);
            }
        }
        for event in &receipt.events {
            if self.sees_agreement(chain, &event.agreement)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
