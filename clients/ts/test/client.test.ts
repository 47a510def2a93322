import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { ServerResponse } from "node:http";
import {
  Amount, Client, Key, Mismatch, Problem, Unknown, hex, unhex, type JsonObject, type Operation, type Prepared,
} from "../src/index.js";
import { Scripted, answers, type Asked } from "./scripted.js";
import { loadCore, vectors } from "./shared.js";

const core = await loadCore();
const checkpoint = unhex(vectors["checkpoint"] as string);
const body = vectors["body"] as JsonObject;
const ids = vectors["ids"] as { agreement: string; code: string; chain: string; hash: string; hold: string };
const signer = (body["authorisers"] as JsonObject[])[0] as { party: string; key: number };
const transfer = (body["operation"] as { Transfer: { from: string; to: string } }).Transfer;
const now = Date.parse(String(body["valid_from"]));
const key = Key.of(core, unhex(vectors["secret"] as string));
const pay: Operation = { type: "transfer", from: transfer.from, to: transfer.to, amount: Amount.parse("12.50 EUR") };

const servers: Scripted[] = [];
after(async () => {
  for (const server of servers) await server.end();
});

async function begin(script: (asked: Asked, answer: ServerResponse) => void): Promise<{ client: Client; server: Scripted; waited: number[] }> {
  const server = await Scripted.begin(script);
  servers.push(server);
  const waited: number[] = [];
  let clock = now;
  const wait = async (ms: number) => {
    waited.push(ms);
    clock += ms;
  };
  const client = new Client({ core, checkpoint, url: server.url, token: "t", wait, now: () => clock, waitS: 1 });
  return { client, server, waited };
}

/** The body that an honest node prepares, and one with something else in it. */
function prepares(change: (body: JsonObject) => void = () => undefined) {
  return (asked: Asked, answer: ServerResponse) => {
    const wanted = JSON.parse(asked.body.toString()) as { idempotency_key: string; gas_limit: number; valid_for_s: number };
    const made: JsonObject = {
      ...structuredClone(body),
      key: wanted.idempotency_key,
      gas_limit: String(wanted.gas_limit),
      valid_until: new Date(now + wanted.valid_for_s * 1_000).toISOString(),
      spend_max: [{ account: transfer.from, amount: "1250" }],
      operation: { Transfer: { from: transfer.from, to: transfer.to, amount: "1250", narrative: null, reference: null } },
    };
    change(made);
    const bytes = core.encodeBody(made);
    answers(answer, 200, { body: hex(bytes), digest: hex(core.digest(bytes)), effects: ["pays 12.50 EUR"] });
  };
}

test("what was asked for is what is signed", async () => {
  const { client, server } = await begin(prepares());
  const prepared = await client.prepare(pay, { signers: [signer] });
  assert.deepEqual(prepared.unchecked, []);
  assert.equal(client.chain, body["chain"]);
  const sent = JSON.parse(server.asked[0]?.body.toString() ?? "") as JsonObject;
  assert.deepEqual(sent["operation"], { type: "transfer", from: transfer.from, to: transfer.to, amount: "12.50 EUR" });
  assert.equal(server.asked[0]?.headers.authorization, "Bearer t");
  // The day of the key is the client's own.
  assert.equal(new DataView(unhex(prepared.key).buffer).getUint32(0), Math.floor(now / 86_400_000));
});

