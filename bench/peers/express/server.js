// A login backend of Express, express-validator, jsonwebtoken and bcrypt on SQLite, as such backends are written.
//
// The surprise is how they log out: the token goes into a table, which every check of a token then asks.

import { randomBytes } from "node:crypto";
import Database from "better-sqlite3";
import express from "express";
import { body, validationResult } from "express-validator";
import jwt from "jsonwebtoken";
import { hash, verify } from "./password.js";

const secret = process.env.JWT_SECRET ?? randomBytes(32).toString("hex");

const db = new Database(process.env.DATABASE ?? "peer-express.db");
db.pragma("journal_mode = WAL");
db.exec(`CREATE TABLE IF NOT EXISTS users (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  password TEXT NOT NULL,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS blacklisted_tokens (
  token TEXT PRIMARY KEY,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)`);
const insertUser = db.prepare("INSERT INTO users (email, name, password) VALUES (?, ?, ?)");
const userByEmail = db.prepare("SELECT * FROM users WHERE email = ?");
const userById = db.prepare("SELECT id, email, name FROM users WHERE id = ?");
const blacklist = db.prepare("INSERT OR IGNORE INTO blacklisted_tokens (token) VALUES (?)");
const blacklisted = db.prepare("SELECT 1 FROM blacklisted_tokens WHERE token = ?");

const validate = (rules) => [
  ...rules,
  (req, res, next) => {
    const errors = validationResult(req);
    if (errors.isEmpty()) return next();
    res.status(400).json({ errors: errors.array() });
  },
];

const authenticate = (req, res, next) => {
  const token = req.headers.authorization?.split(" ")[1];
  if (!token || blacklisted.get(token)) return res.status(401).json({ message: "Unauthorized" });
  try {
    req.user = userById.get(jwt.verify(token, secret).id);
  } catch {
    return res.status(401).json({ message: "Unauthorized" });
  }
  if (!req.user) return res.status(404).json({ message: "User not found" });
  req.token = token;
  next();
};

const email = () => body("email").isEmail().withMessage("Invalid Email");
const password = () =>
  body("password").isLength({ min: 8, max: 72 }).withMessage("Password must have 8 to 72 characters");

const app = express();
app.use(express.json());

app.post(
  "/register",
  validate([email(), body("name").isLength({ min: 1, max: 100 }).withMessage("Name is missing"), password()]),
  async (req, res) => {
    const { email, name, password } = req.body;
    if (userByEmail.get(email)) return res.status(409).json({ message: "User already exists" });
    const { lastInsertRowid } = insertUser.run(email, name, await hash(password));
    res.status(201).json({ id: Number(lastInsertRowid), email, name });
  },
);

app.post("/login", validate([email(), password()]), async (req, res) => {
  const user = userByEmail.get(req.body.email);
  if (!user || !(await verify(user.password, req.body.password))) {
    return res.status(401).json({ message: "Invalid email or password" });
  }
  res.json({ token: jwt.sign({ id: user.id }, secret, { expiresIn: "24h" }) });
});

app.get("/profile", authenticate, (req, res) => res.json(req.user));

app.post("/logout", authenticate, (req, res) => {
  blacklist.run(req.token);
  res.json({ message: "Logged out" });
});

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
