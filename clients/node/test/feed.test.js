// When a stream is replaced though nothing is wrong with it.
//
// The surprise: the monotonic clock is the test's own where a minute has to pass.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { event, started, until } from "./node.js";

test("a stream is replaced after a minute, and goes on beside the next one until that is there", async (t) => {
  let passed = 0;
  const real = performance.now.bind(performance);
  t.mock.method(performance, "now", () => real() + passed);
  const { node, verifier, log } = await started({ bound: 60_000 });
  await verifier.untilFresh();
  const [first] = node.open;
  const passes = async () => {
    passed += 500;
    // It tells: what is replaced is not silent.
    first.write(event("fresh", { asked: node.now() }, 7));
    await until(() => verifier.state().age < 500);
  };
  // The next one is not answered yet.
  node.stream = () => {};
  while (node.open.length === 1 && passed < 61_000) await passes();
  await until(() => node.open.length === 2);
  await passes();
  const [, second] = node.open;
  second.write(event("hello", { now: node.now() }));
  second.write(event("ended", { sid: randomUUID(), exp: Math.floor(Date.now() / 1000) + 600 }, 8));
  await until(() => first.closed && verifier.ended() === 1);
  const cursors = node.asked.filter(({ what }) => what === "GET /v1/ended-sessions");
  assert.ok(cursors[1].headers["last-event-id"], "it goes on where the first one is");
  assert.deepEqual(log, []);
});
