// Access tokens: what makes one good (RFC 7515, RFC 7519, RFC 8725, RFC 9068), apart from whether its session lives.
//
// The surprise: nothing here is configurable, which is why no library is needed. One algorithm, one type, exactly three
// members of the header, each claim that is relied on present and of its type; and nothing of a token is believed
// before its signature.

import { verify } from "node:crypto";
import { Refusal } from "./refusal.js";

/** The most bytes of a token; a longer one is refused unread. The server makes none that are longer. */
export const MAX_TOKEN = 8 * 1024;
/** The `typ` of an access token (RFC 9068 section 2.1). */
const TYP = "at+jwt";
/** The one algorithm (RFC 7518 section 3.4). */
const ALG = "ES256";
/** An ES256 signature: two numbers of 32 bytes. */
const SIGNATURE = 64;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** @param {unknown} value */
export function isUuid(value) {
  return typeof value === "string" && UUID.test(value);
}

/**
 * Base64url without padding, strictly: undefined for what Node would forgive.
 * @param {string} text
 */
export function decode(text) {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

/**
 * A token taken apart. Nothing of it is true yet.
 * @param {string} token
 */
export function parts(token) {
  const [header, payload, signature, ...more] = token.split(".");
  if (signature === undefined || more.length > 0) throw invalid("it has not the form of a signed token");
  const signed = decode(signature);
  if (signed?.length !== SIGNATURE) throw invalid("it has not the form of a signed token");
  const { alg, typ, kid, ...others } = object(header) ?? {};
  if (alg !== ALG || typ !== TYP || typeof kid !== "string" || Object.keys(others).length > 0) {
    throw invalid("its header is not that of an access token");
  }
  return { kid, message: `${header}.${payload}`, payload, signature: signed };
}

/**
 * The claims, if the key signed them for this issuer and realm. Whether it is their time is another question.
 * @param {ReturnType<typeof parts>} token
 * @param {import("node:crypto").KeyObject} key
 */
export function claimsOf(token, key, issuer, realm) {
  // RFC 7518 section 3.4: the two numbers side by side, not DER.
  if (!verify("sha256", Buffer.from(token.message), { key, dsaEncoding: "ieee-p1363" }, token.signature)) {
    throw invalid("its signature is wrong");
  }
  const claims = object(token.payload);
  if (!claims || !isWhole(claims)) throw invalid("a claim is missing or of the wrong type");
  if (claims.iss !== issuer) throw invalid("it is of another issuer");
  if (claims.aud !== realm) throw invalid("it is of another realm");
  return freeze(claims);
}

/** Throws unless it is the time of a token, `now` in seconds since the epoch. */
export function checkTime(claims, now) {
  if (claims.exp <= now) throw invalid("it has expired");
  if (claims.iat > claims.exp || (claims.nbf !== undefined && claims.nbf > now)) throw invalid("it is not valid yet");
}

function isWhole({ iss, aud, sub, sid, jti, iat, exp, nbf }) {
  return (
    [iss, aud, jti].every((claim) => typeof claim === "string") &&
    [sub, sid].every(isUuid) &&
    [iat, exp].every(Number.isSafeInteger) &&
    (nbf === undefined || Number.isSafeInteger(nbf))
  );
}

function object(encoded) {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(decode(encoded)));
    return typeof value === "object" && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Claims are remembered, and one request must not change what the next one sees. */
function freeze(claims) {
  const open = [claims];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    Object.freeze(value);
    open.push(...Object.values(value).filter((inner) => typeof inner === "object" && inner !== null));
  }
  return claims;
}

/** @param {string} fault */
export function invalid(fault) {
  return new Refusal("invalid", fault);
}
