//! What other agreements offer: handles made from interfaces, and what a call of one comes to.

use crate::context::{Cx, View, own};
use crate::contract::Contract;
use crate::host;
use crate::spec::{Field, Shape};
use alloc::vec::Vec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tenor_abi::codec;
use tenor_abi::id::AgreementId;
use tenor_abi::interface::{BASIC, CallAnswer, CallRequest, ENUM, LIST, OPTION, RECORD, SIGNATURE_BYTES_MAX};

/// Another agreement, and the most gas that a call of it may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remote {
    /// The agreement.
    pub agreement: AgreementId,
    /// The most gas of each call; what a call leaves comes back.
    pub gas: u64,
}

/// Why a call of another agreement has no answer. It has left nothing; the call that made it goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// It was refused: by the host with a code below 0x8000, or by the other contract.
    Refused {
        /// Code.
        code: u16,
        /// Data.
        data: Vec<u8>,
    },
    /// It ran out of something or trapped.
    Failed {
        /// Code of the failure.
        code: u16,
    },
}

impl NoAnswer {
    /// The code.
    pub fn code(&self) -> u16 {
        match self {
            NoAnswer::Refused { code, .. } | NoAnswer::Failed { code } => *code,
        }
    }
}

impl Remote {
    /// Calls an action. What the other agreement writes stays only when it answers.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn act<C: Contract, T: DeserializeOwned>(
        &self,
        _cx: &mut Cx<C>,
        signature: &'static [u8],
        arguments: &impl Serialize,
    ) -> Result<T, NoAnswer> {
        self.call(signature, arguments)
    }

    /// Asks a view.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn ask<C: Contract, T: DeserializeOwned>(
        &self,
        _cx: &View<C>,
        signature: &'static [u8],
        arguments: &impl Serialize,
    ) -> Result<T, NoAnswer> {
        self.call(signature, arguments)
    }

    fn call<T: DeserializeOwned>(
        &self,
        signature: &'static [u8],
        arguments: &impl Serialize,
    ) -> Result<T, NoAnswer> {
        let Remote { agreement, gas } = *self;
        let (signature, arguments) = (signature.to_vec(), codec::encode(arguments));
        let request = CallRequest { agreement, signature, arguments, gas };
        match own(&host::call(&codec::encode(&request))) {
            CallAnswer::Done(bytes) => Ok(own(&bytes)),
            CallAnswer::Refused { code, data } => Err(NoAnswer::Refused { code, data }),
            CallAnswer::Failed { code } => Err(NoAnswer::Failed { code }),
        }
    }
}

/// A signature in the making, while compiling.
#[derive(Debug)]
pub struct Signature {
    bytes: [u8; SIGNATURE_BYTES_MAX],
    /// Bytes used.
    pub length: usize,
}

/// The bytes of a signature, cut to their length.
pub const fn cut<const LENGTH: usize>(signature: &Signature) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        bytes[at] = signature.bytes[at];
        at += 1;
    }
    bytes
}

/// The signature of a call, as [`tenor_abi::interface::signature`] makes it of a spec.
///
/// # Panics
/// While compiling, when it grows longer than there may be.
pub const fn signature(kind: u8, name: &str, arguments: &[&Shape], returns: &Shape) -> Signature {
    let mut out = Signature { bytes: [0; SIGNATURE_BYTES_MAX], length: 0 };
    out.byte(kind);
    out.text(name);
    out.number(arguments.len());
    let mut at = 0;
    while at < arguments.len() {
        out.shape(arguments[at]);
        at += 1;
    }
    out.shape(returns);
    out
}

impl Signature {
    const fn byte(&mut self, byte: u8) {
        assert!(self.length < SIGNATURE_BYTES_MAX, "a signature has at most 512 bytes");
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    const fn number(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.byte(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    const fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.number(bytes.len());
        let mut at = 0;
        while at < bytes.len() {
            self.byte(bytes[at]);
            at += 1;
        }
    }

    const fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Basic(basic) => {
                self.byte(BASIC);
                self.number(*basic as usize);
            }
            Shape::Option(of) => {
                self.byte(OPTION);
                self.shape(of);
            }
            Shape::List(of) => {
                self.byte(LIST);
                self.shape(of);
            }
            Shape::Record { name, fields } => {
                self.byte(RECORD);
                self.text(name);
                self.fields(fields);
            }
            Shape::Enum { name, variants } => {
                self.byte(ENUM);
                self.text(name);
                self.number(variants.len());
                let mut at = 0;
                while at < variants.len() {
                    self.text(variants[at]);
                    at += 1;
                }
            }
        }
    }

    const fn fields(&mut self, fields: &[Field]) {
        self.number(fields.len());
        let mut at = 0;
        while at < fields.len() {
            self.text(fields[at].name);
            self.shape(fields[at].shape);
            at += 1;
        }
    }
}
