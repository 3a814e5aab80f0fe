import assert from "node:assert/strict";
import { test } from "node:test";
import { csvCell, FORMATS } from "../page/user-export.js";

const tiny = {
  active: true, email: "tina@home.com", group: "blue", extra: { color: "red", level: 3, pro: true }, scope: "Space Race",
  user_id: "289bc36e-0df7-44df-99b1-a6543c6f45eb", username: "tiny", validated: true, created_at: "2026-11-01T12:00:00.000Z",
  updated_at: "2026-11-02T12:00:00.000Z", last_login_at: "2026-11-03T12:00:00.000Z", logins: 4, providers: ["google", "apple"], online: false,
  ban: { reason: "aimbot, twice", until: "2026-12-01T12:00:00.000Z" },
};

for (const [value, cell] of [
  ["tiny", "tiny"], ["", ""], [undefined, ""], [null, ""], [0, "0"], [true, "true"], [false, "false"],
  ["a,b", '"a,b"'], ['say "hi"', '"say ""hi"""'], ["two\nlines", '"two\nlines"'], ["two\r\nlines", '"two\r\nlines"'], [" spaces ", " spaces "],
  ["=1+1", "'=1+1"], ["+1", "'+1"], ["-1", "'-1"], ["@SUM(A1)", "'@SUM(A1)"], ["\tx", "'\tx"], ["\r=1", '"\'\r=1"'], ['=HYPERLINK("x")', '"\'=HYPERLINK(""x"")"'],
  ["a=1", "a=1"], ["'=1", "'=1"], ["猫", "猫"],
]) {
  test(`a cell of ${JSON.stringify(value)} is ${JSON.stringify(cell)}`, () => assert.equal(csvCell(value), cell));
}

test("CSV has a heading and a line for each user, which end by CRLF", () => {
  assert.equal(FORMATS.csv.head, "user_id,username,email,group,active,validated,pending,banned,ban_reason,ban_until,online,logins,created_at,updated_at,last_login_at,providers,extra\r\n");
  assert.equal(FORMATS.csv.line(tiny), "289bc36e-0df7-44df-99b1-a6543c6f45eb,tiny,tina@home.com,blue,true,true,,true,\"aimbot, twice\",2026-12-01T12:00:00.000Z,false,4,"
    + "2026-11-01T12:00:00.000Z,2026-11-02T12:00:00.000Z,2026-11-03T12:00:00.000Z,google apple,\"{\"\"color\"\":\"\"red\"\",\"\"level\"\":3,\"\"pro\"\":true}\"\r\n");
});

test("a user with nothing but a name has empty cells", () => {
  const { user_id, username, created_at } = tiny;
  const bare = { user_id, username, active: false, validated: false, confirmation: "pending", created_at, updated_at: created_at, logins: 0, providers: [], online: true };
  assert.equal(FORMATS.csv.line(bare), `${user_id},tiny,,,false,false,pending,false,,,true,0,${created_at},${created_at},,,\r\n`);
});

test("NDJSON is the user as the server told, one a line", () => {
  const line = FORMATS.ndjson.line(tiny);
  assert.equal(FORMATS.ndjson.head, "");
  assert.ok(line.endsWith("}\n"));
  assert.deepEqual(JSON.parse(line), tiny);
  assert.equal(FORMATS.ndjson.line({ username: "two\nlines" }), '{"username":"two\\nlines"}\n');
});
