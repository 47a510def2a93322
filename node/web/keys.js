// The customer's key. It is drawn in this browser and never leaves it: what is stored is encrypted under a key that the
// browser keeps and gives to nobody, this page included.

import * as core from "./core.js";

const NAME = "tenor-demo";
const STORE = "customer";

function request(asked) {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function store(mode, use) {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await request(opening);
  try {
    return await request(use(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

/** Draws a key: the secret, and the public key that goes to the bank. */
export function draw() {
  for (;;) {
    const secret = crypto.getRandomValues(new Uint8Array(32));
    try {
      return { secret, public: core.publicKey(secret) };
    } catch {
      // One draw in 2^128 is no key.
    }
  }
}

/** Keeps a customer: the secret key and the token wrapped, the rest as it is. */
export async function keep(secret, token, known) {
  const wrapping = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const wrap = async (bytes) => {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return { iv, bytes: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, wrapping, bytes) };
  };
  const kept = {
    wrapping,
    secret: await wrap(secret),
    token: await wrap(new TextEncoder().encode(token)),
    known,
  };
  await store("readwrite", (customers) => customers.put(kept, STORE));
  secret.fill(0);
}

const unwrap = async (kept, what) => {
  const { iv, bytes } = kept[what];
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, kept.wrapping, bytes));
};

/** The customer of this browser, if there is one: what is known of it, and its token. */
export async function customer() {
  const kept = await store("readonly", (customers) => customers.get(STORE));
  if (!kept) return null;
  return { ...kept.known, token: new TextDecoder().decode(await unwrap(kept, "token")) };
}

/** Signs a body; the secret key is in memory for as long as that takes. */
export async function sign(body) {
  const kept = await store("readonly", (customers) => customers.get(STORE));
  const secret = await unwrap(kept, "secret");
  try {
    return core.sign(secret, body);
  } finally {
    secret.fill(0);
  }
}

/** Forgets the customer of this browser. */
export const forget = () => store("readwrite", (customers) => customers.delete(STORE));
