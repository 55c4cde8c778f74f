// The verifier: everything that is known, and what follows from it for a token.
//
// The surprise: nothing is decided once. That a signature was good is remembered; whether the session lives, and how
// fresh that is, is looked up at every check.

import * as clock from "./clock.js";
import { Client } from "./client.js";
import { Feed } from "./feed.js";
import { Introspection } from "./introspection.js";
import { Keys } from "./keys.js";
import { Refusal } from "./refusal.js";
import { Remembered } from "./remembered.js";
import { check } from "./settings.js";
import { MAX_TOKEN, checkTime, claimsOf, invalid, parts } from "./token.js";

/** Verifies access tokens. */
export class Verifier {
  #settings;
  #client;
  #keys;
  #feed;
  #introspection;
  #remembered;
  #started = clock.now();

  /**
   * Starts to follow the feed, in the background. Until the server has answered, the verifier is stale: a service can
   * start before doorward does. `untilFresh` waits for it.
   * @param {import("../index.js").Settings} settings
   */
  static connect(settings) {
    return new Verifier(check(settings));
  }

  /** @private */
  constructor(settings) {
    this.#settings = settings;
    this.#client = new Client(settings);
    this.#keys = new Keys(this.#client, settings.logger);
    this.#feed = new Feed(this.#client, settings);
    this.#introspection = new Introspection(this.#client, settings.maxIntrospections);
    this.#remembered = new Remembered(settings.maxRemembered);
    const { protocol, hostname } = settings.url;
    if (protocol === "http:" && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)) {
      const said = "the server is asked without TLS: whoever is in between reads the client's secret";
      settings.logger.warn(`doorward-verify: ${said}`);
    }
    this.#keys.keep();
    this.#feed.follow();
  }

  /**
   * What the token says, if it is good and its session lives. Throws a `Refusal` if not.
   * @param {string} token
   */
  async verify(token) {
    const claims = await this.#signed(token);
    await this.#lives(token, claims);
    return claims;
  }

  /** Whether it can say that a session lives, for a `/readyz` of the service. Times are in milliseconds. */
  state() {
    const now = clock.now();
    const { mirror, trouble } = this.#feed;
    const { bound } = this.#settings;
    const age = mirror.age(now);
    if (mirror.isFresh(now, bound)) return { fresh: true, age };
    const since = Math.max(0, age === undefined ? now.running - this.#started.running : age - bound);
    return { fresh: false, since, reason: trouble };
  }

  /** How many endings are kept, for a metric of the service. At `maxEnded` the verifier becomes stale. */
  ended() {
    return this.#feed.mirror.kept;
  }

  /** Waits until it can say that a session lives; for ever, if it never can. */
  async untilFresh() {
    while (!this.state().fresh) await this.#feed.proven();
  }

  /** Ends its connection. From then on it grows stale. */
  close() {
    this.#keys.close();
    this.#feed.close();
    this.#introspection.close();
    this.#client.close();
  }

  /** What the token says, if it is well signed and it is its time. */
  async #signed(token) {
    if (typeof token !== "string" || token === "") throw new Refusal("missing");
    if (token.length > MAX_TOKEN) throw invalid(`it has more than ${MAX_TOKEN / 1024} KiB`);
    const fingerprint = Remembered.fingerprint(token);
    const known = this.#remembered.get(fingerprint);
    let claims = known && this.#keys.has(known.kid, known.key) ? known.claims : undefined;
    if (!claims) {
      const taken = parts(token);
      const key = await this.#key(taken.kid);
      claims = claimsOf(taken, key.object, this.#settings.issuer, this.#settings.realm);
      this.#remembered.keep(fingerprint, { claims, kid: taken.kid, key });
    }
    try {
      checkTime(claims, clock.seconds(clock.now()));
    } catch (refusal) {
      this.#remembered.forget(fingerprint);
      throw refusal;
    }
    return claims;
  }

  async #key(kid) {
    let key;
    try {
      key = await this.#keys.find(kid);
    } catch {
      // The server cannot be asked: that is not the token's fault.
      throw new Refusal("stale");
    }
    if (!key) throw invalid("its key is not known");
    return key;
  }

  /** Whether the session lives. */
  async #lives(token, claims) {
    const { bound, onStale } = this.#settings;
    const known = this.#feed.mirror.lookUp(claims.sid.toLowerCase(), clock.now(), bound);
    if (known === "lives") return;
    if (known === "ended") throw new Refusal("ended");
    if (onStale === "accept") return;
    if (onStale === "refuse") throw new Refusal("stale");
    let active;
    try {
      active = await this.#introspection.ask(token, claims);
    } catch {
      throw new Refusal("stale");
    }
    if (!active) throw new Refusal("ended");
  }
}
