import assert from "node:assert/strict";
import { test } from "node:test";
import { fetchPage, MOST_REQUESTS, PAGE, Trail, UserListing } from "../page/user-listing.js";

/** A scope where each request lets through as many users as sizes says, in turn. */
function scope(sizes) {
  const asked = [];
  let made = 0;
  const list = async (params) => {
    const n = Math.min(sizes[asked.length] ?? 0, params.limit);
    asked.push(params);
    const users = Array.from({ length: n }, () => ({ user_id: `u${made++}` }));
    return { users, ...(asked.length < sizes.length && { cursor: `c${asked.length}` }) };
  };
  return { list, asked };
}

const query = { scope: "Chess", orderby: "username" };

test("a full page takes one request", async () => {
  const { list, asked } = scope([PAGE, PAGE]);
  const page = await fetchPage(list, query, "");
  assert.equal(page.users.length, PAGE);
  assert.equal(page.next, "c1");
  assert.deepEqual(asked, [{ ...query, limit: PAGE }]);
});

test("a page that is short while there is a cursor is filled, and asks for what is missing alone", async () => {
  const { list, asked } = scope([3, 0, 10, 40, 40]);
  const page = await fetchPage(list, query, "c0");
  assert.equal(page.users.length, PAGE);
  assert.equal(page.next, "c4");
  assert.deepEqual(asked.map((p) => [p.cursor, p.limit]), [["c0", 50], ["c1", 47], ["c2", 47], ["c3", 37]]);
});

test("the last page may be short", async () => {
  const { list } = scope([3, 4]);
  assert.deepEqual((({ users, next, requests }) => [users.length, next, requests])(await fetchPage(list, query, "")), [7, "", 2]);
});

test("a search stops after 10 requests and goes on when it is told to", async () => {
  const { list, asked } = scope([...Array(MOST_REQUESTS).fill(0), 2, 48, 5]);
  let draws = 0;
  const listing = new UserListing(list, () => draws++);
  await listing.show(query, "");
  assert.deepEqual([listing.users.length, listing.next, listing.requests, listing.loading], [0, "c10", 10, false]);
  await listing.goOn();
  assert.deepEqual([listing.users.length, listing.next, listing.requests], [50, "c12", 12]);
  assert.equal(asked[10].cursor, "c10");
  assert.ok(draws > 4);
});

test("an answer that comes after a newer question is not shown", async () => {
  const waiting = [];
  const listing = new UserListing((params) => new Promise((resolve) => waiting.push({ params, resolve })), () => {});
  const first = listing.show({ scope: "Chess", filter: { username: "a" } }, "");
  const second = listing.show({ scope: "Chess", filter: { username: "ab" } }, "");
  waiting[1].resolve({ users: [{ user_id: "new" }] });
  await second;
  waiting[0].resolve({ users: [{ user_id: "old" }], cursor: "c" });
  await first;
  assert.deepEqual([listing.users, listing.next, waiting.length], [[{ user_id: "new" }], "", 2]);
});

test("what is shown stays when it can't be fetched again, and goes when it answers another question", async () => {
  let fail = false;
  const listing = new UserListing(async () => {
    if (fail) throw new Error("storage unavailable");
    return { users: [{ user_id: "u" }] };
  }, () => {});
  await listing.show(query, "");
  fail = true;
  await listing.refresh();
  assert.deepEqual([listing.users.length, listing.problem, listing.loaded], [1, "storage unavailable", true]);
  await listing.show({ ...query, filter: { group: "blue" } }, "");
  assert.deepEqual([listing.users.length, listing.problem, listing.loaded], [0, "storage unavailable", false]);
});

test("a trail leads back, page by page, and begins anew with another question", () => {
  const trail = new Trail();
  const before = (of, cursor) => {
    trail.at(of, cursor);
    return trail.previous;
  };
  assert.equal(before("a", ""), undefined);
  assert.equal(before("a", "c1"), "");
  assert.equal(before("a", "c2"), "c1");
  assert.equal(before("a", "c2"), "c1");
  assert.equal(before("a", "c1"), "");
  assert.equal(before("b", ""), undefined);
  assert.equal(before("c", "c9"), "", "from a page that the URL named, the way back is to the first one");
});
