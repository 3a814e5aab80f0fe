import assert from "node:assert/strict";
import { test } from "node:test";
import { failureRate, group, History, SPANS, total } from "../page/spans.js";

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 10, 24, 18, 3, 22);

/** What the server answers: a step for each from `from` to now, with that many logins. */
function answer(params, now, logins = 1) {
  const step = params.step * 1000;
  const steps = [];
  for (let at = Math.floor(Date.parse(params.from) / step) * step; at <= now; at += step) {
    steps.push({ time: new Date(at).toISOString(), joins: 0, logins, failures: 0, resumes: 0, online_peak: 7 });
  }
  return { steps };
}

test("every span asks for no more steps than the server answers, and gets as many as fill it", () => {
  for (const [name, { ms, step, shown, each }] of Object.entries(SPANS)) {
    for (const size of [step, each]) {
      const history = new History("*", ms, size, size === step ? shown : size);
      const params = history.params(NOW);
      assert.ok([60, 3600, 86400].includes(params.step), name);
      const got = answer(params, NOW);
      assert.ok(got.steps.length <= 1500, name);
      history.take(params, got, NOW);
      assert.equal(history.grouped.length, ms / history.shown, name);
    }
  }
});

test("after the first answer it asks for the last steps alone", () => {
  const history = new History("a", HOUR, MINUTE);
  const first = history.params(NOW);
  assert.equal(Date.parse(first.from), Date.UTC(2026, 10, 24, 17, 4));
  history.take(first, answer(first, NOW), NOW);
  const later = NOW + 10_000, next = history.params(later);
  assert.equal(Date.parse(next.from), Date.UTC(2026, 10, 24, 17, 58));
  history.take(next, answer(next, later, 5), later);
  assert.equal(history.steps.length, 60);
  assert.equal(history.total.logins, 54 + 6 * 5);
});

test("after a long time away it asks for all that was missed", () => {
  const history = new History("a", DAY, MINUTE, 10 * MINUTE);
  const first = history.params(NOW);
  history.take(first, answer(first, NOW), NOW);
  const later = NOW + 3 * HOUR, next = history.params(later);
  history.take(next, answer(next, later), later);
  const times = history.steps.map((s) => s.at);
  assert.equal(times[0], Math.floor(later / (10 * MINUTE)) * 10 * MINUTE - DAY + 10 * MINUTE);
  assert.ok(times.every((at, i) => i === 0 || at - times[i - 1] === MINUTE));
});

test("all is asked for once more after ten minutes, as the store may have been reset", () => {
  const history = new History("a", HOUR, MINUTE);
  let params = history.params(NOW);
  history.take(params, answer(params, NOW, 9), NOW);
  params = history.params(NOW + 10 * MINUTE);
  history.take(params, answer(params, NOW + 10 * MINUTE, 0), NOW + 10 * MINUTE);
  assert.equal(history.total.logins, 0);
});

test("an answer that failed is asked for again", () => {
  const history = new History("a", HOUR, MINUTE);
  const params = history.params(NOW);
  assert.deepEqual(history.params(NOW + 10_000), params);
});

test("grouped steps add up counts and keep the highest peak", () => {
  const steps = [0, 1, 2, 3].map((n) => ({ at: n * MINUTE, joins: n, logins: 1, failures: 2, resumes: 0, online_peak: 10 - n }));
  assert.deepEqual(group(steps, 2 * MINUTE).map(({ at, joins, logins, failures, online_peak }) => [at, joins, logins, failures, online_peak]),
    [[0, 1, 2, 4, 10], [2 * MINUTE, 5, 2, 4, 8]]);
  assert.equal(steps[0].joins, 0, "the steps stay as they were");
  assert.deepEqual(group([], MINUTE), []);
});

test("the total of no steps is nothing, and the failure rate of nothing is no number", () => {
  assert.deepEqual(total([]), { joins: 0, logins: 0, failures: 0, resumes: 0 });
  assert.ok(Number.isNaN(failureRate({ logins: 0, failures: 0 })));
  assert.equal(failureRate({ logins: 3, failures: 1 }), 0.25);
  assert.equal(failureRate({ logins: 0, failures: 2 }), 1);
});
