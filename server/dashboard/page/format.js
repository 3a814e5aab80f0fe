// Numbers and times as people read them, in the browser's language and zone.

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const clockForm = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minuteForm = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayForm = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const fullForm = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** 12,345 */
export const number = (n) => whole.format(n);

/** 12.3K */
export const compact = (n) => short.format(n);

/** 4.2% of a share between 0 and 1; "–" where there is nothing to share. */
export const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%` : "–");

/** "1 event", "2 events" */
export const count = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;

const moment = (t) => (t instanceof Date ? t : new Date(t));

/** 18:03:22 */
export const clock = (t) => clockForm.format(moment(t));

/** 18:03 */
export const minute = (t) => minuteForm.format(moment(t));

/** Nov 24 */
export const day = (t) => dayForm.format(moment(t));

/** Nov 24, 2026, 18:03:22; "–" for none. */
export const full = (t) => (t ? fullForm.format(moment(t)) : "–");

/** "40 s", "5 min", "3 h 10 min", "2 d 3 h" of milliseconds. */
export function duration(ms) {
  const s = Math.round(ms / 1000);
  if (s < 120) return `${s} s`;
  const min = Math.round(s / 60);
  if (min < 60) return `${min} min`;
  const hours = Math.floor(min / 60);
  if (hours < 24) return min % 60 ? `${hours} h ${min % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** "40 s ago" of a moment. */
export const ago = (t, now = Date.now()) => `${duration(Math.max(0, now - moment(t)))} ago`;
