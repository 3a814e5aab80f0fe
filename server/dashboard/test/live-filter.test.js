import assert from "node:assert/strict";
import { test } from "node:test";
import { detail, filterOf, outcome } from "../page/live-filter.js";

const login = { event: "user.login", scope: "Space Race", data: { username: "Tina", user_id: "289bc36e", method: "password", node: "n1", ip: "203.0.113.7", client: { name: "race", version: "1.4" } } };
const failed = { event: "user.login_failed", scope: "Chess", data: { reason: "unknown", method: "password", ip: "203.0.113.8" } };
const action = { event: "admin.action", scope: "*", data: { admin: "ops", action: "admin.users.ban", target: "tiny" } };

const shown = (query) => [login, failed, action].filter(filterOf(new URLSearchParams(query)));

for (const [query, want] of [
  ["", [login, failed, action]],
  ["scope=Chess", [failed]],
  ["event=user.login", [login]],
  ["method=password", [login, failed]],
  ["outcome=ok", [login]],
  ["outcome=failed", [failed]],
  ["q=tina", [login]],
  ["q=203.0.113", [login, failed]],
  ["q=UNKNOWN", [failed]],
  ["q=race 1.4", [login]],
  ["q=ban", [action]],
  ["q=ops&scope=*", [action]],
  ["scope=Chess&outcome=ok", []],
]) {
  test(`"${query}" lets ${want.length} through`, () => assert.deepEqual(shown(query), want));
}

test("an event that is no attempt has no outcome", () => {
  assert.equal(outcome(action), "");
  assert.equal(outcome({ event: "user.offline", data: {} }), "");
});

test("details name what was done to whom", () => {
  assert.equal(detail(action), "admin.users.ban tiny");
  assert.equal(detail(failed), "unknown");
});
