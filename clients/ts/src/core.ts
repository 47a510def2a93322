import { unhex } from "./bytes.js";

/** JSON as the core makes it: whole numbers of 64 bits and more are decimal text. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
/** A JSON object. */
export type JsonObject = { [name: string]: Json };

/** What the core says no to: bytes of another form, a signature that does not hold, a bundle that shows nothing. */
export class CoreError extends Error {
  override name = "CoreError";
}

/** A body as it is shown before it is signed. */
export interface DecodedBody {
  /** Id of the transaction that it becomes. */
  id: string;
  body: JsonObject;
}

/** What a body says to a contract. */
export interface Explained {
  /** `name@version`, as the module says. */
  contract: string;
  /** The agreement; where one is opened, the one that it becomes. */
  agreement: string;
  /** The call; null where an agreement is opened. */
  call: string | null;
  /** Terms or arguments as people read them; null where nothing is said. */
  values: { [name: string]: string | null };
}

/** What a verified bundle shows. */
export interface Shown {
  kind: "receipt" | "state";
  /** Header of the block, which is of the checkpoint's chain. */
  header: JsonObject;
  /** Place of the item in its block (`receipt`). */
  index?: number;
  /** The item, and its receipt with the reason where it was refused (`receipt`). */
  item?: JsonObject;
  receipt?: JsonObject;
  /** Full key in hexadecimal, and the record there or null (`state`). */
  key?: string;
  record?: string | null;
  /** The checkpoint to trust from now on. */
  checkpoint: Uint8Array;
}

type Export =
  | "public_key" | "encode_body" | "decode_body" | "digest" | "sign" | "verify_signature" | "assemble"
  | "decode_transaction" | "decode_checkpoint" | "verify_bundle" | "decode_receipt" | "explain";

type Exports = { memory: WebAssembly.Memory; reserve(length: number): number; release(place: number, length: number): void }
  & Record<Export, (request: number, length: number) => number>;

const ANSWER_HEAD = 8;
const text = new TextDecoder("utf-8", { fatal: true });

/**
 * The chain's own code, compiled to wasm: it reads and makes bodies and transactions, signs them and verifies proofs. It
 * knows no network, clock or randomness.
 */
export class Core {
  #module: WebAssembly.Module;
  #exports: Exports;

  private constructor(module: WebAssembly.Module) {
    this.#module = module;
    this.#exports = Core.#fresh(module);
  }

  /** The core of a wasm module: its bytes, or the answer to a request for them. */
  static async load(source: BufferSource | Response | Promise<Response>): Promise<Core> {
    const given = await source;
    const bytes = given instanceof Response ? await given.arrayBuffer() : given;
    return new Core(await WebAssembly.compile(bytes));
  }

  static #fresh(module: WebAssembly.Module): Exports {
    return new WebAssembly.Instance(module, {}).exports as unknown as Exports;
  }

  /** The public key (34 bytes) of 32 secret bytes; a `CoreError` where they are no key. */
  publicKey(secret: Uint8Array): Uint8Array {
    return this.#call("public_key", secret);
  }

  /** The bytes of a body that is given as JSON. */
  encodeBody(body: JsonObject): Uint8Array {
    return this.#call("encode_body", new TextEncoder().encode(JSON.stringify(body)));
  }

  /** A body as it is to be shown before it is signed. */
  decodeBody(body: Uint8Array): DecodedBody {
    return this.#json("decode_body", body) as unknown as DecodedBody;
  }

  /**
   * What a body says to a contract, by name: read by the module that the body names by its hash, which any node may give
   * (`/v1/contracts/{code}/published`). A `CoreError` where that is another module.
   */
  explain(published: Uint8Array, body: Uint8Array): Explained {
    return this.#json("explain", published, body) as unknown as Explained;
  }

  /** The 32 bytes that are signed of a body. */
  digest(body: Uint8Array): Uint8Array {
    return this.#call("digest", body);
  }

  /** Signs a body: r and s, 64 bytes, s in the lower half of the order. */
  sign(secret: Uint8Array, body: Uint8Array): Uint8Array {
    return this.#call("sign", secret, body);
  }

  /** Throws a `CoreError` that names the rule which a signature breaks. */
  verifySignature(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): void {
    this.#call("verify_signature", publicKey, digest, signature);
  }

  /** The bytes of a transaction: a body and the signatures of its authorisers, in their order. */
  assemble(body: Uint8Array, signatures: Uint8Array[]): Uint8Array {
    const joined = new Uint8Array(signatures.reduce((length, one) => length + one.length, 0));
    signatures.reduce((at, one) => (joined.set(one, at), at + one.length), 0);
    return this.#call("assemble", body, joined);
  }

  /** A transaction as JSON: its id, its body, the bytes of the body, its signatures. */
  decodeTransaction(transaction: Uint8Array): JsonObject {
    return this.#json("decode_transaction", transaction);
  }

  /** A checkpoint as JSON: the newest header that is trusted, and who signs after it. */
  decodeCheckpoint(checkpoint: Uint8Array): JsonObject {
    return this.#json("decode_checkpoint", checkpoint);
  }

  /** What a proof bundle shows, held against a trusted checkpoint; a `CoreError` where a link does not hold. */
  verifyBundle(checkpoint: Uint8Array, bundle: Uint8Array): Shown {
    const shown = this.#json("verify_bundle", checkpoint, bundle);
    return { ...shown, checkpoint: unhex(String(shown["checkpoint"])) } as unknown as Shown;
  }

  /** A receipt as JSON. It is as good as whoever gave it: only a bundle shows anything. */
  decodeReceipt(receipt: Uint8Array): JsonObject {
    return this.#json("decode_receipt", receipt);
  }

  #json(name: Export, ...given: Uint8Array[]): JsonObject {
    return JSON.parse(text.decode(this.#call(name, ...given))) as JsonObject;
  }

  #call(name: Export, ...given: Uint8Array[]): Uint8Array {
    try {
      return this.#ask(name, given);
    } catch (error) {
      if (error instanceof CoreError) throw error;
      // A trap leaves the instance in any state: what comes next begins with a clean one.
      this.#exports = Core.#fresh(this.#module);
      throw new CoreError(`the core stopped in ${name}`, { cause: error });
    }
  }

  #ask(name: Export, given: Uint8Array[]): Uint8Array {
    const length = given.reduce((sum, one) => sum + 4 + one.length, 0);
    const request = this.#exports.reserve(length);
    const memory = () => this.#exports.memory.buffer;
    let at = request;
    for (const one of given) {
      new DataView(memory()).setUint32(at, one.length, true);
      new Uint8Array(memory(), at + 4, one.length).set(one);
      at += 4 + one.length;
    }
    const answer = this.#exports[name](request, length);
    this.#exports.release(request, length);
    const head = new DataView(memory(), answer, ANSWER_HEAD);
    const [status, size] = [head.getUint32(0, true), head.getUint32(4, true)];
    const bytes = new Uint8Array(memory(), answer + ANSWER_HEAD, size).slice();
    this.#exports.release(answer, ANSWER_HEAD + size);
    if (status !== 0) throw new CoreError(text.decode(bytes));
    return bytes;
  }
}

