import assert from "node:assert/strict";
import { test } from "node:test";
import { everyUser, TextFile } from "../page/download.js";

const all = Array.from({ length: 450 }, (_, i) => ({ username: `u${i}` }));

/** admin.users.list over all, which fails where fail says so. */
function server(fail = () => undefined) {
  const asked = [];
  const list = async (params) => {
    asked.push(params);
    const error = fail(asked.length, params);
    if (error) throw Object.assign(new Error("no"), error);
    const from = Number(params.cursor ?? 0);
    const to = Math.min(all.length, from + params.limit);
    return { users: all.slice(from, to), ...(to < all.length && { cursor: String(to) }) };
  };
  return { list, asked };
}

test("every user is there once, by pages of 200, with the filter in each request", async () => {
  const { list, asked } = server();
  const got = [];
  const told = [];
  const n = await everyUser(list, { scope: "Chess", filter: { group: "blue" } }, (u) => got.push(u), { progress: (k) => told.push(k) });
  assert.equal(n, 450);
  assert.deepEqual(got, all);
  assert.deepEqual(told, [200, 400, 450]);
  assert.deepEqual(asked, [undefined, "200", "400"].map((cursor) => ({ scope: "Chess", filter: { group: "blue" }, limit: 200, ...(cursor && { cursor }) })));
});

test("what fails for a time is tried again from the same cursor", async () => {
  const { list, asked } = server((n) => (n === 2 || n === 3 ? { temporary: true, retryAfterMs: n === 2 ? 1500 : 0 } : undefined));
  const got = [];
  const waits = [];
  await everyUser(list, { scope: "Chess" }, (u) => got.push(u), { wait: async (ms) => waits.push(ms) });
  assert.deepEqual(got, all);
  assert.deepEqual(waits, [1500, 4000]);
  assert.deepEqual(asked.map((p) => p.cursor), [undefined, "200", "200", "200", "400"]);
});

test("it gives up in the end, and at once where it is no use", async () => {
  const later = server(() => ({ temporary: true }));
  await assert.rejects(everyUser(later.list, {}, () => {}, { wait: async () => {} }), /no/);
  assert.equal(later.asked.length, 8);
  const never = server(() => ({ status: 606 }));
  await assert.rejects(everyUser(never.list, {}, () => {}, { wait: async () => assert.fail("waited") }), /no/);
  assert.equal(never.asked.length, 1);
});

test("it is cancelled between requests, and in a wait", async () => {
  const abort = new AbortController();
  const { list, asked } = server();
  await assert.rejects(everyUser(list, {}, () => {}, { signal: abort.signal, progress: () => abort.abort() }), { name: "AbortError" });
  assert.equal(asked.length, 1);
  const waiting = new AbortController();
  const down = server(() => {
    queueMicrotask(() => waiting.abort());
    return { temporary: true, retryAfterMs: 3_600_000 };
  });
  await assert.rejects(everyUser(down.list, {}, () => {}, { signal: waiting.signal }));
  assert.equal(down.asked.length, 1);
});

test("a file is what was written, in order, whatever its size", async () => {
  const file = new TextFile("text/csv");
  const line = `${"猫".repeat(1000)}\n`;
  for (let i = 0; i < 2500; i++) file.write(line);
  const blob = file.blob();
  assert.equal(blob.type, "text/csv");
  assert.equal(await blob.text(), line.repeat(2500));
});
