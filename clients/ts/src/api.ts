// Made of the node's OpenAPI document: `UPDATE_GOLDEN=1 cargo test -p tenor-node --test openapi` writes it anew.

/** An account. */
export type Account = {
  account: string;
  as_of?: AsOf | null;
  available: string;
  awaited: string;
  balance: string;
  ceiling?: string | null;
  closed: boolean;
  code: number;
  control?: string | null;
  currency: string;
  floor: string;
  frozen_in?: string | null;
  frozen_out?: string | null;
  held: string;
  history_root: string;
  hooks: { [name: string]: string };
  kind: string;
  postings: number;
  purpose: string;
};

/** A page of postings. */
export type AccountEntries = {
  account: string;
  as_of: AsOf;
  entries: Array<AccountEntry>;
  next?: string | null;
};

/** A posting of an account, with the balance after it. */
export type AccountEntry = {
  amount: string;
  balance: string;
  booked_at: string;
  currency: string;
  entry: string;
  height: number;
  sequence: number;
  value_date: string;
};

/** What an account held after an earlier block. */
export type AccountThen = {
  account: string;
  as_of: AsOf;
  balance: string;
  currency: string;
  height: number;
  last_posting_height?: number | null;
};

/** An account now, or what it held then. */
export type AccountTold = Account | AccountThen;

/** A page of accounts. */
export type Accounts = {
  accounts: Array<Account>;
  as_of: AsOf;
  next?: string | null;
};

/** Who does what. */
export type ActAsked = {
  /** What to do. */
  operation: Asked;
  /** Name of a party whose key lies in the sandbox's folder, like `officer`. */
  who: string;
};

/** An action. */
export type Action = {
  allowed_to_me?: boolean | null;
  arguments: Array<Named>;
  by: Array<string>;
  call: string;
  doc: string;
  exit: boolean;
  second_person?: string | null;
  signs_terms: boolean;
  state_after?: string | null;
};

/** What can be done with an agreement now. */
export type Actions = {
  actions: Array<Action>;
  agreement: string;
  as_of: AsOf;
  state: string;
};

/** An agreement. */
export type Agreement = {
  agreement: string;
  as_of: AsOf;
  books: Array<Book>;
  code: string;
  contract: string;
  height: number;
  opened_at: string;
  opened_by: string;
  /** What its schedules wait for: one that is held or suspended does not go on, whatever the state is. */
  schedules: Array<Standing>;
  state: string;
  terms: { [name: string]: unknown };
  terms_version: number;
};

/** An agreement in a list. */
export type AgreementRow = {
  agreement: string;
  code: string;
  contract: string;
  opened_at: string;
  opened_by: string;
  state: string;
  terms_version: number;
};

/** A page of agreements. */
export type Agreements = {
  agreements: Array<AgreementRow>;
  as_of: AsOf;
  next?: string | null;
};

/** Which block an answer is of. */
export type AsOf = {
  height: number;
  state_root: string;
  time: string;
};

