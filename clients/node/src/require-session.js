// The middleware, and what a refusal looks like over HTTP (RFC 6750 section 3).
//
// The surprise: a token is taken from `Authorization: Bearer` alone. A cookie is sent by browsers also when a page of
// somebody else asks, so a service that wants one has to say first whose pages may.

import { STATUS_CODES } from "node:http";
import { Refusal } from "./refusal.js";
import { invalid } from "./token.js";

/**
 * Lets requests with a good token through, with its claims in `req.auth`; refuses all others. For Express, connect, and
 * whatever else calls `(req, res, next)` with Node's own requests.
 * @param {import("./verifier.js").Verifier} verifier
 */
export function requireSession(verifier) {
  return async function session(req, res, next) {
    try {
      req.auth = await verifier.verify(presented(req));
    } catch (error) {
      if (error instanceof Refusal) refuse(res, error);
      else next(error);
      return;
    }
    next();
  };
}

/** The token of the request. */
function presented(req) {
  // `headers` has only the first of several.
  const values = req.headersDistinct.authorization ?? [];
  // Which one counts would be a guess.
  if (values.length > 1) throw invalid("there is more than one");
  const [scheme, ...token] = (values[0] ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer") throw new Refusal("missing");
  return token.join(" ").trim();
}

function refuse(res, refusal) {
  // Somebody else was faster, such as a limit of time. To set a header would throw, and nobody would catch it.
  if (res.headersSent) return;
  const { status } = refusal;
  res.statusCode = status;
  if (refusal.reason === "stale") res.setHeader("Retry-After", "1");
  else res.setHeader("WWW-Authenticate", refusal.reason === "missing" ? "Bearer" : 'Bearer error="invalid_token"');
  res.setHeader("Cache-Control", "no-store");
  res.setHeader("Content-Type", "application/problem+json");
  // RFC 9457. Why is nobody's business.
  res.end(JSON.stringify({ title: STATUS_CODES[status], status }));
}
