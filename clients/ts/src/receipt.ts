import type { Core, DecodedBody, Json, JsonObject, Shown } from "./core.js";
import { compare } from "./operation.js";
import { Mismatch, Problem } from "./problem.js";

/** Times that a proof is asked for: the newest block's certificate is written with the block after it. */
const ASKED_MAX = 10;

/** Where a receipt's proof comes from and what it is held against. */
export interface Proving {
  core: Core;
  bundle(height: string, index: string): Promise<Uint8Array>;
  trusted: Uint8Array;
  verified(shown: Shown): void;
  wait(ms: number): Promise<void>;
}

/** What became of a transaction, by the node's word until it is verified. */
export class Receipt {
  #proving: Proving;
  #expected: DecodedBody | undefined;

  constructor(
    readonly document: JsonObject,
    /** Why not, where it was refused or failed. */
    readonly problem: Problem | undefined,
    proving: Proving,
  ) {
    this.#proving = proving;
  }

  /** Height of its block. */
  get height(): string {
    return String(this.document["height"]);
  }

  /** Its place in the block. */
  get index(): string {
    return String(this.document["index"]);
  }

  /** What it must be the receipt of. */
  expect(decoded: DecodedBody): void {
    this.#expected = decoded;
  }

  /**
   * Shows, with nothing but the trusted checkpoint, what became of the transaction: a `CoreError` or a `Mismatch` where
   * the node's proof does not.
   */
  async verify(): Promise<Shown> {
    const { core, trusted, verified } = this.#proving;
    const shown = core.verifyBundle(trusted, await this.#bundle());
    const tx = (shown.item as JsonObject | undefined)?.["Tx"] as JsonObject | undefined;
    const body = tx?.["body"] as JsonObject | undefined;
    const differs: string[] = [];
    if (shown.kind !== "receipt" || body === undefined) differs.push("item");
    if (String(shown.header["height"]) !== this.height || String(shown.index) !== this.index) differs.push("place");
    if (this.#expected !== undefined && body !== undefined && !isOf(this.#expected.body, body)) differs.push("transaction");
    if (differs.length > 0) throw new Mismatch(differs);
    verified(shown);
    return shown;
  }

  async #bundle(): Promise<Uint8Array> {
    for (let turn = 1; ; turn += 1) {
      try {
        return await this.#proving.bundle(this.height, this.index);
      } catch (error) {
        if (!(error instanceof Problem) || error.status !== 404 || turn === ASKED_MAX) throw error;
        await this.#proving.wait(200 * turn);
      }
    }
  }
}

/**
 * Whether a body is an attempt at the same act: the same operation of the same party under the same key. Its window, gas
 * and signing keys may be those of another attempt.
 */
function isOf(expected: JsonObject, given: JsonObject): boolean {
  const actor = (body: JsonObject) => (body["authorisers"] as JsonObject[])[0]?.["party"] ?? null;
  const isSame = (a: Json, b: Json) => compare(a, b).differs.length === 0;
  return (
    expected["key"] === given["key"] &&
    actor(expected) === actor(given) &&
    isSame(given["operation"] as Json, expected["operation"] as Json)
  );
}
