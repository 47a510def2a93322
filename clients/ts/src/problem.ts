import type { JsonObject } from "./core.js";

/** A problem document of the node (RFC 9457): what was wrong, and whether trying again helps. */
export class Problem extends Error {
  override name = "Problem";

  /**
   * @param status HTTP status
   * @param code stable name, such as `key_taken`
   * @param document the whole document
   * @param retryAfterMs what the node asks to wait, where it asks for that
   */
  constructor(
    readonly status: number,
    readonly code: string,
    readonly document: JsonObject,
    readonly retryAfterMs?: number,
  ) {
    super(`${code}: ${String(document["detail"] ?? document["title"] ?? status)}`);
  }

  /** The problem that an answer holds. */
  static async of(answer: Response): Promise<Problem> {
    const read = (await answer.json().catch(() => ({}))) as unknown;
    const document = typeof read === "object" && read !== null && !Array.isArray(read) ? (read as JsonObject) : {};
    const code = typeof document["code"] === "string" ? document["code"] : `status_${answer.status}`;
    const after = Number(answer.headers.get("retry-after"));
    return new Problem(answer.status, code, document, Number.isFinite(after) && after > 0 ? after * 1000 : undefined);
  }
}

/** What the node says and what the client finds in the bytes differ: it is not signed. */
export class Mismatch extends Error {
  override name = "Mismatch";

  /** @param places where, such as `operation.Transfer.amount` */
  constructor(readonly places: string[]) {
    super(`the bytes say something else than was asked for, in ${places.join(", ")}`);
  }
}

/** Nobody could say what became of a transaction before the client gave up; ask again with the same idempotency key. */
export class Unknown extends Error {
  override name = "Unknown";

  /** @param key idempotency key, hexadecimal */
  constructor(readonly key: string, options?: ErrorOptions) {
    super(`what became of the transaction under key ${key} is not known yet`, options);
  }
}
