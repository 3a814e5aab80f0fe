import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CloseCode, Status } from "../rollcall.js";
import { FakeServer, pass, phases, settle, stopTime, USER_ID } from "./fake.js";

beforeEach(stopTime);

/** The pauses that a client makes, as they are told. */
function pauses(client) {
  const told = [];
  client.on("state", ({ phase, retryIn }) => phase === "waiting" && told.push(retryIn));
  return told;
}

for (const [draw, want] of [
  [1, [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]],
  [0.25, [125, 250, 500, 1000, 2000, 4000, 5000, 5000]],
  [0, [0, 0, 0, 0, 0, 0, 0, 0]],
]) {
  test(`pauses grow with full jitter: ${draw} of the range`, async () => {
    const server = new FakeServer();
    const client = await server.player({ backoff: { random: () => draw } });
    const told = pauses(client);
    server.refuse = true;
    server.socket.drop();
    for (let left = 2000; told.length < want.length && left > 0; left--) await pass(50);
    assert.deepEqual(told.slice(0, want.length), want);
    server.refuse = false;
    await pass(20_000, 500);
    assert.equal(client.state.phase, "connected");
    assert.equal(await client.call("core.ping"), "pong");
  });
}

test("the bounds of the pauses can be set", async () => {
  const server = new FakeServer();
  const client = await server.player({ backoff: { minMs: 100, maxMs: 300, random: () => 1 } });
  const told = pauses(client);
  server.refuse = true;
  server.socket.drop();
  await pass(1000);
  assert.deepEqual(told.slice(0, 4), [100, 200, 300, 300]);
});

test("only a connection that held starts the pauses anew", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const told = pauses(client);
  for (const held of [0, 1000, 21_000]) {
    await pass(held);
    server.socket.drop();
    await pass(1000);
    assert.equal(client.state.phase, "connected");
  }
  assert.deepEqual(told, [500, 1000, 500]);
});

test("a waiting state says why, for how long and until when", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const seen = phases(client);
  const at = Date.now();
  server.socket.drop();
  assert.equal(client.state.error.status, Status.UNAVAILABLE);
  assert.deepEqual({ ...client.state, error: undefined }, { phase: "waiting", error: undefined, retryIn: 500, retryAt: at + 500, attempt: 1 });
  assert.ok(Object.isFrozen(client.state));
  await pass(500);
  assert.deepEqual(seen, ["waiting", "connecting", "connected"]);
});

test("bye's time is kept before the pause, and its reason is told", async () => {
  const server = new FakeServer();
  const client = await server.player();
  server.socket.bye(CloseCode.DRAINING, "draining", true, { retry_after_ms: 800 });
  assert.equal(client.state.retryIn, 1300);
  assert.deepEqual({ ...client.state.error, message: client.state.error.message }, {
    message: "server closed the connection: draining (4001)", status: 815, temporary: true, retryAfterMs: 800, closeCode: 4001, reason: "draining",
  });
  await pass(1250);
  assert.equal(client.state.phase, "waiting");
  await pass(50);
  assert.equal(client.state.phase, "connected");
});

for (const [code, final] of [
  [1000, false], [1001, false], [1005, false], [1006, false], [1011, false], [1012, false], [1013, false], [1014, false],
  [1002, true], [1003, true], [1007, true], [1008, true], [1009, true], [3000, true],
  [CloseCode.DRAINING, false], [CloseCode.TOO_SLOW, false], [CloseCode.SILENT, false], [CloseCode.OVERLOADED, false], [4499, false],
  [CloseCode.REPLACED, true], [CloseCode.KICKED, true], [CloseCode.BANNED, true], [CloseCode.NO_INIT, true], [CloseCode.PROTOCOL_ABUSE, true], [CloseCode.SESSION_ENDED, true], [4999, true],
]) {
  test(`close code ${code} is ${final ? "final" : "no reason to stay away"}`, async () => {
    const server = new FakeServer();
    const client = await server.player();
    server.socket.end(code);
    assert.equal(client.state.phase, final ? "closed" : "waiting");
    await pass(60_000, 500);
    assert.equal(server.sockets.length, final ? 1 : 2);
    if (final) await assert.rejects(client.call("core.ping"), { status: Status.UNAVAILABLE, closeCode: code, temporary: false });
  });
}

test("a kick tells the admin's reason to every call that follows", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const pending = assert.rejects(client.users.get({ user_id: USER_ID }), { status: 815, temporary: true });
  await settle();
  server.socket.bye(CloseCode.KICKED, "aimbot", false);
  await pending;
  assert.equal(client.state.phase, "closed");
  assert.equal(client.state.error.reason, "aimbot");
  await assert.rejects(client.users.get({ user_id: USER_ID }), { closeCode: CloseCode.KICKED, reason: "aimbot" });
});

test("a code that comes without a reason is told by its name", async () => {
  const server = new FakeServer();
  const client = await server.player();
  server.socket.end(CloseCode.SESSION_ENDED);
  assert.equal(client.state.error.message, "server closed the connection: session ended (4506)");
});

