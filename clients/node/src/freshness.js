// When what a node said was true, told by the clocks of this machine. Arithmetic only, in milliseconds.
//
// A node says at the head of a stream what its own clock says (hello), and later when, by that clock, it asked its
// database (fresh). This side knows when it sent the request. The hello was made after that, so what the node did n
// later was done later than n after the request: counting from the request makes every proof too old by the time the
// request took, and never too young. The surprise: the arrival of an event proves nothing. One that was in flight for
// ten seconds is ten seconds old when it comes.

import { lead } from "./clock.js";

/**
 * Of how many milliseconds two clocks may differ by one: Linux slews a clock by 500 ppm at most, and the other one may
 * go the other way.
 */
const DRIFT = 1000;
/** A node tells whole milliseconds: the difference of two of them may be too long by one. */
const GRAIN = 1;

/**
 * The two clocks, tied together: what this machine's said when a stream was asked for, and what the node's said when it
 * answered.
 */
export class Anchor {
  #sent;
  #hello;
  /** The smallest lead seen since, so that a clock set back does not hide a later sleep. */
  #lead;

  /**
   * The request went out at `sent`; the node's clock said `hello` when it answered.
   * @param {import("./clock.js").Moment} sent
   * @param {number} hello
   */
  constructor(sent, hello) {
    this.#sent = sent.running;
    this.#hello = hello;
    this.#lead = lead(sent);
  }

  /**
   * The node asked its database when its clock said `asked`, and everything that it answered is here; that was told at
   * `arrived`.
   * @param {number} asked
   * @param {import("./clock.js").Moment} arrived
   * @returns {Proof}
   */
  proof(asked, arrived) {
    this.#lead = Math.min(this.#lead, lead(arrived));
    const drift = Math.max(0, (arrived.running - this.#sent) / DRIFT);
    const at = this.#sent + (asked - this.#hello) - drift - GRAIN;
    // No node sees into the future.
    return new Proof(Math.min(at, arrived.running), this.#lead);
  }

  /**
   * By how much the clocks of this machine have parted since: it slept, or somebody set it forward.
   * @param {import("./clock.js").Moment} now
   */
  parted(now) {
    return Math.max(0, lead(now) - this.#lead);
  }
}

/** A moment at which the database was asked and everything it said is known here. */
export class Proof {
  /** By the monotonic clock of this machine, not later than it really was. */
  #at;
  #lead;

  constructor(at, lead) {
    this.#at = at;
    this.#lead = lead;
  }

  /**
   * Whether it is a proof of that moment of the monotonic clock, or of a later one.
   * @param {number} moment
   */
  isOf(moment) {
    return this.#at >= moment;
  }

  /**
   * How old it is at least taken for.
   * @param {import("./clock.js").Moment} now
   */
  age(now) {
    return Math.max(0, now.running - this.#at) + Math.max(0, lead(now) - this.#lead);
  }
}
