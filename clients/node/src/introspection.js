// Asks the server whether a token is active (RFC 7662), when the feed cannot tell.
//
// The surprise: an answer about another token is no answer. It is checked that the server speaks of this one.

import { Trouble } from "./refusal.js";

const PATH = "/v1/introspect";
/** The most bytes of an answer; one has 400. */
const MAX_ANSWER = 16 * 1024;
/** How long a check waits for its turn and its answer, in milliseconds. Longer than that, whoever asked has gone. */
const PATIENCE = 3000;
/** How many checks may wait for their turn; who comes later is refused at once. */
const MAX_WAITING = 1024;

/** Introspections, so many at once. */
export class Introspection {
  #client;
  #free;
  /** Those who wait for their turn, in order. */
  #waiting = new Set();

  constructor(client, atOnce) {
    this.#client = client;
    this.#free = atOnce;
  }

  /** Whether the server says that the token is active. Throws when it says nothing, or speaks of another token. */
  async ask(token, claims) {
    const signal = AbortSignal.timeout(PATIENCE);
    await this.#turn(signal);
    try {
      const form = new URLSearchParams({ token, token_type_hint: "access_token" });
      return read(await this.#client.json(PATH, { form, signal }, MAX_ANSWER), claims);
    } finally {
      this.#next();
    }
  }

  #turn(signal) {
    if (this.#free > 0) {
      this.#free -= 1;
      return undefined;
    }
    if (this.#waiting.size >= MAX_WAITING) throw new Trouble("too many introspections wait for their turn");
    return new Promise((resolve, reject) => {
      this.#waiting.add(resolve);
      signal.addEventListener("abort", () => {
        // Whose turn it is already has left the line, and is not sent away.
        if (this.#waiting.delete(resolve)) reject(new Trouble("no introspection in time"));
      });
    });
  }

  #next() {
    const [first] = this.#waiting;
    if (first) {
      this.#waiting.delete(first);
      first();
    } else {
      this.#free += 1;
    }
  }
}

/** Whether the answer says that the token with these claims is active. */
export function read(answer, claims) {
  if (typeof answer?.active !== "boolean") throw new Trouble(`POST ${PATH}: no introspection`);
  if (!answer.active) return false;
  if (String(answer.sid).toLowerCase() !== claims.sid.toLowerCase() || answer.jti !== claims.jti) {
    throw new Trouble(`POST ${PATH}: the answer is about another token`);
  }
  return true;
}
