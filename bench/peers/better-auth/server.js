// better-auth as a library behind the HTTP server of Node, on SQLite, with e-mail and password.
//
// The surprise is that nothing else is ours: its own paths are given the names that the other peers have, and its
// limit on requests is off, because the load of a benchmark comes from one address.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import argon2 from "argon2";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { bearer } from "better-auth/plugins/bearer";
import Database from "better-sqlite3";

const ARGON2ID = { type: argon2.argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1 };
// Without an entry here, better-auth hashes with its own scrypt.
const hashes = {
  scrypt: undefined,
  argon2id: {
    hash: (password) => argon2.hash(password, ARGON2ID),
    verify: ({ hash, password }) => argon2.verify(hash, password),
  },
};
const kind = process.env.HASH ?? "scrypt";
if (!Object.hasOwn(hashes, kind)) {
  console.error(`error: HASH=${kind} is no hash of this server\nhint: one of ${Object.keys(hashes).join(", ")}`);
  process.exit(1);
}

const paths = new Map([
  ["/register", "/api/auth/sign-up/email"],
  ["/login", "/api/auth/sign-in/email"],
  ["/profile", "/api/auth/get-session"],
  ["/logout", "/api/auth/sign-out"],
]);

let handler;
const server = createServer((request, response) => {
  request.url = paths.get(request.url) ?? request.url;
  handler(request, response);
});

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", async () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  const database = new Database(process.env.DATABASE ?? "peer-better-auth.db");
  database.pragma("journal_mode = WAL");
  const auth = betterAuth({
    baseURL: address,
    secret: process.env.JWT_SECRET ?? randomBytes(32).toString("hex"),
    database,
    emailAndPassword: { enabled: true, password: hashes[kind] },
    plugins: [bearer()],
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
  });
  const { runMigrations } = await getMigrations(auth.options);
  await runMigrations();
  handler = toNodeHandler(auth);
  console.log(`listening on ${address}`);
});
