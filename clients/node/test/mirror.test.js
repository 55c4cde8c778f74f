// The mirror of endings, the keys and the remembered tokens, each alone: what they forget, and what they must not.
//
// The surprise: no clock runs. A test says what time it is.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Anchor } from "../src/freshness.js";
import { MAX_KEYS, read } from "../src/keys.js";
import { Mirror } from "../src/mirror.js";
import { Remembered } from "../src/remembered.js";
import { makeKey } from "./node.js";

const at = (seconds) => ({ running: seconds * 1000, wall: (1000 + seconds) * 1000 });
const proof = (seconds) => new Anchor(at(seconds), 5000).proof(5000, at(seconds));

test("it speaks for the database only within the bound", () => {
  const mirror = new Mirror(10);
  assert.equal(mirror.lookUp("a", at(0), 1000), "unsure", "nothing came yet");
  mirror.prove(proof(0), at(0));
  mirror.add("b", 5000);
  assert.equal(mirror.lookUp("a", at(0), 1000), "lives");
  assert.equal(mirror.lookUp("b", at(0), 1000), "ended");
  assert.equal(mirror.lookUp("a", at(1), 1000), "unsure");
  assert.equal(mirror.lookUp("b", at(1), 1000), "ended");
  mirror.prove(proof(2), at(2));
  mirror.prove(proof(0), at(2));
  assert.equal(mirror.lookUp("a", at(2), 1000), "lives", "an older proof changes nothing");
});

test("what is dead by age makes room, a few at a time", () => {
  const mirror = new Mirror(3);
  mirror.add("a", 1010);
  mirror.add("b", 1100);
  mirror.add("c", 1015);
  assert.ok(mirror.add("a", 1020));
  assert.ok(!mirror.add("d", 1100));
  mirror.purge(at(79), 10);
  assert.equal(mirror.kept, 2, "a token of the first may live for a second");
  mirror.purge(at(80), 1);
  mirror.purge(at(80), 1);
  mirror.purge(at(80), 1);
  assert.equal(mirror.kept, 1);
  mirror.prove(proof(90), at(90));
  assert.equal(mirror.lookUp("b", at(90), 1000), "ended");
});

test("where room is needed at once, nothing is left out", () => {
  const mirror = new Mirror(2);
  mirror.add("a", 1010);
  mirror.add("b", 1100);
  // The search has passed the first one by.
  mirror.purge(at(0), 1);
  mirror.purge(at(80), Infinity);
  assert.equal(mirror.kept, 1);
});

test("a clock set back finds nothing forgotten", () => {
  const mirror = new Mirror(2);
  mirror.add("a", 1500);
  mirror.purge(at(3600), 10);
  mirror.prove(proof(3600), at(3600));
  assert.equal(mirror.lookUp("a", at(3600), 1000), "lives");
  const back = { ...at(3600), wall: 1000 };
  assert.equal(mirror.lookUp("a", back, 1000), "unsure");
  assert.ok(mirror.outlived(back));
});

test("what had ended stays so until a successor has been told everything", () => {
  const first = new Mirror(2);
  first.add("a", 5000);
  first.prove(proof(0), at(0));
  const second = first.successor(at(10));
  assert.equal(second.lookUp("a", at(10), 1000), "ended");
  assert.equal(second.lookUp("b", at(10), 1000), "unsure", "the freshness goes");
  second.add("b", 5000);
  // Nothing of the second was proven: what both know counts.
  const third = second.successor(at(20));
  for (const sid of ["a", "b"]) assert.equal(third.lookUp(sid, at(20), 1000), "ended");
  third.add("b", 5000);
  third.prove(proof(19), at(20));
  assert.equal(third.lookUp("a", at(20), 1000), "ended", "it may have ended since");
  third.prove(proof(21), at(21));
  assert.equal(third.lookUp("a", at(21), 1000), "lives");
  assert.equal(third.lookUp("b", at(21), 1000), "ended");
});

test("predecessors know together no more than may be kept", () => {
  const first = new Mirror(1);
  first.add("a", 1010);
  const second = first.successor(at(0));
  second.add("b", 1100);
  assert.equal(second.successor(at(0)), undefined);
  second.purge(at(70), 10);
  assert.ok(second.successor(at(70)));
});

test("a key that stays keeps its identity", () => {
  const [first, second] = [makeKey("first").jwk, makeKey("second").jwk];
  const before = read({ keys: [first] }, new Map());
  const later = read({ keys: [second, first] }, before);
  assert.equal(later.get("first"), before.get("first"));
  assert.equal(later.size, 2);
  const other = read({ keys: [makeKey("first").jwk] }, before);
  assert.notEqual(other.get("first"), before.get("first"));
  assert.equal(read({ keys: [first, makeKey("first").jwk] }, before).get("first"), before.get("first"));
});

test("only points for ES256 count", () => {
  const { jwk } = makeKey("key");
  for (const wrong of [
    { kty: "RSA" },
    { kty: "oct" },
    { crv: "P-384" },
    { alg: "HS256" },
    { use: "enc" },
    { kid: "x".repeat(257) },
    { kid: 7 },
    { x: "AAAA" },
    { x: randomBytes(32).toString("base64url"), y: "A".repeat(43) },
    { y: "!" },
    { y: undefined },
  ]) {
    const ring = read({ keys: [{ ...jwk, ...wrong }, null, { ...jwk, kid: "good" }] }, new Map());
    assert.deepEqual([...ring.keys()], ["good"], JSON.stringify(wrong));
  }
  for (const document of [undefined, null, {}, [], { keys: 7 }]) assert.equal(read(document, new Map()), undefined);
  const many = Array.from({ length: MAX_KEYS + 9 }, (_, n) => ({ ...jwk, kid: `${n}` }));
  assert.equal(read({ keys: many }, new Map()).size, MAX_KEYS);
});

test("whoever is asked for stays remembered, and there are never more than so many", () => {
  const remembered = new Remembered(10);
  remembered.keep("often", 1);
  for (let n = 0; n < 1000; n += 1) {
    remembered.keep(`${n}`, n + 1);
    assert.equal(remembered.get("often"), 1, `${n}`);
  }
  const kept = Array.from({ length: 1000 }, (_, n) => remembered.get(`${n}`)).filter(Boolean);
  assert.ok(kept.length > 0 && kept.length <= 10, `${kept.length}`);
  remembered.forget("often");
  assert.equal(remembered.get("often"), undefined);
});
