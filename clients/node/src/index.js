// What a service uses.
//
// The surprise: there is no dependency. One algorithm is verified, by node:crypto; HTTP is node:http, for fetch does
// not say when a request goes out.

export { Refusal } from "./refusal.js";
export { requireSession } from "./require-session.js";
export { Verifier } from "./verifier.js";
