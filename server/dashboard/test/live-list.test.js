import assert from "node:assert/strict";
import { test } from "node:test";
import { LiveList, MOST, ROWS_A_SECOND } from "../page/live-list.js";

const START = Date.parse("2026-11-24T12:00:00Z");

function push(ms, event = "user.login") {
  return { event, scope: "Space Race", seq: ms, time: new Date(START + ms).toISOString(), data: { username: "tiny" } };
}

const kinds = (list) => [...list.entries].map((e) => (e.kind === "rate" ? `rate ${e.total}` : e.kind));

test("few events a second stand for themselves", () => {
  const list = new LiveList();
  for (let s = 0; s < 10; s++) for (let i = 0; i < ROWS_A_SECOND; i++) list.add(push(s * 1000 + i));
  assert.equal(list.entries.length, 10 * ROWS_A_SECOND);
  assert.ok([...list.entries].every((e) => e.kind === "event"));
});

test("a second with many events is told as a rate from where they are too many, with exact counts", () => {
  const list = new LiveList();
  for (let i = 0; i < 400; i++) list.add(push(i, i % 4 === 0 ? "user.login_failed" : "user.login"));
  assert.equal(list.entries.length, ROWS_A_SECOND + 1);
  const rate = list.entries.at(-1);
  assert.equal(rate.total, 400 - ROWS_A_SECOND);
  assert.equal(rate.counts.get("user.login") + rate.counts.get("user.login_failed"), rate.total);
  assert.equal(rate.sample.length, ROWS_A_SECOND);
  assert.equal(list.total, 400);
  assert.equal(list.failed, 100);
});

test("the seconds after it are rates from their first event on, until one has few", () => {
  const list = new LiveList();
  for (let s = 0; s < 3; s++) for (let i = 0; i < 100; i++) list.add(push(s * 1000 + i));
  for (let i = 0; i < 3; i++) list.add(push(3000 + i));
  for (let i = 0; i < 2; i++) list.add(push(4000 + i));
  assert.deepEqual(kinds(list).slice(ROWS_A_SECOND), ["rate 50", "rate 100", "rate 100", "rate 3", "event", "event"]);
});

test("after a quiet second events stand for themselves again", () => {
  const list = new LiveList();
  for (let i = 0; i < 100; i++) list.add(push(i));
  list.add(push(5000));
  assert.equal(list.entries.at(-1).kind, "event");
});

test("events that come a little out of order count to the present second", () => {
  const list = new LiveList();
  for (let i = 0; i < 200; i++) list.add(push(i % 2 === 0 ? 3000 : 2000));
  assert.ok(list.entries.length <= 2 * ROWS_A_SECOND + 1, String(list.entries.length));
  assert.equal(list.total, 200);
});

test("a clock that was set back by an hour does not end the rows", () => {
  const list = new LiveList();
  for (let i = 0; i < 100; i++) list.add(push(3_600_000 + i));
  list.add(push(5000));
  list.add(push(6000));
  assert.equal(list.entries.at(-1).kind, "event");
});

test("the list is bounded, and its counts are exact beyond that", () => {
  const list = new LiveList();
  for (let i = 0; i < 3 * MOST; i++) list.add(push(i * 1000));
  assert.equal(list.entries.length, MOST);
  assert.equal(list.total, 3 * MOST);
});

test("single events are never a rate", () => {
  const list = new LiveList();
  for (let i = 0; i < 214; i++) list.add(push(i), { single: true });
  assert.equal(list.entries.length, 214);
});

test("what follows a marker stands behind it", () => {
  const list = new LiveList();
  for (let i = 0; i < 60; i++) list.add(push(i));
  list.mark({ tone: "good", text: "away 1 s, nothing missed" });
  list.add(push(100));
  assert.deepEqual(kinds(list).slice(ROWS_A_SECOND), ["rate 10", "marker", "rate 1"]);
});

test("the history goes before all others", () => {
  const list = new LiveList();
  list.add(push(5000));
  list.prepend([push(1000), push(2000)]);
  list.prepend([push(0)]);
  assert.equal(list.length, 4);
  assert.deepEqual([0, 1, 2, 3].map((i) => list.newest(i).push.seq), [5000, 2000, 1000, 0]);
});
