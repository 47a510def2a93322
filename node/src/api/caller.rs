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
use crate::view::receipt::Sight;
use crate::view::refusal::{About, about};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use tenor_abi::entry::Side;
use tenor_abi::id::{AccountId, AgreementId, PartyId, ProposalId};
use tenor_abi::refusal::Refusal;
use tenor_runtime::chain::Chain;
use tenor_runtime::fault::Fault;
use tenor_runtime::state::record::{AccountRecord, AgreementRecord, Holder, ProposalRecord};
use tenor_wire::block::Item;
use tenor_wire::op::{HookOp, Operation};
use tenor_wire::receipt::{BookedPosting, BookedPostings, Entry, EntrySource, Fate, FullReceipt};

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

    /// What may be seen of an item and its receipt: all of one that the customer signed or that was due of the customer's
    /// agreement, besides reasons that are somebody else's; of any other one the entries and events that touch what is
    /// the customer's. None where nothing does.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn sight<'b>(
        &self,
        chain: &Chain,
        item: &'b Item,
        full: &'b FullReceipt,
    ) -> Result<Option<Sight<'b>>, Fault> {
        let Some(customer) = self.customer() else {
            return Ok(self.is_bank().then(|| Sight::whole(item, full)));
        };
        let (is_own, is_told) = match item {
            Item::Tx(tx) => (
                tx.body.authorisers.iter().any(|by| by.party == customer),
                self.sees_why(chain, Some(&tx.body.operation), full)?,
            ),
            Item::Due(due) => {
                (self.sees_agreement(chain, &due.agreement)?, self.sees_why(chain, None, full)?)
            }
            Item::Expiry(_) => (false, true),
        };
        if is_own {
            return Ok(Some(Sight { why: is_told, is_whole: is_told, ..Sight::whole(item, full) }));
        }
        let (mut entries, mut events) = (vec![], vec![]);
        for entry in &full.entries {
            entries.extend(self.part(chain, entry)?);
        }
        for event in &full.events {
            if self.sees_agreement(chain, &event.agreement)? {
                events.push(event.clone());
            }
        }
        if entries.is_empty() && events.is_empty() {
            return Ok(None);
        }
        // What somebody else signed many things with says more than what came of it.
        let is_one = !matches!(item, Item::Tx(tx) if matches!(tx.body.operation, Operation::Batch(_)));
        let is_whole = is_one && is_told && entries == full.entries && events == full.events;
        let full = Cow::Owned(FullReceipt { entries, events, ..full.clone() });
        Ok(Some(Sight { item, full, why: is_told, is_whole }))
    }

    /// What the customer may see of an entry: all where it is of the customer's agreement, or where one side is the
    /// customer's alone; else the postings on the customer's accounts. None where there are none.
    fn part(&self, chain: &Chain, entry: &Entry) -> Result<Option<Entry>, Fault> {
        if let EntrySource::Agreement { agreement, .. } = &entry.source
            && self.sees_agreement(chain, agreement)?
        {
            return Ok(Some(entry.clone()));
        }
        let mut own = BookedPostings::new();
        for posting in &entry.postings {
            if self.sees_account(chain, &posting.account)? {
                own.push(*posting);
            }
        }
        let of =
            |postings: &[BookedPosting], side| postings.iter().filter(|posting| posting.side == side).count();
        let is_side = |side| of(&own, side) > 0 && of(&own, side) == of(&entry.postings, side);
        if is_side(Side::Debit) || is_side(Side::Credit) {
            return Ok(Some(entry.clone()));
        }
        Ok((!own.is_empty()).then(|| Entry { postings: own, ..entry.clone() }))
    }

    /// Whether it may be told why a receipt says no, which may be somebody else's: a payee's limits are not the payer's
    /// to know.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn sees_why(
        &self,
        chain: &Chain,
        operation: Option<&Operation>,
        full: &FullReceipt,
    ) -> Result<bool, Fault> {
        if self.is_bank() || full.receipt.fate == Fate::Done {
            return Ok(true);
        }
        if let Some(operation) = operation
            && !self.sees_subject(chain, operation)?
        {
            return Ok(false);
        }
        let refusal = Refusal::from_data(&full.data).filter(|refusal| refusal.code() == full.receipt.code);
        match refusal.map_or(About::Nobody, |refusal| about(&refusal)) {
            About::Nobody => Ok(true),
            About::Account(account) => self.sees_account(chain, &account),
            About::Product => Ok(false),
        }
    }

    /// Whether the agreement or the proposal that an operation is about may be seen; where it is about none, it may.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn sees_subject(&self, chain: &Chain, operation: &Operation) -> Result<bool, Fault> {
        match operation {
            Operation::Invoke(op) | Operation::Sign(op) => self.sees_agreement(chain, &op.seen.agreement),
            Operation::Grant(op) => self.sees_agreement(chain, &op.seen.agreement),
            Operation::Hook(HookOp { hook: Some(seen), .. }) => self.sees_agreement(chain, &seen.agreement),
            Operation::Propose(op) => self.sees_subject(chain, &op.operation),
            Operation::Approve(id) | Operation::Withdraw(id) => self.sees_proposal(chain, id),
            _ => Ok(true),
        }
    }

    /// Whether an open proposal may be seen: by the bank, and by who made it about what may be seen.
    ///
    /// # Errors
    /// [`Fault`] of the store.
    pub fn sees_proposal(&self, chain: &Chain, id: &ProposalId) -> Result<bool, Fault> {
        let Some(customer) = self.customer() else { return Ok(self.is_bank()) };
        match chain.record::<ProposalRecord>(&id.0)? {
            Some(record) if record.proposer == customer => self.sees_subject(chain, &record.operation),
            _ => Ok(false),
        }
    }
}
