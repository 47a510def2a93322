import type { JsonObject } from "./core.js";
import { Problem } from "./problem.js";

/** How a client reaches its node. */
export interface Connection {
  /** Address of the node, such as `https://bank.example`. */
  url: string;
  /** Token that says who asks. */
  token?: string;
  /** Milliseconds after which a request is given up; 30,000 where nothing is said. */
  timeoutMs?: number;
  /** Sends requests; the platform's own where nothing is said. */
  fetch?: typeof fetch;
}

/** Requests to one node. */
export class Http {
  #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** A JSON document. Throws a `Problem` where the node says no, and what `fetch` throws where it cannot be reached. */
  async json(method: "GET" | "POST", path: string, body?: JsonObject): Promise<JsonObject> {
    const answer = await this.send(method, path, {
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) },
    });
    return (await answer.json()) as JsonObject;
  }

  /** Bytes. */
  async bytes(path: string): Promise<Uint8Array> {
    const answer = await this.send("GET", path, { headers: { accept: "application/octet-stream" } });
    return new Uint8Array(await answer.arrayBuffer());
  }

  /** An answer of a good status. */
  async send(method: string, path: string, init: RequestInit): Promise<Response> {
    const { url, token, timeoutMs = 30_000, fetch: send = fetch } = this.#connection;
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    const signal = init.signal ?? AbortSignal.timeout(timeoutMs);
    const answer = await send(new URL(path, url), { ...init, method, headers, signal, redirect: "error" });
    if (!answer.ok) throw await Problem.of(answer);
    return answer;
  }
}
