//! The functions of the client core: bytes and JSON in, bytes and JSON out.

use crate::json::{JsonError, from_json, hex, quoted, to_json};
use crate::module;
use tenor_abi::codec::{self, CodecError};
use tenor_abi::id::Hash;
use tenor_abi::refusal::{Failure, Refusal};
use tenor_abi::spec::TypeNumber;
use tenor_abi::value::{self, Value, ValueError};
use tenor_wire::crypto::{PublicKey, SECP256K1, SecretKey, Signature, SignatureError};
use tenor_wire::op::{OpenOp, Operation, Published};
use tenor_wire::proof::{
    BUNDLE_BYTES_MAX, Bundle, Checkpoint, ProofError, STATE_BUNDLE_VERSION, StateBundle,
};
use tenor_wire::receipt::{BatchOutcome, Fate, FullReceipt};
use tenor_wire::shown::show;
use tenor_wire::tx::{Body, FormError, TRANSACTION_BYTES_MAX, Transaction};

/// Bytes of a secret key.
pub const SECRET_BYTES: usize = 32;
/// Bytes of a signature: r and s, big-endian, s in the lower half of the order.
pub const SIGNATURE_BYTES: usize = 64;

/// Why a function has no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CoreError {
    /// The bytes are not what the function takes.
    #[error("the {what}: {why}")]
    Bytes {
        /// What was given.
        what: &'static str,
        /// Why not.
        why: CodecError,
    },
    /// An argument has another length.
    #[error("the {what} has {given} bytes, {needed} are needed")]
    Length {
        /// What was given.
        what: &'static str,
        /// Bytes given.
        given: usize,
        /// Bytes needed.
        needed: usize,
    },
    /// Not UTF-8.
    #[error("the {0} is no text")]
    Text(&'static str),
    /// JSON that does not fit.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// 32 bytes that are zero or not below the order of the curve; other entropy gives a key.
    #[error("these 32 bytes are no secret key; draw others")]
    Secret,
    /// A key or signature that does not count.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A transaction that could never run.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A bundle that shows nothing.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Nothing that a contract explains.
    #[error("the body asks nothing of a contract")]
    NoContract,
    /// The bytes are not what the body names by its hash.
    #[error("the module is not the one that the body names")]
    OtherModule,
    /// A module that does not say what it is.
    #[error("the module has no spec that explains the body")]
    NoSpec,
    /// Terms or arguments that are none.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A request that is not one.
    #[error("{given} arguments given, {needed} needed")]
    Arguments {
        /// Arguments given.
        given: usize,
        /// Arguments needed.
        needed: usize,
    },
}

type Answer = Result<Vec<u8>, CoreError>;

/// What a body says to a contract, as JSON: the contract's name, the agreement (of an opening: the one that it makes), the
/// call, its terms or arguments by name. They are read by the spec of the module that the body itself names by its hash,
/// whoever gave it.
///
/// `published` is the canonical bytes of [`Published`].
///
/// # Errors
/// [`CoreError::NoContract`], [`CoreError::OtherModule`], [`CoreError::NoSpec`], [`CoreError::Value`].
pub fn explain(published: &[u8], body: &[u8]) -> Answer {
    let published: Published = decode("module", published)?;
    let body: Body = decode("body", body)?;
    let (named, agreement, call, bytes) = match &body.operation {
        Operation::Open(op) => (op.code, OpenOp::agreement(&Hash(body.id().0)), None, &op.terms),
        Operation::Invoke(op) | Operation::Sign(op) => {
            (op.seen.code, op.seen.agreement, Some(op.call), &op.arguments)
        }
        _ => return Err(CoreError::NoContract),
    };
    if Published::code(&published.bank, &published.wasm) != named {
        return Err(CoreError::OtherModule);
    }
    let spec = module::spec(&published.wasm).ok_or(CoreError::NoSpec)?;
    let def = match call {
        Some(number) => Some(spec.calls.get(usize::from(number)).ok_or(CoreError::NoSpec)?),
        None => None,
    };
    let fields: Vec<(&str, TypeNumber)> = match def {
        Some(def) => value::fields_of(&def.arguments).collect(),
        None => value::terms_of(&spec).collect(),
    };
    let values = value::decode_fields(&spec, fields.iter().copied(), bytes)?;
    let said = fields.iter().zip(&values).map(|((name, ty), value)| {
        let said = match value {
            Value::Option(None) => "null".into(),
            value => quoted(&show(&spec, *ty, value)),
        };
        format!("{}:{said}", quoted(name))
    });
    let said = said.collect::<Vec<_>>().join(",");
    let contract = quoted(&format!("{}@{}", spec.name, spec.version));
    let call = def.map_or("null".into(), |def| quoted(&def.name));
    let agreement = to_json(&agreement)?;
    let answer = format!(
        "{{\"contract\":{contract},\"agreement\":{agreement},\"call\":{call},\"values\":{{{said}}}}}"
    );
    Ok(answer.into_bytes())
}

