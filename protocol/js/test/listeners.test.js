import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Status } from "../rollcall.js";
import { FakeServer, settle, stopTime, USER_ID } from "./fake.js";

beforeEach(stopTime);

/** A clock of a spec's own, whose round trips take what the spec says. */
function clock() {
  let at = 0;
  return {
    wait(ms) { at += ms; },
    now: () => 1_795_000_000_000 + at, monotonic: () => at,
    setTimeout: () => 0, clearTimeout() {},
  };
}

test("a listener is told the result once, never inside the call, and with the round trip", async () => {
  const server = new FakeServer();
  const time = clock();
  const client = await server.player({ clock: time });
  const told = [];
  assert.equal(client.users.get({ user_id: USER_ID }, (event) => told.push(event)), undefined);
  assert.deepEqual(told, []);
  const request = await server.request("users.get");
  time.wait(42);
  server.reply(request, { result: { username: "tiny" } });
  assert.deepEqual(told, []);
  await settle();
  server.reply(request, { result: { username: "again" } });
  await settle();
  assert.deepEqual(told, [{ name: "users.get", result: { username: "tiny" }, isError: false, tt: 42 }]);
});

test("a listener is told an error in the same way", async () => {
  const server = new FakeServer();
  server.answers["users.get"] = () => ({ error: "busy", status: 809, temporary: true, retry_after_ms: 1500 });
  server.answers["users.delete"] = () => ({ error: "not permitted", status: 606 });
  const client = await server.player({ clock: clock() });
  const told = [];
  client.users.get({ user_id: USER_ID }, (event) => told.push(event));
  client.users.delete({ user_id: USER_ID }, (event) => told.push(event));
  client.users.logout((event) => told.push(event));
  await server.request("users.logout");
  server.socket.drop();
  await settle();
  assert.deepEqual(told.sort((a, b) => a.name.localeCompare(b.name)), [
    { name: "users.delete", error: "not permitted", status: 606, isError: true, tt: 0 },
    { name: "users.get", error: "busy", status: 809, isError: true, tt: 0, temporary: true, retry_after_ms: 1500 },
    { name: "users.logout", error: "connection lost", status: 815, isError: true, tt: 0, temporary: true },
  ]);
});

test("on a closed client a listener is still not called inside the call", async () => {
  const server = new FakeServer();
  const client = await server.player();
  await client.close();
  let told;
  client.users.get({ user_id: USER_ID }, (event) => { told = event; });
  assert.equal(told, undefined);
  await settle();
  assert.equal(told.status, Status.UNAVAILABLE);
});

test("every message is there as a function, those of admins in groups", async () => {
  const server = new FakeServer();
  const client = await server.admin();
  server.answers["admin.scopes.update"] = server.answers["admin.nodes"] = ({ type, data }) => ({ result: { type, data } });
  assert.deepEqual(await client.admin.scopes.update({ name: "s" }), { type: "admin.scopes.update", data: { name: "s" } });
  assert.deepEqual(await client.admin.nodes(), { type: "admin.nodes" });
  const event = await new Promise((resolve) => { client.admin.nodes(resolve); });
  assert.equal(event.result.type, "admin.nodes");
  assert.equal(client.admin.login, undefined);
  assert.equal(client.admin.subscribe, undefined);
  assert.equal(typeof client.users.removeAuthProvider, "function");
});

test("an exception in a listener is reported and stops nothing", async () => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    const server = new FakeServer();
    server.answers["users.get"] = () => ({ result: {} });
    const client = await server.player();
    const states = [];
    client.on("state", () => { throw new Error("in state"); });
    client.on("state", ({ phase }) => states.push(phase));
    client.on("push", () => { throw new Error("in push"); });
    client.users.get({ user_id: USER_ID }, () => { throw new Error("in call"); });
    await settle();
    server.socket.deliver({ event: "something.new" });
    assert.equal(await client.call("core.ping"), "pong");
    await client.close();
    assert.deepEqual(reported, ["in call", "in push", "in state"]);
    assert.deepEqual(states, ["closed"]);
  } finally {
    delete globalThis.reportError;
  }
});

test("where there is no reportError an exception is thrown outside of everything", async () => {
  const server = new FakeServer();
  const client = await server.player();
  client.on("push", () => { throw new Error("in push"); });
  const own = globalThis.queueMicrotask;
  const queued = [];
  globalThis.queueMicrotask = (fn) => queued.push(fn);
  server.socket.deliver({ event: "something.new" });
  globalThis.queueMicrotask = own;
  assert.equal(queued.length, 1);
  assert.throws(queued[0], /in push/);
  assert.equal(await client.call("core.ping"), "pong");
});

test("a listener that was taken off is not called any more, and an unknown event is a mistake", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const seen = [];
  const listener = ({ event }) => seen.push(event);
  const off = client.on("push", listener);
  client.on("push", listener);
  server.socket.deliver({ event: "a" });
  off();
  off();
  server.socket.deliver([{ event: "b" }, { event: "c" }]);
  assert.deepEqual(seen, ["a", "a", "b", "c"]);
  assert.throws(() => client.on("pushes", listener), TypeError);
});
