import assert from "node:assert/strict";
import { test } from "node:test";
import { narrows, queryOf } from "../page/user-query.js";

for (const [params, want] of [
  ["", { scope: "", orderby: "username" }],
  ["scope=Space+Race&cursor=abc", { scope: "Space Race", orderby: "username" }],
  ["scope=a&username=+ti+&email=&group=blue", { scope: "a", orderby: "username", filter: { username: "ti", group: "blue" } }],
  ["scope=a&active=yes&pending=no&banned=maybe&online=", { scope: "a", orderby: "username", filter: { active: true, pending: false } }],
  ["scope=a&orderby=created_at", { scope: "a", orderby: "created_at" }],
  ["scope=a&orderby=logins", { scope: "a", orderby: "username" }],
]) {
  test(`"${params}" asks for ${JSON.stringify(want)}`, () => {
    const query = queryOf(new URLSearchParams(params));
    assert.deepEqual(query, want);
    assert.equal(narrows(query), want.filter !== undefined);
  });
}