/** What to do. */
export type Asked = {
  /** Amount with its currency, like "12.50 EUR". */
  amount: string;
  /** Account that pays; the actor's. */
  from: string;
  /** Account that receives. */
  to: string;
  type: "transfer";
} | {
  /** The transfers in their order. */
  transfers: Array<TransferAsked>;
  type: "batch";
} | {
  /** Last instant at which it can be captured. */
  expires_at: string;
  /** Lines, all or none. */
  lines: Array<TransferAsked>;
  type: "hold";
} | {
  /** The hold. */
  hold: string;
  /** Whether what is left after it is released. */
  last: boolean;
  /** How much of which account's line; nothing named means all that is left. */
  parts?: Array<SpendAsked>;
  type: "capture";
} | {
  /** The hold. */
  hold: string;
  type: "release";
} | {
  /** Code of the contract. */
  contract: string;
  /** Terms by name; what is not given takes its default. */
  terms?: { [name: string]: unknown };
  type: "open";
} | {
  /** The agreement. */
  agreement: string;
  /** Arguments by name. */
  arguments?: { [name: string]: unknown };
  /** Name of the call. */
  call: string;
  type: "invoke";
} | {
  /** In what. */
  asset: string;
  /** Whose. */
  owner: string;
  /** For what: 1 to 16 of `a-z 0-9 -`. */
  purpose: string;
  type: "account";
} | unknown | {
  /** The key. */
  key: KeyAsked;
  /** Its number, 0 to 63; not one that was used. */
  number: u16;
  /** Whose. */
  party: string;
  type: "add_key";
} | {
  /** Its number. */
  number: u16;
  /** Whose. */
  party: string;
  type: "revoke_key";
} | {
  /** The key. */
  key: KeyAsked;
  /** Its number, 0 to 63; not one that was used. */
  number: u16;
  /** Whose. */
  party: string;
  type: "recover_key";
} | {
  /** Which account. */
  account: string;
  /** Which agreement. */
  agreement: string;
  /** Most per entry. */
  per_entry: string;
  /** Most per period. */
  per_period: string;
  /** `day`, `week`, `month`, `year` or `lifetime`. */
  period: string;
  type: "grant";
} | {
  /** On which account. */
  account: string;
  /** Of which agreement. */
  agreement: string;
  type: "revoke";
} | {
  /** Until when it waits. */
  expires_at: string;
  /** What to do once approved. */
  operation: Asked;
  /** The most that accounts of the proposer may lose by it. */
  spend_max?: Array<SpendAsked>;
  type: "propose";
} | {
  /** The proposal. */
  proposal: string;
  type: "approve";
} | {
  /** The proposal. */
  proposal: string;
  type: "withdraw";
} | {
  /** Hexadecimal. */
  hex: string;
  type: "bytes";
};

/** An asset. */
export type Asset = {
  as_of?: AsOf | null;
  asset: string;
  clawback: boolean;
  code: string;
  freezable: boolean;
  issuer: string;
  kind: string;
  scale: number;
};

/** A page of assets. */
export type Assets = {
  as_of: AsOf;
  assets: Array<Asset>;
  next?: string | null;
};

/** How an attempt ended. */
export type Attempt = {
  /** When, UTC milliseconds since 1970. */
  at_ms: number;
  /** Which attempt at this message, from 1. */
  attempt: number;
  /** What went wrong, where something did. */
  error?: string | null;
  /** Id of the message. */
  message: string;
  /** Status of the answer, where there was one. */
  status?: number | null;
};

/** The header of a block. */
export type BlockHeader = {
  as_of?: AsOf | null;
  hash: string;
  height: number;
  items: number;
  parent: string;
  state_root: string;
  time: string;
};

/** A block. */
export type BlockShown = {
  as_of: AsOf;
  hash: string;
  height: number;
  items: number;
  list: Array<ReceiptRow>;
  next?: string | null;
  parent: string;
  state_root: string;
  time: string;
};

/** A block: the bank is told what became of its items. */
export type BlockTold = BlockShown | BlockHeader;

/** A page of headers. */
export type Blocks = {
  as_of: AsOf;
  blocks: Array<BlockHeader>;
  next?: string | null;
};

/** A book of an agreement. */
export type Book = {
  account: string;
  balance: string;
  book: string;
  currency: string;
};

/** A calendar in a list. */
export type CalendarRow = {
  calendar: string;
  code: string;
  publisher: string;
};

/** The days of a year that are no business days. */
export type CalendarYear = {
  as_of: AsOf;
  calendar: string;
  closed: Array<ClosedDay>;
  code: string;
  year: number;
};

/** A page of calendars. */
export type Calendars = {
  as_of: AsOf;
  calendars: Array<CalendarRow>;
  next?: string | null;
};

/** A call. */
export type Call = {
  doc: string;
  name: string;
};

/** How many forced answers were taken back. */
export type Cleared = {
  cleared: number;
};

/** Where the clock goes. */
export type ClockAsked = {
  /** A day (its beginning) or an instant, not before the clock and at most ten years ahead. */
  to: string;
};

