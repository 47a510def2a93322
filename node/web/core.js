// The client core: the chain's own formats, signatures and proofs, compiled to wasm. Nothing of them is written twice.

const { instance } = await WebAssembly.instantiateStreaming(fetch("core.wasm"));
const core = instance.exports;
const HEAD = 8;

/** Calls a function of the core with arguments of bytes; what it gives back is bytes. */
function call(name, ...given) {
  const length = given.reduce((sum, bytes) => sum + 4 + bytes.length, 0);
  const request = core.reserve(length);
  let at = request;
  for (const bytes of given) {
    new DataView(core.memory.buffer).setUint32(at, bytes.length, true);
    new Uint8Array(core.memory.buffer).set(bytes, at + 4);
    at += 4 + bytes.length;
  }
  const answer = core[name](request, length);
  // What is released is overwritten: it may have held a secret.
  core.release(request, length);
  const head = new DataView(core.memory.buffer, answer, HEAD);
  const [failed, size] = [head.getUint32(0, true), head.getUint32(4, true)];
  const bytes = new Uint8Array(core.memory.buffer, answer + HEAD, size).slice();
  core.release(answer, HEAD + size);
  if (failed) throw new Error(text(bytes));
  return bytes;
}

const text = (bytes) => new TextDecoder().decode(bytes);
const json = (bytes) => JSON.parse(text(bytes));

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const unhex = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** The public key of a secret one; an error where 32 bytes are no secret key. */
export const publicKey = (secret) => call("public_key", secret);
/** The bytes of a body. */
export const encodeBody = (body) => call("encode_body", new TextEncoder().encode(JSON.stringify(body)));
/** What a body says, and its id. */
export const decodeBody = (body) => json(call("decode_body", body));
/** What a body says to a contract, read by the module that the body names by its hash: a lie about it is an error. */
export const explain = (published, body) => json(call("explain", published, body));
/** 64 bytes over the digest of a body. */
export const sign = (secret, body) => call("sign", secret, body);
/** What a proof shows of a receipt; an error names the first link that does not hold. */
export const verify = (checkpoint, bundle) => json(call("verify_bundle", checkpoint, bundle));
