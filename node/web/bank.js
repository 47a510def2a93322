// Talking to the bank: reading, preparing, signing, handing in, verifying.

import * as core from "./core.js";
import * as keys from "./keys.js";

/** What the bank says no with: a problem document. */
export class Problem extends Error {
  constructor(document, status) {
    super(plain(document.explanation?.[0] ?? document.detail ?? document.title ?? `the bank answered ${status}`));
    this.document = document;
    this.status = status;
  }
}

/** An explanation without the name of its rule, which is shown beside it; a shortage, told in cents, in euro. */
function plain(text) {
  const cents = (_, available, needed) => ` available ${euro(BigInt(available))}, needed ${euro(BigInt(needed))}`;
  return text.replace(/^refused: /, "")
    .replace(/ \((?:NotCovered|FundingShort)\) available (\d+), needed (\d+)/, cents)
    .replace(/ \(\w+(?:, ISO 20022 \w+)?\)/, "");
}

async function ask(path, { body, token, wait, accept } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  if (wait) headers.Prefer = `wait=${wait}`;
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Problem(await answer.json().catch(() => ({})), answer.status);
  if (accept === "bytes") return new Uint8Array(await answer.arrayBuffer());
  return Object.assign(await answer.json(), { status_code: answer.status });
}

let me = null;
const others = new Map();
const titles = new Map();

/** The customer; null before there is one. */
export const customer = () => me;

/** Finds the customer of this browser, if the bank still knows it. */
export async function recognise() {
  const found = await keys.customer();
  const network = await ask("/v1/network");
  if (!found || found.chain !== network.chain) return null;
  me = found;
  try {
    await mine(`/v1/accounts/${me.account}`);
  } catch (problem) {
    // The bank was made anew: what this browser holds opens nothing any more.
    if (![401, 404].includes(problem.status)) throw problem;
    me = null;
  }
  return me;
}

/** What the customer's token reads. */
export const mine = (path, body) => ask(path, { token: me.token, body });
/** What the bank's own server would read for its app: in an open sandbox no token is needed for it. */
export const banks = (path, body) => ask(path, { body });
/** What staff and counterparties of the sandbox do. */
export const staff = (who, operation) => banks("/v1/sandbox/act", { who, operation });

/** Who can be paid, by role; their accounts are known by name at the bank. */
export const PAYEES = { landlord: "Landlord", shop: "Corner shop", energy: "Energy supplier", "savings-club": "Savings club" };

const NAMES = { ...PAYEES, funding: "the bank", bank: "the bank" };

/** Learns the accounts that have names. */
export async function learn() {
  await Promise.all(Object.keys(NAMES).map(async (role) => others.set((await banks(`/v1/accounts/${role}`)).account, role)));
}

/** Account of somebody who can be paid. */
export const payee = (role) => [...others].find(([, known]) => known === role)[0];

/** Has an agreement called something. */
export const entitle = (agreement, title) => titles.set(agreement, title);

/** What this page calls an account; null for one that it does not know. */
export function owner(account) {
  if (account === me?.account) return "your account";
  return others.has(account) ? NAMES[others.get(account)].replace(/^[A-Z]/, (first) => `the ${first.toLowerCase()}`) : null;
}

/** A text with the ids that this page knows replaced by words. */
export function named(text) {
  let said = String(text);
  const put = (id, word) => (said = said.replaceAll(`account ${id}`, word).replaceAll(id, word));
  if (me) {
    put(me.account, "your account");
    put(me.party, "you");
  }
  for (const id of others.keys()) put(id, owner(id));
  for (const [id, title] of titles) put(id, title);
  return said.replace(/\b(acct|agr|party|tx|code)1[0-9a-z]{20,}/g, (id) => `${id.slice(0, 12)}…`);
}

/** Makes the customer: a key here, the rest at the bank; the loan is offered, signed and paid out, the programme joined.
    `told` hears of each step. */
