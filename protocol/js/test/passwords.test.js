import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, test } from "node:test";
import { passwordHash, Status } from "../rollcall.js";
import { FakeServer, login, pass, stopTime, USER_ID } from "./fake.js";

beforeEach(stopTime);

/** Runs a function as a page on plain http would: without crypto.subtle. */
async function insecurely(run) {
  const own = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  Object.defineProperty(globalThis, "crypto", { configurable: true, value: { getRandomValues: own.get ? (b) => own.get.call(globalThis).getRandomValues(b) : undefined } });
  try {
    return await run();
  } finally {
    Object.defineProperty(globalThis, "crypto", own);
  }
}

const GOLDEN = "032221936dd705cb55acc02b80a5b844bcfa765965707c3009639db7750031ad"; // as in protocol/identity_test.go
const hashOf = (password) => createHash("sha256").update(`rollcall:v1:Space Race:${password}`).digest("hex");

for (const [where, run] of [["with crypto.subtle", (f) => f()], ["without crypto.subtle", insecurely]]) {
  test(`the hash is the definition's, ${where}`, () => run(async () => {
    assert.equal(await passwordHash("Space Race", "abcd1234"), GOLDEN);
    for (const [scope, password] of [["s", "p"], ["a:b", "c"], ["a", "b:c"], ["Ünïcødé 🚀", "pässwörd"], ["s", " \0\n"], ["s", ""]]) {
      assert.equal(await passwordHash(scope, password), createHash("sha256").update(`rollcall:v1:${scope}:${password}`).digest("hex"));
    }
  }));
}

test("our own SHA-256 is right at every length about its blocks, and for long messages", () => insecurely(async () => {
  const prefix = "rollcall:v1:s:".length;
  for (const length of [...Array(140).keys(), 1000, 1_000_000 - prefix]) {
    const password = "a".repeat(length);
    assert.equal(await passwordHash("s", password), createHash("sha256").update(`rollcall:v1:s:${password}`).digest("hex"), `${length} letters`);
  }
}));

test("create and login send the hash and never the password", async () => {
  const server = new FakeServer();
  server.answers["users.create"] = () => ({ result: { user_id: USER_ID } });
  server.answers["users.login"] = () => ({ result: login() });
  const client = await server.player();
  const params = Object.freeze({ username: "tiny", password: "abcd1234" });
  await client.users.create(params);
  await client.users.login(params);
  for (const type of ["users.create", "users.login"]) {
    const [{ data, text }] = server.asked(type);
    assert.equal(data.password_hash, GOLDEN);
    assert.ok(!text.includes("abcd1234"));
  }
});

test("update hashes the new password and the current one", async () => {
  const server = new FakeServer();
  server.answers["users.update"] = () => ({ result: {} });
  const client = await server.player();
  await client.users.update({ user_id: USER_ID, update: { password: "new", group: null, extra: { color: null } }, current_password: "abcd1234" });
  await client.users.update({ user_id: USER_ID, update: { password: "new" } });
  await client.users.update({ user_id: USER_ID, update: { email: "a@b.c" }, current_password: "abcd1234" });
  await client.users.update({ user_id: USER_ID, update: { extra: { color: null } } });
  assert.deepEqual(server.asked("users.update").map(({ data }) => data), [
    { user_id: USER_ID, update: { group: null, extra: { color: null }, password_hash: hashOf("new") }, current_password_hash: GOLDEN },
    { user_id: USER_ID, update: { password_hash: hashOf("new") } },
    { user_id: USER_ID, update: { email: "a@b.c" }, current_password_hash: GOLDEN },
    { user_id: USER_ID, update: { extra: { color: null } } },
  ]);
});

test("an admin's create and update are hashed for the scope of the user", async () => {
  const server = new FakeServer();
  server.answers["admin.users.create"] = () => ({ result: { user_id: USER_ID } });
  server.answers["admin.users.get"] = () => ({ result: { user_id: USER_ID, scope: "Space Race" } });
  server.answers["admin.users.update"] = () => ({ result: {} });
  const client = await server.admin();
  await client.admin.users.create({ scope: "Space Race", username: "tiny", password: "abcd1234" });
  await client.admin.users.create({ scope: "Space Race" });
  await client.admin.users.update({ user_id: USER_ID, update: { password: "abcd1234" } });
  await client.admin.users.update({ user_id: USER_ID, update: { group: "blue" } });
  assert.equal(server.asked("admin.users.create")[0].data.password_hash, GOLDEN);
  assert.equal(server.asked("admin.users.get").length, 1);
  assert.deepEqual(server.asked("admin.users.update").map(({ data }) => data), [
    { user_id: USER_ID, update: { password_hash: GOLDEN } }, { user_id: USER_ID, update: { group: "blue" } },
  ]);
  server.answers["admin.users.get"] = () => ({ error: "user not found", status: 604 });
  await assert.rejects(client.admin.users.update({ user_id: USER_ID, update: { password: "abcd1234" } }), { status: 604 });
  assert.ok(server.requests.every(({ text }) => !text.includes("abcd1234")));
});

