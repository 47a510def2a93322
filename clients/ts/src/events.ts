import type { JsonObject } from "./core.js";
import type { Http } from "./http.js";
import { Problem } from "./problem.js";

/** What became of an item, as it is told. */
export interface Told {
  /** `height.index`: where to go on from. */
  id: string;
  document: JsonObject;
}

/** What is followed. */
export interface Following {
  account?: string;
  agreement?: string;
  /** From the first item of this height on. */
  from?: number;
  /** The id of the last message that was seen: it is gone on behind it. */
  after?: string;
  signal?: AbortSignal;
}

/** Messages of a stream of server-sent events, as far as the node uses their form. */
export async function* messages(stream: ReadableStream<Uint8Array>): AsyncGenerator<{ id: string; data: string }> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let [rest, id, data] = ["", "", [] as string[]];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "") {
          if (data.length > 0) yield { id, data: data.join("\n") };
          data = [];
        } else if (line.startsWith("id:")) {
          id = line.slice(3).trimStart();
        } else if (line.startsWith("data:")) {
          data.push(line.slice(5).replace(/^ /, ""));
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * Follows what happens, each item once and in order, over connections that break: it goes on behind the last message that
 * was handed out. Ends when the signal is given; throws a `Problem` that waiting does not mend.
 */
export async function* follow(
  http: Http,
  following: Following,
  wait: (ms: number) => Promise<void>,
): AsyncGenerator<Told> {
  const { account, agreement, from, signal } = following;
  let last = following.after;
  for (let failures = 0; !(signal?.aborted ?? false); ) {
    const query = new URLSearchParams({
      ...(account === undefined ? {} : { account }),
      ...(agreement === undefined ? {} : { agreement }),
      ...(last !== undefined || from === undefined ? {} : { from: String(from) }),
    });
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (last !== undefined) headers["last-event-id"] = last;
    try {
      const init = { headers, signal: signal ?? new AbortController().signal };
      const answer = await http.send("GET", `/v1/events?${query}`, init);
      for await (const { id, data } of messages(answer.body as ReadableStream<Uint8Array>)) {
        failures = 0;
        last = id;
        yield { id, document: JSON.parse(data) as JsonObject };
      }
    } catch (error) {
      if (signal?.aborted ?? false) return;
      if (error instanceof Problem && error.status < 500 && error.status !== 429) throw error;
    }
    if (signal?.aborted ?? false) return;
    failures += 1;
    await wait(Math.min(250 * 2 ** failures, 10_000));
  }
}
