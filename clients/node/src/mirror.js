// The sessions that have ended, as far as one database told, and how fresh that is.
//
// The surprise: what belongs to another database goes into another mirror, so that the freshness of one is never taken
// with the memory of the other. What the one before knew to have ended stays so until the new one has been told
// everything.

import { seconds } from "./clock.js";

/**
 * An ending is forgotten so many seconds after its last token is dead by age, so that a clock that is corrected by a
 * little brings no token back to life.
 */
const SLACK = 60;

/** The mirror of one database's endings. */
export class Mirror {
  /** @type {Map<string, number>} session → when its last token dies, in seconds */
  #ended = new Map();
  #limit;
  #proof;
  /** Where the search for what is over goes on. */
  #sweep;
  /** Up to which second, by the clock that people set, endings may have been forgotten. */
  #forgotten = -Infinity;
  /** What was known to have ended before this one began, until this one has been told everything. */
  #before;
  /** When it began, by the monotonic clock. */
  #began = -Infinity;

  /** @param {number} limit the most that are kept */
  constructor(limit) {
    this.#limit = limit;
  }

  /**
   * The one that takes its place. Undefined when nothing of this one was proven, and it and the one before it know of
   * more endings than may be kept.
   * @param {import("./clock.js").Moment} now
   */
  successor(now) {
    const known = this.#before ?? this;
    if (known !== this) {
      for (const [sid, exp] of this.#ended) if (!known.add(sid, exp)) return undefined;
    }
    const mirror = new Mirror(this.#limit);
    mirror.#before = known;
    mirror.#began = now.running;
    return mirror;
  }

  /**
   * What is known of the session, where nothing older than `bound` counts: "ended", "lives", or "unsure".
   * @param {string} sid
   * @param {import("./clock.js").Moment} now
   * @param {number} bound
   */
  lookUp(sid, now, bound) {
    if (this.#ended.has(sid) || this.#before?.#ended.has(sid)) return "ended";
    return this.isFresh(now, bound) ? "lives" : "unsure";
  }

  /** Whether it speaks for the database. */
  isFresh(now, bound) {
    const age = this.age(now);
    return age !== undefined && age <= bound && !this.outlived(now);
  }

  /** How old the last proof is; undefined when there never was one. */
  age(now) {
    return this.#proof?.age(now);
  }

  /**
   * Whether the clock has been set back to before what was forgotten, so that an ending which is needed again may be
   * gone. Another mirror helps where the clock was fast until then: the server knows that ending still. Where it was
   * right and is slow now, the server has forgotten it, too, by its own clock.
   */
  outlived(now) {
    return seconds(now) < this.#forgotten;
  }

  /**
   * Remembers an ending until the second `exp`. False when there are too many: nothing that comes later may be believed
   * then.
   */
  add(sid, exp) {
    const known = this.#ended.get(sid);
    if (known === undefined && this.#ended.size >= this.#limit) return false;
    this.#ended.set(sid, known === undefined ? exp : Math.max(exp, known));
    return true;
  }

  /** Everything that had ended as of the proof has been added. An older one changes nothing. */
  prove(proof, now) {
    if (!this.#proof || proof.age(now) < this.#proof.age(now)) this.#proof = proof;
    // An older proof may leave out what had ended by then.
    if (proof.isOf(this.#began)) this.#before = undefined;
  }

  /**
   * Forgets sessions whose every token is dead by age. Looks at `most` of them at a time, because nobody is answered
   * meanwhile, and goes on from there the next time.
   */
  purge(now, most) {
    const until = seconds(now) - SLACK;
    this.#forgotten = Math.max(this.#forgotten, until);
    this.#before?.purge(now, most);
    // Who looks at all of them begins with the first.
    if (most === Infinity) this.#sweep = undefined;
    this.#sweep ??= this.#ended.entries();
    for (let looked = 0; looked < most; looked += 1) {
      const { done, value } = this.#sweep.next();
      if (done) {
        this.#sweep = undefined;
        return;
      }
      if (value[1] <= until) this.#ended.delete(value[0]);
    }
  }

  /** How many endings are kept, without those that only the one before knows. */
  get kept() {
    return this.#ended.size;
  }
}
