// The list that the Live page shows, without the page: which events stand for
// themselves, and which are told as a rate.
//
// A second with more than ROWS_A_SECOND events, and what follows it while it goes
// on like that, becomes one entry with exact counts and the first events as a
// sample: nobody reads more, and a browser that adds thousands of rows a second
// does nothing else. Seconds are those of the events' own time.
import { outcome } from "./live-filter.js";
import { Ring } from "./ring.js";

/** Above so many events in a second they are told as a rate. */
export const ROWS_A_SECOND = 50;
/** How many entries the list keeps. */
export const MOST = 2_000;
const BACK = 5; // s that events may be out of order, as nodes' clocks differ

/**
 * Entries, from the oldest to the newest, are
 * {kind: "event", push},
 * {kind: "rate", second, total, failed, counts: Map of event to number, sample: [push]} and
 * {kind: "marker", text, tone, time}.
 */
export class LiveList {
  #second = -Infinity; // the one that is being counted
  #inSecond = 0;
  #rate = null; // its entry, once it is told as a rate
  #busy = false; // the second before was one of many

  entries = new Ring(MOST);
  older = []; // entries that were fetched from the history, from the oldest
  total = 0; // events, exactly
  failed = 0;

  clear() {
    this.entries.clear();
    this.older = [];
    this.total = this.failed = this.#inSecond = 0;
    this.#second = -Infinity;
    this.#rate = null;
    this.#busy = false;
  }

  /**
   * Adds an event. Returns the entry that is new or has changed. With single it
   * stands for itself, however many there are.
   */
  add(push, { single = false } = {}) {
    this.total++;
    const failed = outcome(push) === "failed";
    if (failed) this.failed++;
    this.#count(Math.floor(Date.parse(push.time) / 1000));
    if (single || (!this.#busy && this.#inSecond <= ROWS_A_SECOND)) {
      const entry = { kind: "event", push };
      this.entries.push(entry);
      return entry;
    }
    if (!this.#rate) {
      this.#rate = { kind: "rate", second: this.#second, total: 0, failed: 0, counts: new Map(), sample: [] };
      this.entries.push(this.#rate);
    }
    const rate = this.#rate;
    rate.total++;
    if (failed) rate.failed++;
    rate.counts.set(push.event, (rate.counts.get(push.event) ?? 0) + 1);
    if (rate.sample.length < ROWS_A_SECOND) rate.sample.push(push);
    return rate;
  }

  #count(second) {
    if (second > this.#second || second < this.#second - BACK) {
      this.#busy = this.#inSecond > ROWS_A_SECOND && Math.abs(second - this.#second) <= 1;
      this.#second = second;
      this.#inSecond = 0;
      this.#rate = null;
    }
    this.#inSecond++;
  }

  /** Says something between two events. */
  mark(marker, time = new Date()) {
    const entry = { kind: "marker", time, ...marker };
    this.entries.push(entry);
    this.#rate = null; // what follows stands behind it
    return entry;
  }

  /** Puts events of the history before all others. */
  prepend(pushes) {
    this.older = [...pushes.map((push) => ({ kind: "event", push })), ...this.older].slice(-MOST);
  }

  get length() { return this.older.length + this.entries.length; }

  /** The i-th entry from the newest. */
  newest(i) {
    return i < this.entries.length ? this.entries.at(-1 - i) : this.older[this.older.length - 1 - (i - this.entries.length)];
  }
}
