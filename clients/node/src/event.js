// What the events of the feed mean.
//
// The surprise: an event of an unknown name is passed over, but one of a known name that cannot be read ends the
// stream: an ending might be in it.

import { isUuid } from "./token.js";

/** The longest cursor that is remembered and sent back. Those of doorward have 36 letters at most. */
const MAX_CURSOR = 64;

const isMillis = (value) => Number.isSafeInteger(value) && value >= 0;

/**
 * What an event says; `undefined` for one that later versions may send. Throws for nonsense of a known name.
 * @param {import("./sse.js").Event} event
 */
export function read(event) {
  switch (event.name) {
    case "hello": {
      const { now } = members(event);
      return isMillis(now) ? { hello: now } : nonsense(event);
    }
    case "ended": {
      const { sid, exp } = members(event);
      return isUuid(sid) && Number.isSafeInteger(exp) ? { ended: sid.toLowerCase(), exp } : nonsense(event);
    }
    case "fresh": {
      const { asked } = members(event);
      return isMillis(asked) ? { fresh: asked } : nonsense(event);
    }
    case "reset":
      return { reset: true };
    default:
      return undefined;
  }
}

/**
 * The event's cursor, if it can be sent back in a header.
 * @param {import("./sse.js").Event} event
 */
export function cursorOf(event) {
  const { id } = event;
  return id && id.length <= MAX_CURSOR && /^[\x21-\x7e]+$/.test(id) ? id : undefined;
}

function members(event) {
  try {
    // An array or a number has none of the members; null has to be told apart.
    return JSON.parse(event.data) ?? {};
  } catch {
    return nonsense(event);
  }
}

function nonsense(event) {
  throw new Error(`the feed says ${JSON.stringify(event.name)} without meaning`);
}
