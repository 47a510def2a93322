//! Operations as JSON: ids and amounts as texts, arguments by the spec of the contract.

use super::people::{KeyAsked, PartyAsked};
use super::problem::Problem;
use super::reading::{Reader, id};
use crate::near;
use crate::view::{Missing, reading, words};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Document};
use tenor_abi::codec;
use tenor_abi::date::Timestamp;
use tenor_abi::id::{AccountId, AgreementId, AssetId, CodeHash, HoldId, PartyId, ProposalId};
use tenor_abi::money::{Code, Currency};
use tenor_abi::spec::{Basic, CallKind, FieldDef, Period, Spec, TypeDef, TypeNumber};
use tenor_abi::text::{amount_and_code, default_of, type_name};
use tenor_abi::value::{self, Value};
use tenor_runtime::state::record::{AccountRecord, AssetRecord};
use tenor_wire::hexadecimal::unhex;
use tenor_wire::op::{
    AccountKind, AccountOp, BatchOp, CaptureOp, GrantOp, HoldLineOp, HoldOp, InvokeOp, KeyChange, KeyNumber,
    KeyOp, OpenOp, Operation, ProposeOp, RevokeOp, Seen, Spend, TransferOp,
};
use utoipa::ToSchema;

/// Most bytes of an operation that is given as bytes.
const OPERATION_BYTES_MAX: usize = 1024 * 1024;

/// What to do.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Asked {
    /// Moves money from one account to another.
    Transfer {
        /// Account that pays; the actor's.
        from: String,
        /// Account that receives.
        to: String,
        /// Amount with its currency, like "12.50 EUR".
        amount: String,
    },
    /// Moves money many times under one signature, each on its own.
    Batch {
        /// The transfers in their order.
        transfers: Vec<TransferAsked>,
    },
    /// Sets money aside.
    Hold {
        /// Lines, all or none.
        lines: Vec<TransferAsked>,
        /// Last instant at which it can be captured.
        expires_at: String,
    },
    /// Pays out of a hold.
    Capture {
        /// The hold.
        hold: String,
        /// How much of which account's line; nothing named means all that is left.
        #[serde(default)]
        parts: Vec<SpendAsked>,
        /// Whether what is left after it is released.
        last: bool,
    },
    /// Gives back what a hold set aside.
    Release {
        /// The hold.
        hold: String,
    },
    /// Opens an agreement under a contract.
    Open {
        /// Code of the contract.
        contract: String,
        /// Terms by name; what is not given takes its default.
        #[serde(default)]
        #[schema(value_type = Object)]
        terms: Map<String, Document>,
    },
    /// Invokes an action of an agreement, or its signing call.
    Invoke {
        /// The agreement.
        agreement: String,
        /// Name of the call.
        call: String,
        /// Arguments by name.
        #[serde(default)]
        #[schema(value_type = Object)]
        arguments: Map<String, Document>,
    },
    /// Opens an account of the actor's or, by staff, of a party's.
    Account {
        /// Whose.
        owner: String,
        /// In what.
        asset: String,
        /// For what: 1 to 16 of `a-z 0-9 -`.
        purpose: String,
    },
    /// Enrols a party with its first key. By operations staff, two of them outside a sandbox.
    Party(PartyAsked),
    /// Enrols a key of a party. Outside a sandbox operations staff of the home bank signs with the party.
    AddKey {
        /// Whose.
        party: String,
        /// Its number, 0 to 63; not one that was used.
        number: KeyNumber,
        /// The key.
        key: KeyAsked,
    },
    /// Ends a key for good. By the party, or by staff.
    RevokeKey {
        /// Whose.
        party: String,
        /// Its number.
        number: KeyNumber,
    },
    /// Enrols a key and ends every other one of the party: after a device was lost. By operations staff, two of them
    /// outside a sandbox.
    RecoverKey {
        /// Whose.
        party: String,
        /// Its number, 0 to 63; not one that was used.
        number: KeyNumber,
        /// The key.
        key: KeyAsked,
    },
    /// Allows an agreement to debit an account.
    Grant {
        /// Which agreement.
        agreement: String,
        /// Which account.
        account: String,
        /// Most per entry.
        per_entry: String,
        /// Most per period.
        per_period: String,
        /// `day`, `week`, `month`, `year` or `lifetime`.
        period: String,
    },
    /// Takes back a grant.
    Revoke {
        /// Of which agreement.
        agreement: String,
        /// On which account.
        account: String,
    },
    /// Proposes what a second person must approve.
    Propose {
        /// What to do once approved.
        #[schema(no_recursion)]
        operation: Box<Asked>,
        /// Until when it waits.
        expires_at: String,
        /// The most that accounts of the proposer may lose by it.
        #[serde(default)]
        spend_max: Vec<SpendAsked>,
    },
    /// Approves a proposal, which carries it out.
    Approve {
        /// The proposal.
        proposal: String,
    },
    /// Withdraws a proposal.
    Withdraw {
        /// The proposal.
        proposal: String,
    },
    /// Any operation in its canonical bytes.
    Bytes {
        /// Hexadecimal.
        hex: String,
    },
}

