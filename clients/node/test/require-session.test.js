// The middleware with Node's own requests and answers.
//
// The surprise: it is not alone. Others may have answered while it asked.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get } from "node:http";
import { test } from "node:test";
import { requireSession } from "../src/index.js";
import { started } from "./node.js";

test("what somebody else has answered is left alone", async (t) => {
  const { verifier } = await started();
  const session = requireSession(verifier);
  let done;
  const server = createServer((req, res) => {
    done = session(req, res, () => assert.fail("it is no token"));
    res.writeHead(503).end("busy");
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  const headers = { authorization: "Bearer x" };
  const [answer] = await once(get({ port, headers, agent: false }), "response");
  assert.equal(answer.statusCode, 503);
  answer.resume();
  await done;
});
