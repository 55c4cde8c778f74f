// Asks the server whether a token is active (RFC 7662), when the feed cannot tell.
//
// The surprise: an answer about another token is no answer. It is checked that the server speaks of this one.

import { CHECK } from "./client.js";
import { Trouble } from "./refusal.js";

const PATH = "/v1/introspect";
/** The most bytes of an answer; one has 400. */
const MAX_ANSWER = 16 * 1024;
/**
 * How long a connection is kept that nobody needs, in milliseconds. Not for long: a new one lets whatever balances the
 * load choose again, and doorward ends those that say nothing, too.
 */
const KEEP = 4000;
/** How many checks may wait for their turn; who comes later is refused at once. */
const MAX_WAITING = 1024;

/** Introspections, so many at once. */
export class Introspection {
  #client;
  /** It has the line of those who wait for a connection. */
  #agent;
  #most;
  /** Those who ask or wait. */
  #asking = 0;

  constructor(client, atOnce) {
    this.#client = client;
    this.#agent = client.agent({ keepAlive: true, maxSockets: atOnce, timeout: KEEP });
    this.#most = atOnce + MAX_WAITING;
  }

  /** Whether the server says that the token is active. Throws when it says nothing, or speaks of another token. */
  async ask(token, claims) {
    if (this.#asking >= this.#most) throw new Trouble("too many introspections wait for their turn");
    this.#asking += 1;
    try {
      const form = new URLSearchParams({ token, token_type_hint: "access_token" });
      const ask = { form, agent: this.#agent, signal: AbortSignal.timeout(CHECK) };
      return read(await this.#client.json(PATH, ask, MAX_ANSWER), claims);
    } finally {
      this.#asking -= 1;
    }
  }

  close() {
    this.#agent.destroy();
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
