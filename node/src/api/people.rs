//! Parties and their keys as JSON: who is enrolled, with which key, and what that may move.

use super::operation::{Asking, currency, instant, minor};
use super::problem::Problem;
use serde::{Deserialize, Serialize};
use tenor_abi::codec;
use tenor_abi::id::{AssetId, Hash, PartyId};
use tenor_wire::crypto::PublicKey;
use tenor_wire::hexadecimal::unhex;
use tenor_wire::op::{KeyDef, KeyLimit, KeyRole, PartyKind, PartyOp};
use utoipa::ToSchema;

/// What a public key is as text.
const KEY_TEXT: &str = "34 bytes in hexadecimal: algorithm, parity and x of a point of the curve";

/// A key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAsked {
    /// 34 bytes in hexadecimal: algorithm, parity and x.
    public_key: String,
    /// Where it lives: `device`, `staff` or `hsm`.
    #[serde(default = "device")]
    place: String,
    /// When it ends.
    expires_at: Option<String>,
    /// What it may move, and nothing of other assets; everything where it is not given.
    limits: Option<Vec<LimitAsked>>,
}

/// The most that a key may move of an asset.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitAsked {
    /// The asset.
    asset: String,
    /// In one transaction, like "100.00 EUR".
    per_payment: String,
    /// On one business day, like "500.00 EUR".
    per_day: String,
}

/// A party.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartyAsked {
    /// Its id; opaque and random. One is made where none is given.
    party: Option<String>,
    /// Bank that knows the party.
    home: String,
    /// `person` or `organisation`.
    #[serde(default = "person")]
    kind: String,
    /// The bank's keyed hash of the person, 32 bytes in hexadecimal: one person, one value.
    person: String,
    /// Salted commitment to the name, 32 bytes in hexadecimal.
    name: String,
    /// Its first key, number 0.
    key: KeyAsked,
}

fn device() -> String {
    "device".into()
}

fn person() -> String {
    "person".into()
}

/// A public key out of its text.
///
/// # Errors
/// [`super::problem::BAD_FIELD`].
pub fn public_key(text: &str) -> Result<PublicKey, Problem> {
    let wrong = || Problem::field("public_key", KEY_TEXT).given(text, KEY_TEXT);
    let bytes = unhex(text).ok_or_else(wrong)?;
    let public: PublicKey = codec::decode(&bytes, bytes.len()).map_err(|_| wrong())?;
    public.verifier().map_err(|_| wrong())?;
    Ok(public)
}

fn one_of<T: Copy>(field: &str, given: &str, known: &[(&str, T)]) -> Result<T, Problem> {
    let found = known.iter().find(|(name, _)| *name == given);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        Problem::field(field, "it is none of what is possible").given(given, names.join(", "))
    })
}

fn hash(field: &str, text: &str) -> Result<Hash, Problem> {
    let bytes = unhex(text).and_then(|bytes| bytes.try_into().ok());
    let possible = "32 bytes in hexadecimal";
    bytes.map(Hash).ok_or_else(|| Problem::field(field, possible).given(text, possible))
}

impl Asking<'_> {
    /// A key as it is enrolled.
    ///
    /// # Errors
    /// [`super::problem::BAD_FIELD`], [`super::problem::BAD_ID`].
    pub fn key(&self, asked: &KeyAsked) -> Result<KeyDef, Problem> {
        let places = [("device", KeyRole::Device), ("staff", KeyRole::Staff), ("hsm", KeyRole::Hsm)];
        let ends = asked.expires_at.as_deref().map(|text| instant("expires_at", text));
        let limits = asked.limits.as_ref().map(|limits| {
            let mut limits =
                limits.iter().map(|limit| self.limit(limit)).collect::<Result<Vec<_>, Problem>>()?;
            limits.sort_by_key(|limit| limit.asset);
            Ok::<_, Problem>(limits)
        });
        Ok(KeyDef {
            public: public_key(&asked.public_key)?,
            role: one_of("place", &asked.place, &places)?,
            expires_at: ends.transpose()?,
            limits: limits.transpose()?,
        })
    }

    fn limit(&self, asked: &LimitAsked) -> Result<KeyLimit, Problem> {
        let asset: AssetId = self.0.id("asset", &asked.asset)?;
        let currency = currency(self.0, &asset)?;
        let whose = format!("{asset} is");
        let amount = |field, text| minor(field, text, currency, &whose);
        let (per_payment, per_day) =
            (amount("per_payment", &asked.per_payment)?, amount("per_day", &asked.per_day)?);
        Ok(KeyLimit { asset, per_payment, per_day })
    }

    /// A party as it is enrolled.
    ///
    /// # Errors
    /// As [`Asking::key`].
    pub fn party(&self, asked: &PartyAsked) -> Result<PartyOp, Problem> {
        let kinds = [("person", PartyKind::Person), ("organisation", PartyKind::Organisation)];
        Ok(PartyOp {
            party: match &asked.party {
                Some(text) => super::reading::id(text)?,
                None => PartyId(super::sandbox::random()?),
            },
            home: self.0.id("party", &asked.home)?,
            kind: one_of("kind", &asked.kind, &kinds)?,
            person: hash("person", &asked.person)?,
            name: hash("name", &asked.name)?,
            key: self.key(&asked.key)?,
        })
    }
}
