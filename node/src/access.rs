//! Tokens: who may ask the API for what. A token's secret is shown once; what is kept is its hash.

use crate::folder::{lock_for, replace};
use crate::kept::Kept;
use crate::modes::read_believed;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{Hash, PartyId};
use tenor_wire::crypto::plain_hash;
use tenor_wire::hexadecimal::hex;

const FILE: &str = "tokens.json";
/// Most characters of a token's name.
const NAME_MAX: usize = 100;
/// What every secret begins with, so that it is known for what it is where it should not be.
const PREFIX: &str = "tenor_";

/// What a token allows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Reading what concerns one party; the token names it.
    Customer,
    /// Reading everything.
    Bank,
    /// Handing in signed transactions.
    Submit,
    /// Moving a sandbox's clock, and its faucet.
    Sandbox,
    /// Having receipts sent to a host of the operator's choice; with `bank`.
    Webhooks,
}

impl Scope {
    /// Every scope with its name.
    pub const ALL: [(&'static str, Scope); 5] = [
        ("customer", Scope::Customer),
        ("bank", Scope::Bank),
        ("submit", Scope::Submit),
        ("sandbox", Scope::Sandbox),
        ("webhooks", Scope::Webhooks),
    ];
}

/// A token as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Name that an operator knows it by.
    pub name: String,
    /// Hash of its secret; empty where it has none.
    pub hash: String,
    /// SHA-256 fingerprint of the client's certificate that stands for it, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// Whose objects it sees, where it is a customer's.
    pub party: Option<String>,
    /// When it ends, UTC milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// What is allowed.
    pub scopes: Vec<Scope>,
    /// Whose objects are seen; none sees everything that the scopes allow.
    pub party: Option<PartyId>,
    /// The token; none in an open sandbox.
    pub token: Option<Arc<Token>>,
}

impl Grant {
    /// Everything, for an open sandbox.
    pub fn all() -> Grant {
        Grant { scopes: Scope::ALL.iter().map(|(_, scope)| *scope).collect(), party: None, token: None }
    }
}

fn hash_of(secret: &str) -> Hash {
    plain_hash(&[b"tenor token", secret.as_bytes()])
}

fn load(path: &Path) -> Result<Vec<Token>> {
    match read_believed(path)? {
        Some(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
        }
        None => Ok(vec![]),
    }
}

/// Changes the tokens on the disk, beside whatever else changes them meanwhile. Nothing is written where `change` says
/// no.
fn change(data: &Path, change: impl FnOnce(&mut Vec<Token>) -> Result<()>) -> Result<()> {
    let path = data.join(FILE);
    let _lock = lock_for(&path)?;
    let mut tokens = load(&path)?;
    change(&mut tokens)?;
    replace(&path, serde_json::to_string_pretty(&tokens)?.as_bytes())
}

/// Makes a token and gives its secret, which is nowhere else.
///
/// # Errors
/// When the name is taken, a customer's token names no party or another one does, or the disk says no.
pub fn make(
    data: &Path,
    name: &str,
    scopes: Vec<Scope>,
    party: Option<PartyId>,
    expires_at: Option<Timestamp>,
) -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    let secret = format!("{PREFIX}{}", hex(&bytes));
    add(data, name, scopes, party, expires_at, Shown::Secret(&secret))?;
    Ok(secret)
}

/// Makes a token that a client's certificate stands for; it has no secret.
///
/// # Errors
/// As [`make`], and when the certificate stands for another token.
pub fn make_for_certificate(
    data: &Path,
    name: &str,
    scopes: Vec<Scope>,
    party: Option<PartyId>,
    expires_at: Option<Timestamp>,
    fingerprint: &str,
) -> Result<()> {
    add(data, name, scopes, party, expires_at, Shown::Certificate(fingerprint))
}

