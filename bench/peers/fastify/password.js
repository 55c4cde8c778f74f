// The hash of passwords: bcrypt at its usual cost, or (HASH=argon2id) argon2id at the cost that doorward has.
//
// The surprise: both run in the thread pool of Node, whose four threads also resolve names and read files.

import argon2 from "argon2";
import bcrypt from "bcrypt";

const BCRYPT_COST = 10;
const ARGON2ID = { type: argon2.argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1 };

const kinds = {
  bcrypt: {
    hash: (password) => bcrypt.hash(password, BCRYPT_COST),
    verify: (hashed, password) => bcrypt.compare(password, hashed),
  },
  argon2id: {
    hash: (password) => argon2.hash(password, ARGON2ID),
    verify: (hashed, password) => argon2.verify(hashed, password),
  },
};

const kind = process.env.HASH ?? "bcrypt";
if (!Object.hasOwn(kinds, kind)) {
  console.error(`error: HASH=${kind} is no hash of this server\nhint: one of ${Object.keys(kinds).join(", ")}`);
  process.exit(1);
}

export const { hash, verify } = kinds[kind];
