// A node that says what a test wants it to say: what the real one says only when something is broken.
//
// The surprise: it signs with a real key, and everything goes over real HTTP; the verifier is the whole one.

import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";
import { after } from "node:test";
import { Verifier } from "../src/index.js";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A key of the node: its public half as the node publishes it, and tokens that it signs. */
export function makeKey(kid) {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  const token = (claims = {}, header = {}) => {
    const at = Math.floor(Date.now() / 1000);
    const standard = { iss: "doorward", aud: "main", sub: randomUUID(), sid: randomUUID(), jti: "j", iat: at, exp: at + 600 };
    const message = `${encode({ alg: "ES256", typ: "at+jwt", kid, ...header })}.${encode({ ...standard, ...claims })}`;
    const signature = sign("sha256", Buffer.from(message), { key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${message}.${signature.toString("base64url")}`;
  };
  return { jwk, token };
}

/** One event of the feed. */
export const event = (name, data, id) => `${id === undefined ? "" : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** Starts a node. `pages` has a function for each path; `streams` gets those who follow the feed. */
export async function startNode() {
  const key = makeKey("first");
  const node = {
    key,
    /** Everything that was asked, as `METHOD path`, with the headers. */
    asked: [],
    /** The running milliseconds of the node. */
    now: () => Math.round(performance.now()),
    /** It says nothing more by itself. */
    quiet: false,
    /** What becomes of a stream that is opened. By default a node with nothing to tell but that. */
    stream: (res) => {
      res.write(event("hello", { now: node.now() }));
      const beat = () => node.quiet || res.write(event("fresh", { asked: node.now() }, 0));
      beat();
      const beats = setInterval(beat, 100);
      res.on("close", () => clearInterval(beats));
    },
    pages: {
      "/.well-known/jwks.json": (req, res) => res.end(JSON.stringify({ keys: [key.jwk] })),
      "/v1/ended-sessions": (req, res) => {
        res.writeHead(200, { "content-type": "text/event-stream" });
        node.open.push(res);
        node.stream(res, req);
      },
    },
    /** The streams that were opened. */
    open: [],
  };
  const server = createServer((req, res) => {
    node.asked.push({ what: `${req.method} ${req.url}`, headers: req.headers });
    const page = node.pages[req.url];
    if (page) page(req, res);
    else res.writeHead(404).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  node.url = `http://127.0.0.1:${server.address().port}`;
  node.stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return node;
}

/** How long a test waits before it calls something dead, in milliseconds. Never reached when all is well. */
const PATIENCE = 25_000;

/** Waits for the thing itself. */
export async function until(holds) {
  const deadline = Date.now() + PATIENCE;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const open = [];
after(() => open.forEach((close) => close()));

/** A node and a verifier that follows it, with what the verifier says to its log. */
export async function started(settings = {}, prepare = () => {}) {
  const node = await startNode();
  prepare(node);
  const log = [];
  const logger = { info: (text) => log.push(text), warn: (text) => log.push(text) };
  const given = { url: node.url, clientId: "id", clientSecret: "s:e c", logger, ...settings };
  const verifier = Verifier.connect(given);
  open.push(() => {
    verifier.close();
    node.stop();
  });
  return { node, verifier, log };
}

/** Why the token is refused; undefined when it is not. */
export const refusal = (verifier, token) =>
  verifier.verify(token).then(
    () => undefined,
    (error) => error.reason ?? error,
  );
