// The TypeScript of README.md is what the compiler has seen.
//
// The surprise: nothing is compiled here. `npm test` runs the compiler over `types/` before it comes to the tests.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const read = (path) => readFile(new URL(path, import.meta.url), "utf8");

test("the quick start in TypeScript is the one that is compiled", async () => {
  const [readme, compiled] = await Promise.all([read("../README.md"), read("../types/quick-start.ts")]);
  const snippets = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, snippet]) => snippet);
  // Without its first lines, which say what the file is for.
  assert.deepEqual(snippets, [compiled.slice(compiled.indexOf("import "))]);
});
