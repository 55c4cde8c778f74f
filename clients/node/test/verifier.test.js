// The whole verifier against a node that is scripted to misbehave. The well-behaved one is doorward itself, in its own
// tests.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import dns from "node:dns";
import { test } from "node:test";
import { Verifier } from "../src/index.js";
import { event, makeKey, refusal, started, until } from "./node.js";

test("a good token gives its claims, frozen, and asks as the client", async () => {
  const { node, verifier } = await started();
  await verifier.untilFresh();
  const claims = await verifier.verify(node.key.token({ own: { list: [1] } }));
  assert.equal(claims.iss, "doorward");
  assert.throws(() => claims.own.list.push(2), TypeError);
  const state = verifier.state();
  assert.equal(typeof (state.fresh ? state.age : state.since), "number");
  const { headers } = node.asked.find(({ what }) => what === "GET /v1/ended-sessions");
  assert.equal(headers.authorization, `Basic ${Buffer.from("id:s%3Ae+c").toString("base64")}`);
  const keys = node.asked.find(({ what }) => what === "GET /.well-known/jwks.json");
  assert.equal(keys.headers.authorization, undefined, "the secret goes where it is needed alone");
  assert.equal(keys.headers["cache-control"], "no-cache");
});

test("only a token to the letter is good", async () => {
  const { node, verifier } = await started();
  await verifier.untilFresh();
  const { token } = node.key;
  const at = Math.floor(Date.now() / 1000);
  const good = token();
  const [header, payload, signature] = good.split(".");
  const bad = {
    "another algorithm": token({}, { alg: "none" }),
    "another type": token({}, { typ: "JWT" }),
    "one member more": token({}, { crit: [] }),
    "a key in the header": token({}, { jwk: node.key.jwk }),
    "no name of a key": token({}, { kid: undefined }),
    "an unknown key": makeKey("other").token(),
    "a key of the same name": makeKey("first").token(),
    "another issuer": token({ iss: "other" }),
    "another realm": token({ aud: "other" }),
    "a list of realms": token({ aud: ["main"] }),
    "an account that is none": token({ sub: "7" }),
    "no session": token({ sid: undefined }),
    "no name": token({ jti: undefined }),
    "no beginning": token({ iat: undefined }),
    "no end": token({ exp: undefined }),
    "an end that is a text": token({ exp: `${at + 600}` }),
    expired: token({ iat: at - 600, exp: at }),
    "not yet": token({ nbf: at + 60 }),
    "dead before it was made": token({ iat: at + 700 }),
    "too long": token({ long: "x".repeat(8000) }),
    "a part more": `${good}.`,
    "no signature": `${header}.${payload}.`,
    "padding": `${good}==`,
    "another payload": `${header}.${Buffer.from("{}").toString("base64url")}.${signature}`,
    "no JSON": `${Buffer.from("x").toString("base64url")}.${payload}.${signature}`,
    "a text": "x",
  };
  for (const [what, token] of Object.entries(bad)) assert.equal(await refusal(verifier, token), "invalid", what);
  assert.equal(await refusal(verifier, ""), "missing");
  assert.equal(await refusal(verifier, undefined), "missing");
  assert.equal(await refusal(verifier, good), undefined);
});

test("an ended session is refused in whatever case its id is written", async () => {
  const sid = randomUUID();
  const { node, verifier } = await started();
  await verifier.untilFresh();
  const token = node.key.token({ sid: sid.toUpperCase() });
  assert.equal(await refusal(verifier, token), undefined);
  node.open[0].write(event("ended", { sid, exp: Math.floor(Date.now() / 1000) + 600 }, 1));
  await until(() => verifier.ended() === 1);
  assert.equal(await refusal(verifier, token), "ended");
});

