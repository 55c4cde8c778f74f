// The parser of Server-Sent Events, in pieces of every size.
//
// The surprise: the pieces are cut between bytes, also within a character and between the halves of a line end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_DATA, MAX_LINE, Parser } from "../src/sse.js";

const bytes = (text) => new TextEncoder().encode(text);

/** What a parser makes of the text, given so many bytes at a time. */
function parse(text, size) {
  const all = bytes(text);
  const parser = new Parser();
  const events = [];
  for (let at = 0; at < all.length; at += size) events.push(...parser.push(all.subarray(at, at + size)));
  return events;
}

const TEXT =
  "\uFEFFevent: hello\ndata: {\"now\":5000}\n\n" +
  ": a comment\r\n\r\n" +
  "id: 124\revent: ended\rdata: {\"sid\":\"é\"}\r\r" +
  "retry: 10\nevent: fresh\ndata:one\r\ndata: two\n\r\n" +
  "event: nothing\n\n" +
  "id\ndata\ndata\n\n" +
  "data: cut off";

test("pieces of every size give the same events", () => {
  const expected = [
    { id: undefined, name: "hello", data: '{"now":5000}' },
    { id: "124", name: "ended", data: '{"sid":"é"}' },
    { id: "124", name: "fresh", data: "one\ntwo" },
    { id: "", name: "", data: "\n" },
  ];
  for (let size = 1; size <= bytes(TEXT).length; size += 1) assert.deepEqual(parse(TEXT, size), expected, `${size}`);
});

test("an id with a NUL is none, and a byte order mark counts at the beginning alone", () => {
  const [event] = parse("id: 1\nid: 2\0\n\uFEFFid: 3\ndata: x\n\n", 3);
  assert.equal(event.id, "1");
});

test("a line or an event that is too long ends the stream", () => {
  for (const size of [1, 1000, 100_000]) {
    assert.equal(parse(`data:${"x".repeat(MAX_LINE - 5)}\n\n`, size).length, 1);
    assert.throws(() => parse(`data:${"x".repeat(MAX_LINE - 4)}`, size), /a line of more than/);
    assert.throws(() => parse("data:x\n".repeat(MAX_DATA / 2 + 1), size), /an event of more than/);
  }
});

test("what is no UTF-8 ends the stream", () => {
  assert.throws(() => new Parser().push(Uint8Array.of(0x64, 0xff, 0x0a)));
});
