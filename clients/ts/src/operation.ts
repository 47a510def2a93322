import type { Amount } from "./amount.js";
import type { Json, JsonObject } from "./core.js";

/** An amount on an account. */
export interface Spend {
  account: string;
  amount: Amount;
}

/** Money from an account to another. */
export interface Line {
  from: string;
  to: string;
  amount: Amount;
}

/** What is to be done, as the node takes it; amounts with their decimals written out. */
export type Operation =
  | ({ type: "transfer" } & Line)
  | { type: "batch"; transfers: Line[] }
  | { type: "hold"; lines: Line[]; expires_at: string }
  | { type: "capture"; hold: string; parts?: Spend[]; last: boolean }
  | { type: "release"; hold: string }
  | { type: "open"; contract: string; terms: JsonObject }
  | { type: "invoke"; agreement: string; call: string; arguments: JsonObject }
  | { type: "account"; owner: string; asset: string; purpose: string }
  | { type: "revoke"; agreement: string; account: string }
  | { type: "approve"; proposal: string }
  | { type: "withdraw"; proposal: string };

/** Stands where only the contract's spec says what the bytes mean. */
export const UNCHECKED = Symbol("not checked by the client");

/** JSON in which some places are open. */
export type Expected = Json | typeof UNCHECKED | Expected[] | { [name: string]: Expected };

/** The operation as it must stand in the bytes, beside what stands there. */
export function expected(operation: Operation, given: Json): Expected {
  switch (operation.type) {
    case "transfer":
      return { Transfer: transfer(operation) };
    case "batch":
      return { Batch: { transfers: operation.transfers.map(transfer) } };
    case "hold":
      return {
        Hold: {
          lines: operation.lines.map(line),
          expires_at: new Date(operation.expires_at).toISOString(),
          narrative: null,
          reference: null,
        },
      };
    case "capture": {
      const parts = (operation.parts ?? []).map(({ account, amount }) => [account, amount.minor.toString()]);
      return { Capture: { hold: operation.hold, parts, last: operation.last } };
    }
    case "release":
      return { Release: operation.hold };
    case "open": {
      // A name is the node's to look up; a code is not.
      const code = operation.contract.startsWith("code1") ? operation.contract : UNCHECKED;
      return { Open: { code, terms: UNCHECKED, arguments: "00" } };
    }
    case "invoke": {
      const seen: Expected = { agreement: operation.agreement, code: UNCHECKED, terms_version: UNCHECKED };
      const call: Expected = { seen, call: UNCHECKED, arguments: UNCHECKED };
      // Signing an agreement's terms is a call as well.
      return typeof given === "object" && given !== null && "Sign" in given ? { Sign: call } : { Invoke: call };
    }
    case "account": {
      const { owner, asset, purpose } = operation;
      return { Account: { owner, asset, purpose, floor: "0", ceiling: null, kind: "Plain" } };
    }
    case "revoke":
      return { Revoke: { agreement: operation.agreement, account: operation.account } };
    case "approve":
      return { Approve: operation.proposal };
    case "withdraw":
      return { Withdraw: operation.proposal };
  }
}

/** What its signers allow where they say nothing: what the operation itself pays, ascending by account. */
export function spends(operation: Operation): Map<string, bigint> {
  const paying: Line[] =
    operation.type === "transfer" ? [operation]
    : operation.type === "batch" ? operation.transfers
    : operation.type === "hold" ? operation.lines
    : [];
  const sums = new Map<string, bigint>();
  for (const { from, amount } of paying) sums.set(from, (sums.get(from) ?? 0n) + amount.minor);
  return sums;
}

/** The operation in the JSON that the node reads. */
export function asked(operation: Operation): JsonObject {
  const plain = (value: unknown): Json => {
    if (value === null || typeof value !== "object") return value as Json;
    if (Array.isArray(value)) return value.map(plain);
    if ("minor" in value && "currency" in value) return String(value);
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
  };
  return plain(operation) as JsonObject;
}

/** Where the bytes say something else than what was expected, and what could not be checked. */
export function compare(given: Json, wanted: Expected, path = ""): { differs: string[]; unchecked: string[] } {
  const none = { differs: [], unchecked: [] };
  if (wanted === UNCHECKED) return { differs: [], unchecked: [path] };
  if (wanted === null || typeof wanted !== "object") return given === wanted ? none : { differs: [path], unchecked: [] };
  if (given === null || typeof given !== "object" || Array.isArray(given) !== Array.isArray(wanted)) {
    return { differs: [path], unchecked: [] };
  }
  const [have, want] = [Object.entries(given), new Map(Object.entries(wanted))];
  if (have.length !== want.size) return { differs: [path], unchecked: [] };
  const parts = have.map(([name, value]) => {
    const place = path === "" ? name : `${path}.${name}`;
    return want.has(name) ? compare(value, want.get(name) as Expected, place) : { differs: [place], unchecked: [] };
  });
  return { differs: parts.flatMap((part) => part.differs), unchecked: parts.flatMap((part) => part.unchecked) };
}

function transfer({ from, to, amount }: Line): Expected {
  return { from, to, amount: amount.minor.toString(), narrative: null, reference: null };
}

function line({ from, to, amount }: Line): Expected {
  return { from, to, amount: amount.minor.toString() };
}
