import assert from "node:assert/strict";
import { test } from "node:test";
import { link, parse } from "../page/route.js";

test("what a link says is read from it", () => {
  const to = link("scopes", ["Space Race/100% & more?#"], { q: "a b&c=d", empty: "", none: undefined });
  const { page, args, params } = parse(to);
  assert.equal(page, "scopes");
  assert.deepEqual(args, ["Space Race/100% & more?#"]);
  assert.deepEqual([...params], [["q", "a b&c=d"]]);
});

test("what was typed by hand is read as far as it goes", () => {
  assert.deepEqual(parse("").page, "");
  assert.deepEqual(parse("#live").page, "live");
  assert.deepEqual(parse("#/users/%E0%A4%A").args, ["%E0%A4%A"]);
  assert.equal(parse("#/live?q=a?b").params.get("q"), "a?b");
});
