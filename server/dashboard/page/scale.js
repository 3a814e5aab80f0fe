// The arithmetic of a chart's axes: round numbers, round times, and where they lie.

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

/** Distances between ticks of a time axis that people read at a glance, in ms. */
const DISTANCES = [
  MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
  DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 364 * DAY,
];

/**
 * Ticks of an axis from 0 that reaches up to a value: 1, 2 or 5 times a power of
 * ten apart, about `about` of them, the last at the value or above. least is the
 * smallest distance; 1 for what is counted.
 */
export function ticks(most, about = 4, least = 1) {
  if (!(most > 0)) return [0, least];
  const raw = Math.max(most / about, least);
  const power = 10 ** Math.floor(Math.log10(raw));
  // What division leaves behind (2.0000000000000004) must not become 5.
  const factor = [1, 2, 5, 10].find((f) => f * power >= raw * (1 - 1e-9));
  const step = factor * power;
  const n = Math.max(1, Math.ceil(most / step - 1e-9));
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  return Array.from({ length: n + 1 }, (_, i) => Number((i * step).toFixed(digits)));
}

/** Maps [from, to] onto [start, end], linearly. */
export function linear(from, to, start, end) {
  const factor = to === from ? 0 : (end - start) / (to - from);
  return (v) => start + (v - from) * factor;
}

/**
 * Round times from `from` to `to`, in ms, at most `most` of them: [{at, day}],
 * day where the tick is a midnight. Round is what is round on the wall clock of
 * the browser's zone, also on the days when it is put forward or back; with utc,
 * what is round in UTC. They are least ms apart or more.
 */
export function timeTicks(from, to, most, { utc = false, least = 0 } = {}) {
  if (!(to > from) || most < 1) return [];
  const distance = DISTANCES.find((d) => d >= least && (to - from) / d <= most) ?? DISTANCES.at(-1);
  const wall = utc ? utcWall : localWall;
  const start = wall.parts(from);
  const found = [];
  let last = -Infinity;
  const add = (at, day) => {
    if (at > last && at >= from && at <= to) found.push({ at, day });
    last = Math.max(last, at); // an hour that a zone skips comes twice
  };
  if (distance >= DAY) {
    const days = distance / DAY;
    // Counted from a fixed day, so that the ticks stay on their days as time goes on.
    const first = start.day - (((Math.round(Date.UTC(start.year, start.month, start.day) / DAY) % days) + days) % days);
    for (let d = first; last <= to; d += days) add(wall.at(start.year, start.month, d, 0), true);
    return found;
  }
  for (let day = start.day; last <= to; day++) {
    const midnight = wall.at(start.year, start.month, day, 0);
    if (distance >= HOUR) {
      for (let hour = 0; hour < 24; hour += distance / HOUR) add(wall.at(start.year, start.month, day, hour), hour === 0);
    } else {
      const next = wall.at(start.year, start.month, day + 1, 0);
      for (let at = midnight; at < next && at <= to; at += distance) add(at, at === midnight);
      last = Math.max(last, Math.min(next - 1, to + 1));
    }
  }
  return found;
}

const localWall = {
  at: (year, month, day, hour) => new Date(year, month, day, hour).getTime(),
  parts: (ms) => {
    const d = new Date(ms);
    return { year: d.getFullYear(), month: d.getMonth(), day: d.getDate() };
  },
};

const utcWall = {
  at: (year, month, day, hour) => Date.UTC(year, month, day, hour),
  parts: (ms) => {
    const d = new Date(ms);
    return { year: d.getUTCFullYear(), month: d.getUTCMonth(), day: d.getUTCDate() };
  },
};

/** The index of the value in a sorted list that is nearest to v; -1 in an empty one. */
export function nearest(sorted, v) {
  let low = 0, high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < v) low = middle + 1;
    else high = middle;
  }
  return low > 0 && v - sorted[low - 1] <= sorted[low] - v ? low - 1 : high;
}

/** The least, the greatest and the last of some values; null ones are none. null where there is no value. */
export function extent(values) {
  let min = Infinity, max = -Infinity, last = null;
  for (const v of values) {
    if (v === null || v === undefined) continue;
    if (v < min) min = v;
    if (v > max) max = v;
    last = v;
  }
  return last === null ? null : { min, max, last };
}

/** The d of an SVG path through points [x, y]; it starts anew after a null. */
export function linePath(points) {
  let d = "", pen = "M";
  for (const p of points) {
    if (!p) {
      pen = "M";
      continue;
    }
    d += `${pen}${round(p[0])} ${round(p[1])}`;
    pen = "L";
  }
  return d;
}

/** The d of bars [x, y, width, height], of which the empty ones are left out. */
export function barPath(bars) {
  let d = "";
  for (const [x, y, w, height] of bars) {
    if (height > 0) d += `M${round(x)} ${round(y)}h${round(w)}v${round(height)}h${round(-w)}z`;
  }
  return d;
}

const round = (v) => Math.round(v * 10) / 10;
