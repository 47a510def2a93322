import { hex, same, unhex } from "./bytes.js";
import type { Core, DecodedBody, Explained, JsonObject, Json, Shown } from "./core.js";
import { follow, type Following, type Told } from "./events.js";
import { Http, type Connection } from "./http.js";
import type { Key } from "./key.js";
import { asked, compare, expected, spends, type Operation, type Spend } from "./operation.js";
import { Mismatch, Problem, Unknown } from "./problem.js";
import { Receipt } from "./receipt.js";

const DAY_MS = 86_400_000;
/** What the clocks of an app and of a node may lie apart. */
const CLOCKS_APART_MS = 600_000;

/** What a client needs. */
export interface Options extends Connection {
  core: Core;
  /** The newest header that is trusted, and who signs after it: what receipts are held against. */
  checkpoint: Uint8Array;
  /** Waits; the platform's timer where nothing is said. */
  wait?: (ms: number) => Promise<void>;
  /** Milliseconds since 1970; the platform's clock where nothing is said. A sandbox whose clock was moved needs its own. */
  now?: () => number;
  /** Seconds that the node is asked to wait for an outcome; 10 where nothing is said. */
  waitS?: number;
}

/** Who signs, the acting party first. */
export interface Signer {
  party: string;
  /** Number of the key. */
  key?: number;
}

/** How something is prepared. */
export interface Preparing {
  signers: Signer[];
  /** The most that accounts of the signers may lose; where nothing is said, what the operation itself pays. */
  spendMax?: Spend[];
  /** Most gas; 200,000,000 where nothing is said. */
  gasLimit?: bigint;
  /** Seconds that it is valid; an hour where nothing is said. */
  validForS?: number;
  /** The key of an earlier attempt at the very same act, hexadecimal. */
  idempotencyKey?: string;
}

/** What is ready to be shown and signed. */
export interface Prepared {
  /** What the bytes say: this is what is shown. */
  decoded: DecodedBody;
  /** The bytes that are signed. */
  body: Uint8Array;
  /** The idempotency key, hexadecimal: of all attempts at this act. */
  key: string;
  /** Places of the body that only the contract explains: terms, arguments. `explain` reads them. */
  unchecked: string[];
  /** What the node says that would happen; its word alone. */
  node: JsonObject;
}

/** A bank's chain, as an app sees it. */
export class Client {
  readonly core: Core;
  #http: Http;
  /** What this client began with; receipts of its time are held against it in any order. */
  #trusted: Uint8Array;
  /** The newest header that it has verified, and its height. */
  #newest: { checkpoint: Uint8Array; height: bigint };
  #chain: string;
  #wait: (ms: number) => Promise<void>;
  #now: () => number;
  #waitS: number;

  constructor(options: Options) {
    this.core = options.core;
    this.#http = new Http(options);
    this.#trusted = options.checkpoint;
    const header = this.core.decodeCheckpoint(options.checkpoint)["header"] as JsonObject;
    this.#newest = { checkpoint: options.checkpoint, height: BigInt(String(header["height"])) };
    this.#chain = String(header["chain"]);
    this.#wait = options.wait ?? ((ms) => new Promise((done) => setTimeout(done, ms)));
    this.#now = options.now ?? Date.now;
    this.#waitS = options.waitS ?? 10;
  }

  /**
   * The newest header that was verified: keep it for the next start. What is older than the checkpoint that a client
   * begins with is shown by ancestry alone.
   */
  get checkpoint(): Uint8Array {
    return this.#newest.checkpoint;
  }

  /** The chain that is trusted. */
  get chain(): string {
    return this.#chain;
  }

  /** A document of the node, such as `/v1/accounts/…`. Its word alone: `Receipt.verify` and `state` show more. */
  get(path: string): Promise<JsonObject> {
    return this.#http.json("GET", path);
  }

