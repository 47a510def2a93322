import { CoreError, type Core } from "./core.js";

/** A secret key, held by whoever holds this object. */
export class Key {
  #core: Core;
  #secret: Uint8Array;
  /** The public key: 34 bytes (algorithm, parity, x). */
  readonly publicKey: Uint8Array;

  private constructor(core: Core, secret: Uint8Array) {
    this.#core = core;
    this.#secret = secret;
    this.publicKey = core.publicKey(secret);
  }

  /** A new key of the platform's randomness. */
  static generate(core: Core): Key {
    for (;;) {
      const secret = crypto.getRandomValues(new Uint8Array(32));
      try {
        return new Key(core, secret);
      } catch (error) {
        // One draw in 2^128 is no key.
        if (!(error instanceof CoreError)) throw error;
      }
    }
  }

  /** The key of 32 secret bytes, which are copied. */
  static of(core: Core, secret: Uint8Array): Key {
    return new Key(core, secret.slice());
  }

  /** Signs a body. */
  sign(body: Uint8Array): Uint8Array {
    return this.#core.sign(this.#secret, body);
  }

  /** Hands the secret bytes to a function, to wrap them for storage; what it is given is overwritten afterwards. */
  async wrapped<T>(wrap: (secret: Uint8Array) => Promise<T>): Promise<T> {
    const copy = this.#secret.slice();
    try {
      return await wrap(copy);
    } finally {
      copy.fill(0);
    }
  }

  /** Overwrites the secret: this key signs nothing any more. */
  forget(): void {
    this.#secret.fill(0);
  }
}
