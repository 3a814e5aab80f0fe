import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Client, connect, RollcallError, Status } from "../rollcall.js";
import { FakeServer, KEY, pass, PING_MS, settle, stopTime, USER_ID } from "./fake.js";

beforeEach(stopTime);

test("the first message opens the connection for a scope", async () => {
  const server = new FakeServer();
  const client = await server.player({ client: { name: "space-race", version: "1.4.0" } });
  assert.deepEqual(server.requests.map(({ type, data }) => ({ type, data })), [
    { type: "core.init", data: { scope: "Space Race", key: KEY, client: { name: "space-race", version: "1.4.0" } } },
  ]);
  assert.equal(server.socket.url, "wss://example.com/ws");
  assert.deepEqual(server.socket.protocols, ["rollcall.v1"]);
  assert.equal(client.info.ping_interval_ms, PING_MS);
  assert.deepEqual(client.state, { phase: "connected", attempt: 0 });
  assert.equal(client.user, undefined);
  await client.close();
});

test("replies find their calls, in whatever order they come", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const calls = ["a", "b", "c"].map((user_id) => client.users.get({ user_id }));
  await settle();
  const asked = server.asked("users.get");
  assert.equal(new Set(asked.map(({ id }) => id)).size, 3);
  for (const request of asked.toReversed()) server.reply(request, { result: { username: request.data.user_id } });
  assert.deepEqual((await Promise.all(calls)).map((user) => user.username), ["a", "b", "c"]);
});

test("an error reply rejects with status, text and what the server added", async () => {
  const server = new FakeServer();
  server.answers["users.get"] = () => ({ error: "busy just now", status: 809, temporary: true, retry_after_ms: 1500 });
  server.answers["users.delete"] = () => ({ error: "not permitted", status: 606 });
  const client = await server.player();
  await assert.rejects(client.users.get({ user_id: USER_ID }), (error) => {
    assert.ok(error instanceof RollcallError && error instanceof Error);
    assert.deepEqual({ name: error.name, message: error.message, ...error }, { name: "RollcallError", message: "busy just now", status: 809, temporary: true, retryAfterMs: 1500 });
    return true;
  });
  await assert.rejects(client.users.delete({ user_id: USER_ID }), { status: Status.NOT_PERMITTED, temporary: false, retryAfterMs: 0 });
});

test("calls of one tick go out in their order, and without a namespace too", async () => {
  const server = new FakeServer();
  server.answers["users.get"] = ({ data }) => ({ result: data });
  const client = await server.player();
  const results = await Promise.all([client.call("users.get", { n: 1 }), client.call("core.ping"), client.call("users.get", { n: 2 })]);
  assert.deepEqual(results, [{ n: 1 }, "pong", { n: 2 }]);
  assert.deepEqual(server.requests.slice(1).map(({ type }) => type), ["users.get", "core.ping", "users.get"]);
});

test("frames that can't be read, and replies to nobody, are left out", async () => {
  const server = new FakeServer();
  const client = await server.player();
  for (const frame of ["", "{", "null", "7", '"x"', "[null,7]", {}, { id: 99, result: 1 }, { error: "JSON decode failed", status: 830 }, { id: 2 }]) server.socket.deliver(frame);
  assert.equal(await client.call("core.ping"), "pong");
});

test("what can't be sent fails without a connection being bothered", async () => {
  const server = new FakeServer();
  const client = await server.player();
  await assert.rejects(client.call("users.get", { n: 1n }), { status: Status.ENCODE_FAILED });
  await assert.rejects(client.call("users.get", { text: "x".repeat(32 << 10) }), { status: Status.OUT_OF_BOUNDS });
  await assert.rejects(client.call("users.get", { text: "ü".repeat(16 << 10) }), { status: Status.OUT_OF_BOUNDS });
  const fits = "ü".repeat((16 << 10) - 40);
  const call = client.call("users.get", { text: fits });
  await settle();
  server.reply(server.asked("users.get")[0], { result: true });
  assert.equal(await call, true);
  assert.equal(server.asked("users.get").length, 1);
});

test("without a connection 256 calls wait, and one more is refused with 809", async () => {
  const server = new FakeServer();
  server.refuse = true;
  const client = server.client();
  const waiting = Array.from({ length: 256 }, () => client.call("core.ping"));
  await assert.rejects(client.call("core.ping"), { status: Status.BUSY, temporary: true });
  assert.equal(server.requests.length, 0);
  server.refuse = false;
  await pass(500);
  assert.equal((await Promise.all(waiting)).length, 256);
});

test("a lost connection fails every call under way with 815, once, and none is repeated", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const calls = Promise.allSettled(Array.from({ length: 100 }, () => client.users.get({ user_id: USER_ID })));
  await settle();
  server.socket.drop();
  for (const { reason } of await calls) assert.ok(reason.status === Status.UNAVAILABLE && reason.temporary);
  await pass(500);
  assert.equal(client.state.phase, "connected");
  assert.equal(server.asked("users.get").length, 100);
});