/// A transfer, or a line of a hold.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferAsked {
    /// Account that pays.
    pub from: String,
    /// Account that receives.
    pub to: String,
    /// Amount with its currency.
    pub amount: String,
}

/// The most that an account may lose.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpendAsked {
    /// The account.
    pub account: String,
    /// Amount with its currency.
    pub amount: String,
}

/// What may be asked of the chain while an operation is read; a customer is told nothing about what others have.
pub struct Asking<'r>(pub &'r Reader);

impl Asking<'_> {
    /// The operation, and what its signers allow where nobody says: what the operation itself pays.
    ///
    /// # Errors
    /// [`problem::BAD_FIELD`], [`problem::BAD_ID`], [`problem::MISSING`].
    pub fn operation(&self, asked: &Asked, gas_limit: u64) -> Result<(Operation, Vec<Spend>), Problem> {
        let plain = |operation| Ok((operation, vec![]));
        match asked {
            Asked::Transfer { from, to, amount } => {
                let line = self.line(from, to, amount)?;
                let HoldLineOp { from, to, amount } = line;
                let op = TransferOp { from, to, amount, narrative: None, reference: None };
                Ok((Operation::Transfer(op), vec![Spend { account: from, amount }]))
            }
            Asked::Batch { transfers } => {
                let lines = self.lines(transfers)?;
                let transfer = |HoldLineOp { from, to, amount }: &HoldLineOp| TransferOp {
                    from: *from,
                    to: *to,
                    amount: *amount,
                    narrative: None,
                    reference: None,
                };
                let op = BatchOp { transfers: lines.iter().map(transfer).collect() };
                Ok((Operation::Batch(op), spends(&lines)))
            }
            Asked::Hold { lines, expires_at } => {
                let lines = self.lines(lines)?;
                let expires_at = instant("expires_at", expires_at)?;
                let spend = spends(&lines);
                Ok((Operation::Hold(HoldOp { lines, expires_at, narrative: None, reference: None }), spend))
            }
            Asked::Capture { hold, parts, last } => {
                let parts = parts.iter().map(|part| self.spend(part)).collect::<Result<Vec<_>, _>>()?;
                let parts = parts.into_iter().map(|part| (part.account, part.amount)).collect();
                plain(Operation::Capture(CaptureOp { hold: id(hold)?, parts, last: *last }))
            }
            Asked::Release { hold } => plain(Operation::Release(id::<HoldId>(hold)?)),
            Asked::Open { contract, terms } => plain(self.open(contract, terms)?),
            Asked::Invoke { agreement, call, arguments } => plain(self.invoke(agreement, call, arguments)?),
            Asked::Account { owner, asset, purpose } => plain(Operation::Account(AccountOp {
                owner: self.0.id::<PartyId>("party", owner)?,
                asset: self.0.id::<AssetId>("asset", asset)?,
                purpose: purpose.clone(),
                floor: 0,
                ceiling: None,
                kind: AccountKind::Plain,
            })),
            Asked::Party(asked) => plain(Operation::Party(self.party(asked)?)),
            Asked::AddKey { party, number, key } => self.keys(party, *number, KeyChange::Add(self.key(key)?)),
            Asked::RevokeKey { party, number } => self.keys(party, *number, KeyChange::Revoke),
            Asked::RecoverKey { party, number, key } => {
                self.keys(party, *number, KeyChange::Recover(self.key(key)?))
            }
            Asked::Grant { agreement, account, per_entry, per_period, period } => {
                let account: AccountId = self.0.id("account", account)?;
                let period = match period.as_str() {
                    "day" => Period::Day,
                    "week" => Period::Week,
                    "month" => Period::Month,
                    "year" => Period::Year,
                    "lifetime" => Period::Lifetime,
                    other => {
                        return Err(Problem::field("period", "it is none of the periods that there are")
                            .given(other, "day, week, month, year, lifetime"));
                    }
                };
                plain(Operation::Grant(GrantOp {
                    seen: self.seen(agreement)?.0,
                    account,
                    per_entry: self.amount("per_entry", &account, per_entry)?,
                    per_period: self.amount("per_period", &account, per_period)?,
                    period,
                    expires_at: None,
                }))
            }
            Asked::Revoke { agreement, account } => plain(Operation::Revoke(RevokeOp {
                agreement: self.0.id("agreement", agreement)?,
                account: self.0.id("account", account)?,
            })),
            Asked::Propose { operation, expires_at, spend_max } => {
                if matches!(**operation, Asked::Propose { .. }) {
                    let possible = "any operation but `propose`";
                    return Err(
                        Problem::field("operation", "a proposal is not proposed").given("propose", possible)
                    );
                }
                let (operation, own) = self.operation(operation, gas_limit)?;
                let spend_max = if spend_max.is_empty() { own } else { self.spends(spend_max)? };
                let expires_at = instant("expires_at", expires_at)?;
                let operation = Box::new(operation);
                plain(Operation::Propose(ProposeOp { operation, gas_limit, spend_max, expires_at }))
            }
            Asked::Approve { proposal } => plain(Operation::Approve(id::<ProposalId>(proposal)?)),
            Asked::Withdraw { proposal } => plain(Operation::Withdraw(id::<ProposalId>(proposal)?)),
            Asked::Bytes { hex } => {
                let wrong = |why: String| {
                    Problem::field("hex", why).given(hex, "an operation's canonical bytes in hexadecimal")
                };
                let bytes = unhex(hex).ok_or_else(|| wrong("it is no hexadecimal".into()))?;
                plain(codec::decode(&bytes, OPERATION_BYTES_MAX).map_err(|error| wrong(error.to_string()))?)
            }
        }
    }

    fn keys(
        &self,
        party: &str,
        number: KeyNumber,
        change: KeyChange,
    ) -> Result<(Operation, Vec<Spend>), Problem> {
        let party: PartyId = self.0.id("party", party)?;
        Ok((Operation::Key(KeyOp { party, number, change }), vec![]))
    }

    /// What signers allow, ascending by account.
    ///
    /// # Errors
    /// As [`Asking::operation`].
    pub fn spends(&self, asked: &[SpendAsked]) -> Result<Vec<Spend>, Problem> {
        let mut spends = asked.iter().map(|spend| self.spend(spend)).collect::<Result<Vec<_>, _>>()?;
        spends.sort();
        Ok(spends)
    }

    fn spend(&self, asked: &SpendAsked) -> Result<Spend, Problem> {
        let account = self.0.id("account", &asked.account)?;
        Ok(Spend { account, amount: self.amount("amount", &account, &asked.amount)? })
    }

    fn lines(&self, asked: &[TransferAsked]) -> Result<Vec<HoldLineOp>, Problem> {
        asked.iter().map(|line| self.line(&line.from, &line.to, &line.amount)).collect()
    }

    fn line(&self, from: &str, to: &str, amount: &str) -> Result<HoldLineOp, Problem> {
        let from = self.0.id("account", from)?;
        Ok(HoldLineOp { from, to: self.0.id("account", to)?, amount: self.amount("amount", &from, amount)? })
    }

    /// Minor units of an amount in the currency of an account that the caller may see.
    fn amount(&self, field: &str, account: &AccountId, text: &str) -> Result<u128, Problem> {
        let record: Option<AccountRecord> = self.0.chain().record(&account.0)?;
        let record = match self.0.caller.sees_account(self.0.chain(), account)? {
            true => record.ok_or_else(|| Missing::of(account))?,
            false => return Err(Missing::of(account).into()),
        };
        minor(field, text, record.currency, &format!("{account} holds"))
    }

    fn seen(&self, asked: &str) -> Result<(Seen, Spec), Problem> {
        let agreement: AgreementId = self.0.id("agreement", asked)?;
        if !self.0.caller.sees_agreement(self.0.chain(), &agreement)? {
            return Err(Missing(format!("there is no agreement {agreement}")).into());
        }
        let (record, spec) = reading::agreement(self.0.chain(), &agreement)?;
        Ok((Seen { agreement, code: record.code, terms_version: record.terms_version }, spec))
    }

    fn open(&self, contract: &str, given: &Map<String, Document>) -> Result<Operation, Problem> {
        let code: CodeHash = match contract.parse() {
            Ok(code) => code,
            Err(_) => crate::view::find::find_contract(self.0.chain(), contract)?,
        };
        let spec = reading::spec(self.0.chain(), &code)?;
        check_known("terms", given, spec.terms.iter().map(|term| term.name.as_str()))?;
        let mut values = vec![];
        for term in &spec.terms {
            let value = match (given.get(&term.name), default_of(&spec, term)) {
                (None, Some(default)) => default,
                (json, _) => self.field(&spec, &term.name, term.ty, json)?,
            };
            values.push(value);
        }
        Ok(Operation::Open(OpenOp { code, terms: value::encode_fields(&values), arguments: vec![0] }))
    }

    fn invoke(
        &self,
        agreement: &str,
        call: &str,
        given: &Map<String, Document>,
    ) -> Result<Operation, Problem> {
        let (seen, spec) = self.seen(agreement)?;
        let callable = |kind: &CallKind| matches!(kind, CallKind::Action | CallKind::Sign);
        let number = spec.calls.iter().position(|def| def.name == call && callable(&def.kind));
        let Some((number, def)) = number.and_then(|number| Some((number, spec.calls.get(number)?))) else {
            let known: Vec<&str> =
                spec.calls.iter().filter(|def| callable(&def.kind)).map(|def| def.name.as_str()).collect();
            let why =
                format!("`{call}` is no call of {}{}", spec.name, near::hint(call, known.iter().copied()));
            return Err(Problem::field("call", why).given(call, known.join(", ")));
        };
        let arguments = self.arguments(&spec, &def.arguments, given)?;
        let op = InvokeOp { seen, call: number as u16, arguments };
        Ok(if def.kind == CallKind::Sign { Operation::Sign(op) } else { Operation::Invoke(op) })
    }

    /// Arguments of a call in the encoding of its spec.
    ///
    /// # Errors
    /// [`problem::BAD_FIELD`].
    pub fn arguments(
        &self,
        spec: &Spec,
        fields: &[FieldDef],
        given: &Map<String, Document>,
    ) -> Result<Vec<u8>, Problem> {
        check_known("arguments", given, fields.iter().map(|field| field.name.as_str()))?;
        let values =
            fields.iter().map(|field| self.field(spec, &field.name, field.ty, given.get(&field.name)));
        Ok(value::encode_fields(&values.collect::<Result<Vec<_>, _>>()?))
    }

    fn field(
        &self,
        spec: &Spec,
        name: &str,
        ty: TypeNumber,
        json: Option<&Document>,
    ) -> Result<Value, Problem> {
        match (json, spec.own_type(ty)) {
            (None, Some(TypeDef::Option(_))) => Ok(Value::Option(None)),
            (None, _) => Err(Problem::field(name, format!("it is missing: {}", type_name(spec, ty)))),
            (Some(json), _) => self
                .value(spec, ty, json)
                .map_err(|why| Problem::field(name, why).given(json, type_name(spec, ty))),
        }
    }

    /// The value that JSON means as a type.
    fn value(&self, spec: &Spec, ty: TypeNumber, json: &Document) -> Result<Value, String> {
        let expected = || format!("{} expected, {json} given", type_name(spec, ty));
        match (spec.own_type(ty), json) {
            (Some(TypeDef::Option(_)), Document::Null) => Ok(Value::Option(None)),
            (Some(TypeDef::Option(of)), _) => Ok(Value::Option(Some(Box::new(self.value(spec, *of, json)?)))),
            (Some(TypeDef::List(of)), Document::Array(values)) => values
                .iter()
                .map(|json| self.value(spec, *of, json))
                .collect::<Result<_, _>>()
                .map(Value::List),
            (Some(TypeDef::Record { fields, .. }), Document::Object(given)) => {
                if let Some(name) = given.keys().find(|name| !fields.iter().any(|field| field.name == **name))
                {
                    let known = fields.iter().map(|field| field.name.as_str());
                    return Err(format!("there is no `{name}`{}", near::hint(name, known)));
                }
                let value = |field: &FieldDef| match given.get(&field.name) {
                    Some(json) => self.value(spec, field.ty, json),
                    None if matches!(spec.own_type(field.ty), Some(TypeDef::Option(_))) => {
                        Ok(Value::Option(None))
                    }
                    None => Err(format!("`{}` is missing: {}", field.name, type_name(spec, field.ty))),
                };
                fields.iter().map(value).collect::<Result<_, _>>().map(Value::Record)
            }
            (_, Document::String(text)) => words::parse(spec, ty, text, &|asked| self.lookup(asked))
                .map_err(|error| format!("{error:#}")),
            (_, Document::Bool(truth)) if Basic::of(ty) == Some(Basic::Bool) => Ok(Value::Bool(*truth)),
            // Whole numbers of a kind that is counted; an amount is a text.
            (_, Document::Number(number)) if is_count(ty) => {
                words::parse(spec, ty, &number.to_string(), &|_| None).map_err(|error| format!("{error:#}"))
            }
            _ => Err(expected()),
        }
    }

    /// As [`words::Lookup`] asks: the bank's names, and decimals of the assets that there are.
    fn lookup(&self, asked: &str) -> Option<String> {
        let Some(code) = asked.strip_prefix("decimals:") else { return self.0.names.lookup(asked) };
        let code: Code = code.parse().ok()?;
        self.scale(code).map(|scale| scale.to_string())
    }

    fn scale(&self, code: Code) -> Option<u8> {
        let assets = self.0.chain().records::<AssetRecord>(&[]).ok()?;
        assets.into_iter().find(|(_, asset)| asset.code == code).map(|(_, asset)| asset.scale)
    }
}