/// The public key (34 bytes: algorithm, parity, x) of a secret one.
///
/// # Errors
/// [`CoreError::Length`], [`CoreError::Secret`]: also how a caller finds out whether entropy makes a key.
pub fn public_key(secret: &[u8]) -> Answer {
    Ok(codec::encode(&secret_key(secret)?.public()))
}

/// The canonical bytes of a body that is given as JSON.
///
/// # Errors
/// [`CoreError::Json`] naming what does not fit.
pub fn encode_body(json: &[u8]) -> Answer {
    let json = std::str::from_utf8(json).map_err(|_| CoreError::Text("body"))?;
    Ok(codec::encode(&from_json::<Body>(json)?))
}

/// A body as JSON, with the transaction's id: what somebody is shown before they sign.
///
/// # Errors
/// [`CoreError::Bytes`] where the bytes are not the one form of a body.
pub fn decode_body(body: &[u8]) -> Answer {
    let body: Body = decode("body", body)?;
    Ok(format!("{{\"id\":{},\"body\":{}}}", to_json(&body.id())?, to_json(&body)?).into_bytes())
}

/// What is signed of a body: its tagged hash, 32 bytes, which is the transaction's id.
///
/// # Errors
/// As [`decode_body`].
pub fn digest(body: &[u8]) -> Answer {
    Ok(decode::<Body>("body", body)?.id().0.to_vec())
}

/// Signs a body: 64 bytes, the same each time.
///
/// # Errors
/// [`CoreError::Length`], [`CoreError::Secret`]; as [`decode_body`]: what cannot be shown is not signed.
pub fn sign(secret: &[u8], body: &[u8]) -> Answer {
    let key = secret_key(secret)?;
    let Signature { r, s, .. } = key.sign(&Hash(decode::<Body>("body", body)?.id().0));
    Ok([r, s].concat())
}

/// Checks a signature of 64 bytes over a digest of 32 by a public key of 34; the answer is empty.
///
/// # Errors
/// [`CoreError::Signature`]: which rule it breaks.
pub fn verify_signature(public: &[u8], digest: &[u8], signature: &[u8]) -> Answer {
    let public: PublicKey = decode("public key", public)?;
    let digest = Hash(fixed("digest", digest)?);
    public.verifier()?.verify(&digest, &signature_of(signature)?)?;
    Ok(vec![])
}

/// The bytes of a transaction: a body, and the signatures of its authorisers in their order, 64 bytes each.
///
/// # Errors
/// As [`decode_body`]; [`CoreError::Form`] where it could never run.
pub fn assemble(body: &[u8], signatures: &[u8]) -> Answer {
    let body: Body = decode("body", body)?;
    let signatures = signatures.chunks(SIGNATURE_BYTES).map(signature_of).collect::<Result<_, _>>()?;
    let chain = body.chain;
    let transaction = Transaction { body, signatures };
    transaction.check_form(chain)?;
    Ok(transaction.to_bytes())
}

/// A transaction as JSON, with its id and the bytes of its body.
///
/// # Errors
/// [`CoreError::Form`] where the bytes are no transaction that could run.
pub fn decode_transaction(bytes: &[u8]) -> Answer {
    let transaction = Transaction::from_bytes(bytes)?;
    transaction.check_form(transaction.body.chain)?;
    let (id, body) = (to_json(&transaction.id())?, to_json(&transaction.body)?);
    let (bytes, signatures) = (hex(&codec::encode(&transaction.body)), to_json(&transaction.signatures)?);
    Ok(format!("{{\"id\":{id},\"body\":{body},\"body_bytes\":\"{bytes}\",\"signatures\":{signatures}}}")
        .into_bytes())
}

/// A checkpoint as JSON.
///
/// # Errors
/// [`CoreError::Bytes`].
pub fn decode_checkpoint(checkpoint: &[u8]) -> Answer {
    Ok(to_json(&decode::<Checkpoint>("checkpoint", checkpoint)?)?.into_bytes())
}