export async function enrol(told) {
  told("Making your key in this browser");
  const { secret, public: open } = keys.draw();
  told("Opening your account");
  const made = await banks("/v1/sandbox/enrol", { public_key: core.hex(open), amount: "2500.00 EUR" });
  const { party, account, chain, checkpoint, token } = made;
  await keys.keep(secret, token, { party, account, chain, checkpoint });
  me = { party, account, chain, checkpoint, token };
  await learn();
  told("Offering your loan");
  const first = new Date(made.as_of.time);
  first.setUTCMonth(first.getUTCMonth() + 1);
  const terms = {
    borrower: account, principal: "1200.00 EUR", rate: "4.9%", instalments: 12,
    first_due: first.toISOString().slice(0, 10), collection_max: "500.00 EUR",
  };
  const opened = await staff("officer", { type: "open", contract: "loan", terms });
  told("Signing the loan with your key");
  const loan = await agreementOf("loan");
  await agreed(opened, loan.agreement, terms);
  await signed({ type: "invoke", agreement: loan.agreement, call: "accept" });
  told("Paying the loan out");
  await staff("officer", { type: "invoke", agreement: loan.agreement, call: "disburse" });
  told("Joining the points programme");
  await signed({ type: "invoke", agreement: "programme", call: "join" });
}

/** Holds the terms of an agreement that the bank opened against those that the customer was shown. They stand in the
    transaction that opened it, which the proof of its receipt holds; the agreement's id is a hash of that transaction. */
export async function agreed({ height, index }, agreement, terms) {
  const bundle = await ask(`/v1/receipts/${height}/${index}/proof`, { accept: "bytes" });
  const { item } = core.verify(core.unhex(me.checkpoint), bundle);
  const said = await explained(core.encodeBody(item.Tx.body), item.Tx.body);
  const differs = Object.entries(terms).find(([name, value]) => said.values[name] !== String(value));
  if (said.agreement !== agreement || differs) {
    throw new Error(`The bank opened something else than it offered (another ${differs?.[0] ?? "agreement"}). Nothing was signed.`);
  }
}

/** The customer's agreements under a contract. */
export async function agreementsOf(contract) {
  const { agreements } = await mine("/v1/agreements");
  return agreements.filter((one) => one.contract.startsWith(`${contract}@`));
}

/** The newest of them. */
export async function agreementOf(contract) {
  return (await agreementsOf(contract)).sort((a, b) => a.opened_at.localeCompare(b.opened_at)).pop();
}

/** A view of an agreement. */
export const view = async (agreement, name) => (await mine(`/v1/agreements/${agreement}/views/${name}`, {})).answer;

/** Has the bank make the bytes for an operation, and reads them here: what is signed is what these bytes say. */
export async function prepare(operation, spend) {
  const asked = { signers: [{ party: me.party }], operation };
  if (spend) asked.spend_max = [{ account: me.account, amount: spend }];
  // The programme is open to everybody, so the customer's token does not list it: the bank's own server prepares for it.
  const read = operation.agreement === "programme" ? banks : mine;
  const prepared = await read("/v1/transactions:prepare", asked);
  const bytes = core.unhex(prepared.body);
  const { id, body } = core.decodeBody(bytes);
  const said = await explained(bytes, body);
  check(body, said, operation, spend);
  return { id, bytes, body, said, prepared };
}

const modules = new Map();

/** What the bytes say to a contract; null where they say nothing to one. */
async function explained(bytes, body) {
  const [content] = Object.values(body.operation);
  const code = content.code ?? content.seen?.code;
  if (!code) return null;
  if (!modules.has(code)) modules.set(code, await ask(`/v1/contracts/${code}/published`, { token: me.token, accept: "bytes" }));
  return core.explain(modules.get(code), bytes);
}