test("a feed that is silent makes it stale, and another stream goes on from the cursor", async () => {
  const { node, verifier, log } = await started();
  await verifier.untilFresh();
  const token = node.key.token();
  node.quiet = true;
  await until(() => !verifier.state().fresh);
  assert.equal(await refusal(verifier, token), "stale");
  node.stream = (res) => {
    node.quiet = false;
    res.write(event("hello", { now: node.now() }));
    res.write(event("fresh", { asked: node.now() }, 0));
  };
  await until(() => node.open.length === 2);
  const streams = node.asked.filter(({ what }) => what === "GET /v1/ended-sessions");
  assert.equal(streams[1].headers["last-event-id"], "0");
  await until(async () => (await refusal(verifier, token)) === undefined);
  assert.match(log[0], /the feed is silent/);
  assert.match(log[1], /is back/);
});

test("what a connection takes makes nothing older", async (t) => {
  const { lookup } = dns;
  t.after(() => {
    dns.lookup = lookup;
  });
  const held = [];
  dns.lookup = (host, options, done) => {
    if (host !== "localhost") return lookup(host, options, done);
    const { all } = options;
    held.push(() => (all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)));
  };
  const began = performance.now();
  const { verifier } = await started({ bound: 60_000 }, (node) => {
    node.url = node.url.replace("127.0.0.1", "localhost");
  });
  // The feed and the keys.
  await until(() => held.length === 2 && performance.now() - began > 500);
  const connected = performance.now();
  for (const go of held) go();
  await verifier.untilFresh();
  const { age } = verifier.state();
  // With what two clocks may differ by, and the grain of theirs.
  const most = (performance.now() - connected) * 1.001 + 3;
  assert.ok(age <= most, `${age} > ${most}`);
});

test("what is stale is accepted where the operator says so, but not what has ended", async () => {
  const sid = randomUUID();
  const { node, verifier } = await started({ onStale: "accept" }, (node) => {
    node.stream = (res) => {
      res.write(event("hello", { now: node.now() }));
      res.write(event("ended", { sid, exp: Math.floor(Date.now() / 1000) + 600 }, 1));
    };
  });
  await until(() => verifier.ended() === 1);
  assert.equal(verifier.state().fresh, false);
  assert.equal(await refusal(verifier, node.key.token()), undefined);
  assert.equal(await refusal(verifier, node.key.token({ sid })), "ended");
});

test("what is stale is asked about where the operator says so", async () => {
  const sid = randomUUID();
  let answer;
  const { node, verifier } = await started({ onStale: "introspect" }, (node) => {
    node.stream = () => {};
    node.pages["/v1/introspect"] = async (req, res) => {
      const pieces = await req.toArray();
      const token = new URLSearchParams(Buffer.concat(pieces).toString()).get("token");
      const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
      res.end(answer(claims));
    };
  });
  const says = async (said, claims) => {
    answer = (claims) => JSON.stringify(said(claims));
    return refusal(verifier, node.key.token(claims));
  };
  assert.equal(await says(({ sid, jti }) => ({ active: true, sid, jti })), undefined);
  assert.equal(await says(() => ({ active: false })), "ended");
  assert.equal(await says(({ sid }) => ({ active: true, sid, jti: "another" })), "stale");
  assert.equal(await says(({ jti }) => ({ active: true, sid, jti })), "stale");
  assert.equal(await says(() => ({ active: "true" })), "stale");
  assert.equal(await says(() => null), "stale");
  answer = () => "x".repeat(100_000);
  assert.equal(await refusal(verifier, node.key.token()), "stale");
  delete node.pages["/v1/introspect"];
  assert.equal(await refusal(verifier, node.key.token()), "stale");
});

test("another database makes it forget what it knew, once everything has been told", async () => {
  const sid = randomUUID();
  const exp = Math.floor(Date.now() / 1000) + 600;
  const { node, verifier } = await started({ onStale: "accept" });
  await verifier.untilFresh();
  node.open[0].write(event("ended", { sid, exp }, 1));
  await until(() => verifier.ended() === 1);
  node.quiet = true;
  node.open[0].write(event("reset", {}));
  await until(() => verifier.ended() === 0);
  assert.equal(verifier.state().fresh, false, "the freshness goes, too");
  assert.equal(await refusal(verifier, node.key.token()), undefined);
  assert.equal(await refusal(verifier, node.key.token({ sid })), "ended", "not everything has been told");
  node.quiet = false;
  await until(async () => (await refusal(verifier, node.key.token({ sid }))) === undefined);
  assert.equal(verifier.state().fresh, true);
  // And where it goes on after a break.
  node.open[0].end(event("reset", {}));
  await until(() => node.open.length === 2);
  const streams = node.asked.filter(({ what }) => what === "GET /v1/ended-sessions");
  assert.equal(streams[1].headers["last-event-id"], undefined);
});

