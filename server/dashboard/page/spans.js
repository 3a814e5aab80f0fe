// The spans of time that the overview is of, and the server's statistics over them.

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

/**
 * By their names in the address. step is what the server is asked for, in ms,
 * shown what is drawn as one, and each what one scope of many is asked in: its
 * sum alone is shown.
 */
export const SPANS = {
  "1h": { name: "1 h", of: "the last hour", ms: HOUR, step: MINUTE, shown: MINUTE, each: MINUTE },
  "24h": { name: "24 h", of: "the last 24 hours", ms: DAY, step: MINUTE, shown: 10 * MINUTE, each: HOUR },
  "7d": { name: "7 d", of: "the last 7 days", ms: 7 * DAY, step: HOUR, shown: HOUR, each: HOUR },
  "30d": { name: "30 d", of: "the last 30 days", ms: 30 * DAY, step: DAY, shown: DAY, each: DAY },
};

const AGAIN = 5; // steps that are asked for once more: what a node that died had not counted comes late
const WHOLE = 10 * MINUTE; // after this all is asked for once more, as a store may have been reset

/**
 * One scope's steps over a span. The first answer brings all of them, the next
 * ones only what may have changed since, so that a page that is open all day
 * asks for little.
 */
export class History {
  #known = -Infinity; // when all of it was asked for last
  steps = [];

  /** of "*" or one scope; step and shown in ms. */
  constructor(scope, ms, step, shown = step) {
    Object.assign(this, { scope, ms, step, shown });
  }

  /** What admin.stats is asked for, at a moment in ms. */
  params(now) {
    const all = now - this.#known >= WHOLE || this.steps.length === 0;
    const begin = this.#begin(now);
    const from = all ? begin : Math.max(begin, this.steps.at(-1).at - AGAIN * this.step);
    return { scope: this.scope, step: this.step / 1000, from: new Date(from).toISOString() };
  }

  /** Takes the answer to these params. */
  take(params, stats, now) {
    const from = Date.parse(params.from);
    const begin = this.#begin(now);
    if (from <= begin) this.#known = now;
    const fresh = stats.steps.map((s) => ({ ...s, at: Date.parse(s.time) }));
    const first = Math.min(from, fresh[0]?.at ?? from);
    this.steps = this.steps.filter((s) => s.at >= begin && s.at < first).concat(fresh);
  }

  /** The first of the span's steps: with the one that goes on, they are as many as fit. */
  #begin(now) {
    return Math.floor(now / this.shown) * this.shown - this.ms + this.shown;
  }

  /** The steps as they are drawn. */
  get grouped() { return group(this.steps, this.shown); }

  get total() { return total(this.steps); }
}

/** Makes longer steps of shorter ones: counts are added up, of peaks the highest is kept. */
export function group(steps, size) {
  const found = [];
  for (const s of steps) {
    const at = Math.floor(s.at / size) * size;
    const last = found.at(-1);
    if (last?.at !== at) {
      found.push({ ...s, at });
      continue;
    }
    for (const kind of ["joins", "logins", "failures", "resumes"]) last[kind] += s[kind];
    last.online_peak = Math.max(last.online_peak, s.online_peak);
  }
  return found;
}

/** What happened in all of some steps. */
export function total(steps) {
  const sum = { joins: 0, logins: 0, failures: 0, resumes: 0 };
  for (const s of steps) for (const kind in sum) sum[kind] += s[kind];
  return sum;
}

/** The share of failures among all attempts; NaN where there was none. */
export function failureRate({ logins, failures }) {
  return failures / (logins + failures);
}