  /** What state held of an account or an agreement, proved against the checkpoint: the record's bytes, or null. */
  async state(kind: "account" | "agreement", id: string): Promise<{ height: bigint; record: Uint8Array | null }> {
    const bundle = await this.#http.bytes(`/v1/proofs/${kind}/${encodeURIComponent(id)}`);
    const shown = this.core.verifyBundle(this.#trusted, bundle);
    if (shown.kind !== "state") throw new Mismatch(["kind"]);
    this.#verified(shown);
    const height = BigInt(String(shown.header["height"]));
    return { height, record: shown.record === null || shown.record === undefined ? null : unhex(shown.record) };
  }

  /**
   * Has a body prepared, reads it and holds it against what was asked for: a `Mismatch` names each place that says
   * something else. Nothing of it is the node's word, but what stands in `node`.
   */
  async prepare(operation: Operation, preparing: Preparing): Promise<Prepared> {
    const key = preparing.idempotencyKey ?? this.#newKey();
    const { signers, spendMax, gasLimit = 200_000_000n, validForS = 3_600 } = preparing;
    const own = spendMax?.map(({ account, amount }): [string, bigint] => [account, amount.minor]) ?? [...spends(operation)];
    const node = await this.#http.json("POST", "/v1/transactions:prepare", {
      signers: signers.map(({ party, key: number = 0 }) => ({ party, key: number })),
      operation: asked(operation),
      idempotency_key: key,
      ...(spendMax === undefined ? {} : { spend_max: spendMax.map((spend) => ({ account: spend.account, amount: spend.amount.toString() })) }),
      gas_limit: Number(gasLimit),
      valid_for_s: validForS,
    });
    const body = unhex(String(node["body"]));
    const decoded = this.core.decodeBody(body);
    const found = compare(decoded.body["operation"] as Json, expected(operation, decoded.body["operation"] as Json), "operation");
    const differs = [
      ...this.#frame(decoded.body, { signers, key, gasLimit, validForS }),
      ...found.differs,
      ...spendMaxDiffers(decoded.body, new Map(own)),
    ];
    if (!same(this.core.digest(body), unhex(String(node["digest"])))) differs.push("digest");
    if (differs.length > 0) throw new Mismatch(differs);
    return { decoded, body, key, unchecked: found.unchecked, node };
  }

  /**
   * What the bytes say to a contract, to be shown and compared before they are signed: read by the very module that they
   * name by its hash. A `CoreError` where the node gives another one, or the bytes say nothing to a contract.
   */
  async explain(prepared: Prepared): Promise<Explained> {
    const [content] = Object.values(prepared.decoded.body["operation"] as JsonObject) as JsonObject[];
    const code = String(content?.["code"] ?? (content?.["seen"] as JsonObject | undefined)?.["code"]);
    const published = await this.#http.bytes(`/v1/contracts/${encodeURIComponent(code)}/published`);
    return this.core.explain(published, prepared.body);
  }

  /** Everything of a body but its operation and what may be spent. */
  #frame(body: JsonObject, asked: { signers: Signer[]; key: string; gasLimit: bigint; validForS: number }): string[] {
    const differs: string[] = [];
    const hold = (place: string, holds: boolean) => holds || differs.push(place);
    const given = (body["authorisers"] as JsonObject[]).map(({ party, key }) => `${String(party)} ${String(key)}`);
    const wanted = asked.signers.map(({ party, key = 0 }) => `${party} ${key}`);
    hold("authorisers", given[0] === wanted[0] && [...given].sort().join() === [...wanted].sort().join());
    hold("chain", body["chain"] === this.#chain);
    hold("key", body["key"] === asked.key);
    hold("gas_limit", body["gas_limit"] === asked.gasLimit.toString());
    const [from, until] = [Date.parse(String(body["valid_from"])), Date.parse(String(body["valid_until"]))];
    // Not to be kept back and run some other day.
    hold("valid_from", from <= this.#now() + CLOCKS_APART_MS);
    hold("valid_until", until - from === asked.validForS * 1_000);
    return differs;
  }

  /**
   * Signs what was prepared and has it done. However often it must be sent, it is one act under one key: an answer that
   * is lost is asked for, a full pool is waited for, and a receipt comes back, or the `Problem` why there is none. An
   * `Unknown` where nobody can be asked until its validity is over and longer.
   *
   * @param keys of the signers, in their order
   */
  async submit(prepared: Prepared, keys: Key[]): Promise<Receipt> {
    const transaction = this.core.assemble(prepared.body, keys.map((key) => key.sign(prepared.body)));
    const until = Date.parse(String(prepared.decoded.body["valid_until"]));
    let cause: unknown;
    for (let turn = 0; ; turn += 1) {
      const answer = await this.#once(transaction).catch((error: unknown) => error);
      if (answer instanceof Receipt) return this.#own(answer, prepared);
      const isFinal = answer instanceof Problem && answer.status < 500 && ![408, 429].includes(answer.status);
      if (isFinal) return this.#own(await this.#told(answer, prepared), prepared);
      cause = answer;
      const found = await this.outcome(prepared).catch((error: unknown) => error);
      if (found instanceof Receipt) return this.#own(found, prepared);
      // Later than this it can no longer run, and whoever could be asked has been.
      if (this.#now() > until + CLOCKS_APART_MS) throw new Unknown(prepared.key, { cause });
      const asks = answer instanceof Problem ? answer.retryAfterMs : undefined;
      await this.#wait(asks ?? Math.min(250 * 2 ** turn, 10_000));
    }
  }

  /** What became of a prepared act; undefined where nothing did so far. */
  async outcome(prepared: Prepared): Promise<Receipt | undefined> {
    const actor = String((prepared.decoded.body["authorisers"] as JsonObject[])[0]?.["party"]);
    const query = new URLSearchParams({ party: actor, key: prepared.key });
    try {
      return this.#receipt(await this.#http.json("GET", `/v1/transactions?${query}`));
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return undefined;
      throw error;
    }
  }

  /** Events, each once and in order, over connections that break. */
  events(following: Following = {}): AsyncGenerator<Told> {
    return follow(this.#http, following, this.#wait);
  }

  async #once(transaction: Uint8Array): Promise<Receipt | undefined> {
    const answer = await this.#http.send("POST", "/v1/transactions", {
      body: transaction as Uint8Array<ArrayBuffer>,
      headers: { "content-type": "application/octet-stream", prefer: `wait=${this.#waitS}` },
    });
    // 202: it waits for a block; what becomes of it is asked for.
    return answer.status === 201 ? this.#receipt((await answer.json()) as JsonObject) : undefined;
  }

  /** A refusal has a receipt; whatever else says no has none, unless an earlier attempt was done. */
  async #told(problem: Problem, prepared: Prepared): Promise<Receipt> {
    const receipt = problem.document["receipt"];
    if (typeof receipt === "object" && receipt !== null) return this.#receipt(receipt as JsonObject, problem);
    if (problem.code !== "key_taken") {
      const found = await this.outcome(prepared).catch(() => undefined);
      if (found !== undefined) return found;
    }
    throw problem;
  }

  /** A receipt under our key is ours, or of an attempt of ours at the same act that was signed otherwise. */
  #own(receipt: Receipt, prepared: Prepared): Receipt {
    receipt.expect(prepared.decoded);
    return receipt;
  }

  #receipt(document: JsonObject, problem?: Problem): Receipt {
    return new Receipt(document, problem, {
      core: this.core,
      bundle: (height, index) => this.#http.bytes(`/v1/receipts/${height}/${index}/proof`),
      trusted: this.#trusted,
      verified: (shown) => this.#verified(shown),
      wait: this.#wait,
    });
  }

  #verified(shown: Shown): void {
    const height = BigInt(String(shown.header["height"]));
    if (height > this.#newest.height) this.#newest = { checkpoint: shown.checkpoint, height };
  }

  #newKey(): string {
    const key = crypto.getRandomValues(new Uint8Array(16));
    new DataView(key.buffer).setUint32(0, Math.floor(this.#now() / DAY_MS), false);
    return hex(key);
  }
}

function spendMaxDiffers(body: JsonObject, wanted: Map<string, bigint>): string[] {
  const given = body["spend_max"] as JsonObject[];
  const fits = ({ account, amount }: JsonObject) => wanted.get(String(account))?.toString() === amount;
  return given.length === wanted.size && given.every(fits) ? [] : ["spend_max"];
}
