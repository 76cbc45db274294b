// What the page knows, in parts; who shows a part is told when it changes.

/** How many requests are kept, here as at the server. */
export const MOST = 1000;

export class State {
  parts = { instance: null, troubles: [], profiles: [], lives: { lives: [], marks: [] },
    requests: [], setup: [] };
  #listeners = new Map();
  /** Seconds by which the server's clock is ahead of the browser's. */
  offset = 0;

  /** The server's time in seconds since the epoch; the browser's may be wrong. */
  now() {
    return Date.now() / 1000 + this.offset;
  }

  /** Call `listen(value, added)` whenever that part has changed. */
  on(part, listen) {
    this.#listeners.set(part, [...(this.#listeners.get(part) ?? []), listen]);
  }

  /** Take the whole document in. */
  begin(document) {
    this.offset = document.now - Date.now() / 1000;
    const { lives, marks, ...others } = document;
    this.take("lives", { lives, marks });
    for (const part of ["instance", "profiles", "troubles", "setup"]) {
      this.take(part, others[part]);
    }
    this.take("requests", others.requests.slice(0, MOST));
  }

  /** Take one part in; `added` are the new ones of a list that grew. */
  take(part, value, added = null) {
    this.parts[part] = value;
    for (const listen of this.#listeners.get(part) ?? []) listen(value, added);
  }

  /** Take new requests in, oldest first, before those that are known. */
  add(rows) {
    const known = new Set(this.parts.requests.slice(0, 2 * rows.length + 50).map((row) => row.id));
    const added = rows.filter((row) => !known.has(row.id)).reverse();
    this.take("requests", [...added, ...this.parts.requests].slice(0, MOST), added);
  }
}
