// The arithmetic of freshness, played through with a node and a service whose clocks are known to the test alone.
//
// The surprise is the oracle: the test knows the true time of everything, and holds each proof against it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Anchor } from "../src/freshness.js";

const SECOND = 1000;
/** A machine whose clock began at a true time and runs at a rate of its own, in parts per million more or less. */
const machine = (began, ppm = 0) => {
  const running = (truly) => (truly - began) * (1 + ppm / 1e6);
  return {
    millis: (truly) => Math.floor(running(truly)),
    moment: (truly) => ({ running: running(truly), wall: Math.floor(running(truly)) + 1.7e12 }),
  };
};
const NODE = machine(-5000 * SECOND);
const SERVICE = machine(-70 * SECOND);

/** Asked for at `sent`, answered at `hello`: true times. */
const anchor = (sent, hello) => new Anchor(SERVICE.moment(sent), NODE.millis(hello));

test("a proof is as old as the question to the database", () => {
  const proof = anchor(0, 0).proof(NODE.millis(SECOND), SERVICE.moment(SECOND + 2));
  const age = proof.age(SERVICE.moment(SECOND + 300));
  assert.ok(age >= 300 && age < 304, `${age}`);
});

test("what was in flight for ten seconds is ten seconds old", () => {
  const arrived = SERVICE.moment(11 * SECOND);
  assert.ok(anchor(0, 1).proof(NODE.millis(SECOND), arrived).age(arrived) >= 10 * SECOND);
  // Also when everything of the stream came so late, the hello too.
  const late = SERVICE.moment(10 * SECOND + 1);
  assert.ok(anchor(0, 1).proof(NODE.millis(1), late).age(late) >= 10 * SECOND);
});

test("a slow request makes proofs older and never younger", () => {
  const arrived = SERVICE.moment(500);
  const age = anchor(0, 400).proof(NODE.millis(500), arrived).age(arrived);
  assert.ok(age >= 400 && age < 410, `${age}`);
});

test("a node that started again is another clock", () => {
  const again = machine(2 * SECOND);
  const arrived = SERVICE.moment(3 * SECOND);
  assert.ok(anchor(0, 0).proof(again.millis(3 * SECOND), arrived).age(arrived) > 1000 * SECOND);
  const after = new Anchor(SERVICE.moment(2 * SECOND), again.millis(2 * SECOND));
  assert.ok(after.proof(again.millis(3 * SECOND), arrived).age(arrived) < 10);
});

test("a node that sees into the future is not believed", () => {
  const arrived = SERVICE.moment(SECOND);
  for (const asked of [NODE.millis(100 * SECOND), Number.MAX_SAFE_INTEGER]) {
    const proof = anchor(0, 0).proof(asked, arrived);
    assert.equal(proof.age(arrived), 0);
    assert.ok(proof.age(SERVICE.moment(2 * SECOND)) >= SECOND);
  }
});

test("a machine that slept for an hour has no fresh proof until another hello", () => {
  const before = anchor(0, 0);
  const proof = before.proof(NODE.millis(SECOND), SERVICE.moment(SECOND));
  const woken = SERVICE.moment(SECOND + 10);
  woken.wall += 3600 * SECOND;
  assert.ok(proof.age(woken) >= 3600 * SECOND);
  assert.ok(before.parted(woken) >= 3600 * SECOND);
  for (const asked of [SECOND, 3601 * SECOND]) {
    assert.ok(before.proof(NODE.millis(asked), woken).age(woken) >= 3600 * SECOND);
  }
  const after = new Anchor(woken, NODE.millis(3601 * SECOND));
  assert.ok(after.proof(NODE.millis(3601 * SECOND), woken).age(woken) < 10);
});

test("a clock set back hides no later sleep", () => {
  const setBack = SERVICE.moment(SECOND);
  setBack.wall -= 3600 * SECOND;
  const proof = anchor(0, 0).proof(NODE.millis(SECOND), setBack);
  assert.ok(proof.age(setBack) < 10, "setting it back is no sleep");
  const woken = SERVICE.moment(SECOND + 1);
  woken.wall -= 3590 * SECOND;
  assert.ok(proof.age(woken) >= 10 * SECOND);
});

test("however long the ways are and however badly the clocks run, no proof is younger than the truth", () => {
  const between = (low, high) => low + Math.random() * (high - low);
  for (let run = 0; run < 20_000; run += 1) {
    const node = machine(-5000 * SECOND, between(-500, 500));
    const service = machine(-70 * SECOND, between(-500, 500));
    const hello = between(0, 5 * SECOND);
    const asked = hello + between(-2 * SECOND, 600 * SECOND);
    const arrived = Math.max(asked, hello) + between(0, 20 * SECOND);
    const now = arrived + between(0, 5 * SECOND);
    const proof = new Anchor(service.moment(0), node.millis(hello)).proof(node.millis(asked), service.moment(arrived));
    const age = proof.age(service.moment(now));
    const truly = now - asked;
    // What passes after the arrival is measured by one clock alone: within its own rate.
    const rate = Math.max(0, truly / 2000) + 0.01;
    assert.ok(age >= truly - rate, JSON.stringify({ hello, asked, arrived, now, age, truly }));
  }
});
