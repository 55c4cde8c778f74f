// The types of what a service uses.
//
// The surprise: times are in milliseconds, but those of a token (`exp`, `iat`, `nbf`), which are its own, in seconds.

/** What to do with a good token while the feed has been silent for longer than the bound. */
export type OnStale =
  /** Answer 503. Nothing is accepted that may have ended; while the feed is down, nobody gets in. */
  | "refuse"
  /**
   * Ask the server about each token (RFC 7662). As safe with a bound of one second or more: a node answers from what it
   * has known for a second at most, so a shorter bound is not kept meanwhile. One round trip a request slower, on
   * connections that are kept, and refused where the server cannot say it either.
   */
  | "introspect"
  /**
   * Accept it until it expires. A risk: whoever has logged out or was disabled meanwhile stays in, for as long as the
   * token lives and the feed is down; and who can cut the feed can bring that about.
   */
  | "accept";

/** Where the verifier says that the feed is lost and that it is back: `console`, or a logger that looks like it. */
export interface Logger {
  info(text: string): void;
  warn(text: string): void;
}

/** What a verifier has to be told. */
export interface Settings {
  /** Where doorward is, as in `https://auth.example.com`. */
  url: string;
  /** What `doorward client add NAME` printed. */
  clientId: string;
  /** What `doorward client add NAME` printed. */
  clientSecret: string;
  /** The `iss` of the tokens: the server's setting `issuer`. By default `doorward`. */
  issuer?: string;
  /** The realm of the tokens, which is their `aud`. By default `main`. */
  realm?: string;
  /**
   * How old what is known of a session may be, in milliseconds: 500 to 60,000. By default 1000. `introspect` keeps none
   * that is shorter than a second.
   */
  bound?: number;
  /** What to do with a good token while that cannot be kept. By default `refuse`. */
  onStale?: OnStale;
  /** How many endings are kept at most; when there are more, the verifier is stale. By default 4,194,304. */
  maxEnded?: number;
  /** How many tokens that verified lately are remembered. By default 20,000. */
  maxRemembered?: number;
  /** How many introspections may be under way at once; who comes later waits. By default 64. */
  maxIntrospections?: number;
  /** By default `console`. */
  logger?: Logger;
}

/** What a verified token says (RFC 9068 section 2.2), as it was when it was signed. Frozen. */
export interface Claims {
  /** Who signed it. */
  readonly iss: string;
  /** The realm. */
  readonly aud: string;
  /** The account: the same in every contract, and for ever. */
  readonly sub: string;
  /** The session: one login, with every token that was made from it. */
  readonly sid: string;
  /** The token itself. */
  readonly jti: string;
  /** When it was signed, in seconds since 1970. */
  readonly iat: number;
  /** When it dies, in seconds since 1970. */
  readonly exp: number;
  /** Before when it does not count, in seconds since 1970, if it says so. */
  readonly nbf?: number;
  /** Every other claim: those that the contract adds. */
  readonly [claim: string]: unknown;
}

/** Whether the verifier can say that a session lives. */
export type State =
  /** It can; how old what it knows is, in milliseconds, not more than the bound. */
  | { readonly fresh: true; readonly age: number }
  /** It cannot; for how long, in milliseconds, and what went wrong last, for people. */
  | { readonly fresh: false; readonly since: number; readonly reason: string };

/** Why a token is not accepted. */
export class Refusal extends Error {
  /** Answer 503 for `stale` and 401 for the others. */
  readonly reason: "missing" | "invalid" | "ended" | "stale";
  /** What is wrong with an invalid token. For the log: who presents one learns nothing from it. */
  readonly fault?: string;
  /** 401 or 503. */
  readonly status: 401 | 503;
}

/** Verifies access tokens. */
export class Verifier {
  private constructor();
  /**
   * Starts to follow the feed, in the background. Until the server has answered, the verifier is stale: a service can
   * start before doorward does. Throws a `TypeError` when the settings make no sense.
   */
  static connect(settings: Settings): Verifier;
  /** What the token says, if it is good and its session lives. Rejects with a `Refusal` if not. */
  verify(token: string): Promise<Claims>;
  /** Whether it can say that a session lives, for a `/readyz` of the service. */
  state(): State;
  /** How many endings are kept, for a metric of the service. */
  ended(): number;
  /** Waits until it can say that a session lives; for ever, if it never can. */
  untilFresh(): Promise<void>;
  /** Ends its connection. From then on it grows stale. */
  close(): void;
}

/**
 * Lets requests with a good token through, with its claims in `req.auth`; refuses all others. For Express, connect, and
 * whatever else calls `(req, res, next)` with Node's own requests.
 */
export function requireSession(
  verifier: Verifier,
): (
  req: import("node:http").IncomingMessage & { auth?: Claims },
  res: import("node:http").ServerResponse,
  next: (error?: unknown) => void,
) => Promise<void>;

declare global {
  namespace Express {
    interface Request {
      /** Who asks, behind `requireSession`. */
      auth?: Claims;
    }
  }
}
