import assert from "node:assert/strict";
import { test } from "node:test";
import { compare, keyProblem, size, valueOf } from "../page/extra-edit.js";

const row = (key, type, text, more) => ({ key, type, text, touched: true, ...more });
const stored = { color: "red", level: 3, pro: true };
const untouched = Object.entries(stored).map(([key, value]) => ({ key, type: typeof value, text: String(value) }));

for (const [type, text, want] of [
  ["string", "3", "3"], ["string", " as it is \n", " as it is \n"], ["string", "", ""],
  ["number", "3", 3], ["number", " -0.5 ", -0.5], ["number", "1e6", 1e6], ["number", "0", 0],
  ["boolean", "true", true], ["boolean", "false", false],
]) {
  test(`${JSON.stringify(text)} as a ${type} is ${JSON.stringify(want)}`, () => assert.equal(valueOf(type, text), want));
}

for (const text of ["", "x", "007", ".5", "5.", "+1", "0x10", "1,5", "1_000", "NaN", "Infinity", "1e999", "12345678901234567890"]) {
  test(`${JSON.stringify(text)} is refused as a number`, () => assert.throws(() => valueOf("number", text)));
}

test("what nobody touched is not sent", () => {
  assert.deepEqual(compare(stored, untouched), { update: undefined, extra: stored, problems: new Map() });
});

test("only what changed is sent, in its type, and null for what was removed", () => {
  const { update, extra } = compare(stored, [row("color", "string", "red"), row("level", "string", "3"), { ...untouched[2], removed: true }, row("new", "number", "1.5")]);
  assert.deepEqual(update, { level: "3", pro: null, new: 1.5 });
  assert.deepEqual(extra, { color: "red", level: "3", new: 1.5 });
});

test("a key that is removed and added again is changed, not removed, in either order", () => {
  const removed = { ...untouched[0], removed: true };
  for (const edits of [[removed, row("color", "number", "1")], [row("color", "number", "1"), removed]]) {
    assert.deepEqual(compare(stored, [...edits, ...untouched.slice(1)]).update, { color: 1 });
  }
  assert.equal(compare(stored, [removed, row("color", "string", "red"), ...untouched.slice(1)]).update, undefined);
});

test("keys are held against the server's bounds, and each may be there once", () => {
  const bad = [row("", "string", "x"), row("color", "string", "x"), row("n", "number", "x")];
  assert.deepEqual([...compare(stored, [...untouched, ...bad]).problems.keys()], bad);
  assert.equal(keyProblem("é".repeat(32)), "");
  assert.match(keyProblem("é".repeat(33)), /64 bytes/);
  assert.match(keyProblem("a\u202eb"), /control/);
});

test("a key may have any name", () => {
  const { update } = compare({}, [row("__proto__", "string", "x"), row("constructor", "boolean", "false")]);
  assert.equal(JSON.stringify(update), '{"__proto__":"x","constructor":false}');
});

test("keys and values count as the server counts them", () => {
  assert.deepEqual(size({ level: 3, pro: true, "é": "猫" }), { keys: 3, bytes: 5 + 1 + 3 + 4 + 2 + 3 });
});
