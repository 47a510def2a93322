//! Signatures of messages, as Standard Webhooks has them: HMAC-SHA256 over id, time and body.
//! Source: Standard Webhooks specification 1.0.0, "Verifying webhook authenticity".

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;

/// What every secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret.
const BYTES: usize = 32;

/// What a receiver and the node share.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The headers of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`, seconds since 1970.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
}

impl Secret {
    /// A new secret.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn random() -> Result<Secret> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        Ok(Secret(format!("{PREFIX}{}", STANDARD.encode(bytes))))
    }

    /// As whoever registered the hook is shown it, once.
    pub fn shown(&self) -> &str {
        &self.0
    }

    /// Signs a message; none when this is no secret, as in a file that was changed by hand.
    pub fn sign(&self, id: &str, at_s: u64, body: &str) -> Option<Signed> {
        let key = STANDARD.decode(self.0.strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{at_s}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        Some(Signed { id: id.into(), timestamp: at_s.to_string(), signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_has_its_signature() {
        let secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
        let signed =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#).unwrap();
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_ne!(Secret::random().unwrap(), Secret::random().unwrap());
        assert_eq!(Secret("changed".into()).sign("msg_1", 1, ""), None);
    }
}