/// Verifies a proof bundle, of a receipt or of what state held, against a checkpoint. The answer is JSON of what it
/// shows, and the bytes of the checkpoint to trust from now on: the newer of the two headers.
///
/// # Errors
/// [`CoreError::Proof`]: the first link that does not hold.
pub fn verify_bundle(checkpoint: &[u8], bundle: &[u8]) -> Answer {
    let trusted: Checkpoint = decode("checkpoint", checkpoint)?;
    let (header, shown) = match bundle.first() {
        Some(&STATE_BUNDLE_VERSION) => {
            let bundle = StateBundle::from_bytes(bundle)?;
            let record = bundle.verify(&trusted)?.record.map(hex);
            let record = record.map_or("null".into(), |record| quoted(&record));
            let shown = format!("\"kind\":\"state\",\"key\":\"{}\",\"record\":{record}", hex(&bundle.key));
            (bundle.header, shown)
        }
        _ => {
            let bundle = Bundle::from_bytes(bundle)?;
            bundle.verify(&trusted)?;
            let (item, index) = (to_json(&bundle.item)?, bundle.receipt_proof.index);
            let receipt = receipt_json(&bundle.receipt)?;
            let shown =
                format!("\"kind\":\"receipt\",\"index\":{index},\"item\":{item},\"receipt\":{receipt}");
            (bundle.header, shown)
        }
    };
    let header_json = to_json(&header)?;
    let newer = match header.height > trusted.header.height {
        true => Checkpoint { header, validators: trusted.validators },
        false => trusted,
    };
    let newer = hex(&codec::encode(&newer));
    Ok(format!("{{{shown},\"header\":{header_json},\"checkpoint\":\"{newer}\"}}").into_bytes())
}

/// A receipt of canonical bytes as JSON, with what a refusal says. It is as good as whoever gave it: only a bundle
/// shows anything.
///
/// # Errors
/// [`CoreError::Bytes`].
pub fn decode_receipt(receipt: &[u8]) -> Answer {
    Ok(receipt_json(&decode("receipt", receipt)?)?.into_bytes())
}

fn receipt_json(full: &FullReceipt) -> Result<String, CoreError> {
    let said = match full.receipt.fate {
        Fate::Refused => refusal_json(&full.data)?,
        Fate::Failed => Failure::of(full.receipt.code).map(|failure| quoted(failure.name())),
        Fate::Done => None,
    };
    let batch = match codec::decode::<BatchOutcome>(&full.data, full.data.len()) {
        Ok(outcome) if full.receipt.fate == Fate::Done && !outcome.transfers.is_empty() => {
            batch_json(&outcome)?
        }
        _ => "null".into(),
    };
    let said = said.unwrap_or("null".into());
    Ok(format!("{{\"full\":{},\"reason\":{said},\"batch\":{batch}}}", to_json(full)?))
}

fn batch_json(outcome: &BatchOutcome) -> Result<String, CoreError> {
    let mut transfers = vec![];
    for transfer in &outcome.transfers {
        let said = refusal_json(&transfer.data)?.unwrap_or("null".into());
        transfers.push(format!("{{\"outcome\":{},\"reason\":{said}}}", to_json(transfer)?));
    }
    Ok(format!("[{}]", transfers.join(",")))
}

/// A refusal of the host as JSON; none where the data is the contract's own.
fn refusal_json(data: &[u8]) -> Result<Option<String>, CoreError> {
    let Some(refusal) = Refusal::from_data(data) else { return Ok(None) };
    let (name, iso, code) = (refusal.name(), refusal.iso20022(), refusal.code());
    let (text, values) = (quoted(&refusal.to_string()), to_json(&refusal)?);
    Ok(Some(format!(
        "{{\"name\":\"{name}\",\"code\":{code},\"iso20022\":\"{iso}\",\"text\":{text},\"values\":{values}}}"
    )))
}

fn decode<T: serde::Serialize + serde::de::DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, CoreError> {
    let limit = BUNDLE_BYTES_MAX.max(TRANSACTION_BYTES_MAX);
    codec::decode(bytes, limit).map_err(|why| CoreError::Bytes { what, why })
}

fn fixed<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], CoreError> {
    bytes.try_into().map_err(|_| CoreError::Length { what, given: bytes.len(), needed: N })
}

fn secret_key(secret: &[u8]) -> Result<SecretKey, CoreError> {
    SecretKey::from_bytes(&fixed::<SECRET_BYTES>("secret key", secret)?).ok_or(CoreError::Secret)
}

fn signature_of(bytes: &[u8]) -> Result<Signature, CoreError> {
    let [r, s] = *fixed::<SIGNATURE_BYTES>("signature", bytes)?.as_chunks::<32>().0 else {
        return Err(CoreError::Length { what: "signature", given: bytes.len(), needed: SIGNATURE_BYTES });
    };
    Ok(Signature { algorithm: SECP256K1, r, s })
}
