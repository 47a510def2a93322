import assert from "node:assert/strict";
import { test } from "node:test";
import { secp256k1 } from "@noble/curves/secp256k1";
import { Core, CoreError, Key, hex, unhex, type JsonObject } from "../src/index.js";
import { loadCore, vectors } from "./shared.js";

const core = await loadCore();
const text = (name: string) => vectors[name] as string;
const bytes = (name: string) => unhex(text(name));
const object = (name: string) => vectors[name] as JsonObject;

test("the core says what the chain says", () => {
  assert.equal(hex(core.publicKey(bytes("secret"))), text("public"));
  assert.equal(hex(core.encodeBody(object("body"))), text("body_bytes"));
  assert.deepEqual(core.decodeBody(bytes("body_bytes")), object("decoded_body"));
  assert.equal(hex(core.digest(bytes("body_bytes"))), text("digest"));
  assert.equal(hex(core.sign(bytes("secret"), bytes("body_bytes"))), text("signature"));
  assert.equal(hex(core.assemble(bytes("body_bytes"), [bytes("signature")])), text("transaction"));
  assert.deepEqual(core.decodeTransaction(bytes("transaction")), object("decoded_transaction"));
  assert.deepEqual(core.decodeCheckpoint(bytes("checkpoint")), object("decoded_checkpoint"));
  assert.deepEqual(core.decodeReceipt(bytes("receipt")), object("decoded_receipt"));
});

test("bundles show what they show, and nothing else", () => {
  for (const name of ["done", "refused", "state"]) {
    const { bundle, shown } = object(name) as { bundle: string; shown: JsonObject };
    const found = core.verifyBundle(bytes("checkpoint"), unhex(bundle));
    assert.deepEqual({ ...found, checkpoint: hex(found.checkpoint) }, shown);
  }
  const wrong = object("wrong") as Record<string, Record<string, string>>;
  const says = (name: string, run: (given: Uint8Array) => unknown, field: string) =>
    assert.throws(() => run(unhex(wrong[name]?.[field] ?? "")), new CoreError(wrong[name]?.["error"] ?? ""));
  says("forged", (bundle) => core.verifyBundle(bytes("checkpoint"), bundle), "bundle");
  says("replaced", (bundle) => core.verifyBundle(bytes("checkpoint"), bundle), "bundle");
  says("padded", (body) => core.decodeBody(body), "body");
  says("no_key", (secret) => core.publicKey(secret), "secret");
});

test("another library makes and accepts the same signatures", () => {
  for (let round = 0; round < 20; round += 1) {
    const secret = secp256k1.utils.randomPrivateKey();
    const body = core.encodeBody({ ...object("body"), gas_limit: String(round) });
    const [ours, digest] = [core.sign(secret, body), core.digest(body)];
    assert.equal(hex(ours), secp256k1.sign(digest, secret, { lowS: true }).toCompactHex());
    const point = core.publicKey(secret).subarray(1);
    assert.equal(hex(point), hex(secp256k1.getPublicKey(secret, true)));
    assert.ok(secp256k1.verify(ours, digest, point, { lowS: true }));
    core.verifySignature(core.publicKey(secret), digest, ours);
    const theirs = secp256k1.sign(digest, secret, { lowS: false, extraEntropy: true });
    const low = theirs.normalizeS();
    core.verifySignature(core.publicKey(secret), digest, low.toCompactRawBytes());
    const high = new secp256k1.Signature(low.r, secp256k1.CURVE.n - low.s);
    assert.throws(() => core.verifySignature(core.publicKey(secret), digest, high.toCompactRawBytes()), /high s/);
  }
});

test("bytes of any kind are answered, not stopped at", () => {
  let state = 1;
  const next = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 8;
  const body = bytes("body_bytes");
  for (let round = 0; round < 2_000; round += 1) {
    const changed = body.slice(0, next() % (body.length + 1));
    if (changed.length > 0) changed[next() % changed.length] = next();
    const runs: ((given: Uint8Array) => unknown)[] = [
      (given) => core.decodeBody(given),
      (given) => core.decodeTransaction(given),
      (given) => core.decodeReceipt(given),
      (given) => core.decodeCheckpoint(given),
    ];
    for (const run of runs) {
      try {
        run(changed);
      } catch (error) {
        assert.ok(error instanceof CoreError && !error.message.includes("stopped"), String(error));
      }
    }
  }
  // A mebibyte of proposals in proposals, where a body's operation stands.
  const nested = new Uint8Array(1 << 20).fill(14);
  assert.throws(() => core.decodeBody(nested), CoreError);
  assert.deepEqual(core.decodeBody(body), object("decoded_body"));
});

test("a key signs until it is forgotten", async () => {
  const key = Key.generate(core);
  const body = bytes("body_bytes");
  core.verifySignature(key.publicKey, core.digest(body), key.sign(body));
  const again = await key.wrapped(async (secret) => Key.of(core, secret));
  assert.equal(hex(again.publicKey), hex(key.publicKey));
  key.forget();
  assert.throws(() => key.sign(body), /no secret key/);
  core.verifySignature(again.publicKey, core.digest(body), again.sign(body));
});

test("a module that is none is no core", async () => {
  await assert.rejects(Core.load(new Uint8Array([1, 2, 3])), WebAssembly.CompileError);
});