test("nonsense ends a stream", async () => {
  for (const nonsense of [
    event("ended", { sid: "x", exp: 1 }, 1),
    event("ended", { sid: randomUUID() }, 1),
    event("fresh", null),
    event("fresh", { asked: -1 }),
    event("hello", { now: 1 }),
    "event: fresh\ndata: <html>\n\n",
    "x".repeat(5000),
  ]) {
    const { node, verifier, log } = await started();
    await verifier.untilFresh();
    node.open[0].write(nonsense);
    await until(() => node.open.length > 1);
    assert.match(log[0], /the feed of ended sessions is lost/, nonsense);
  }
});

test("a stream that does not begin with a hello proves nothing", async () => {
  const { node, verifier } = await started({}, (node) => {
    node.stream = (res) => res.write(event("fresh", { asked: node.now() }, 1));
  });
  await until(() => node.open.length > 1);
  assert.equal(verifier.state().fresh, false);
  assert.match(verifier.state().reason, /hello/);
});

test("proofs that come too late are a reason and not a recovery", async () => {
  const old = (res) => {
    res.write(event("hello", { now: 60_000 }));
    res.write(event("fresh", { asked: 1 }, 1) + event("fresh", { asked: 2 }, 1));
  };
  const { verifier, log } = await started({}, (node) => {
    node.stream = (res) => {
      node.stream = old;
      res.end();
    };
  });
  await until(() => verifier.state().reason === "what comes is older than the bound");
  assert.match(log[0], /the feed of ended sessions is lost/);
  assert.equal(log.length, 1, log.join());
});

test("more endings than it may keep make it stale", async () => {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const { node, verifier } = await started({ maxEnded: 2 }, (node) => {
    node.stream = (res) => {
      res.write(event("hello", { now: node.now() }));
      for (let id = 1; id <= 3; id += 1) res.write(event("ended", { sid: randomUUID(), exp }, id));
      res.write(event("fresh", { asked: node.now() }, 3));
    };
  });
  await until(() => node.open.length > 1);
  assert.equal(verifier.ended(), 2);
  assert.equal(verifier.state().fresh, false);
  assert.match(verifier.state().reason, /maxEnded/);
});

test("a redirect is not followed, and whoever is no doorward is not believed", async () => {
  for (const [answer, said] of [
    [(res) => res.writeHead(302, { location: "http://127.0.0.1:1/" }).end(), /not followed/],
    [(res) => res.writeHead(401).end(), /doorward client list/],
    [(res) => res.end("<html>"), /something else/],
  ]) {
    const { node, verifier } = await started({}, (node) => {
      node.pages["/v1/ended-sessions"] = (req, res) => answer(res);
    });
    await until(() => node.asked.filter(({ what }) => what === "GET /v1/ended-sessions").length > 2);
    assert.match(verifier.state().reason, said);
    assert.equal(await refusal(verifier, node.key.token()), "stale");
  }
});

test("who answers with another protocol is not waited for without end", async () => {
  const { node, verifier } = await started({}, (node) => {
    const head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n";
    node.pages["/v1/ended-sessions"] = (req, res) => res.socket.write(head);
  });
  await until(() => node.asked.filter(({ what }) => what === "GET /v1/ended-sessions").length > 1);
  assert.match(verifier.state().reason, /no answer/);
});