/** Where the clock is. */
export type ClockMoved = {
  as_of: AsOf;
  height: number;
  time: string;
};

/** A day. */
export type ClosedDay = {
  date: string;
  weekday: string;
};

/** A contract. */
export type Contract = {
  as_of: AsOf;
  calls: Array<Call>;
  code: string;
  doc: string;
  name: string;
  terms: Array<Term>;
  version: string;
};

/** A contract in a list. */
export type ContractRow = {
  bank: string;
  code: string;
  height: number;
  name: string;
  version: string;
};

/** A page of contracts. */
export type Contracts = {
  as_of: AsOf;
  contracts: Array<ContractRow>;
  next?: string | null;
};

/** Who becomes a customer. */
export type EnrolAsked = {
  /** What the new account begins with, like "2500.00 EUR". */
  amount: string;
  /** Public key of the customer's device: 34 bytes in hexadecimal, algorithm, parity and x. Who has the secret key signs for the new party; nobody else can. */
  public_key: string;
};

/** A customer made of a key. */
export type Enrolled = {
  account: string;
  as_of: AsOf;
  chain: string;
  checkpoint: string;
  party: string;
  token: string;
};

/** Who gets money. */
export type FaucetAsked = {
  /** The account. */
  account: string;
  /** Amount with its currency. */
  amount: string;
};

/** Where money came from nowhere. */
export type FaucetRun = {
  as_of: AsOf;
  height: number;
  index: number;
  transaction: string;
};

/** What is forced. */
export type ForceAsked = {
  /** `refused`: with a reason, and nothing is handed in. `pending`: 202, whatever `Prefer` says. `slow`: answered so many seconds later. `unavailable`: 503, and nothing is handed in. `lost`: 503, and handed in all the same. */
  answer: string;
  /** Whose transactions; anybody's where none is given. */
  party?: string | null;
  /** Name of a refusal of the chain, for `refused`; `InsufficientFunds` where none is given. */
  reason?: string | null;
  /** Seconds, for `slow`, at most 60; 5 where they are not given. */
  seconds?: number | null;
  /** For so many transactions, at most 1,000; one where it is not given. */
  times?: number | null;
};

/** What will be answered. */
export type Forced = {
  answer: string;
  times: number;
};

/** Gas. */
export type GasTold = {
  limit: number;
  used?: number | null;
};

/** A key. */
export type KeyAsked = {
  /** When it ends. */
  expires_at?: string | null;
  /** What it may move, and nothing of other assets; everything where it is not given. */
  limits?: Array<LimitAsked> | null;
  /** Where it lives: `device`, `staff` or `hsm`. */
  place?: string;
  /** 34 bytes in hexadecimal: algorithm, parity and x. */
  public_key: string;
};

/** The most that a key may move of an asset. */
export type LimitAsked = {
  /** The asset. */
  asset: string;
  /** On one business day, like "500.00 EUR". */
  per_day: string;
  /** In one transaction, like "100.00 EUR". */
  per_payment: string;
};

/** What a key may move. */
export type LimitTold = {
  asset: string;
  moved?: Moved | null;
  per_day: string;
  per_payment: string;
};

/** A page of a list, its columns as the command has them. */
export type ListShown = {
  as_of: AsOf;
  height: number;
  list: Array<{ [name: string]: string }>;
  next?: string | null;
};

/** What it has moved. */
export type Moved = {
  amount: string;
  day: string;
};

/** A name with its type. */
export type Named = {
  name: string;
  type: string;
};

/** The network. */
export type Network = {
  as_of: AsOf;
  chain: string;
  limits: NetworkLimits;
  node: string;
  parameters: string;
  protocol: number;
  restarts: Array<Restarted>;
  sandbox: boolean;
  time: string;
};

/** What transactions may be. */
export type NetworkLimits = {
  idempotency_days: number;
  item_gas_max: number;
  transaction_bytes: number;
  wait_s_max: number;
};

/** A day of a schedule. */
export type Occurrence = {
  date: string;
  number: number;
};