test("a call made on a socket that is closing waits for the next one", async () => {
  const server = new FakeServer();
  const client = await server.player();
  server.socket.readyState = 2;
  const ping = client.call("core.ping");
  await settle();
  server.socket.end(1006);
  await pass(500);
  assert.equal(await ping, "pong");
});

test("a signal ends the wait for a call, sent or not", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const stop = new AbortController();
  const sent = client.call("users.get", { user_id: USER_ID }, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(sent, /enough/);
  await assert.rejects(client.call("core.ping", {}, { signal: stop.signal }), /enough/);
  server.reply(await server.request("users.get"), { result: {} }); // nobody waits any more

  server.socket.drop();
  const other = new AbortController();
  const waiting = client.call("core.ping", {}, { signal: other.signal });
  other.abort(new Error("no more"));
  await assert.rejects(waiting, /no more/);
  await pass(500);
  assert.equal(server.asked("core.ping").length, 0);

  const kept = new AbortController();
  assert.equal(await client.call("core.ping", {}, { signal: kept.signal }), "pong");
  kept.abort();
});

test("a login that was given up still counts, if the server did it", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const stop = new AbortController();
  const call = client.call("users.login", { username: "tiny" }, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(call, /enough/);
  server.reply(await server.request("users.login"), { result: { user_id: USER_ID, session: { token: "late" } } });
  assert.equal(client.session, "late");
});

test("connect makes one attempt and tells why it failed", async () => {
  const server = new FakeServer();
  server.refuse = true;
  await assert.rejects(server.player(), { status: Status.UNAVAILABLE, temporary: true, message: "the server can't be reached" });
  server.refuse = false;
  server.answers["core.init"] = () => ({ error: "wrong key", status: 808 });
  await assert.rejects(server.player(), { status: Status.WRONG_KEY });
  await pass(60_000, 1000);
  assert.equal(server.sockets.length, 2);
});

test("an attempt that nobody answers ends with its time", async () => {
  const server = new FakeServer();
  server.mute = true;
  const failed = assert.rejects(server.player({ dialTimeoutMs: 3000 }), { status: Status.UNAVAILABLE, message: "the server did not answer in time" });
  await pass(3000);
  await failed;
  assert.equal(server.socket.readyState, 3);
});

test("a first answer of another form is refused with 800", async () => {
  for (const result of [null, 7, "x"]) {
    const server = new FakeServer();
    server.answers["core.init"] = server.answers["admin.login"] = () => ({ result });
    await assert.rejects(server.player(), { status: Status.RESULT_INVALID });
    await assert.rejects(server.admin(), { status: Status.RESULT_INVALID });
  }
});

test("an answer without an id is that to the first message", async () => {
  const server = new FakeServer();
  server.answers["core.init"] = () => undefined;
  const failed = assert.rejects(server.player(), { status: 830 });
  await server.request("core.init");
  server.socket.deliver({ error: "JSON decode failed", status: 830 });
  await failed;
});

test("options that make no sense are refused at once", async () => {
  const { WebSocket } = new FakeServer();
  for (const options of [
    {}, undefined, { server: "wss://example.com", WebSocket }, { server: "wss://example.com", WebSocket, scope: "s" },
    { server: "ftp://example.com", WebSocket, scope: "s", key: "k" }, { server: "example.com", WebSocket, scope: "s", key: "k" },
    { WebSocket, scope: "s", key: "k" }, { server: "wss://example.com", WebSocket, admin: {} }, { server: "wss://example.com", WebSocket, admin: { name: "admin" } },
  ]) {
    assert.throws(() => new Client(options), TypeError);
    await assert.rejects(connect(options), TypeError);
  }
});

test("where the platform has no WebSocket one must be given", async () => {
  const own = globalThis.WebSocket;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => new Client({ server: "wss://example.com", scope: "s", key: "k" }), /options.WebSocket/);
    await new FakeServer().player();
  } finally {
    globalThis.WebSocket = own;
  }
});

test("the server's URL may be ws or http, and gets the path /ws where it has none", async () => {
  for (const [given, want] of [
    ["ws://h:7600", "ws://h:7600/ws"], ["http://h:7600/", "ws://h:7600/ws"], ["https://h", "wss://h/ws"],
    ["wss://h/game/ws?x=1#y", "wss://h/game/ws?x=1"],
  ]) {
    const server = new FakeServer();
    await server.player({ server: given });
    assert.equal(server.socket.url, want);
  }
});

test("in a browser the server is the page's own", async () => {
  globalThis.location = { origin: "https://game.example.com" };
  try {
    const server = new FakeServer();
    await server.player({ server: undefined });
    assert.equal(server.socket.url, "wss://game.example.com/ws");
  } finally {
    delete globalThis.location;
  }
});

test("a WebSocket that can't be made ends the client", async () => {
  const Refused = class { constructor() { throw new DOMException("an insecure WebSocket from a page by https", "SecurityError"); } };
  await assert.rejects(connect({ server: "ws://h", scope: "s", key: "k", WebSocket: Refused }), { status: Status.UNAVAILABLE, message: /insecure/ });
});