test("a node that lies about anything is found out", async () => {
  const within = (path: string, value: unknown) => (made: JsonObject) => {
    const names = path.split(".");
    const last = names.pop() as string;
    const place = names.reduce<JsonObject>((at, name) => at[name] as JsonObject, made);
    place[last] = value as JsonObject;
  };
  const lies: [string, (made: JsonObject) => void][] = [
    ["operation.Transfer.amount", within("operation.Transfer.amount", "12500")],
    ["operation.Transfer.to", within("operation.Transfer.to", transfer.from)],
    ["operation.Transfer.from", within("operation.Transfer.from", transfer.to)],
    ["operation.Transfer.narrative", within("operation.Transfer.narrative", ids.hash)],
    ["operation", within("operation", { Release: ids.hold })],
    ["operation", within("operation", { Hook: { account: transfer.from, of: "Owner", moment: "Before", hook: null } })],
    ["spend_max", within("spend_max", [{ account: transfer.from, amount: "1251" }])],
    ["spend_max", within("spend_max", [])],
    ["spend_max", within("spend_max", [{ account: transfer.to, amount: "1250" }])],
    ["gas_limit", within("gas_limit", "200000001")],
    ["key", within("key", "00".repeat(16))],
    ["valid_from", (made) => {
      made["valid_from"] = new Date(now + 3_600_000).toISOString();
      made["valid_until"] = new Date(now + 7_200_000).toISOString();
    }],
    ["valid_until", within("valid_until", new Date(now + 86_400_000).toISOString())],
    ["authorisers", within("authorisers", [{ party: signer.party, key: 2 }])],
    ["chain", within("chain", ids.chain)],
  ];
  for (const [place, lie] of lies) {
    const { client } = await begin(prepares(lie));
    await assert.rejects(client.prepare(pay, { signers: [signer] }), (error) => {
      assert.ok(error instanceof Mismatch, String(error));
      assert.ok(error.places.length === 1 && error.places[0]?.startsWith(place), `${error.places.join()} instead of ${place}`);
      return true;
    });
  }
});

test("what only the contract's spec explains is named", async () => {
  const seen = { agreement: ids.agreement, code: ids.code, terms_version: 3 };
  const call = { seen, call: 7, arguments: "0102" };
  const { client } = await begin(prepares((made) => {
    made["operation"] = { Invoke: call };
    made["spend_max"] = [];
  }));
  const invoke: Operation = { type: "invoke", agreement: seen.agreement, call: "repay", arguments: {} };
  const prepared = await client.prepare(invoke, { signers: [signer] });
  assert.deepEqual(prepared.unchecked.sort(), [
    "operation.Invoke.arguments", "operation.Invoke.call", "operation.Invoke.seen.code", "operation.Invoke.seen.terms_version",
  ]);
  const elsewhere: Operation = { ...invoke, agreement: "agr1other" };
  await assert.rejects(client.prepare(elsewhere, { signers: [signer] }), { places: ["operation.Invoke.seen.agreement"] });
});

const prepared: Prepared = {
  decoded: vectors["decoded_body"] as unknown as Prepared["decoded"],
  body: unhex(vectors["body_bytes"] as string),
  key: String(body["key"]),
  unchecked: [],
  node: {},
};
const placed = { transaction: prepared.decoded.id, status: "final", height: 12, index: 0 };
const bundle = (name: string) => Buffer.from((vectors[name] as { bundle: string }).bundle, "hex");

test("a payment is signed, done and verified", async () => {
  const { client, server } = await begin((asked, answer) => {
    if (asked.method === "POST") return answers(answer, 201, placed);
    answer.writeHead(200, { "content-type": "application/octet-stream" }).end(bundle("done"));
  });
  const receipt = await client.submit(prepared, [key]);
  assert.equal(server.asked[0]?.body.toString("hex"), vectors["transaction"]);
  const shown = await receipt.verify();
  assert.equal(shown.header["height"], "12");
  assert.equal(hex(client.checkpoint), hex(shown.checkpoint));
  assert.notEqual(hex(client.checkpoint), vectors["checkpoint"]);
});

test("a receipt of something else shows nothing", async () => {
  for (const [place, bytes] of [[placed, bundle("refused")], [{ ...placed, index: 1 }, bundle("refused")], [placed, bundle("state")]] as const) {
    const { client } = await begin((asked, answer) => {
      if (asked.method === "POST") return answers(answer, 201, place);
      answer.writeHead(200).end(bytes);
    });
    const receipt = await client.submit(prepared, [key]);
    await assert.rejects(receipt.verify(), Mismatch);
    assert.equal(hex(client.checkpoint), vectors["checkpoint"]);
  }
});

test("a refusal comes with its receipt and its reason", async () => {
  const document = { code: "refused", detail: "acct1… has 49.99 EUR available", rule: "InsufficientFunds", receipt: placed };
  const { client } = await begin((_, answer) => answers(answer, 422, document));
  const receipt = await client.submit(prepared, [key]);
  assert.equal(receipt.problem?.document["rule"], "InsufficientFunds");
});