/** A party. */
export type Party = {
  accounts: Array<PartyAccount>;
  agreements: Array<PartyAgreement>;
  as_of: AsOf;
  home: string;
  keys: Array<PartyKey>;
  kind: string;
  /** Whether there are more accounts or agreements than these. */
  more: boolean;
  party: string;
  roles: Array<string>;
};

/** An account of a party. */
export type PartyAccount = {
  account: string;
  balance: string;
  currency: string;
  purpose: string;
};

/** An agreement of a party. */
export type PartyAgreement = {
  agreement: string;
  contract: string;
  state: string;
};

/** A party. */
export type PartyAsked = {
  /** Bank that knows the party. */
  home: string;
  /** Its first key, number 0. */
  key: KeyAsked;
  /** `person` or `organisation`. */
  kind?: string;
  /** Salted commitment to the name, 32 bytes in hexadecimal. */
  name: string;
  /** Its id; opaque and random. One is made where none is given. */
  party?: string | null;
  /** The bank's keyed hash of the person, 32 bytes in hexadecimal: one person, one value. */
  person: string;
};

/** A key of a party. */
export type PartyKey = {
  ends?: string | null;
  key: number;
  limits?: Array<LimitTold> | null;
  where: string;
};

/** A transaction that waits for a block. */
export type Pending = {
  /** `pending`. */
  status: string;
  transaction: string;
};

/** A place on the chain. */
export type PlaceTold = {
  height: number;
  index: number;
};

/** A posting. */
export type Posting = {
  account: string;
  /** What the entry is: `post`, `correct`, `hold`, `capture`, `release` or `expire`. A hold sets money aside, a release and an expiry give it back: they book nothing. */
  act: string;
  amount: string;
  currency: string;
  entry: number;
  purpose: string;
  side: string;
  value_date: string;
};

/** What is to be prepared. */
export type PrepareAsked = {
  /** Most gas that it may use. */
  gas_limit?: number | null;
  /** 32 hexadecimal digits: 4 bytes of the day since 1970, 12 of the client's choice. One is made where none is given; keep it for every retry. */
  idempotency_key?: string | null;
  /** What to do. */
  operation: Asked;
  /** Who signs, 1 to 8; the first one acts. */
  signers: Array<SignerAsked>;
  /** The most that accounts of the signers may lose; where it is not given, what the operation itself pays. */
  spend_max?: Array<SpendAsked> | null;
  /** Seconds that it is valid, at most a day. */
  valid_for_s?: number | null;
};

/** Bytes to sign, and what they would do. */
export type Prepared = {
  as_of: AsOf;
  body: string;
  chain: string;
  digest: string;
  effects?: Array<string> | null;
  fee?: string | null;
  gas: GasTold;
  idempotency_key: string;
  /** `done`, `refused`, `failed` or `rejected`; `unknown` to a customer where others sign as well. */
  outcome: string;
  postings?: Array<Posting> | null;
  problem?: ProblemDocument | null;
  signers: Array<Signer>;
  spend_max: Array<SpendTold>;
  transaction: string;
  valid_from: string;
  valid_until: string;
};

/** A problem (RFC 9457). */
export type ProblemDocument = {
  code: string;
  detail: string;
  explanation?: Array<string> | null;
  field?: string | null;
  given?: string | null;
  iso20022?: string | null;
  possible?: string | null;
  retry: RetryTold;
  rule?: string | null;
  status: number;
  title: string;
  /** Where its kind is explained. */
  type: string;
};

/** A kind of problem. */
export type ProblemKind = {
  code: string;
  explanation: string;
  retry_helps: boolean;
  status: number;
  title: string;
  type: string;
};

/** Every kind. */
export type ProblemKinds = {
  problems: Array<ProblemKind>;
};

/** An open proposal. */
export type Proposal = {
  agreement?: string | null;
  arguments: { [name: string]: unknown };
  as_of: AsOf;
  /** What it would do, in words. */
  effects: Array<string>;
  expires_at: string;
  operation: string;
  proposal: string;
  /** The operation, in the form in which the client core reads it. */
  proposed: unknown;
  proposer: string;
};