/// By what a token is known.
enum Shown<'s> {
    Secret(&'s str),
    Certificate(&'s str),
}

fn add(
    data: &Path,
    name: &str,
    scopes: Vec<Scope>,
    party: Option<PartyId>,
    expires_at: Option<Timestamp>,
    shown: Shown<'_>,
) -> Result<()> {
    if scopes.contains(&Scope::Customer) != party.is_some() {
        bail!("the scope `customer` goes with a party, and a party with it alone");
    }
    let is_banks = |scope: &Scope| matches!(scope, Scope::Bank | Scope::Sandbox | Scope::Webhooks);
    if scopes.contains(&Scope::Customer) && scopes.iter().any(is_banks) {
        bail!("a customer's token allows `customer` and `submit`, nothing else");
    }
    if scopes.is_empty() {
        bail!("a token allows something: name a scope");
    }
    let is_said = name.chars().count() <= NAME_MAX && !name.trim().is_empty();
    if !is_said || name.chars().any(char::is_control) {
        bail!(
            "`{}` is no name for a token: 1 to {NAME_MAX} characters that can be seen are",
            name.escape_debug()
        );
    }
    let (hash, certificate) = match shown {
        Shown::Secret(secret) => (hash_of(secret).to_string(), None),
        Shown::Certificate(fingerprint) => (String::new(), Some(fingerprint.to_string())),
    };
    change(data, |tokens| {
        if tokens.iter().any(|token| token.name == name) {
            bail!("there is a token `{name}` already; end it first, or choose another name");
        }
        let same = |token: &&Token| certificate.is_some() && token.certificate == certificate;
        if let Some(other) = tokens.iter().find(same) {
            bail!("the certificate stands for the token `{}` already", other.name);
        }
        tokens.push(Token {
            name: name.into(),
            hash,
            certificate,
            scopes,
            party: party.map(|party| party.to_string()),
            expires_at_ms: expires_at.map(|end| end.0),
        });
        Ok(())
    })
}

/// The tokens of a data folder.
///
/// # Errors
/// When they cannot be read.
pub fn list(data: &Path) -> Result<Vec<Token>> {
    load(&data.join(FILE))
}

/// Ends a token.
///
/// # Errors
/// When there is none of this name, or the disk says no.
pub fn end(data: &Path, name: &str) -> Result<()> {
    change(data, |tokens| {
        let before = tokens.len();
        tokens.retain(|token| token.name != name);
        if tokens.len() == before {
            let near = crate::near::hint(name, tokens.iter().map(|token| token.name.as_str()));
            bail!("there is no token `{name}`{near}");
        }
        Ok(())
    })
}

/// The tokens as a running node knows them; read again when the file has changed.
pub struct Tokens(Kept<Vec<Arc<Token>>>);

impl Tokens {
    /// The tokens of a data folder.
    ///
    /// # Errors
    /// When they cannot be read, or others than their owner may write them.
    pub fn of(data: &Path) -> Result<Tokens> {
        let read = |path: &Path| Ok(load(path)?.into_iter().map(Arc::new).collect());
        Ok(Tokens(Kept::open(data.join(FILE), read)?))
    }

    /// Why the file as it is now cannot be used; what was in it before goes on counting.
    pub fn wrong(&self) -> Option<String> {
        self.0.wrong()
    }

    /// What a secret allows now; nothing for one that is not known or has ended.
    ///
    /// # Errors
    /// When the token's party is none.
    pub fn grant(&self, secret: &str, now_ms: u64) -> Result<Option<Grant>> {
        let hash = hash_of(secret).to_string();
        self.found(|token| token.hash == hash, now_ms)
    }

    /// What a client's certificate allows now, by its fingerprint; nothing for one that stands for no token.
    ///
    /// # Errors
    /// As [`Tokens::grant`].
    pub fn of_certificate(&self, fingerprint: &str, now_ms: u64) -> Result<Option<Grant>> {
        self.found(|token| token.certificate.as_deref() == Some(fingerprint), now_ms)
    }

    /// What a token allows now by its name; nothing for one that is not there or has ended.
    ///
    /// # Errors
    /// As [`Tokens::grant`].
    pub fn named(&self, name: &str, now_ms: u64) -> Result<Option<Grant>> {
        self.found(|token| token.name == name, now_ms)
    }

    /// Whether a grant is what it was: its token is there, the very same one, and has not ended.
    ///
    /// # Errors
    /// As [`Tokens::grant`].
    pub fn holds(&self, grant: &Grant, now_ms: u64) -> Result<bool> {
        let Some(token) = &grant.token else { return Ok(true) };
        Ok(self.found(|known| known == token.as_ref(), now_ms)?.is_some())
    }

    fn found(&self, is_it: impl Fn(&Token) -> bool, now_ms: u64) -> Result<Option<Grant>> {
        let tokens = self.0.now();
        let found = tokens.iter().find(|token| is_it(token));
        let Some(token) = found.filter(|token| token.expires_at_ms.is_none_or(|end| now_ms < end)) else {
            return Ok(None);
        };
        let party = token.party.as_deref().map(str::parse).transpose()?;
        Ok(Some(Grant { scopes: token.scopes.clone(), party, token: Some(Arc::clone(token)) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_secret_is_shown_once_and_ends_when_it_should() {
        // As the command does it.
        rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
        let folder = tempfile::tempdir().unwrap();
        let party = PartyId([7; 32]);
        let tokens = Tokens::of(folder.path()).unwrap();
        assert_eq!(tokens.grant("tenor_00", 0).unwrap(), None);
        let secret =
            make(folder.path(), "app", vec![Scope::Customer, Scope::Submit], Some(party), Some(Timestamp(9)))
                .unwrap();
        let kept = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!kept.contains(&secret) && !kept.contains(secret.trim_start_matches(PREFIX)), "{kept}");
        let grant = tokens.grant(&secret, 8).unwrap().unwrap();
        assert_eq!((&grant.scopes[..], grant.party), (&[Scope::Customer, Scope::Submit][..], Some(party)));
        assert_eq!(tokens.named("app", 8).unwrap(), Some(grant.clone()));
        assert!(tokens.holds(&grant, 8).unwrap() && !tokens.holds(&grant, 9).unwrap());
        assert_eq!(tokens.named("app", 9).unwrap(), None);
        assert_eq!(tokens.grant(&secret, 9).unwrap(), None);
        assert_eq!(tokens.grant(&secret[1..], 8).unwrap(), None);
        let wrong =
            |scopes: &[Scope], party| make(folder.path(), "app", scopes.to_vec(), party, None).unwrap_err();
        for (scopes, party, said) in [
            (&[Scope::Bank][..], None, "there is a token `app` already"),
            (&[Scope::Customer][..], None, "goes with a party"),
            (&[Scope::Bank][..], Some(party), "goes with a party"),
            (&[Scope::Customer, Scope::Webhooks][..], Some(party), "nothing else"),
            (&[Scope::Customer, Scope::Bank][..], Some(party), "nothing else"),
            (&[][..], None, "name a scope"),
        ] {
            assert!(wrong(scopes, party).to_string().contains(said), "{said}");
        }
        assert!(end(folder.path(), "ap").unwrap_err().to_string().contains("did you mean `app`?"));
        end(folder.path(), "app").unwrap();
        assert_eq!(list(folder.path()).unwrap(), []);
        for name in ["", " ", "a\nb", "a\u{1b}[31m", &"a".repeat(NAME_MAX + 1)] {
            let said = make(folder.path(), name, vec![Scope::Bank], None, None).unwrap_err().to_string();
            assert!(said.contains("is no name for a token") && !said.contains('\n'), "{said}");
        }
        // Another one of its name is another one.
        make(folder.path(), "app", grant.scopes.clone(), Some(party), Some(Timestamp(9))).unwrap();
        assert!(tokens.named("app", 8).unwrap().is_some() && !tokens.holds(&grant, 8).unwrap());
    }
}
