// The only place of this package that reads the time.
//
// The surprise: both clocks of the machine are read each time. The monotonic one measures, because nobody can set it;
// but it stands still while a machine sleeps, and only the other one then shows that time has passed.

/**
 * What the clocks of this machine say, in milliseconds: `running` by the monotonic one, `wall` since 1970 by the one
 * that people set.
 * @typedef {{running: number, wall: number}} Moment
 */

/** @returns {Moment} */
export function now() {
  // In this order: whoever is interrupted in between takes the lead for smaller, and proofs for older than they are.
  const wall = Date.now();
  return { running: performance.now(), wall };
}

/**
 * How far the clock that people set is ahead of the monotonic one. It grows when the machine sleeps or is set forward,
 * and is constant otherwise.
 * @param {Moment} moment
 */
export function lead(moment) {
  return moment.wall - moment.running;
}

/**
 * Whole seconds since the epoch (RFC 7519 section 2, NumericDate).
 * @param {Moment} moment
 */
export function seconds(moment) {
  return Math.floor(moment.wall / 1000);
}
