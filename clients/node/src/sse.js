// The format of Server-Sent Events (WHATWG HTML, section 9.2.6), piece by piece as it comes.
//
// The surprise: it is not lenient about size. A stream with a line or an event that is too long is at its end, because
// whoever skips something has missed an ending. What is no UTF-8 ends it, too.

/** The most characters of a line. Those of doorward have 100. */
export const MAX_LINE = 4 * 1024;
/** The most characters of an event's data, from all its lines. */
export const MAX_DATA = 16 * 1024;

/**
 * `id` is the last one of the stream, of this event or an earlier one; `name` is empty when it has none.
 * @typedef {{id: string | undefined, name: string, data: string}} Event
 */

/** Takes bytes and gives events. */
export class Parser {
  // It takes a byte order mark away, at the beginning alone, as the format wants it.
  #decoder = new TextDecoder("utf-8", { fatal: true });
  /** The line that has not ended yet. */
  #line = "";
  /** A line feed that follows is the second half of a line end. */
  #afterReturn = false;
  #id;
  #name = "";
  #data;

  /**
   * The events that are complete with these bytes. Throws when the stream cannot be read on.
   * @param {Uint8Array} bytes
   * @returns {Event[]}
   */
  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return [];
    if (this.#afterReturn && text.startsWith("\n")) text = text.slice(1);
    this.#afterReturn = text.endsWith("\r");
    const events = [];
    let from = 0;
    for (const end of text.matchAll(/\r\n|\n|\r/g)) {
      this.#append(text.slice(from, end.index));
      from = end.index + end[0].length;
      const line = this.#line;
      this.#line = "";
      const event = this.#lineEnds(line);
      if (event) events.push(event);
    }
    this.#append(text.slice(from));
    return events;
  }

  #append(piece) {
    if (this.#line.length + piece.length > MAX_LINE) throw new Error(`a line of more than ${MAX_LINE} characters`);
    this.#line += piece;
  }

  #lineEnds(line) {
    if (line === "") return this.#eventEnds();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "event") this.#name = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "data") this.#addData(value);
    // What is left is a comment, `retry`, which is our own business, or what is not known yet.
    return undefined;
  }

  #addData(value) {
    this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    if (this.#data.length > MAX_DATA) throw new Error(`an event of more than ${MAX_DATA} characters`);
  }

  #eventEnds() {
    const event = { id: this.#id, name: this.#name, data: this.#data };
    this.#name = "";
    this.#data = undefined;
    // An event without data is none.
    return event.data ? event : undefined;
  }
}
