//! An operation in plain words: what somebody would sign, approve or see proposed, with everything in it that matters.

use super::refusal::{held, issued};
use super::{reading, words};
use anyhow::Result;
use tenor_abi::id::{AccountId, AssetId};
use tenor_abi::spec::{FieldDef, Spec};
use tenor_abi::value;
use tenor_runtime::chain::Chain;
use tenor_runtime::state::record::{AccountRecord, ProposalRecord};
use tenor_wire::hexadecimal::hex;
use tenor_wire::op::{
    AccountChange, AccountChangeOp, BooksChange, HookMoment, HookOf, InvokeOp, KeyChange, KeyDef, Operation,
    Published, Seen, TransferOp,
};

/// What an operation does, a line for each thing.
///
/// # Errors
/// When the chain cannot be read.
pub fn said(chain: &Chain, operation: &Operation) -> Result<Vec<String>> {
    Saying(chain).operation(operation)
}

struct Saying<'c>(&'c Chain);

/// A word of an enum that has no other name.
fn word(of: &impl std::fmt::Debug) -> String {
    format!("{of:?}").to_lowercase()
}

impl Saying<'_> {
    fn operation(&self, operation: &Operation) -> Result<Vec<String>> {
        let one = |line: String| Ok(vec![line]);
        match operation {
            Operation::Party(op) => one(format!(
                "enrols the {} {} at {} with key 0: {}",
                word(&op.kind),
                op.party,
                op.home,
                self.key(&op.key)
            )),
            Operation::Key(op) => {
                let (party, number) = (op.party, op.number);
                one(match &op.change {
                    KeyChange::Add(key) => format!("gives {party} key {number}: {}", self.key(key)),
                    KeyChange::Revoke => format!("ends key {number} of {party} for good"),
                    KeyChange::Recover(key) => format!(
                        "ends every key of {party} for good and gives it key {number}: {}",
                        self.key(key)
                    ),
                })
            }
            Operation::Role(op) => one(match op.granted {
                true => format!("gives {} the role {} at {}", op.party, op.role, op.bank),
                false => format!("takes the role {} at {} from {}", op.role, op.bank, op.party),
            }),
            Operation::Asset(op) => {
                let mut line = format!(
                    "makes the asset {} of {}, {} with {} decimals",
                    op.code,
                    op.issuer,
                    word(&op.kind),
                    op.scale
                );
                for (may, what) in [(op.freezable, ", may be frozen"), (op.clawback, ", may be clawed back")]
                {
                    line += if may { what } else { "" };
                }
                one(line)
            }
            Operation::Account(op) => one(format!(
                "opens the account `{}` of {} in {}, {}; {}",
                op.purpose,
                op.owner,
                op.asset,
                word(&op.kind),
                self.limits(&op.asset, op.floor, op.ceiling)
            )),
            Operation::Publish(op) => {
                let code = Published::code(&op.bank, &op.wasm);
                let named = words::spec_of(&op.wasm).map(|spec| format!("{}@{}", spec.name, spec.version));
                let named = named.unwrap_or_else(|_| "a module that is not admitted".into());
                let mut lines =
                    vec![format!("publishes {named} for {}, {} bytes, {code}", op.bank, op.wasm.len())];
                lines.extend(op.exposure.iter().map(|limit| {
                    format!(
                        "its agreements may have out at most {}",
                        self.of_asset(&limit.asset, limit.limit)
                    )
                }));
                Ok(lines)
            }
            Operation::Open(op) => {
                let Ok(spec) = reading::spec(self.0, &op.code) else {
                    return one(format!("opens an agreement under {}, which is not there", op.code));
                };
                let terms = words::told_fields(&spec, value::terms_of(&spec), &op.terms)?;
                let terms = terms.into_iter().map(|(name, text, _)| format!("{name}={text}"));
                one(format!(
                    "opens an agreement under {}@{}: {}",
                    spec.name,
                    spec.version,
                    terms.collect::<Vec<_>>().join(", ")
                ))
            }
            Operation::Sign(op) => one(format!("signs: {}", self.call(op)?)),
            Operation::Invoke(op) => one(format!("invokes {}", self.call(op)?)),
            Operation::Transfer(op) => one(self.transfer(op)),
            Operation::Batch(op) => Ok(op.transfers.iter().map(|transfer| self.transfer(transfer)).collect()),
            Operation::Hold(op) => Ok(op
                .lines
                .iter()
                .map(|line| {
                    let amount = self.on_account(&line.from, line.amount);
                    format!("sets {amount} of {} aside for {} until {}", line.from, line.to, op.expires_at)
                })
                .collect()),
            Operation::Capture(op) => {
                let mut lines: Vec<String> = op
                    .parts
                    .iter()
                    .map(|(to, amount)| {
                        let amount = self.on_account(to, *amount);
                        format!("pays {amount} out of {} to {to}", op.hold)
                    })
                    .collect();
                lines.extend(op.last.then(|| format!("gives back what {} has left", op.hold)));
                Ok(lines)
            }
            Operation::Release(hold) => one(format!("gives back what {hold} set aside")),
            Operation::Propose(op) => {
                let head = format!("proposes until {}, for a second person to approve:", op.expires_at);
                Ok(std::iter::once(head).chain(self.operation(&op.operation)?).collect())
            }
            Operation::Approve(id) => {
                let Some(proposed) = self.0.record::<ProposalRecord>(&id.0)? else {
                    return one(format!("approves {id}, which is not open"));
                };
                let head = format!("approves what {} proposed in {id}:", proposed.proposer);
                Ok(std::iter::once(head).chain(self.operation(&proposed.operation)?).collect())
            }
            Operation::Withdraw(id) => one(format!("withdraws {id}")),
            Operation::Grant(op) => {
                let (each, all) =
                    (self.on_account(&op.account, op.per_entry), self.on_account(&op.account, op.per_period));
                let end = op.expires_at.map_or_else(String::new, |end| format!(", until {end}"));
                one(format!(
                    "allows {} to take from {}: at most {each} at once and {all} per {}{end}",
                    self.seen(&op.seen)?,
                    op.account,
                    word(&op.period)
                ))
            }
            Operation::Revoke(op) => {
                one(format!("no longer allows {} to take from {}", op.agreement, op.account))
            }
            Operation::Hook(op) => {
                let of = if op.of == HookOf::Bank { "the bank" } else { "the owner" };
                let when = if op.moment == HookMoment::Before { "before" } else { "after" };
                one(match &op.hook {
                    Some(hook) => format!(
                        "lets {} be asked for {of} {when} entries on {}",
                        self.seen(hook)?,
                        op.account
                    ),
                    None => format!("no longer lets {of} be asked {when} entries on {}", op.account),
                })
            }
            Operation::Calendar(op) => one(format!("publishes the calendar {} of {}", op.code, op.publisher)),
            Operation::Restart(op) => one(format!(
                "goes on at {} from the block {} as another chain; blocks up to {} are abandoned",
                op.time, op.parent, op.abandoned
            )),
            Operation::Clock(op) => one(format!("names {} as the time after {}", op.time, op.parent)),
            Operation::Correct(op) => Ok(op
                .lines
                .iter()
                .map(|line| {
                    let amount = self.on_account(&line.account, line.amount);
                    let (account, at) = (line.account, line.sequence);
                    format!("takes back {amount} of posting {at} of {account}, of {}", op.entry)
                })
                .collect()),
            Operation::AccountChange(op) => one(self.account_change(op)?),
            Operation::Books(op) => one(match &op.change {
                BooksChange::Code { code, gl, side, back_days } => format!(
                    "books of {}: code {code} is `{gl}`, {}, value dates up to {back_days} days back",
                    op.bank,
                    word(side)
                ),
                BooksChange::Close { until } => format!("books of {}: closed up to {until}", op.bank),
                BooksChange::Exposure { product, limit } => format!(
                    "{product} of {} may have out at most {}",
                    op.bank,
                    self.of_asset(&limit.asset, limit.limit)
                ),
            }),
            Operation::Entry(op) => Ok(op
                .lines
                .iter()
                .map(|line| {
                    let amount = self.on_account(&line.account, line.amount);
                    format!("{} {} {amount}", word(&line.side), line.account)
                })
                .collect()),
            Operation::Parameters
            | Operation::Upgrade
            | Operation::Halt
            | Operation::Compiled
            | Operation::Zone
            | Operation::Rates
            | Operation::Quota => one(operation.name().to_lowercase()),
        }
    }

    fn key(&self, key: &KeyDef) -> String {
        let end = key.expires_at.map_or("without an end".into(), |end| format!("until {end}"));
        let limits = match &key.limits {
            None => "may move everything".to_string(),
            Some(limits) if limits.is_empty() => "may move nothing".into(),
            Some(limits) => {
                let each = limits.iter().map(|limit| {
                    let of = |amount| self.of_asset(&limit.asset, amount);
                    format!("{} at once and {} a day", of(limit.per_payment), of(limit.per_day))
                });
                format!("may move at most {}", each.collect::<Vec<_>>().join(", "))
            }
        };
        let bytes = [&[key.public.algorithm, key.public.parity][..], &key.public.x].concat();
        format!("{} {}, {end}; {limits}", word(&key.role), hex(&bytes))
    }

    fn limits(&self, asset: &AssetId, floor: i128, ceiling: Option<i128>) -> String {
        let signed = |minor: i128| {
            let amount = self.of_asset(asset, minor.unsigned_abs());
            if minor < 0 { format!("-{amount}") } else { amount }
        };
        let most =
            ceiling.map_or("without an upper limit".into(), |most| format!("at most {}", signed(most)));
        format!("at least {}, {most}", signed(floor))
    }

    fn account_change(&self, AccountChangeOp { account, change }: &AccountChangeOp) -> Result<String> {
        Ok(match change {
            AccountChange::Limits { floor, ceiling, holds_overdraft } => {
                let known: Option<AccountRecord> = self.0.record(&account.0)?;
                let limits = known.map_or_else(
                    || format!("floor {floor}, ceiling {ceiling:?}, minor units"),
                    |known| self.limits(&known.asset, *floor, *ceiling),
                );
                let holds =
                    if *holds_overdraft { "holds may overdraw it" } else { "holds never overdraw it" };
                format!("sets the limits of {account}: {limits}; {holds}")
            }
            AccountChange::Freeze { incoming, outgoing, reason } => {
                let way = match (incoming, outgoing) {
                    (true, true) => "what comes in and goes out",
                    (true, false) => "what comes in",
                    (false, true) => "what goes out",
                    (false, false) => "nothing",
                };
                format!("freezes {account} for {way}: {reason}")
            }
            AccountChange::Unfreeze => format!("ends the freezing of {account}"),
            AccountChange::Close => format!("closes {account} for good"),
            AccountChange::Code(code) => format!("gives {account} the code {code} of the bank's books"),
            AccountChange::Control(Some(above)) => format!("lets {above} mirror {account}"),
            AccountChange::Control(None) => format!("no longer lets an account mirror {account}"),
        })
    }

    /// A call of an agreement with its arguments by name.
    fn call(&self, op: &InvokeOp) -> Result<String> {
        let Ok((_, spec)) = reading::agreement(self.0, &op.seen.agreement) else {
            return Ok(format!("call {} of {}, which is not there", op.call, op.seen.agreement));
        };
        let Some(def) = spec.calls.get(usize::from(op.call)) else {
            return Ok(format!("call {} of {}, which it has not", op.call, op.seen.agreement));
        };
        let arguments = arguments(&spec, &def.arguments, &op.arguments)?;
        let with =
            arguments.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(", ");
        let with = if with.is_empty() { with } else { format!(" with {with}") };
        Ok(format!("`{}` of {}{with}", def.name, self.seen(&op.seen)?))
    }

    fn seen(&self, seen: &Seen) -> Result<String> {
        let agreement = seen.agreement;
        Ok(match reading::agreement(self.0, &agreement) {
            Ok((_, spec)) => format!("{agreement} ({}@{})", spec.name, spec.version),
            Err(_) => agreement.to_string(),
        })
    }

    fn transfer(&self, op: &TransferOp) -> String {
        format!("{} pays {} to {}", op.from, self.on_account(&op.from, op.amount), op.to)
    }

    fn on_account(&self, account: &AccountId, minor: u128) -> String {
        held(self.0, account).map_or_else(|| format!("{minor} minor units"), |amount| amount(minor))
    }

    fn of_asset(&self, asset: &AssetId, minor: u128) -> String {
        issued(self.0, asset)
            .map_or_else(|| format!("{minor} minor units of {asset}"), |amount| amount(minor))
    }
}

/// Arguments of a call: names and what people read.
fn arguments(spec: &Spec, fields: &[FieldDef], bytes: &[u8]) -> Result<Vec<(String, String)>> {
    let told = words::told_fields(spec, value::fields_of(fields), bytes)?;
    Ok(told.into_iter().map(|(name, text, _)| (name, text)).collect())
}
