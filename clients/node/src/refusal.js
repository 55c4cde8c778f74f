// Why a token is not accepted.
//
// The surprise: one of the reasons is not about the token. Who is refused as "stale" may ask again; whoever presented
// the token did nothing wrong.

const SAYS = {
  missing: "there is no token",
  invalid: "the token is not valid",
  ended: "the session has ended",
  stale: "whether the session lives cannot be said now",
};

/** Why a token is not accepted. What `verify` throws. */
export class Refusal extends Error {
  /**
   * @param {"missing" | "invalid" | "ended" | "stale"} reason
   * @param {string} [fault] what is wrong with an invalid token, for the log: who presents one learns nothing from it
   */
  constructor(reason, fault) {
    super(fault ? `${SAYS[reason]}: ${fault}` : SAYS[reason]);
    this.name = "Refusal";
    this.reason = reason;
    this.fault = fault;
  }

  /** The status of the answer: 503 when it cannot be said now, else 401. */
  get status() {
    return this.reason === "stale" ? 503 : 401;
  }
}

/** Not the server's answer that was hoped for; the message is for people. */
export class Trouble extends Error {}
