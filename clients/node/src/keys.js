// The public keys of the server (RFC 7517), asked for again when a token names one that is not known.
//
// The surprise: a key that stays keeps its identity from one answer of the server to the next, so that what it verified
// stays verified; with a key that goes, everything goes that it verified.

import { createPublicKey } from "node:crypto";
import { patiently } from "./client.js";
import * as clock from "./clock.js";
import { Trouble } from "./refusal.js";
import { decode } from "./token.js";

const PATH = "/.well-known/jwks.json";
/** The most bytes of the document; a key has 200. */
const MAX_DOCUMENT = 256 * 1024;
/** The most keys of it. */
export const MAX_KEYS = 256;
/** The longest name of a key. */
const MAX_NAME = 256;
/** Tokens of unknown keys make it ask once in this time and not more often, whoever makes them up. In milliseconds. */
const ASK_AGAIN = 1000;
/** Unasked, it asks this often: a key that the operator has taken away is to go. In milliseconds. */
const KEEP = 60_000;

/** What may be wrong. */
const NO_ANSWER = "the keys cannot be had";
const NO_KEY =
  "the server publishes no ES256 key, so no token can be verified\n" +
  "hint: doorward does not publish keys while `jwt_secret_file` is set";

/** A key that verifies ES256 and nothing else. `point` tells whether it is still the same. */
class Key {
  constructor({ x, y }) {
    this.point = `${x}.${y}`;
    this.object = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
  }
}

/**
 * The ES256 keys of a document by their names; undefined when it is none. Those of other kinds are passed over: they
 * sign nothing that is accepted here.
 * @param {unknown} document
 * @param {Map<string, Key>} before
 */
export function read(document, before) {
  if (!Array.isArray(document?.keys)) return undefined;
  const ring = new Map();
  for (const jwk of document.keys.slice(0, MAX_KEYS)) {
    // Two of one name: which one is meant cannot be said, so the first stays.
    if (!isOurs(jwk) || ring.has(jwk.kid)) continue;
    const known = before.get(jwk.kid);
    if (known?.point === `${jwk.x}.${jwk.y}`) {
      ring.set(jwk.kid, known);
      continue;
    }
    try {
      ring.set(jwk.kid, new Key(jwk));
    } catch {
      // No point of the curve.
    }
  }
  return ring;
}

function isOurs(jwk) {
  const { kty, crv, kid, x, y, alg = "ES256", use = "sig" } = jwk ?? {};
  return (
    kty === "EC" &&
    crv === "P-256" &&
    alg === "ES256" &&
    use === "sig" &&
    typeof kid === "string" &&
    kid.length <= MAX_NAME &&
    [x, y].every((part) => typeof part === "string" && decode(part)?.length === 32)
  );
}

/** The server's keys. */
export class Keys {
  #client;
  #logger;
  #ring = new Map();
  /** The question that is under way, so that a hundred requests with a new key ask once. */
  #asking;
  /**
   * When the last question that is over went out, and whether it was answered: the answer may leave out what was made a
   * little later.
   */
  #asked = { at: -Infinity, answered: false };
  #timer;
  /** What is wrong, as far as it was said. */
  #said;
  #closed = false;

  constructor(client, logger) {
    this.#client = client;
    this.#logger = logger;
  }

  /** Whether the key is still one of the server's. */
  has(name, key) {
    return this.#ring.get(name) === key;
  }

  /**
   * The key of this name; undefined when the server has none. Throws when the server cannot be asked, or not in the time
   * that a check has.
   */
  async find(name) {
    return this.#ring.get(name) ?? patiently(this.#findNow(name));
  }

  async #findNow(name) {
    const since = clock.now().running - ASK_AGAIN;
    for (;;) {
      const known = this.#ring.get(name);
      if (known) return known;
      if (this.#asked.at > since) {
        if (this.#asked.answered) return undefined;
        throw new Trouble("the keys could not be had a moment ago");
      }
      await this.#ask();
    }
  }

  #ask() {
    this.#asking ??= this.#askNow().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askNow() {
    const at = clock.now().running;
    let ring;
    try {
      // What a cache on the way has may be older than a key.
      const headers = { accept: "application/jwk-set+json, application/json", "cache-control": "no-cache" };
      const ask = { asClient: false, headers };
      ring = read(await this.#client.json(PATH, ask, MAX_DOCUMENT), this.#ring);
      if (!ring) throw new Trouble(`${PATH} is no set of keys`);
      this.#ring = ring;
    } finally {
      this.#asked = { at, answered: ring !== undefined };
    }
  }

  /** Keeps the keys as the server has them, until it is closed. */
  async keep() {
    let wrong;
    let why = "";
    try {
      await this.#ask();
      if (this.#ring.size === 0) wrong = NO_KEY;
    } catch (error) {
      wrong = NO_ANSWER;
      why = `: ${error.message}`;
    }
    if (this.#closed) return;
    // Each is said once: the keys that are known go on verifying.
    if (wrong && wrong !== this.#said) this.#logger.warn(`doorward-verify: ${wrong}${why}`);
    this.#said = wrong;
    this.#timer = setTimeout(() => this.keep(), wrong ? ASK_AGAIN : KEEP);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
