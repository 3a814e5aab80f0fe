import assert from "node:assert/strict";
import { test } from "node:test";
import { Ring } from "../page/ring.js";

test("a ring keeps the newest", () => {
  const ring = new Ring(3);
  assert.deepEqual([1, 2, 3, 4, 5].map((n) => ring.push(n)), [undefined, undefined, undefined, 1, 2]);
  assert.deepEqual([...ring], [3, 4, 5]);
  assert.equal(ring.at(0), 3);
  assert.equal(ring.at(-1), 5);
  assert.equal(ring.at(-3), 3);
  assert.equal(ring.at(3), undefined);
  assert.equal(ring.at(-4), undefined);
  ring.clear();
  assert.equal(ring.length, 0);
  ring.push(6);
  assert.deepEqual([...ring], [6]);
});
