// The server is known by its certificate, and whoever has none that counts is told nothing.
//
// The surprise: certificates that Node trusts are read when it starts. So the verifier that is to trust one has a
// process of its own.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { event } from "./node.js";

const folder = mkdtempSync(join(tmpdir(), "doorward-verify-"));
const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert];
execFileSync("openssl", ["req", "-x509", "-days", "2", ...made, ...names], { stdio: "ignore" });

let asked = 0;
const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (req, res) => {
  asked += 1;
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.write(event("hello", { now: 0 }) + event("fresh", { asked: 0 }, 0));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

/** What a verifier becomes that follows the host of this name and trusts this file of certificates. */
async function follows(host, trusted) {
  const settings = { url: `https://${host}:${server.address().port}`, clientId: "id", clientSecret: "secret", bound: 60_000 };
  const script = `
    const { Verifier } = await import(${JSON.stringify(new URL("../src/index.js", import.meta.url))});
    const verifier = Verifier.connect({ ...${JSON.stringify(settings)}, logger: { info() {}, warn() {} } });
    while (!verifier.state().fresh && !verifier.state().reason) await new Promise((resolve) => setTimeout(resolve, 5));
    console.log(verifier.state().reason ?? "fresh");
    verifier.close();`;
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: trusted };
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env });
  return stdout.trim();
}

test("only the right server is asked", async () => {
  assert.match(await follows("localhost", ""), /SELF_SIGNED/);
  assert.match(await follows("127.0.0.1", cert), /ALTNAME_INVALID/);
  assert.equal(asked, 0);
  assert.equal(await follows("localhost", cert), "fresh");
});