test("an answer that is lost is asked for, and nothing is sent under another key", async () => {
  // The first connection breaks after the node has taken the transaction; the question for its outcome is answered.
  const { client, server } = await begin((asked, answer) => {
    if (asked.method === "POST") return void answer.destroy();
    answers(answer, 200, placed);
  });
  const receipt = await client.submit(prepared, [key]);
  assert.equal(receipt.height, "12");
  assert.deepEqual(server.asked.map(({ method }) => method), ["POST", "GET"]);
  assert.ok(server.asked[1]?.path.includes(`key=${prepared.key}`));
});

test("a full pool, a fault and a block that is late are waited for with the very same bytes", async () => {
  const script = [
    (answer: ServerResponse) => answers(answer, 429, { code: "full" }, { "retry-after": "3" }),
    (answer: ServerResponse) => answers(answer, 500, { code: "broken" }),
    (answer: ServerResponse) => answers(answer, 202, { status: "pending" }),
    (answer: ServerResponse) => answers(answer, 201, placed),
  ];
  let turn = 0;
  const { client, server, waited } = await begin((asked, answer) => {
    if (asked.method === "POST") return script[turn++]?.(answer);
    answers(answer, 404, { code: "missing" });
  });
  await client.submit(prepared, [key]);
  const sent = server.asked.filter(({ method }) => method === "POST").map(({ body }) => body.toString("hex"));
  assert.deepEqual(sent, Array(4).fill(vectors["transaction"]));
  assert.deepEqual(waited, [3_000, 500, 1_000]);
});

test("a key that stands for another act is the caller's to know", async () => {
  const { client, server } = await begin((_, answer) => answers(answer, 409, { code: "key_taken", detail: "another" }));
  await assert.rejects(client.submit(prepared, [key]), (error) => error instanceof Problem && error.code === "key_taken");
  assert.equal(server.asked.length, 1);
});

test("what ran although its window is over is found", async () => {
  const { client } = await begin((asked, answer) => {
    if (asked.method === "POST") return answers(answer, 422, { code: "window" });
    answers(answer, 200, placed);
  });
  assert.equal((await client.submit(prepared, [key])).index, "0");
});

test("nobody to ask until long after its validity: unknown, and its key is named", async () => {
  const { client } = await begin((_, answer) => void answer.destroy());
  const short = structuredClone(prepared);
  short.decoded.body["valid_until"] = new Date(now + 60_000).toISOString();
  await assert.rejects(client.submit(short, [key]), (error) => error instanceof Unknown && error.key === prepared.key);
});

test("events come once and in order over connections that break", async () => {
  const message = (id: string) => `event: receipt\nid: ${id}\ndata: {"place":"${id}"}\n\n`;
  const script = [
    (answer: ServerResponse) => {
      answer.writeHead(200, { "content-type": "text/event-stream" });
      answer.write(`: alive\n\n${message("7.0")}${message("7.1").slice(0, 20)}`, () => answer.destroy());
    },
    (answer: ServerResponse) => answers(answer, 503, { code: "stopping" }),
    (answer: ServerResponse) => {
      answer.writeHead(200, { "content-type": "text/event-stream" });
      answer.end(message("7.1") + message("8.0"));
    },
    (answer: ServerResponse) => answers(answer, 403, { code: "not_allowed" }),
  ];
  let turn = 0;
  const { client, server } = await begin((_, answer) => script[turn++]?.(answer));
  const told: string[] = [];
  const all = async () => {
    for await (const { id, document } of client.events({ from: 7 })) told.push(`${id} ${String(document["place"])}`);
  };
  await assert.rejects(all(), (error) => error instanceof Problem && error.code === "not_allowed");
  assert.deepEqual(told, ["7.0 7.0", "7.1 7.1", "8.0 8.0"]);
  assert.deepEqual(server.asked.map(({ path }) => path), ["/v1/events?from=7", "/v1/events", "/v1/events", "/v1/events"]);
  assert.deepEqual(server.asked.map(({ headers }) => headers["last-event-id"]), [undefined, "7.0", "7.0", "8.0"]);
});

test("a follower ends when it is told to", async () => {
  const { client } = await begin((_, answer) => {
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.write('id: 1.0\ndata: {"a":1}\n\n');
  });
  const stop = new AbortController();
  for await (const { id } of client.events({ signal: stop.signal })) {
    assert.equal(id, "1.0");
    stop.abort();
  }
});
