import assert from "node:assert/strict";
import { test } from "node:test";
import { lines } from "../page/scope-options.js";
import { webhookState } from "../page/webhook-state.js";

test("lines are trimmed, and neither empty nor there twice", () => {
  assert.deepEqual(lines(" a@example.com \n\nb@example.com\r\na@example.com\n"), ["a@example.com", "b@example.com"]);
  assert.deepEqual(lines(" \n"), []);
});

test("a webhook is paused before it is failing, and failing before it delivers", () => {
  const one = [{ http_status: 200 }];
  assert.equal(webhookState({ paused: true, failures: 1, deliveries: one }).text, "paused");
  assert.equal(webhookState({ paused: false, failures: 2, deliveries: one }).text, "failing (2 attempts)");
  assert.equal(webhookState({ paused: false, failures: 0, deliveries: one }).text, "delivering");
  assert.equal(webhookState({ paused: false, failures: 0, deliveries: [] }).text, "nothing sent yet");
});
