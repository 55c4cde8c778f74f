// Follows the feed of ended sessions, until it is closed.
//
// The surprise: a stream is replaced before anything is wrong with it. Two clocks drift apart, so that each minute ties
// them together anew; and one that has gone silent is kept while another one is opened, which may lead to a node that
// still hears from its database.

import * as clock from "./clock.js";
import { why } from "./client.js";
import { cursorOf, read } from "./event.js";
import { Anchor } from "./freshness.js";
import { Mirror } from "./mirror.js";
import { Trouble } from "./refusal.js";
import { Parser } from "./sse.js";

const PATH = "/v1/ended-sessions";
const EVENTS = "text/event-stream";
// All times are in milliseconds.
/** How old a stream gets at most. What drift may cost is a thousandth of it, taken from the bound. */
const RENEW = 60_000;
/** How long a stream may be silent before another one is opened beside it. A node tells four times a second. */
const SILENCE = 2000;
/** The first pause after a failure; each failure after it doubles the pause. */
const FIRST_PAUSE = 100;
/** The longest pause between two attempts. */
const LONGEST_PAUSE = 5000;
/** How often it is looked after. */
const TEND = 250;
/** How many endings are looked at each time, whether they are dead by age: a few milliseconds of work. */
const PURGE = 20_000;

/** Somewhere between half and the whole: a thousand services must not come back in one moment. */
const about = (longest) => longest * (0.5 + Math.random() / 2);

/** The feed, and the mirror that it fills. */
export class Feed {
  #client;
  #settings;
  #mirror;
  /** Up to where the mirror is complete. */
  #cursor;
  /** The stream that is read. */
  #stream;
  /** Another one is wanted. */
  #opening = false;
  #failures = 0;
  #trouble = "";
  #waiting = [];
  #pause;
  #tending;
  #closed = false;

  constructor(client, settings) {
    this.#client = client;
    this.#settings = settings;
    this.#mirror = new Mirror(settings.maxEnded);
  }

  /** What is known; another one whenever another database begins to tell. */
  get mirror() {
    return this.#mirror;
  }

  /** What went wrong last, for people; empty while all is well. */
  get trouble() {
    return this.#trouble;
  }

  /** Waits for the next proof. */
  proven() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  follow() {
    this.#open(0);
    this.#tending = setInterval(() => this.#tend(), TEND);
  }

