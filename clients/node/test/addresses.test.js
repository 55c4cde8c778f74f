// A host with several addresses, of which one says nothing.
//
// The surprise: a thread that sleeps has the silent one. The system keeps a place or two for connections that nobody
// takes, and once these are gone it answers no more packets.

import assert from "node:assert/strict";
import dns from "node:dns";
import { once } from "node:events";
import * as net from "node:net";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { started, until } from "./node.js";

/** Places for connections that nobody takes. The system has one more. */
const PLACES = 1;

const SLEEPER = `
  const { parentPort, workerData } = require("node:worker_threads");
  require("node:net").createServer().listen(...workerData, () => {
    parentPort.postMessage("listening");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

/** Makes an address silent. */
async function silence(t, port, address) {
  const sleeper = new Worker(SLEEPER, { eval: true, workerData: [port, address, PLACES] });
  const taken = [];
  t.after(() => {
    taken.forEach((connection) => connection.destroy());
    return sleeper.terminate();
  });
  await once(sleeper, "message");
  while (taken.length <= PLACES) {
    taken.push(net.connect(port, address));
    await once(taken.at(-1), "connect");
  }
}

// Other systems have no second address of their own.
const skip = process.platform !== "linux";

test("an address that says nothing keeps nobody from the next", { skip }, async (t) => {
  const { lookup } = dns;
  t.after(() => {
    dns.lookup = lookup;
  });
  const addresses = ["127.0.0.2", "127.0.0.1"].map((address) => ({ address, family: 4 }));
  let silent;
  let looked = 0;
  dns.lookup = (host, options, done) => {
    if (host !== "localhost") return lookup(host, options, done);
    looked += 1;
    const answer = options.all ? [addresses] : [addresses[0].address, addresses[0].family];
    silent.then(() => done(null, ...answer), done);
  };
  const { node, verifier } = await started({ bound: 60_000 }, (node) => {
    const url = new URL(node.url);
    silent = silence(t, Number(url.port), addresses[0].address);
    node.url = `http://localhost:${url.port}`;
  });
  await until(() => verifier.state().fresh);
  assert.equal(await verifier.verify(node.key.token()).then(({ iss }) => iss), "doorward");
  assert.ok(looked > 0);
});
