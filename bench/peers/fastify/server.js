// A login backend of Fastify, @fastify/jwt and bcrypt on SQLite, as such backends are written.
//
// The surprise is what is usual there: log-out ends nothing on the server, the token lives on until it expires.

import { randomBytes } from "node:crypto";
import fastifyJwt from "@fastify/jwt";
import Database from "better-sqlite3";
import Fastify from "fastify";
import { hash, verify } from "./password.js";

const db = new Database(process.env.DATABASE ?? "peer-fastify.db");
db.pragma("journal_mode = WAL");
db.exec(`CREATE TABLE IF NOT EXISTS users (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  password TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)`);
const insertUser = db.prepare("INSERT INTO users (email, name, password) VALUES (?, ?, ?)");
const userByEmail = db.prepare("SELECT * FROM users WHERE email = ?");
const userById = db.prepare("SELECT id, email, name FROM users WHERE id = ?");

const app = Fastify();
await app.register(fastifyJwt, {
  secret: process.env.JWT_SECRET ?? randomBytes(32).toString("hex"),
  sign: { expiresIn: "24h" },
});

const authenticate = async (request, reply) => {
  try {
    await request.jwtVerify();
  } catch {
    return reply.code(401).send({ error: "Unauthorized" });
  }
};

const email = { type: "string", format: "email", maxLength: 254 };
const password = { type: "string", minLength: 8, maxLength: 72 };
const registration = {
  type: "object",
  required: ["email", "name", "password"],
  properties: { email, name: { type: "string", minLength: 1, maxLength: 100 }, password },
};
const credentials = { type: "object", required: ["email", "password"], properties: { email, password } };

app.post("/register", { schema: { body: registration } }, async (request, reply) => {
  const { email, name, password } = request.body;
  if (userByEmail.get(email)) return reply.code(409).send({ error: "User already exists" });
  const { lastInsertRowid } = insertUser.run(email, name, await hash(password));
  return reply.code(201).send({ id: Number(lastInsertRowid), email, name });
});

app.post("/login", { schema: { body: credentials } }, async (request, reply) => {
  const user = userByEmail.get(request.body.email);
  if (!user || !(await verify(user.password, request.body.password))) {
    return reply.code(401).send({ error: "Invalid email or password" });
  }
  return { token: app.jwt.sign({ id: user.id, email: user.email }) };
});

app.get("/profile", { onRequest: authenticate }, async (request, reply) => {
  const user = userById.get(request.user.id);
  return user ?? reply.code(404).send({ error: "User not found" });
});

app.post("/logout", { onRequest: authenticate }, async () => ({ message: "Logged out" }));

const address = await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT ?? 3000) });
console.log(`listening on ${address}`);