test("a password that is no string is refused here, one given twice by the server", async () => {
  const server = new FakeServer();
  server.answers["users.login"] = () => ({ error: "password_hash: give it or password, not both", status: 802 });
  const client = await server.player();
  await assert.rejects(client.users.login({ username: "tiny", password: 1234 }), { status: Status.WRONG_TYPE });
  assert.equal(server.asked("users.login").length, 0);
  await assert.rejects(client.users.login({ username: "tiny", password: "x", password_hash: GOLDEN }), { status: 802 });
});

test("what is called after a login waits until its hash is made", async () => {
  const server = new FakeServer();
  server.answers["users.login"] = () => ({ result: login() });
  server.answers["users.get"] = () => ({ result: {} });
  const client = await server.player();
  const many = Array.from({ length: 300 }, () => client.users.login({ username: "tiny", password: "abcd1234" }));
  await Promise.all([...many, client.users.get({ user_id: USER_ID })]);
  assert.equal(server.requests.at(-1).type, "users.get");
});

for (const [server_, sent] of [["wss://example.com", true], ["ws://example.com", false]]) {
  test(`610 is answered with the password ${sent ? "once" : "never"} over ${server_.split(":")[0]}`, async () => {
    const server = new FakeServer();
    server.answers["users.login"] = ({ data }) => (data.password ? { result: login() } : { error: "password needed once", status: 610 });
    const client = await server.player({ server: server_ });
    const outcome = client.users.login({ username: "tiny", password: "abcd1234" });
    if (sent) {
      assert.equal((await outcome).username, "tiny");
      assert.deepEqual(server.asked("users.login").map(({ data }) => data), [
        { username: "tiny", password_hash: GOLDEN }, { username: "tiny", password: "abcd1234" },
      ]);
    } else {
      await assert.rejects(outcome, { status: Status.PASSWORD_NEEDED });
      assert.equal(server.asked("users.login").length, 1);
    }
  });
}

test("610 to the password itself, or to a hash that was given, is the outcome", async () => {
  const server = new FakeServer();
  server.answers["users.login"] = () => ({ error: "password needed once", status: 610 });
  const client = await server.player();
  await assert.rejects(client.users.login({ username: "tiny", password: "abcd1234" }), { status: 610 });
  assert.equal(server.asked("users.login").length, 2);
  await assert.rejects(client.users.login({ username: "tiny", password_hash: GOLDEN }), { status: 610 });
  assert.equal(server.asked("users.login").length, 3);
});

test("create carries a key of its own, which an error tells so that the call can be repeated", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const keys = [];
  for (let i = 1; i <= 2; i++) {
    const failed = client.users.create({ username: "tiny", password: "abcd1234" }).catch((error) => error);
    const request = await server.request("users.create", i);
    keys.push(request.data.idempotency_key);
    server.socket.drop();
    const error = await failed;
    assert.equal(error.status, Status.UNAVAILABLE);
    assert.ok(error.temporary);
    assert.equal(error.idempotencyKey, request.data.idempotency_key);
    await pass(1000);
  }
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.notEqual(keys[0], keys[1]);

  server.answers["users.create"] = () => ({ result: { user_id: USER_ID } });
  await client.users.create({ username: "tiny", password: "abcd1234", idempotency_key: keys[0] });
  assert.equal(server.asked("users.create").at(-1).data.idempotency_key, keys[0]);

  server.answers["users.create"] = () => ({ error: "user already exists", status: 600 });
  const event = await new Promise((resolve) => { client.users.create({ username: "tiny", password: "x", idempotency_key: "mine" }, resolve); });
  assert.deepEqual([event.status, event.idempotency_key], [600, "mine"]);
});

test("a key is made where there is no crypto at all", async () => {
  const own = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  delete globalThis.crypto;
  try {
    const server = new FakeServer();
    server.answers["users.create"] = () => ({ result: { user_id: USER_ID } });
    const client = await server.player();
    await client.users.create({ username: "tiny", password: "abcd1234" });
    assert.match(server.asked("users.create")[0].data.idempotency_key, /^[0-9a-f]{32}$/);
    assert.equal(server.asked("users.create")[0].data.password_hash, GOLDEN);
  } finally {
    Object.defineProperty(globalThis, "crypto", own);
  }
});