test("an unknown key is asked for at most once a second, and a key that goes takes its tokens along", async () => {
  const { node, verifier } = await started();
  await verifier.untilFresh();
  const asked = () => node.asked.filter(({ what }) => what === "GET /.well-known/jwks.json").length;
  const old = node.key.token();
  assert.equal(await refusal(verifier, old), undefined);
  const rotated = makeKey("second");
  node.pages["/.well-known/jwks.json"] = (req, res) => res.end(JSON.stringify({ keys: [rotated.jwk] }));
  const before = asked();
  const began = performance.now();
  await until(async () => (await refusal(verifier, rotated.token())) === undefined);
  assert.equal(asked(), before + 1, "one question is enough");
  await Promise.all(Array.from({ length: 50 }, (_, n) => refusal(verifier, makeKey(`made up ${n}`).token())));
  assert.ok(asked() - before <= 1 + (performance.now() - began) / 1000);
  assert.equal(await refusal(verifier, old), "invalid");
});

// A key may be made while an answer without it is on its way. The answer is as old as the question.
test("an answer that took long says nothing of a new key", async () => {
  const second = makeKey("second");
  let answer;
  const { node, verifier } = await started({}, (node) => {
    node.pages["/.well-known/jwks.json"] = (req, res) => {
      answer = () => res.end(JSON.stringify({ keys: [node.key.jwk] }));
      node.pages["/.well-known/jwks.json"] = (req, res) => res.end(JSON.stringify({ keys: [second.jwk] }));
    };
  });
  await verifier.untilFresh();
  const began = performance.now();
  await until(() => answer && performance.now() - began > 1000);
  const refused = refusal(verifier, second.token());
  answer();
  assert.equal(await refused, undefined);
});

test("keys that cannot be had are not the fault of a token", async () => {
  const { node, verifier } = await started({}, (node) => {
    node.pages["/.well-known/jwks.json"] = (req, res) => res.end(`{"keys": [${" ".repeat(300_000)}]}`);
  });
  await verifier.untilFresh();
  assert.equal(await refusal(verifier, node.key.token()), "stale");
});

test("a check does not wait for a key for as long as the server may take", async () => {
  const closed = [];
  const { node, verifier } = await started({}, (node) => {
    node.pages["/.well-known/jwks.json"] = (req, res) => {
      res.on("close", () => closed.push(res));
      res.write("{");
    };
  });
  await verifier.untilFresh();
  assert.equal(await refusal(verifier, node.key.token()), "stale");
  assert.equal(closed.length, 0, "the question goes on");
});

test("each trouble with the keys is told once", async () => {
  const { node, log } = await started({}, (node) => {
    node.pages["/.well-known/jwks.json"] = (req, res) => res.writeHead(500).end();
  });
  const told = (what) => log.filter((text) => text.includes(what)).length;
  await until(() => node.asked.filter(({ what }) => what === "GET /.well-known/jwks.json").length > 2);
  node.pages["/.well-known/jwks.json"] = (req, res) => res.end('{"keys": []}');
  await until(() => told("the server publishes no ES256 key") > 0);
  assert.equal(told("the keys cannot be had"), 1);
});

test("settings that make no sense are refused with a hint", () => {
  const good = { url: "http://127.0.0.1:1", clientId: "id", clientSecret: "secret" };
  for (const wrong of [
    { url: "auth.example.com" },
    { url: "ftp://auth.example.com" },
    { url: "http://id:secret@auth.example.com" },
    { url: "http://id:secret@auth.example.com:port" },
    { url: "http://auth.example.com/?x=1" },
    { clientId: undefined },
    { clientSecret: "" },
    { issuer: 7 },
    { bound: 499 },
    { bound: 60_001 },
    { bound: NaN },
    { bound: "1000" },
    { bound: [1000] },
    { logger: null },
    { logger: () => {} },
    { logger: { info() {} } },
    { logger: { info() {}, warn: "pino" } },
    { onStale: "ignore" },
    { maxEnded: 0 },
    { onstale: "refuse" },
  ]) {
    const given = { ...good, ...wrong };
    assert.throws(() => Verifier.connect(given), /\nhint: /, JSON.stringify(wrong));
    try {
      Verifier.connect(given);
    } catch (error) {
      assert.ok(!error.message.includes("id:secret"), error.message);
    }
  }
});
