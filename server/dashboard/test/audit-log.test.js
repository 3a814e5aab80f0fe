import assert from "node:assert/strict";
import { test } from "node:test";
import { passes } from "../page/audit-log.js";

const push = { scope: "Space Race", event: "admin.action", data: { admin: "ops", action: "admin.users.ban", target: "Tiny", ip: "203.0.113.9" } };
const all = { admin: "", action: "", q: "" };

test("a filter that says nothing lets every action through", () => {
  assert.equal(passes(push, all), true);
});

test("admin and action are held to the letter, text is looked for everywhere", () => {
  for (const [part, want] of [
    [{ admin: "ops" }, true], [{ admin: "op" }, false],
    [{ action: "admin.users.ban" }, true], [{ action: "admin.users" }, false],
    [{ q: "tiny" }, true], [{ q: " RACE " }, true], [{ q: "203.0.113" }, true], [{ q: "unban" }, false],
    [{ admin: "ops", q: "other" }, false],
  ]) {
    assert.equal(passes(push, { ...all, ...part }), want, JSON.stringify(part));
  }
});
