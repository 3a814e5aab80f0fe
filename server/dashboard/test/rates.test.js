import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT, Rates } from "../page/rates.js";

const push = (event, scope = "Space Race") => ({ event, scope, data: {} });

test("events are counted by second, scope and kind", () => {
  const rates = new Rates();
  rates.add(push("user.login"), 1000);
  rates.add(push("user.login", "Chess"), 1999);
  rates.add(push("user.login_failed"), 2000);
  rates.add(push("user.online"), 2500);
  rates.add(push("admin.action", "*"), 2600);
  const zero = { joins: 0, logins: 0, failures: 0, resumes: 0 };
  assert.deepEqual(rates.last(3, "*", 3000), [
    { second: 0, all: 0, ...zero },
    { second: 1, all: 2, ...zero, logins: 2 },
    { second: 2, all: 3, ...zero, failures: 1 },
  ]);
  assert.equal(rates.last(1, "Chess", 2000)[0].logins, 1);
  assert.equal(rates.last(1, "unheard of", 2000)[0].all, 0);
});

test("the present second is not among the complete ones", () => {
  const rates = new Rates();
  rates.add(push("user.login"), 3000);
  assert.equal(rates.last(5, "*", 3500).reduce((sum, s) => sum + s.all, 0), 0);
});

test("seconds are forgotten", () => {
  const rates = new Rates();
  for (let s = 0; s < 3 * KEPT; s++) rates.add(push("user.login"), s * 1000);
  assert.equal(rates.last(2 * KEPT, "*", 3 * KEPT * 1000).filter((s) => s.all > 0).length, KEPT);
});
