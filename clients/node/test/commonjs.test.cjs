// A service in CommonJS, as README.md says it.
//
// The surprise: `require` would do in a newer Node, and not in the oldest one that is supported.

const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");

test("CommonJS gets the package with import()", async () => {
  const { Verifier } = await import("doorward-verify");
  assert.equal(typeof Verifier.connect, "function");
  const readme = readFileSync(path.join(__dirname, "../README.md"), "utf8");
  assert.ok(readme.includes('`const { Verifier } = await import("doorward-verify")`'));
});