/** A receipt. */
export type Receipt = {
  as_of: AsOf;
  /** 0 when done; none where the reason is somebody else's to know. */
  code?: number | null;
  entries: number;
  events: number;
  /** `done`, `refused` or `failed`. */
  fate: string;
  gas: number;
  height: number;
  index: number;
  item: string;
  made?: string | null;
  postings: Array<Posting>;
  reported: Array<Reported>;
  /** `final`. */
  status: string;
  text: string;
  time: string;
  transaction?: string | null;
  /** Whether item and receipt are told whole, so that their proof may be asked for; postings and events of others are left out. */
  whole: boolean;
};

/** A receipt's figures. */
export type ReceiptRow = {
  code: number;
  entries: number;
  events: number;
  fate: string;
  gas: number;
  item: string;
};

/** From where to send again. */
export type ReplayAsked = {
  /** Height of the first block whose items are told again, each under the id that it had. */
  from: number;
};

/** What an agreement reported. */
export type Reported = {
  agreement: string;
  event: string;
  fields: { [name: string]: unknown };
};

/** Where the chain was begun again. */
export type Restarted = {
  abandoned: number;
  before: string;
  height: number;
  parent: string;
};

/** Whether trying again helps. */
export type RetryTold = {
  after_s?: number | null;
  helps: boolean;
};

/** A schedule. */
export type Schedule = {
  next: Waiting;
  past: Array<Occurrence>;
  projected: Array<Occurrence>;
  schedule: string;
};

/** An agreement's schedules. */
export type Schedules = {
  agreement: string;
  as_of: AsOf;
  schedules: Array<Schedule>;
};

/** Who signs, in the order in which signatures stand. */
export type Signer = {
  key: number;
  party: string;
};

/** Who signs. */
export type SignerAsked = {
  /** Number of its key. */
  key?: u16;
  /** The party. */
  party: string;
};

/** The most that an account may lose. */
export type SpendAsked = {
  /** The account. */
  account: string;
  /** Amount with its currency. */
  amount: string;
};

/** The most that an account may lose. */
export type SpendTold = {
  account: string;
  minor_units: string;
};

/** A schedule as it stands. */
export type Standing = {
  next: Waiting;
  schedule: string;
};

/** A row: full key and value, hexadecimal. */
export type StateRow = {
  key: string;
  value: string;
};

/** Rows of the state. */
export type StateRows = {
  as_of: AsOf;
  next?: string | null;
  rows: Array<StateRow>;
};

/** A statement of what was booked. */
export type StatementBooked = {
  account: string;
  as_of: AsOf;
  balance: string;
  currency: string;
  lines: Array<StatementBookedLine>;
  lines_in_all: number;
  next?: string | null;
};

/** A line of it. */
export type StatementBookedLine = {
  amount: string;
  balance: string;
  booked: string;
  entry: string;
  for: string;
  value_date: string;
};

/** A statement by value date. */
export type StatementByDate = {
  account: string;
  as_of: AsOf;
  closing: string;
  currency: string;
  from: string;
  height: number;
  lines: Array<StatementByDateLine>;
  lines_in_all: number;
  next?: string | null;
  opening: string;
  to: string;
};

/** A line of it. */
export type StatementByDateLine = {
  amount: string;
  balance: string;
  booked: string;
  entry: string;
  sequence: number;
  value_date: string;
};

/** A statement: as booked where no day and no block is named, else by value date. */
export type StatementTold = StatementBooked | StatementByDate;

/** A signed transaction: its bytes, or the body that was prepared with a signature of each signer. */
export type SubmitAsked = {
  /** The body that was prepared, hexadecimal. */
  body: string;
  /** Of each signer in order: r and s, 128 hexadecimal digits. */
  signatures: Array<string>;
};

/** A term. */
export type Term = {
  default?: string | null;
  doc: string;
  name: string;
  set_by: string;
  type: string;
};

/** What became of a transaction, or that it waits. */
export type TransactionTold = Receipt | Pending;

