import assert from "node:assert/strict";
import { test } from "node:test";
import { newSecret } from "../page/secret.js";

test("a secret has 256 bits, in characters that need no quoting, and is another each time", () => {
  const made = new Set(Array.from({ length: 100 }, newSecret));
  assert.equal(made.size, 100);
  for (const secret of made) assert.match(secret, /^[A-Za-z0-9_-]{43}$/);
});
