// How many introspections there may be at once, how many more may wait, and for how long.
//
// The surprise: no time is measured. What is too long is told by something that takes longer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "../src/client.js";
import { refusal, started, until } from "./node.js";

/** A node whose feed says nothing and which answers introspections when the test says so, in `held`. */
async function holding(maxIntrospections) {
  const held = [];
  const all = await started({ onStale: "introspect", maxIntrospections }, (node) => {
    node.stream = () => {};
    node.pages["/v1/introspect"] = async (req, res) => {
      const form = new URLSearchParams(Buffer.concat(await req.toArray()).toString());
      const { sid, jti } = JSON.parse(Buffer.from(form.get("token").split(".")[1], "base64url"));
      held.push(() => res.end(JSON.stringify({ active: true, sid, jti })));
    };
  });
  return { ...all, held };
}

test("there are so many at once, and the others have their turn", async () => {
  const { node, verifier, held } = await holding(2);
  const checks = Array.from({ length: 5 }, () => refusal(verifier, node.key.token()));
  for (let answered = 0; answered < 5; answered += 1) {
    const most = Math.min(answered + 2, 5);
    await until(() => held.length >= most);
    // Whatever was asked before this is here by then.
    await (await fetch(`${node.url}/nowhere`)).text();
    assert.equal(held.length, most);
    held[answered]();
  }
  assert.deepEqual(await Promise.all(checks), Array(5).fill(undefined));
});

test("connections are kept, and one that ends meanwhile is nobody's fault", async () => {
  const { node, verifier, held } = await holding(1);
  const answers = node.pages["/v1/introspect"];
  const connections = [];
  node.pages["/v1/introspect"] = (req, res) => {
    connections.push(req.socket);
    if (connections.length === 3) req.socket.destroy();
    else answers(req, res);
  };
  for (let checked = 0; checked < 3; checked += 1) {
    const check = refusal(verifier, node.key.token());
    await until(() => held.length > checked);
    held[checked]();
    assert.equal(await check, undefined);
  }
  const [first, ...others] = connections;
  assert.deepEqual(others.map((connection) => connection === first), [true, true, false]);
});

test("who is one too many is refused at once", async () => {
  const { node, verifier, held } = await holding(1);
  const token = node.key.token();
  const checks = Array.from({ length: 1 + 1024 + 1 }, () => refusal(verifier, token));
  const first = await Promise.race(checks.map((check, at) => check.then((refused) => ({ at, refused }))));
  assert.deepEqual(first, { at: 1025, refused: "stale" });
  await until(() => held.length === 1);
  held[0]();
  assert.equal(await checks[0], undefined);
});

test("a check gives up before the server has to answer", async () => {
  const { node, verifier } = await holding(1);
  node.pages["/silent"] = () => {};
  const client = new Client({ url: new URL(node.url), clientId: "id", clientSecret: "secret" });
  const asked = client.json("/silent", {}, 100).catch(() => "the server");
  assert.equal(await Promise.race([asked, refusal(verifier, node.key.token())]), "stale");
  client.close();
});
