//! Calls between agreements: what is asked, what comes back, and when a contract has a call of a shape.
//!
//! Contracts do not depend on each other; they share interfaces. An interface is a list of signatures, a signature
//! the name, kind and types of one call in bytes. Who calls hands the signature over, and the host compares it with
//! that of the called contract's spec, so that no bytes are ever read as something else.

use crate::codec;
use crate::id::AgreementId;
use crate::spec::{Basic, CallDef, CallKind, Spec, TypeDef, TypeNumber};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Longest signature in bytes.
pub const SIGNATURE_BYTES_MAX: usize = 512;

/// The kinds of calls that an interface can have, by their number in a signature.
pub const VIEW: u8 = 0;
/// An action.
pub const ACTION: u8 = 1;

/// How a type begins in a signature: with the number of a basic one behind it, ...
pub const BASIC: u8 = 0;
/// ... the type inside, ...
pub const OPTION: u8 = 1;
/// ... the type inside, ...
pub const LIST: u8 = 2;
/// ... name, count of fields, and name and type of each, ...
pub const RECORD: u8 = 3;
/// ... or name, count of variants, and the name of each.
pub const ENUM: u8 = 4;

/// Asks an agreement for a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CallRequest {
    /// Which agreement.
    pub agreement: AgreementId,
    /// The signature that its contract must have.
    #[serde(with = "crate::codec::bytes")]
    pub signature: Vec<u8>,
    /// Arguments: their count, then the values.
    #[serde(with = "crate::codec::bytes")]
    pub arguments: Vec<u8>,
    /// The most gas that it may use; what it leaves comes back.
    pub gas: u64,
}

/// What became of a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CallAnswer {
    /// It took effect, and answered.
    Done(#[serde(with = "crate::codec::bytes")] Vec<u8>),
    /// It was refused and left nothing: below 0x8000 by the host, with the bytes of a refusal, from there on by the
    /// contract.
    Refused {
        /// Code.
        code: u16,
        /// Data.
        #[serde(with = "crate::codec::bytes")]
        data: Vec<u8>,
    },
    /// It ran out of something or trapped and left nothing: the code of a [`crate::refusal::Failure`].
    Failed {
        /// Code.
        code: u16,
    },
}

/// The signature of a contract's call; none for calls that no agreement can make, or one longer than there may be.
pub fn signature(spec: &Spec, call: &CallDef) -> Option<Vec<u8>> {
    let kind = match call.kind {
        CallKind::View => VIEW,
        CallKind::Action => ACTION,
        _ => return None,
    };
    let mut out = Signature(alloc::vec![kind]);
    out.text(&call.name)?;
    out.number(call.arguments.len())?;
    for argument in &call.arguments {
        out.ty(spec, argument.ty)?;
    }
    out.ty(spec, call.returns)?;
    Some(out.0)
}

/// The number of the call that a signature means in a spec.
pub fn find(spec: &Spec, asked: &[u8]) -> Option<u16> {
    let name = name_of(asked);
    let same = |call: &CallDef| call.name == name && signature(spec, call).is_some_and(|own| own == asked);
    spec.calls.iter().position(same).and_then(|place| u16::try_from(place).ok())
}

/// The name of the call in a signature, for messages.
pub fn name_of(asked: &[u8]) -> &str {
    let name = || {
        let (length, rest) = asked.get(1..)?.split_first()?;
        core::str::from_utf8(rest.get(..usize::from(*length))?).ok()
    };
    name().unwrap_or("?")
}

struct Signature(Vec<u8>);

impl Signature {
    /// Types nest, and a few of them can name any number: what grows too long is none.
    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        self.0.extend_from_slice(bytes);
        (self.0.len() <= SIGNATURE_BYTES_MAX).then_some(())
    }

    fn number(&mut self, number: usize) -> Option<()> {
        self.push(&codec::encode(&u16::try_from(number).ok()?))
    }

    fn text(&mut self, text: &str) -> Option<()> {
        self.number(text.len())?;
        self.push(text.as_bytes())
    }

    fn ty(&mut self, spec: &Spec, number: TypeNumber) -> Option<()> {
        if Basic::of(number).is_some() {
            self.push(&[BASIC])?;
            return self.number(usize::from(number));
        }
        match spec.own_type(number)? {
            TypeDef::Option(of) => {
                self.push(&[OPTION])?;
                self.ty(spec, *of)
            }
            TypeDef::List(of) => {
                self.push(&[LIST])?;
                self.ty(spec, *of)
            }
            TypeDef::Record { name, fields } => {
                self.push(&[RECORD])?;
                self.text(name)?;
                self.number(fields.len())?;
                fields.iter().try_for_each(|field| {
                    self.text(&field.name)?;
                    self.ty(spec, field.ty)
                })
            }
            TypeDef::Enum { name, variants } => {
                self.push(&[ENUM])?;
                self.text(name)?;
                self.number(variants.len())?;
                variants.iter().try_for_each(|variant| self.text(variant))
            }
        }
    }
}
