import assert from "node:assert/strict";
import { test } from "node:test";
import { barPath, extent, linear, linePath, nearest, ticks, timeTicks } from "../page/scale.js";

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

/** Runs something in a time zone, in which dates are made from then on. */
function inZone(zone, run) {
  const before = process.env.TZ;
  process.env.TZ = zone;
  try {
    return run();
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
}

test("ticks are 1, 2 or 5 times a power of ten apart and reach the greatest value", () => {
  for (const [most, want] of [
    [1, [0, 1]],
    [3, [0, 1, 2, 3]],
    [4, [0, 1, 2, 3, 4]],
    [7, [0, 2, 4, 6, 8]],
    [10, [0, 5, 10]],
    [37, [0, 10, 20, 30, 40]],
    [100, [0, 50, 100]],
    [1234, [0, 500, 1000, 1500]],
    [80_000, [0, 20_000, 40_000, 60_000, 80_000]],
  ]) assert.deepEqual(ticks(most), want, `to ${most}`);
});

test("ticks of no value or of zeros alone are of an axis all the same", () => {
  for (const most of [0, -1, NaN, undefined]) assert.deepEqual(ticks(most), [0, 1]);
});

test("ticks of what is counted are never fractions, of shares they are", () => {
  assert.deepEqual(ticks(2), [0, 1, 2]);
  assert.deepEqual(ticks(0.3, 4, 0), [0, 0.1, 0.2, 0.3]);
  assert.deepEqual(ticks(0.07, 4, 0.01), [0, 0.02, 0.04, 0.06, 0.08]);
});

test("ticks are at most two more than asked for, at any magnitude", () => {
  for (let most = 1; most < 1e12; most = Math.ceil(most * 1.7)) {
    const found = ticks(most);
    assert.ok(found.length <= 6 && found.length >= 2, `${most}: ${found}`);
    assert.ok(found.at(-1) >= most, `${most}: ${found}`);
  }
});

test("a linear scale maps ends to ends, and nothing to where it starts", () => {
  const x = linear(10, 20, 100, 0);
  assert.deepEqual([x(10), x(15), x(20)], [100, 50, 0]);
  assert.equal(linear(5, 5, 7, 9)(5), 7);
});

test("time ticks of an hour are ten minutes apart on the zone's clock", () => {
  inZone("Asia/Kathmandu", () => { // UTC+5:45
    const from = new Date(2026, 10, 24, 9, 7).getTime();
    const found = timeTicks(from, from + HOUR, 6).map(({ at }) => new Date(at).getMinutes());
    assert.deepEqual(found, [10, 20, 30, 40, 50, 0]);
  });
});

test("time ticks of a day are on round hours, midnight among them as a day", () => {
  inZone("Europe/Vienna", () => {
    const from = new Date(2026, 10, 24, 14, 20).getTime();
    const found = timeTicks(from, from + DAY, 8);
    assert.deepEqual(found.map(({ at }) => new Date(at).getHours()), [15, 18, 21, 0, 3, 6, 9, 12]);
    assert.deepEqual(found.map(({ day }) => day), [false, false, false, true, false, false, false, false]);
  });
});

test("time ticks stay on round hours when the clock is put forward and back", () => {
  inZone("America/New_York", () => {
    for (const [month, day] of [[2, 8], [10, 1]]) { // 2026-03-08 and 2026-11-01
      const from = new Date(2026, month, day - 1, 12).getTime();
      const found = timeTicks(from, from + 2 * DAY, 10).map(({ at }) => new Date(at).getHours());
      assert.ok(found.every((hour) => hour % 6 === 0), `${found}`);
      assert.equal(new Set(found).size, 4);
    }
  });
});

test("time ticks rise, and none comes twice, on the day with a skipped hour", () => {
  inZone("America/New_York", () => {
    const from = new Date(2026, 2, 8, 0).getTime();
    const found = timeTicks(from, from + 6 * HOUR, 6).map(({ at }) => at);
    assert.deepEqual(found, [...new Set(found)].sort((a, b) => a - b));
    assert.equal(found[0], from);
  });
});

test("time ticks of a month are on midnights, and stay on the same days as time goes on", () => {
  inZone("UTC", () => {
    const from = Date.UTC(2026, 9, 25);
    const before = timeTicks(from, from + 30 * DAY, 5, { utc: true }).map(({ at }) => at);
    const after = timeTicks(from + DAY, from + 31 * DAY, 5, { utc: true }).map(({ at }) => at);
    assert.ok(before.length >= 4 && before.every((at) => at % DAY === 0));
    const common = after.filter((at) => before.includes(at));
    assert.ok(common.length >= before.length - 1);
  });
});

test("time ticks in UTC are midnights of UTC in any zone", () => {
  inZone("Pacific/Auckland", () => {
    const from = Date.UTC(2026, 10, 1);
    for (const { at, day } of timeTicks(from, from + 7 * DAY, 8, { utc: true })) {
      assert.equal(at % DAY, 0);
      assert.ok(day);
    }
  });
});

test("time ticks are as far apart as they have to be", () => {
  const from = Date.UTC(2026, 10, 1);
  assert.equal(timeTicks(from, from + 3 * DAY, 12, { utc: true, least: DAY }).length, 4);
});

test("time ticks are never more than fit, and none of no time", () => {
  inZone("Europe/Vienna", () => {
    const from = Date.UTC(2026, 0, 1, 3, 17);
    for (const span of [HOUR, DAY, 7 * DAY, 30 * DAY, 700 * DAY]) {
      for (const most of [2, 4, 8]) assert.ok(timeTicks(from, from + span, most).length <= most + 1, `${span / HOUR} h, ${most}`);
    }
    assert.deepEqual(timeTicks(from, from, 4), []);
    assert.deepEqual(timeTicks(from, from + HOUR, 0), []);
  });
});

test("the nearest of sorted values is found, at the ends too", () => {
  const sorted = [10, 20, 40];
  for (const [v, want] of [[-5, 0], [10, 0], [15, 0], [16, 1], [29, 1], [31, 2], [99, 2]]) {
    assert.equal(nearest(sorted, v), want, `${v}`);
  }
  assert.equal(nearest([], 1), -1);
});

test("the extent leaves gaps out, and is null where there is nothing else", () => {
  assert.deepEqual(extent([null, 3, 1, undefined, 2, null]), { min: 1, max: 3, last: 2 });
  assert.equal(extent([null, null]), null);
  assert.equal(extent([]), null);
  assert.deepEqual(extent([0, 0]), { min: 0, max: 0, last: 0 });
});

test("a line's path starts anew after a gap", () => {
  assert.equal(linePath([[0, 1], [2.04, 3], null, [4, 5], [6, 7]]), "M0 1L2 3M4 5L6 7");
  assert.equal(linePath([]), "");
});

test("bars of nothing are not drawn", () => {
  assert.equal(barPath([[1, 2, 3, 4], [5, 6, 3, 0]]), "M1 2h3v4h-3z");
});
