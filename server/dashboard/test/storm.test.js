import assert from "node:assert/strict";
import { test } from "node:test";
import { CALM, FEW, MANY, Storm, wait } from "../page/storm.js";

const POLL = 2000;

/** Feeds reports, 2 s apart, and returns after which of them there was a storm. */
function reports(...waiting) {
  const storm = new Storm();
  return waiting.map((n, i) => storm.update(n, i * POLL));
}

test("no hash waits: no storm", () => {
  assert.deepEqual(reports(0, 0, 0), [false, false, false]);
});

test("many waiting hashes are a storm at once", () => {
  assert.deepEqual(reports(MANY - 1), [false]);
  assert.deepEqual(reports(MANY), [true]);
});

test("hashes that rise over two polls are a storm before they are many", () => {
  assert.deepEqual(reports(0, 9, 12), [false, false, true]);
  assert.deepEqual(reports(0, 12, 9, 12), [false, false, false, false]);
});

test("few hashes are no storm, however they rise", () => {
  assert.deepEqual(reports(0, 1, 2, 3, FEW - 1), [false, false, false, false, false]);
  assert.deepEqual(reports(0, 1, 2, FEW), [false, false, false, true]);
});

test("the same report seen twice is no rise and ends none", () => {
  assert.deepEqual(reports(0, 10, 10, 10), [false, false, false, false]);
  assert.deepEqual(reports(0, 10, 10, 14), [false, false, false, true]);
});

test("a storm lasts while hashes wait, few of them or many", () => {
  assert.deepEqual(reports(40, 20, FEW, FEW, FEW, FEW), [true, true, true, true, true, true]);
});

test("a storm is over when few hashes waited for 5 s", () => {
  const storm = new Storm();
  storm.update(MANY, 0);
  assert.equal(storm.update(FEW - 1, 1000), true);
  assert.equal(storm.update(0, 1000 + CALM - 1), true);
  assert.equal(storm.update(0, 1000 + CALM), false);
});

test("a wave within the calm begins it anew", () => {
  const storm = new Storm();
  storm.update(MANY, 0);
  storm.update(0, 1000);
  storm.update(FEW, 4000);
  assert.equal(storm.update(0, 5000), true);
  assert.equal(storm.update(0, 1000 + CALM), true);
  assert.equal(storm.update(0, 5000 + CALM), false);
});

test("after a storm the next one is seen", () => {
  assert.deepEqual(reports(40, 0, 0, 0, 0, 50), [true, true, true, true, false, true]);
});

test("it says how many wait", () => {
  const storm = new Storm();
  storm.update(41, 0);
  assert.equal(storm.waiting, 41);
});

test("the wait is the line by the rate at which it moves, and unknown while nothing moves", () => {
  assert.equal(wait(120, 60), 2000);
  assert.equal(wait(120, 0), null);
});