fn is_count(ty: TypeNumber) -> bool {
    use Basic::{DayOfMonth, I64, I128, U8, U16, U32, U64, U128};
    Basic::of(ty).is_some_and(|basic| matches!(basic, U8 | U16 | U32 | U64 | U128 | I64 | I128 | DayOfMonth))
}

fn check_known<'n>(
    what: &str,
    given: &Map<String, Document>,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Result<(), Problem> {
    match given.keys().find(|name| !known.clone().any(|known| known == *name)) {
        None => Ok(()),
        Some(name) => {
            let why = format!("there is no `{name}`{}", near::hint(name, known.clone()));
            Err(Problem::field(what, why).given(name, known.collect::<Vec<_>>().join(", ")))
        }
    }
}

/// What lines take from each account together, ascending by account.
fn spends(lines: &[HoldLineOp]) -> Vec<Spend> {
    let mut sums = std::collections::BTreeMap::new();
    for line in lines {
        let sum: &mut u128 = sums.entry(line.from).or_default();
        *sum = sum.saturating_add(line.amount);
    }
    sums.into_iter().map(|(account, amount)| Spend { account, amount }).collect()
}

/// An instant out of a field's text.
///
/// # Errors
/// [`problem::BAD_FIELD`].
pub fn instant(field: &str, text: &str) -> Result<Timestamp, Problem> {
    let possible = "an instant like 2026-01-31T12:00:00Z";
    text.parse().map_err(|error| Problem::field(field, error).given(text, possible))
}

/// The currency of an asset.
///
/// # Errors
/// There is no such asset.
pub fn currency(reader: &Reader, asset: &AssetId) -> Result<Currency, Problem> {
    let record: AssetRecord = reader.chain().record(&asset.0)?.ok_or_else(|| Missing::of(asset))?;
    Ok(Currency { code: record.code, scale: record.scale })
}

/// Minor units of an amount in a currency; `whose` begins what is told of another one ("acct1… holds").
///
/// # Errors
/// [`super::problem::BAD_FIELD`]: it is no amount, of another currency, finer than the currency's scale, or below zero.
pub fn minor(field: &str, text: &str, currency: Currency, whose: &str) -> Result<u128, Problem> {
    let code = currency.code;
    let wrong = |why: String| Problem::field(field, why).given(text, format!("like 12.50 {code}"));
    let (number, given) = amount_and_code(text).map_err(wrong)?;
    if given != code.to_string() {
        return Err(wrong(format!("{whose} {code}, {given} given")));
    }
    let money = currency.parse(number).map_err(|error| wrong(error.to_string()))?;
    u128::try_from(money.minor).map_err(|_| wrong("an amount is not below zero".into()))
}