/** Bytes that say something else than what was asked for are not signed. */
function check(body, said, asked, spend) {
  const lie = (what) => {
    throw new Error(`The bank prepared something else than you asked for (${what}). Nothing was signed.`);
  };
  const signers = body.authorisers.map((by) => by.party);
  if (body.chain !== me.chain) lie("another chain");
  if (signers.length !== 1 || signers[0] !== me.party) lie("other signers");
  const most = spend ?? (asked.type === "transfer" ? asked.amount : null);
  const allowed = body.spend_max.map((one) => `${one.account} ${one.amount}`);
  const expected = most ? [`${me.account} ${minor(most)}`] : [];
  if (allowed.join() !== expected.join()) lie("another limit");
  const [[kind, content]] = Object.entries(body.operation);
  if (asked.type === "transfer") {
    const same = kind === "Transfer" && content.from === asked.from && content.to === asked.to;
    if (!same || content.amount !== String(minor(asked.amount))) lie("another payment");
  } else if (asked.type === "open") {
    if (kind !== "Open" || content.arguments !== "00") lie("another operation");
    if (!said.contract.startsWith(`${asked.contract}@`)) lie("another product");
    // Terms that were not asked for are the product's own; the customer is shown all of them.
    for (const [name, value] of Object.entries(asked.terms)) if (said.values[name] !== value) lie(`another ${name}`);
  } else {
    if (kind !== "Invoke" && kind !== "Sign") lie("another operation");
    if (asked.agreement !== "programme" && content.seen.agreement !== asked.agreement) lie("another agreement");
    if (said.call !== asked.call) lie("another instruction");
    for (const [name, value] of Object.entries(said.values)) if (value !== (asked.arguments?.[name] ?? null)) lie(`another ${name}`);
  }
}

/** Signs what was prepared and hands it in; the same bytes go again until there is an answer. */
export async function submit({ id, bytes }) {
  const body = { body: core.hex(bytes), signatures: [core.hex(await keys.sign(bytes))] };
  for (let attempt = 0; ; attempt += 1) {
    try {
      const receipt = await ask("/v1/transactions", { token: me.token, body, wait: 10 });
      if (receipt.status_code === 201) {
        if (bytesOf(receipt.item) !== bytesOf(id)) throw new Error("The bank answered with another receipt.");
        return receipt;
      }
    } catch (problem) {
      const again = problem instanceof TypeError || problem.document?.retry?.helps;
      if (!again || attempt >= 5) throw problem;
      await new Promise((after) => setTimeout(after, 500 * 2 ** attempt));
    }
  }
}

/** Prepares, signs and hands in without asking: for what the customer agreed to with one button. */
export async function signed(operation) {
  const prepared = await prepare(operation);
  if (prepared.prepared.problem) throw new Problem(prepared.prepared.problem, 422);
  return submit(prepared);
}

/** What an id stands for, between its kind and its checksum. */
const bytesOf = (id) => id.slice(id.indexOf("1") + 1, -6);

/** The receipt behind an entry of the customer's statement: of a transaction, or of what fell due by itself. */
export async function receiptOf(entry) {
  const item = entry.split("/")[0];
  for (let cursor = ""; cursor !== null;) {
    const page = await mine(`/v1/accounts/${me.account}/entries?limit=200${cursor && `&cursor=${cursor}`}`);
    const found = page.entries.find((one) => one.entry === entry);
    if (found) {
      const { list } = await banks(`/v1/blocks/${found.height}`);
      return mine(`/v1/receipts/${found.height}/${list.findIndex((one) => one.item === item)}`);
    }
    cursor = page.next;
  }
  throw new Error("the statement has no such entry");
}

/** Fetches the proof of a receipt and checks it in this browser, against the checkpoint that was kept when the account
    was opened: this very receipt is in a block that the chain's validators signed. */
export async function verify({ height, index, item }) {
  const bundle = await ask(`/v1/receipts/${height}/${index}/proof`, { token: me.token, accept: "bytes" });
  const shown = core.verify(core.unhex(me.checkpoint), bundle);
  if (shown.receipt.full.receipt.item !== item) throw new Error("the proof is of another receipt");
  return { height: shown.header.height, bytes: bundle.length };
}

/** Minor units of a text like "12.50 EUR". */
export function minor(amount) {
  const [number, code] = amount.split(" ");
  const [whole, part = ""] = number.split(".");
  const sign = whole.startsWith("-") ? -1n : 1n;
  return sign * BigInt(whole.replace("-", "") + (code === "PTS" ? "" : part.padEnd(2, "0")));
}

/** The text of so many cents. */
export function euro(cents) {
  const digits = String(cents < 0n ? -cents : cents).padStart(3, "0");
  return `${cents < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)} EUR`;
}
