// The sessions that have ended, as far as one database told, and how fresh that is.
//
// The surprise: what belongs to another database goes into another mirror, so that the freshness of one is never taken
// with the memory of the other.

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

  /** @param {number} limit the most that are kept */
  constructor(limit) {
    this.#limit = limit;
  }

  /**
   * What is known of the session, where nothing older than `bound` counts: "ended", "lives", or "unsure".
   * @param {string} sid
   * @param {import("./clock.js").Moment} now
   * @param {number} bound
   */
  lookUp(sid, now, bound) {
    if (this.#ended.has(sid)) return "ended";
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
   * gone. Nothing but another mirror helps.
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
  }

  /**
   * Forgets sessions whose every token is dead by age. Looks at `most` of them at a time, because nobody is answered
   * meanwhile, and goes on from there the next time.
   */
  purge(now, most) {
    const until = seconds(now) - SLACK;
    this.#forgotten = Math.max(this.#forgotten, until);
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

  /** How many endings are kept. */
  get kept() {
    return this.#ended.size;
  }
}
