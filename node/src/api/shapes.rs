//! What answers look like: the schemas of the description. Answers are written where they are made; a test holds those of
//! a node against these.
#![allow(dead_code, reason = "they describe; nothing is made of them")]

use crate::webhook::Attempt;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Deserialize, ToSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $name { $($(#[$meta])* $field: $type,)* }
        )*
    };
}

shapes! {
    /// Which block an answer is of.
    AsOf { height: u64, time: String, state_root: String, }

    /// The network.
    Network {
        chain: String, protocol: u16, sandbox: bool, parameters: String, node: String, limits: NetworkLimits,
        restarts: Vec<Restarted>, time: String, as_of: AsOf,
    }
    /// What transactions may be.
    NetworkLimits { item_gas_max: u64, idempotency_days: u32, transaction_bytes: u64, wait_s_max: u64, }
    /// Where the chain was begun again.
    Restarted { height: u64, before: String, parent: String, abandoned: u64, }

    /// Bytes to sign, and what they would do.
    Prepared {
        transaction: String, body: String, digest: String, chain: String, signers: Vec<Signer>, idempotency_key: String,
        valid_from: String, valid_until: String, gas: GasTold, spend_max: Vec<SpendTold>, fee: Option<String>,
        /// `done`, `refused`, `failed` or `rejected`; `unknown` to a customer where others sign as well.
        outcome: String,
        effects: Option<Vec<String>>, postings: Option<Vec<Posting>>, problem: Option<ProblemDocument>, as_of: AsOf,
    }
    /// Who signs, in the order in which signatures stand.
    Signer { party: String, key: u16, }
    /// Gas.
    GasTold { limit: u64, used: Option<u64>, }
    /// The most that an account may lose.
    SpendTold { account: String, minor_units: String, }
    /// A posting.
    Posting {
        entry: u32,
        /// What the entry is: `post`, `correct`, `hold`, `capture`, `release` or `expire`. A hold sets money aside, a release
        /// and an expiry give it back: they book nothing.
        act: String,
        purpose: String, account: String, side: String, amount: String, currency: String, value_date: String,
    }
    /// What an agreement reported.
    Reported { agreement: String, event: String, fields: BTreeMap<String, Value>, }
    /// A receipt.
    Receipt {
        item: String,
        /// `done`, `refused` or `failed`.
        fate: String,
        /// 0 when done; none where the reason is somebody else's to know.
        code: Option<u16>, gas: u64, entries: u64, events: u64, text: String, made: Option<String>, time: String,
        postings: Vec<Posting>, reported: Vec<Reported>, transaction: Option<String>,
        /// `final`.
        status: String,
        height: u64, index: u32,
        /// Whether item and receipt are told whole, so that their proof may be asked for; postings and events of others are
        /// left out.
        whole: bool, as_of: AsOf,
    }
    /// A transaction that waits for a block.
    Pending {
        transaction: String,
        /// `pending`.
        status: String,
    }

    /// An account.
    Account {
        account: String, purpose: String, currency: String, balance: String, available: String, floor: String,
        ceiling: Option<String>, held: String, awaited: String, kind: String, code: u16, control: Option<String>,
        frozen_in: Option<String>, frozen_out: Option<String>, closed: bool, postings: u64, history_root: String,
        hooks: BTreeMap<String, String>, as_of: Option<AsOf>,
    }
    /// What an account held after an earlier block.
    AccountThen {
        account: String, currency: String, height: u64, balance: String, last_posting_height: Option<u64>, as_of: AsOf,
    }
    /// A page of accounts.
    Accounts { accounts: Vec<Account>, next: Option<String>, as_of: AsOf, }
    /// A posting of an account, with the balance after it.
    AccountEntry {
        sequence: u64, entry: String, height: u64, booked_at: String, value_date: String, amount: String, balance: String,
        currency: String,
    }
    /// A page of postings.
    AccountEntries { account: String, entries: Vec<AccountEntry>, next: Option<String>, as_of: AsOf, }
    /// A statement of what was booked.
    StatementBooked {
        account: String, currency: String, balance: String, lines_in_all: u64, lines: Vec<StatementBookedLine>,
        next: Option<String>, as_of: AsOf,
    }
    /// A line of it.
    StatementBookedLine {
        value_date: String, booked: String, amount: String, balance: String, entry: String, r#for: String,
    }
    /// A statement by value date.
    StatementByDate {
        account: String, currency: String, from: String, to: String, height: u64, opening: String, closing: String,
        lines_in_all: u64, lines: Vec<StatementByDateLine>, next: Option<String>, as_of: AsOf,
    }
    /// A line of it.
    StatementByDateLine {
        value_date: String, booked: String, amount: String, balance: String, entry: String, sequence: u64,
    }

    /// An agreement in a list.
    AgreementRow {
        agreement: String, contract: String, code: String, state: String, opened_at: String, opened_by: String,
        terms_version: u32,
    }
    /// A page of agreements.
    Agreements { agreements: Vec<AgreementRow>, next: Option<String>, as_of: AsOf, }
    /// An agreement.
    Agreement {
        agreement: String, contract: String, code: String, state: String, opened_at: String, opened_by: String,
        height: u64, terms_version: u32, terms: BTreeMap<String, Value>,
        /// What its schedules wait for: one that is held or suspended does not go on, whatever the state is.
        schedules: Vec<Standing>,
        books: Vec<Book>, as_of: AsOf,
    }
    /// A schedule as it stands.
    Standing { schedule: String, next: Waiting, }
    /// A book of an agreement.
    Book { book: String, account: String, balance: String, currency: String, }
    /// An agreement's schedules.
    Schedules { agreement: String, schedules: Vec<Schedule>, as_of: AsOf, }
    /// A schedule.
    Schedule { schedule: String, past: Vec<Occurrence>, next: Waiting, projected: Vec<Occurrence>, }
    /// A day of a schedule.
    Occurrence { number: u32, date: String, }
    /// What a schedule waits for.
    Waiting {
        /// `due`, `held`, `suspended` or `ended`.
        status: String,
        date: Option<String>, attempt_date: Option<String>, attempt: Option<u32>, due: Option<String>,
        since: Option<String>, code: Option<u16>,
        /// Name of the refusal or the failure that it was suspended with.
        why: Option<String>, number: Option<u32>,
    }
    /// What can be done with an agreement now.
    Actions { agreement: String, state: String, actions: Vec<Action>, as_of: AsOf, }
    /// An action.
    Action {
        call: String, doc: String, signs_terms: bool, arguments: Vec<Named>, by: Vec<String>, state_after: Option<String>,
        second_person: Option<String>, exit: bool, allowed_to_me: Option<bool>,
    }
    /// A name with its type.
    Named { name: String, r#type: String, }
    /// What a view answered.
    ViewAnswer { view: String, answer: Value, as_of: AsOf, }

    /// A contract in a list.
    ContractRow { code: String, name: String, version: String, bank: String, height: u64, }
    /// A page of contracts.
    Contracts { contracts: Vec<ContractRow>, next: Option<String>, as_of: AsOf, }
    /// A contract.
    Contract {
        code: String, name: String, version: String, doc: String, terms: Vec<Term>, calls: Vec<Call>, as_of: AsOf,
    }
    /// A term.
    Term { name: String, r#type: String, set_by: String, default: Option<String>, doc: String, }
    /// A call.
    Call { name: String, doc: String, }
    /// An asset.
    Asset {
        asset: String, code: String, scale: u8, issuer: String, kind: String, freezable: bool, clawback: bool,
        as_of: Option<AsOf>,
    }
    /// A page of assets.
    Assets { assets: Vec<Asset>, next: Option<String>, as_of: AsOf, }
    /// A calendar in a list.
    CalendarRow { calendar: String, code: String, publisher: String, }
    /// A page of calendars.
    Calendars { calendars: Vec<CalendarRow>, next: Option<String>, as_of: AsOf, }
    /// The days of a year that are no business days.
    CalendarYear { calendar: String, code: String, year: i32, closed: Vec<ClosedDay>, as_of: AsOf, }
    /// A day.
    ClosedDay { date: String, weekday: String, }
    /// A party.
    Party {
        party: String, kind: String, home: String, roles: Vec<String>, keys: Vec<PartyKey>, accounts: Vec<PartyAccount>,
        agreements: Vec<PartyAgreement>,
        /// Whether there are more accounts or agreements than these.
        more: bool,
        as_of: AsOf,
    }
    /// A key of a party.
    PartyKey { key: u16, r#where: String, ends: Option<String>, limits: Option<Vec<LimitTold>>, }
    /// What a key may move.
    LimitTold { asset: String, per_payment: String, per_day: String, moved: Option<Moved>, }
    /// What it has moved.
    Moved { day: String, amount: String, }
    /// An account of a party.
    PartyAccount { account: String, purpose: String, balance: String, currency: String, }
    /// An agreement of a party.
    PartyAgreement { agreement: String, contract: String, state: String, }
    /// An open proposal.
    Proposal {
        proposal: String, operation: String,
        /// What it would do, in words.
        effects: Vec<String>,
        /// The operation, in the form in which the client core reads it.
        proposed: Value,
        agreement: Option<String>, arguments: BTreeMap<String, Value>,
        proposer: String, expires_at: String, as_of: AsOf,
    }
    /// A page of a list, its columns as the command has them.
    ListShown { height: u64, list: Vec<BTreeMap<String, String>>, next: Option<String>, as_of: AsOf, }

    /// The header of a block.
    BlockHeader { height: u64, time: String, hash: String, parent: String, state_root: String, items: u64, as_of: Option<AsOf>, }
    /// A page of headers.
    Blocks { blocks: Vec<BlockHeader>, next: Option<String>, as_of: AsOf, }
    /// A block.
    BlockShown {
        height: u64, time: String, hash: String, parent: String, state_root: String, items: u64, list: Vec<ReceiptRow>,
        next: Option<String>, as_of: AsOf,
    }
    /// A receipt's figures.
    ReceiptRow { item: String, fate: String, code: u16, gas: u64, entries: u64, events: u64, }
    /// Rows of the state.
    StateRows { rows: Vec<StateRow>, next: Option<String>, as_of: AsOf, }
    /// A row: full key and value, hexadecimal.
    StateRow { key: String, value: String, }

    /// Webhooks.
    Webhooks { webhooks: Vec<Webhook>, }
    /// A webhook.
    Webhook {
        webhook: String, url: String, account: Option<String>, agreement: Option<String>, next: PlaceTold,
        failing_since: Option<String>, suspended: Option<String>, attempts: Vec<Attempt>,
        /// When it is made, and never again.
        secret: Option<String>,
    }
    /// A place on the chain.
    PlaceTold { height: u64, index: u32, }
    /// A webhook that is gone.
    WebhookEnded { ended: String, }

    /// Where the clock is.
    ClockMoved { time: String, height: u64, as_of: AsOf, }
    /// Where money came from nowhere.
    FaucetRun { transaction: String, height: u64, index: u32, as_of: AsOf, }
    /// A customer made of a key.
    Enrolled { party: String, account: String, token: String, chain: String, checkpoint: String, as_of: AsOf, }
    /// What will be answered.
    Forced { answer: String, times: u32, }
    /// How many forced answers were taken back.
    Cleared { cleared: u64, }
    /// A kind of problem.
    ProblemKind {
        code: String, r#type: String, status: u16, title: String, explanation: String, retry_helps: bool,
    }
    /// Every kind.
    ProblemKinds { problems: Vec<ProblemKind>, }
    /// Whether trying again helps.
    RetryTold { helps: bool, after_s: Option<u64>, }
}

/// A problem (RFC 9457).
#[derive(Deserialize, ToSchema)]
pub struct ProblemDocument {
    /// Where its kind is explained.
    r#type: String,
    title: String,
    status: u16,
    code: String,
    detail: String,
    retry: RetryTold,
    given: Option<String>,
    possible: Option<String>,
    field: Option<String>,
    explanation: Option<Vec<String>>,
    rule: Option<String>,
    iso20022: Option<String>,
}

/// What became of a transaction, or that it waits.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum TransactionTold {
    /// It has its receipt.
    Receipt(Box<Receipt>),
    /// It waits.
    Pending(Pending),
}

/// An account now, or what it held then.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum AccountTold {
    /// Now.
    Now(Box<Account>),
    /// After an earlier block.
    Then(AccountThen),
}

/// A statement: as booked where no day and no block is named, else by value date.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum StatementTold {
    /// As booked.
    Booked(StatementBooked),
    /// By value date.
    ByDate(StatementByDate),
}

/// A block: the bank is told what became of its items.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum BlockTold {
    /// For the bank.
    Whole(BlockShown),
    /// For customers.
    Header(BlockHeader),
}
