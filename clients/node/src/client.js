// Asks the server over HTTP, by Node's own fetch.
//
// The surprise: a redirect is not followed. It would carry the client's secret to wherever it points.

import * as clock from "./clock.js";
import { Trouble } from "./refusal.js";

/** How long it takes at most until the head of an answer is here, and then its body, if that is short. */
const PATIENCE = 5000;

/** Who asks, and whom. */
export class Client {
  #prefix;
  #authorization;
  /** What is under way. */
  #open = new Set();
  #closed = false;

  constructor({ url, clientId, clientSecret }) {
    this.#prefix = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
    // RFC 6749 section 2.3.1: both as in a form, then RFC 7617.
    const encoded = [clientId, clientSecret].map((part) => new URLSearchParams({ "": part }).toString().slice(1));
    this.#authorization = `Basic ${Buffer.from(encoded.join(":")).toString("base64")}`;
  }

  /**
   * Asks and waits for the head of a good answer: when the request went out at the earliest, the answer, and how to end
   * it. Whoever asks has to end it.
   * @param {string} path
   * @param {{headers?: Record<string, string>, form?: URLSearchParams, asClient?: boolean, signal?: AbortSignal}} ask
   */
  async ask(path, { headers = {}, form, asClient = true, signal }) {
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
    const sent = clock.now();
    try {
      const response = await fetch(this.#prefix + path, {
        method,
        body: form,
        redirect: "manual",
        signal: controller.signal,
        headers: { ...headers, ...(asClient ? { authorization: this.#authorization } : {}) },
      });
      checkStatus(response);
      return { sent, response, end };
    } catch (error) {
      end();
      throw new Trouble(`${method} ${this.#prefix}${path}: ${why(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The same with a short answer, as JSON. */
  async json(path, ask, limit) {
    const { response, end } = await this.ask(path, { headers: { accept: "application/json" }, ...ask });
    const timer = setTimeout(end, PATIENCE);
    try {
      return JSON.parse(await text(response.body, limit));
    } catch (error) {
      throw new Trouble(`${this.#prefix}${path}: ${why(error)}`);
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

function checkStatus({ status, headers }) {
  if (status === 200) return;
  if (status === 401) {
    throw new Trouble("the server does not know this client\nhint: `doorward client list` shows those that it knows");
  }
  if (status === 404) throw new Trouble("the server has no such page\nhint: is the url doorward's?");
  if (status >= 300 && status < 400) {
    const to = JSON.stringify(headers.get("location"));
    throw new Trouble(`the server sends on to ${to}, which is not followed\nhint: give the right url`);
  }
  throw new Trouble(`the server answers ${status}`);
}

async function text(body, limit) {
  const pieces = [];
  let length = 0;
  for await (const piece of body ?? []) {
    length += piece.length;
    if (length > limit) throw new Trouble(`more than ${limit} bytes`);
    pieces.push(piece);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(pieces));
}

/** What went wrong, for people: fetch has it in the cause. */
export function why(error) {
  if (error.name === "AbortError") return "no answer in time";
  return error.cause?.code ?? error.cause?.message ?? error.message;
}
