// Asks the server over HTTP/1.1. A redirect is not followed: it would carry the client's secret to wherever it points.
//
// The surprise: where it counts when a request went out, it has a connection of its own, which is there before the
// request is made: what a connection takes makes nothing older that the server says. Others may share some, by an agent.

import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import { addAbortSignal } from "node:stream";
import * as tls from "node:tls";
import * as clock from "./clock.js";
import { Trouble } from "./refusal.js";

/** How long it takes at most until the head of an answer is here, and then its body, if that is short. */
const PATIENCE = 5000;

/** How long a check waits for what the server is asked. Longer than that, whoever presented the token has gone. */
export const CHECK = 3000;

/** The same, but not for longer than a check waits. What was asked goes on for others. */
export async function patiently(asked) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Trouble("no answer in the time that a check has")), CHECK);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long an address has before it is given up for the host's next one: Node does not go on with both. */
const ALONE = 1000;

/** Who asks, and whom. */
export class Client {
  #url;
  /** How to connect. */
  #address;
  /** What every path begins with, without a slash at its end. */
  #prefix;
  #authorization;
  /** What is under way. */
  #open = new Set();
  #closed = false;

  constructor({ url, clientId, clientSecret }) {
    this.#url = url;
    this.#address = addressOf(url);
    this.#prefix = url.pathname.replace(/\/+$/, "");
    // RFC 6749 section 2.3.1: both as in a form, then RFC 7617.
    const encoded = [clientId, clientSecret].map((part) => new URLSearchParams({ "": part }).toString().slice(1));
    this.#authorization = `Basic ${Buffer.from(encoded.join(":")).toString("base64")}`;
  }

  /**
   * Asks and waits for the head of a good answer: when the request went out at the earliest, the answer, and how to end
   * it. Whoever asks has to end it.
   * @param {string} path
   * @param {{headers?: Record<string, string>, form?: URLSearchParams, asClient?: boolean, signal?: AbortSignal,
   *   agent?: http.Agent}} ask
   */
  async ask(path, ask) {
    const { headers = {}, form, asClient = true, signal, agent } = ask;
    const method = form ? "POST" : "GET";
    const controller = new AbortController();
    const end = () => {
      this.#open.delete(controller);
      signal?.removeEventListener("abort", end);
      controller.abort();
    };
    this.#open.add(controller);
    if (this.#closed || signal?.aborted) controller.abort();
    signal?.addEventListener("abort", end);
    const timer = setTimeout(end, PATIENCE);
    let request;
    try {
      request = await this.#request(agent, controller.signal, {
        method,
        path: this.#prefix + path,
        headers: {
          host: this.#url.host,
          ...headers,
          ...(form ? { "content-type": "application/x-www-form-urlencoded" } : {}),
          ...(asClient ? { authorization: this.#authorization } : {}),
        },
      });
      // What happens after the head is here shows in the body.
      request.on("error", () => {});
      // Nobody else may end it: after a 101, Node itself neither answers nor fails.
      const answered = once(request, "response", { signal: controller.signal });
      const sent = clock.now();
      request.end(form?.toString());
      const [response] = await answered;
      checkStatus(response);
      return { sent, response, end };
    } catch (error) {
      // A connection that was kept may have ended meanwhile. That is nobody's fault, and most of all not the token's.
      const isNews = !request?.reusedSocket || error instanceof Trouble || controller.signal.aborted;
      end();
      if (!isNews) return this.ask(path, ask);
      throw new Trouble(`${method} ${this.#url.origin}${this.#prefix}${path}: ${why(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  async #request(agent, signal, options) {
    const { request } = this.#isTls ? https : http;
    if (agent) return request({ ...this.#address, ...options, agent, signal });
    const connection = await connect(this.#isTls, this.#address, signal);
    return http.request({ ...options, createConnection: () => connection });
  }

  /** What keeps connections to the server. */
  agent(options) {
    return new (this.#isTls ? https : http).Agent(options);
  }

  get #isTls() {
    return this.#url.protocol === "https:";
  }

  /** The same with a short answer, as JSON. */
  async json(path, ask, limit) {
    const { response, end } = await this.ask(path, { headers: { accept: "application/json" }, ...ask });
    const timer = setTimeout(end, PATIENCE);
    try {
      return JSON.parse(await text(response, limit));
    } catch (error) {
      throw new Trouble(`${this.#url.origin}${this.#prefix}${path}: ${why(error)}`);
    } finally {
      clearTimeout(timer);
      end();
    }
  }

  /** Ends everything that is under way, and asks nothing more. */
  close() {
    this.#closed = true;
    for (const controller of this.#open) controller.abort();
    this.#open.clear();
  }
}

/** How to connect to the server. */
function addressOf({ protocol, hostname, port }) {
  const host = hostname.replace(/^\[|\]$/g, "");
  return {
    host,
    port: port || (protocol === "https:" ? 443 : 80),
    // RFC 6066 section 3: no address is the name of a server.
    servername: net.isIP(host) ? "" : host,
    // A host's next address is tried when one says nothing for a while, which is not the default of every Node.
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ALONE,
  };
}

/** A connection to the server, ready for a request. */
async function connect(isTls, address, signal) {
  const connection = isTls ? tls.connect(address) : net.connect(address);
  // Who waits for something sees it fail; nobody else has to.
  connection.on("error", () => {});
  addAbortSignal(signal, connection);
  await once(connection, isTls ? "secureConnect" : "connect");
  // What is late here makes every proof older.
  connection.setNoDelay();
  return connection;
}

function checkStatus({ statusCode: status, headers }) {
  if (status === 200) return;
  if (status === 401) {
    throw new Trouble("the server does not know this client\nhint: `doorward client list` shows those that it knows");
  }
  if (status === 404) throw new Trouble("the server has no such page\nhint: is the url doorward's?");
  if (status >= 300 && status < 400) {
    const to = JSON.stringify(headers.location);
    throw new Trouble(`the server sends on to ${to}, which is not followed\nhint: give the right url`);
  }
  throw new Trouble(`the server answers ${status}`);
}

async function text(body, limit) {
  const pieces = [];
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    if (length > limit) throw new Trouble(`more than ${limit} bytes`);
    pieces.push(piece);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
}

/** What went wrong, for people. */
export function why(error) {
  if (error.name === "AbortError") return "no answer in time";
  return error.code ?? error.message;
}
