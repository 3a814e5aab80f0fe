// The page's one subscription to the feed of all scopes that the admin may see.
// It runs whichever page is shown, so that nothing is missed on the way.
import { Rates } from "./rates.js";
import { Ring } from "./ring.js";

/** How many events the page keeps. Older ones are in the server's history. */
export const KEPT = 10_000;
const BACKLOG = 200; // events that are asked for at the start
const MARKERS = 100; // that are kept

/**
 * Dispatches "events", with detail an array of {n, push}, "marker", with detail
 * {text, tone, time, n, m}, where something is to be said behind the n-th event (m
 * counts such from 1), and "failed",
 * with detail the error, when the server refused the subscription.
 */
export class Feed extends EventTarget {
  #session;
  #subscription = null;
  #batch = [];
  #stopped = false;
  #first = new Map(); // scope to the earliest position that was seen, for older()

  /** {n, push} of the newest events; n counts them from 1. */
  kept = new Ring(KEPT);
  /** How many there were in all. */
  n = 0;
  /** The newest markers, and how many there were in all. */
  markers = new Ring(MARKERS);
  m = 0;
  rates = new Rates();
  /** Why there is no subscription, once the server refused it. */
  error = null;

  constructor(session) {
    super();
    this.#session = session;
  }

  async start() {
    try {
      await this.#session.client.ready;
      this.#subscription = await this.#session.client.subscribe({
        scope: "*", last: BACKLOG, batch: true,
        onEvent: (push, live) => this.#take(push, live),
        onResume: (resumed) => this.#resumed(resumed),
      });
      await this.#subscription.done;
      if (this.#subscription.error) throw this.#subscription.error;
    } catch (error) {
      if (this.#stopped || this.#session.state.phase === "closed") return;
      this.error = error;
      this.dispatchEvent(new CustomEvent("failed", { detail: error }));
    }
  }

  stop() {
    this.#stopped = true;
    this.#subscription?.close();
  }

  #take(push, live) {
    const entry = { n: ++this.n, push };
    this.kept.push(entry);
    this.#noteFirst(push);
    if (live) this.rates.add(push, Date.now());
    if (this.#batch.push(entry) === 1) queueMicrotask(() => this.#flush());
  }

  #flush() {
    const detail = this.#batch;
    if (detail.length === 0) return;
    this.#batch = [];
    this.dispatchEvent(new CustomEvent("events", { detail }));
  }

  #resumed(resumed) {
    this.#flush(); // what came before the marker stands before it
    for (const scope of resumed.lost) this.#first.delete(scope);
    const mark = { n: this.n, m: ++this.m, time: new Date(), ...marker(resumed) };
    this.markers.push(mark);
    this.dispatchEvent(new CustomEvent("marker", { detail: mark }));
  }

  /** The events that are kept, and the markers between them, from the oldest. */
  *story() {
    const oldest = this.kept.at(0)?.n ?? 0;
    const markers = [...this.markers].filter(({ n }) => n >= oldest - 1);
    for (const entry of this.kept) {
      while (markers[0]?.n < entry.n) yield markers.shift();
      yield entry;
    }
    yield* markers;
  }

  #noteFirst(push) {
    const first = this.#first.get(push.scope);
    if (!first || first.epoch !== push.epoch || push.seq < first.seq) {
      this.#first.set(push.scope, { seq: push.seq, epoch: push.epoch });
    }
  }

  /**
   * Fetches events from before the earliest that was seen, at most `most` of each
   * scope (or of the one named), and resolves to {pushes, end}: the pushes from
   * the oldest, and whether the history reaches back no further. It takes a
   * connection of its own, since pushes don't say which subscription they are of.
   */
  async older(scope = "", most = 200) {
    const wanted = new Map();
    for (const [name, first] of this.#first) {
      if (first.seq > 1 && (!scope || scope === name)) wanted.set(name, first);
    }
    const pushes = [];
    if (wanted.size === 0) return { pushes, end: true };
    let end = true;
    const since = {};
    for (const [name, { seq, epoch }] of wanted) {
      since[name] = { seq: Math.max(0, seq - 1 - most), epoch };
      if (since[name].seq > 0) end = false;
    }
    const first = this.#first;
    const client = await this.#session.second();
    try {
      await new Promise((resolve, reject) => {
        const left = new Map([...wanted].map(([name, { seq, epoch }]) => [name, { until: seq - 1, epoch }]));
        const done = (name) => {
          left.delete(name);
          if (left.size === 0) resolve();
        };
        client.on("state", (state) => state.phase !== "connected" && reject(state.error ?? new Error("connection lost")));
        client.subscribe({
          scope: scope || "*", since, batch: true,
          onEvent(push) {
            const of = left.get(push.scope);
            if (!of) return;
            if (push.epoch === of.epoch && push.seq <= of.until) pushes.push(push);
            if (push.epoch !== of.epoch || push.seq >= of.until) done(push.scope);
          },
          onResume({ lost }) {
            for (const name of lost) {
              if (left.has(name)) {
                first.delete(name); // there is nothing before it any more
                done(name);
              }
            }
          },
        }).catch(reject);
      });
    } finally {
      client.close();
    }
    pushes.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.seq - b.seq));
    for (const push of pushes) this.#noteFirst(push);
    return { pushes, end };
  }
}

/** What is said of the time without a connection. */
function marker({ awayMs, recovered, lost, follow }) {
  const away = awayMs > 0 ? `away ${Math.max(1, Math.round(awayMs / 1000))} s, ` : "";
  if (recovered) {
    return { tone: "good", text: `${away}nothing missed${follow > 0 ? ` (${follow} caught up)` : ""}` };
  }
  const where = lost.length > 0 ? ` of ${lost.join(", ")}` : "";
  return { tone: "bad", text: `${away}the history${where} no longer reaches back: events are missing here` };
}