for (const [error, final] of [
  [{ status: 809, temporary: true, retry_after_ms: 2000 }, false], [{ status: 807 }, false], [{ status: 815 }, false], [{ status: 820 }, false], [{ status: 810 }, false],
  [{ status: 601, temporary: true }, false], [{ status: 808 }, true], [{ status: 1004 }, true], [{ status: 608 }, true],
]) {
  test(`a reconnect that is refused with ${error.status} is ${final ? "final" : "repeated"}`, async () => {
    const server = new FakeServer();
    const client = await server.player();
    const init = server.answers["core.init"];
    server.answers["core.init"] = () => ({ error: "refused", ...error });
    server.socket.drop();
    await pass(500);
    assert.equal(client.state.phase, final ? "closed" : "waiting");
    assert.equal(client.state.error.status, error.status);
    if (final) return;
    assert.equal(client.state.retryIn, 1000 + (error.retry_after_ms ?? 0));
    server.answers["core.init"] = init;
    await pass(3000);
    assert.equal(client.state.phase, "connected");
  });
}

test("a client that begins without a server keeps trying, and calls wait", async () => {
  const server = new FakeServer();
  server.refuse = true;
  const client = server.client();
  const seen = phases(client);
  const ping = client.call("core.ping");
  await pass(1000);
  server.refuse = false;
  await pass(500);
  assert.deepEqual(seen, ["waiting", "connecting", "waiting", "connecting", "connected"]);
  assert.equal(await client.ready, client);
  assert.equal(await ping, "pong");
});

test("a refusal for good rejects ready and the calls that wait", async () => {
  const server = new FakeServer();
  server.answers["core.init"] = () => ({ error: "wrong key", status: 808 });
  const client = server.client();
  const call = assert.rejects(client.call("core.ping"), { status: 808 });
  await assert.rejects(client.ready, { status: 808 });
  await call;
});

test("without reconnect the first loss is final", async () => {
  const server = new FakeServer();
  const client = await server.player({ reconnect: false });
  server.socket.drop();
  assert.equal(client.state.phase, "closed");
  await assert.rejects(client.call("core.ping"), { status: 815 });
});

test("retryNow ends the pause", async () => {
  const server = new FakeServer();
  const client = await server.player();
  client.retryNow(); // nothing to end
  server.socket.drop();
  client.retryNow();
  await settle();
  assert.equal(client.state.phase, "connected");
  await pass(5000);
  assert.equal(server.sockets.length, 2);
});

test("close ends the connection in good form, fails what is under way, and is final", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const seen = phases(client);
  const call = assert.rejects(client.users.get({ user_id: USER_ID }), { status: 815 });
  await client.close();
  await call;
  assert.equal(server.socket.closedWith, 1000);
  assert.equal(server.socket.readyState, 3);
  assert.deepEqual(seen, ["closed"]);
  await client.close();
  client.retryNow();
  client.check();
  await pass(60_000, 1000);
  assert.equal(server.sockets.length, 1);
  assert.ok(client.heardAt > 0);
});

test("close during a pause or an attempt ends that", async () => {
  const server = new FakeServer();
  const client = await server.player();
  server.socket.drop();
  const waiting = assert.rejects(client.call("core.ping"), { status: 815, message: "the client is closed" });
  await client.close();
  await waiting;
  server.mute = true;
  const other = server.client();
  const refused = assert.rejects(other.ready, { message: "the client is closed" });
  await other.close();
  await refused;
  await pass(60_000, 1000);
  assert.equal(server.sockets.length, 2);
});

test("close waits a second for a server that does not answer it", async () => {
  const server = new FakeServer();
  const client = await server.player();
  server.socket.close = () => {};
  let closed = false;
  client.close().then(() => { closed = true; });
  await pass(950);
  assert.ok(!closed);
  await pass(50);
  assert.ok(closed);
});

test("a closed client leaves no timer behind", async () => {
  const timers = new Set();
  const clock = {
    now: () => Date.now(), monotonic: () => 0,
    setTimeout(fn, ms) {
      const timer = setTimeout(() => { timers.delete(timer); fn(); }, ms);
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer) {
      timers.delete(timer);
      clearTimeout(timer);
    },
  };
  for (const [at, before] of Object.entries({
    connected: (client) => client.check(), // and what it waits for
    waiting: (client, server) => server.socket.drop(),
    dialing: async (client, server) => {
      server.mute = true;
      server.socket.drop();
      await pass(500);
    },
    "closed by a listener": async (client, server) => {
      client.on("state", ({ phase }) => { if (phase === "connected") client.close(); });
      server.socket.drop();
      await pass(500);
    },
  })) {
    const server = new FakeServer();
    const client = await server.player({ clock });
    await before(client, server);
    await client.close();
    await settle();
    assert.equal(timers.size, 0, at);
  }
});

test("a listener may close the client when it hears of the connection", async () => {
  const server = new FakeServer();
  server.refuse = true;
  const client = server.client();
  client.on("state", ({ phase }) => { if (phase === "connected") client.close(); });
  const call = assert.rejects(client.call("core.ping"), { status: 815 });
  await settle();
  server.refuse = false;
  await pass(500);
  await call;
  assert.equal(client.state.phase, "closed");
  assert.equal(server.asked("core.ping").length, 0);
});

test("who sees a call answered has seen the connection told, and calls made meanwhile keep their order", async () => {
  const server = new FakeServer();
  server.refuse = true;
  const client = server.client();
  server.answers["users.get"] = ({ data }) => ({ result: data.n });
  const order = [];
  client.on("state", ({ phase }) => {
    if (phase !== "connected") return;
    order.push("connected");
    client.call("users.get", { n: 2 }).then((n) => order.push(n));
  });
  client.call("users.get", { n: 1 }).then((n) => order.push(n));
  await settle();
  server.refuse = false;
  await pass(500);
  assert.deepEqual(order, ["connected", 1, 2]);
});