/** A transfer, or a line of a hold. */
export type TransferAsked = {
  /** Amount with its currency. */
  amount: string;
  /** Account that pays. */
  from: string;
  /** Account that receives. */
  to: string;
};

/** What a view answered. */
export type ViewAnswer = {
  answer: unknown;
  as_of: AsOf;
  view: string;
};

/** Arguments of a view. */
export type ViewAsked = {
  /** Arguments by name. */
  arguments?: { [name: string]: unknown };
};

/** What a schedule waits for. */
export type Waiting = {
  attempt?: number | null;
  attempt_date?: string | null;
  code?: number | null;
  date?: string | null;
  due?: string | null;
  number?: number | null;
  since?: string | null;
  /** `due`, `held`, `suspended` or `ended`. */
  status: string;
  /** Name of the refusal or the failure that it was suspended with. */
  why?: string | null;
};

/** A webhook. */
export type Webhook = {
  account?: string | null;
  agreement?: string | null;
  attempts: Array<Attempt>;
  failing_since?: string | null;
  next: PlaceTold;
  /** When it is made, and never again. */
  secret?: string | null;
  suspended?: string | null;
  url: string;
  webhook: string;
};

/** Where to send what. */
export type WebhookAsked = {
  /** Only what touches this account. */
  account?: string | null;
  /** Only what concerns this agreement. */
  agreement?: string | null;
  /** From the first item of this height on; from the next block on where it is not given. */
  from?: number | null;
  /** Where messages are posted; its host is one that the operator allows. */
  url: string;
};

/** A webhook that is gone. */
export type WebhookEnded = {
  ended: string;
};

/** Webhooks. */
export type Webhooks = {
  webhooks: Array<Webhook>;
};

/**  */
export type u16 = number;

/** What each path answers when all is well. */
export interface Answers {
  "GET /problems": ProblemKinds;
  "GET /problems/{code}": ProblemKind;
  "GET /v1/accounts": Accounts;
  "GET /v1/accounts/{id}": AccountTold;
  "GET /v1/accounts/{id}/entries": AccountEntries;
  "GET /v1/accounts/{id}/statement": StatementTold;
  "GET /v1/agreements": Agreements;
  "GET /v1/agreements/{id}": Agreement;
  "GET /v1/agreements/{id}/actions": Actions;
  "GET /v1/agreements/{id}/schedule": Schedules;
  "POST /v1/agreements/{id}/views/{view}": ViewAnswer;
  "GET /v1/assets": Assets;
  "GET /v1/assets/{id}": Asset;
  "GET /v1/blocks": Blocks;
  "GET /v1/blocks/{height}": BlockTold;
  "GET /v1/calendars": Calendars;
  "GET /v1/calendars/{id}/{year}": CalendarYear;
  "GET /v1/contracts": Contracts;
  "GET /v1/contracts/{code}": Contract;
  "GET /v1/lists/{what}": ListShown;
  "GET /v1/network": Network;
  "GET /v1/parties/{id}": Party;
  "GET /v1/proposals/{id}": Proposal;
  "GET /v1/receipts/{height}/{index}": Receipt;
  "POST /v1/sandbox/act": Receipt;
  "POST /v1/sandbox/clock": ClockMoved;
  "POST /v1/sandbox/enrol": Enrolled;
  "POST /v1/sandbox/faucet": FaucetRun;
  "DELETE /v1/sandbox/force": Cleared;
  "POST /v1/sandbox/force": Forced;
  "GET /v1/state": StateRows;
  "GET /v1/transactions": Receipt;
  "POST /v1/transactions": Receipt | Pending;
  "GET /v1/transactions/{id}": TransactionTold;
  "POST /v1/transactions:prepare": Prepared;
  "GET /v1/webhooks": Webhooks;
  "POST /v1/webhooks": Webhook;
  "DELETE /v1/webhooks/{webhook}": WebhookEnded;
  "GET /v1/webhooks/{webhook}": Webhook;
  "POST /v1/webhooks/{webhook}/replay": Webhook;
  "POST /v1/webhooks/{webhook}/resume": Webhook;
}
