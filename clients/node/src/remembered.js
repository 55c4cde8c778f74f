// The tokens that verified lately, under their SHA-256, so that the next check of one costs no signature.
//
// The surprise: there are two generations. When the young one is full it becomes the old one, and whoever was not asked
// for since then is gone; so nobody has to keep a list of who was used last.

import { createHash } from "node:crypto";

/** Keeps at most so many. */
export class Remembered {
  #young = new Map();
  #old = new Map();
  #half;

  /** @param {number} limit */
  constructor(limit) {
    this.#half = Math.ceil(limit / 2);
  }

  /** @param {string} token */
  static fingerprint(token) {
    return createHash("sha256").update(token).digest("base64");
  }

  get(fingerprint) {
    const young = this.#young.get(fingerprint);
    if (young) return young;
    const old = this.#old.get(fingerprint);
    if (old) this.keep(fingerprint, old);
    return old;
  }

  keep(fingerprint, verified) {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(fingerprint, verified);
  }

  forget(fingerprint) {
    this.#young.delete(fingerprint);
    this.#old.delete(fingerprint);
  }
}
