// A service in TypeScript, with everything that the package exports. It is compiled and never run.
//
// The surprise: a line under `@ts-expect-error` has to be an error, so that the types also forbid what they should.

import { createServer } from "node:http";
import express from "express";
import { Refusal, Verifier, requireSession } from "doorward-verify";
import type { Claims, Logger, OnStale, Settings, State } from "doorward-verify";

const logger: Logger = { info: (text: string) => console.info(text), warn: (text: string) => console.warn(text) };
const policies: OnStale[] = ["refuse", "introspect", "accept"];
const all: Required<Settings> = {
  url: "https://auth.example.com",
  clientId: "id",
  clientSecret: "secret",
  issuer: "doorward",
  realm: "main",
  bound: 1000,
  onStale: policies[0] ?? "refuse",
  maxEnded: 4_194_304,
  maxRemembered: 20_000,
  maxIntrospections: 64,
  logger,
};
export const verifier: Verifier = Verifier.connect(all);
const url = "https://auth.example.com";
export const least = Verifier.connect({ url, clientId: "id", clientSecret: "s", logger: console });
// @ts-expect-error: there is no default for the secret
Verifier.connect({ url, clientId: "id" });
// @ts-expect-error: it is made by `connect`
new Verifier();

export async function check(token: string): Promise<string> {
  await verifier.untilFresh();
  try {
    const claims: Claims = await verifier.verify(token);
    const texts: string[] = [claims.iss, claims.aud, claims.sub, claims.sid, claims.jti];
    const seconds: number[] = [claims.iat, claims.exp, claims.nbf ?? 0];
    const added: unknown = claims.customer;
    // @ts-expect-error: they are frozen
    claims.sub = "somebody else";
    return `${texts} ${seconds} ${added}`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const status: 401 | 503 = error.status;
    const reason: "missing" | "invalid" | "ended" | "stale" = error.reason;
    const fault: string | undefined = error.fault;
    return `${status} ${reason} ${fault}`;
  }
}

export function ready(): string {
  const state: State = verifier.state();
  const ended: number = verifier.ended();
  return state.fresh ? `${state.age} ${ended}` : `${state.since} ${state.reason}`;
}

const session = requireSession(verifier);
const app = express();
app.get("/me", session, (req, res) => {
  // @ts-expect-error: the compiler does not know which routes are behind `requireSession`
  res.send(req.auth.sub);
  if (!req.auth) throw new Error("requireSession is missing");
  res.send(`account ${req.auth.sub}`);
});

// Without Express: Node's own requests.
createServer((req, res) => {
  void session(req, res, (error?: unknown) => void res.end(String(error)));
});

verifier.close();