  close() {
    this.#closed = true;
    clearInterval(this.#tending);
    clearTimeout(this.#pause);
    this.#stream?.end();
    this.#stream = undefined;
  }

  #openLater() {
    const longest = Math.min(FIRST_PAUSE * 2 ** Math.min(this.#failures, 10), LONGEST_PAUSE);
    this.#failures += 1;
    this.#open(about(longest));
  }

  #open(pause) {
    this.#opening = true;
    this.#pause = setTimeout(async () => {
      const mirror = this.#mirror;
      let stream;
      try {
        stream = await this.#connect(mirror);
      } catch (error) {
        if (this.#closed) return;
        if (!this.#stream) this.#failed(error);
        this.#openLater();
        return;
      }
      if (this.#closed || mirror !== this.#mirror) {
        stream.end();
        // One that was asked for before everything began anew may leave out what the new mirror lacks.
        if (!this.#closed) this.#openLater();
        return;
      }
      this.#opening = false;
      this.#stream?.end();
      this.#stream = stream;
      this.#read(stream);
    }, pause);
  }

  async #connect(mirror) {
    const headers = { accept: EVENTS, "accept-encoding": "identity", "cache-control": "no-store" };
    if (this.#cursor !== undefined) headers["last-event-id"] = this.#cursor;
    const { sent, response, end } = await this.#client.ask(PATH, { headers });
    const type = response.headers["content-type"] ?? "";
    if (type.split(";")[0].trim().toLowerCase() !== EVENTS) {
      end();
      throw new Trouble(`GET ${PATH} answers something else than ${EVENTS}`);
    }
    const { running } = clock.now();
    return {
      sent,
      body: response,
      end,
      parser: new Parser(),
      // What it tells of. It told of all that the mirror does not know, when it was opened.
      mirror,
      anchor: undefined,
      // When another one is to take its place.
      renew: running + about(RENEW),
      // When something came last.
      heard: running,
    };
  }

  async #read(stream) {
    let trouble;
    try {
      for await (const bytes of stream.body) {
        if (stream !== this.#stream) return;
        this.#take(stream, bytes);
      }
      trouble = new Trouble("the feed has ended");
    } catch (error) {
      // After an error, nothing more of this stream is to be believed.
      trouble = error instanceof Trouble ? error : new Trouble(`the feed cannot be read: ${why(error)}`);
    } finally {
      stream.end();
    }
    if (stream !== this.#stream) return;
    this.#stream = undefined;
    this.#failed(trouble);
    if (!this.#opening) this.#openLater();
  }

  #take(stream, bytes) {
    const arrived = clock.now();
    stream.heard = arrived.running;
    for (const event of stream.parser.push(bytes)) {
      const said = read(event);
      if (!said) continue;
      if ("hello" in said) {
        if (stream.anchor) throw new Trouble("the feed says hello twice");
        stream.anchor = new Anchor(stream.sent, said.hello);
        // Every proof of this stream will be older than it is by as long as this took.
        if (arrived.running - stream.sent.running > this.#tolerance()) stream.renew = arrived.running;
        continue;
      }
      if (!stream.anchor) throw new Trouble("the feed does not begin with a hello");
      if (said.reset) {
        stream.mirror = this.#beginAnew(arrived);
        continue;
      }
      if ("ended" in said) this.#keep(stream.mirror, said);
      if ("fresh" in said) this.#prove(stream, said.fresh, arrived);
      this.#cursor = cursorOf(event) ?? this.#cursor;
    }
  }

  /** What may be lost of the bound before the clocks are tied together anew. */
  #tolerance() {
    return this.#settings.bound / 4;
  }

  #keep(mirror, { ended, exp }) {
    if (mirror.add(ended, exp)) return;
    mirror.purge(clock.now(), Infinity);
    if (!mirror.add(ended, exp)) throw this.#tooMany();
  }

  #tooMany() {
    return new Trouble(`more than ${this.#settings.maxEnded} ended sessions\nhint: the option maxEnded allows more`);
  }

  #prove(stream, asked, arrived) {
    const proof = stream.anchor.proof(asked, arrived);
    // The machine slept, or its clock was set: the clocks have to be tied together anew.
    if (stream.anchor.parted(arrived) > this.#tolerance()) stream.renew = arrived.running;
    stream.mirror.prove(proof, arrived);
    for (const resolve of this.#waiting.splice(0)) resolve();
    // While another stream is wanted, the pauses between the attempts go on growing.
    if (!this.#opening && arrived.running < stream.renew) this.#failures = 0;
    if (proof.age(arrived) > this.#settings.bound) {
      this.#failed(new Trouble("what comes is older than the bound"));
    } else if (this.#trouble) {
      this.#trouble = "";
      this.#settings.logger.info("doorward-verify: the feed of ended sessions is back");
    }
  }

  /** Another database tells, or what was forgotten is needed again: what is known proves nothing of other sessions. */
  #beginAnew(now) {
    const mirror = this.#mirror.successor(now);
    if (!mirror) throw this.#tooMany();
    const said = "the feed begins anew: what was known of ended sessions counts until all of them have been told";
    this.#settings.logger.warn(`doorward-verify: ${said}`);
    this.#mirror = mirror;
    this.#cursor = undefined;
    return mirror;
  }

  #failed(trouble) {
    // Said once: what fails again every few seconds would fill the log.
    if (!this.#trouble) this.#settings.logger.warn(`doorward-verify: the feed of ended sessions is lost: ${trouble.message}`);
    this.#trouble = trouble.message;
  }

  /** What has to be looked after whatever happened. */
  #tend() {
    const now = clock.now();
    if (this.#mirror.outlived(now)) {
      // The clock was set back to when endings still counted that are forgotten. The stream does not repeat them; a new
      // one does, if the clock had been fast, and the server has not forgotten them.
      this.#stream?.end();
      this.#stream = undefined;
      try {
        this.#beginAnew(now);
      } catch (trouble) {
        this.#failed(trouble);
      }
      if (!this.#opening) this.#openLater();
    } else {
      this.#mirror.purge(now, PURGE);
    }
    if (!this.#stream || this.#opening) return;
    const isSilent = now.running - this.#stream.heard >= SILENCE;
    if (isSilent) this.#failed(new Trouble("the feed is silent"));
    if (isSilent || now.running >= this.#stream.renew) this.#openLater();
  }
}
