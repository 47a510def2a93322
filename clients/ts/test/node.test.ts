// Against a real node, where `TENOR` names the command: a chain of its own in a scratch folder.
import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Amount, Client, Key, Problem, unhex, type Operation, type Prepared } from "../src/index.js";
import { loadCore } from "./shared.js";

const tenor = process.env["TENOR"];

interface Person {
  party: string;
  account: string;
  key: Key;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

if (tenor !== undefined) {
  const core = await loadCore();
  const folder = mkdtempSync(join(tmpdir(), "tenor-client-"));
  const says = (...words: string[]) =>
    JSON.parse(execFileSync(tenor, [...words, "--data", join(folder, "data"), "--json"], { stdio: ["ignore", "pipe", "inherit"] }).toString());
  let node: ChildProcess | undefined;
  let [client, ada, bob] = [undefined as unknown as Client, undefined as unknown as Person, undefined as unknown as Person];

  const person = (name: string): Person => {
    const { party, account } = says("key", "new", name) as { party: string; account: string };
    const secret = readFileSync(join(folder, "data/keys", `${name}.key`), "utf8").trim();
    return { party, account, key: Key.of(core, unhex(secret)) };
  };

  let [flags, url] = [[] as string[], ""];

  /** Starts the node; what its network says once it answers. */
  const start = async (): Promise<{ time: string }> => {
    node = spawn(tenor, ["node", "run", "--sandbox", "--data", join(folder, "data"), ...flags], { stdio: ["ignore", "ignore", "inherit"] });
    for (let turn = 0; turn < 200; turn += 1) {
      const found = await fetch(`${url}/v1/network`).then((answer) => answer.json() as Promise<{ time: string }>, () => undefined);
      if (found !== undefined) return found;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error("the node does not answer");
  };

  const end = async (signal: NodeJS.Signals) => {
    const ended = new Promise((done) => node?.once("exit", done));
    node?.kill(signal);
    await ended;
  };

  before(async () => {
    says("node", "init");
    [ada, bob] = [person("ada"), person("bob")];
    says("deploy", "recurring");
    const { checkpoint } = says("checkpoint") as { checkpoint: string };
    const [port, admin] = [await freePort(), await freePort()];
    flags = ["--listen", `127.0.0.1:${port}`, "--admin-listen", `127.0.0.1:${admin}`, "--access", "open", "--block-ms", "100"];
    url = `http://127.0.0.1:${port}`;
    // The chain's time is the node's to say.
    const network = await start();
    const ahead = Date.parse(network.time) - Date.now();
    client = new Client({ core, checkpoint: unhex(checkpoint), url, now: () => Date.now() + ahead });
  });

  after(async () => {
    if (node !== undefined) await end("SIGTERM");
    rmSync(folder, { recursive: true });
  });

  const pay = (text: string): Operation => ({ type: "transfer", from: ada.account, to: bob.account, amount: Amount.parse(text) });
  const prepare = (text: string): Promise<Prepared> => client.prepare(pay(text), { signers: [{ party: ada.party }] });
  const cents = (text: string) => Amount.parse(`${text.split(" ")[0]} EUR`).minor;
  const balance = async (of: Person) => String((await client.get(`/v1/accounts/${of.account}`))["balance"]);

  test("a payment is made, told, verified and its state proved", async () => {
    const stop = new AbortController();
    const events = client.events({ account: bob.account, signal: stop.signal });
    const told = events.next();
    const prepared = await prepare("12.50 EUR");
    const receipt = await client.submit(prepared, [ada.key]);
    assert.equal(receipt.problem, undefined);
    const shown = await receipt.verify();
    assert.equal(shown.kind, "receipt");
    assert.ok((await balance(bob)).startsWith("1012.50"));
    const event = await told;
    assert.equal(event.value?.id, `${receipt.height}.${receipt.index}`);
    stop.abort();
    // The state of a block is proved once its certificate is there.
    for (let turn = 0; turn < 50; turn += 1) {
      const state = await client.state("account", bob.account).catch((error: unknown) => error);
      if (!(state instanceof Problem)) {
        assert.ok(!(state instanceof Error), String(state));
        return assert.ok((state as { record: Uint8Array }).record.length > 32);
      }
      await new Promise((done) => setTimeout(done, 100));
    }
    assert.fail("no proof of the state came");
  });

  test("one act is done once, however often it is sent", async () => {
    const [before, prepared] = [await balance(bob), await prepare("1.00 EUR")];
    const receipts = await Promise.all(Array.from({ length: 20 }, () => client.submit(prepared, [ada.key])));
    assert.equal(new Set(receipts.map(({ height, index }) => `${height}.${index}`)).size, 1);
    assert.equal(cents(await balance(bob)) - cents(before), 100n);
    // Another act under its key is none.
    const other = await client.prepare(pay("2.00 EUR"), { signers: [{ party: ada.party }], idempotencyKey: prepared.key });
    await assert.rejects(client.submit(other, [ada.key]), (error) => error instanceof Problem && error.code === "key_taken");
  });

  test("a refusal has a receipt that verifies", async () => {
    const receipt = await client.submit(await prepare("5000.00 EUR"), [ada.key]);
    assert.equal(receipt.problem?.document["iso20022"], "AM04");
    const reason = (await receipt.verify()).receipt?.["reason"] as { name: string } | null;
    assert.equal(reason?.name, "InsufficientFunds");
  });

  test("another's key moves nothing", async () => {
    const before = await balance(ada);
    await assert.rejects(client.submit(await prepare("1.00 EUR"), [bob.key]), (error) => error instanceof Problem && error.code === "signature");
    assert.equal(await balance(ada), before);
  });

  test("terms are read out of the bytes by the module that they name", async () => {
    const terms = { payer: ada.account, payee: bob.account, amount: "10.00 EUR", rhythm: "Weekly", first: "2026-03-02" };
    const open: Operation = { type: "open", contract: "standing-order", terms };
    const prepared = await client.prepare(open, { signers: [{ party: ada.party }] });
    const said = await client.explain(prepared);
    assert.equal(said.contract.split("@")[0], "standing-order");
    assert.equal(said.call, null);
    const opened = await client.submit(prepared, [ada.key]);
    assert.equal(said.agreement, ((await client.get(`/v1/parties/${ada.party}`))["agreements"] as { agreement: string }[])[0]?.agreement);
    assert.equal(opened.problem, undefined);
    for (const [name, value] of Object.entries(terms)) assert.equal(said.values[name], value);
    const code = (prepared.decoded.body["operation"] as { Open: { code: string } }).Open.code;
    const published = new Uint8Array(await (await fetch(`${url}/v1/contracts/${code}/published`)).arrayBuffer());
    published[published.length - 1]! ^= 1;
    assert.throws(() => core.explain(published, prepared.body), /not the one that the body names/);
    const payment = await prepare("1.00 EUR");
    assert.throws(() => core.explain(published, payment.body), /asks nothing of a contract/);
  });

  test("a node that is killed in the middle loses nothing and does nothing twice", async () => {
    const before = await balance(bob);
    const all = await Promise.all(Array.from({ length: 30 }, () => prepare("0.01 EUR")));
    const done = all.map((prepared) => client.submit(prepared, [ada.key]));
    await Promise.race(done);
    await end("SIGKILL");
    await start();
    const receipts = await Promise.all(done);
    assert.ok(receipts.every(({ problem }) => problem === undefined));
    assert.equal(new Set(receipts.map(({ height, index }) => `${height}.${index}`)).size, 30);
    assert.equal(cents(await balance(bob)) - cents(before), 30n);
    for (const receipt of receipts) await receipt.verify();
  });
}
