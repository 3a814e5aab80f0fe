import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { FakeServer, pass, PING_MS, settle, sleep, stopTime } from "./fake.js";

beforeEach(stopTime);

test("a server that is heard of is not asked", async () => {
  const server = new FakeServer();
  const client = await server.player();
  for (let i = 0; i < 20; i++) {
    await pass(PING_MS / 2, 500);
    server.socket.deliver({ event: "something" });
  }
  assert.equal(server.asked("core.ping").length, 0);
  assert.equal(client.heardAt, Date.now());
});

test("silence is asked about after one ping interval, and a pong is a sign of life", async () => {
  const server = new FakeServer();
  const client = await server.player();
  const began = client.heardAt;
  await pass(PING_MS, 500);
  assert.equal(server.asked("core.ping").length, 0);
  await pass(PING_MS, 500);
  assert.equal(server.asked("core.ping").length, 1);
  assert.equal(client.heardAt, began + 1.5 * PING_MS);
  await pass(20 * PING_MS, 500);
  assert.equal(client.state.phase, "connected");
  assert.equal(server.sockets.length, 1);
});

test("after three silent ping intervals the connection is given up", async () => {
  const server = new FakeServer();
  const client = await server.player();
  server.answers["core.ping"] = () => undefined;
  await pass(3 * PING_MS - 500, 500);
  assert.equal(client.state.phase, "connected");
  await pass(500, 500);
  assert.equal(client.state.phase, "waiting");
  assert.match(client.state.error.message, /three ping intervals/);
  await pass(500);
  assert.equal(client.state.phase, "connected");
  assert.equal(server.sockets.length, 2);
});

test("an admin's connection is looked after too, though the server names no interval", async () => {
  const server = new FakeServer();
  const client = await server.admin();
  server.answers["core.ping"] = () => undefined;
  await pass(75_000, 500);
  assert.equal(client.state.phase, "waiting");
});

test("after a sleep the server is asked at once, and silence from before says nothing", async () => {
  const server = new FakeServer();
  const client = await server.player();
  await pass(1000, 500);
  await sleep(3_600_000);
  assert.equal(client.state.phase, "connected");
  assert.equal(server.asked("core.ping").length, 1);
  await pass(10_000, 500);
  assert.equal(client.state.phase, "connected");
  assert.equal(server.sockets.length, 1);
});

test("a connection that did not survive a sleep is dropped after five seconds", async () => {
  const server = new FakeServer();
  const client = await server.player();
  server.answers["core.ping"] = () => undefined;
  await sleep(3_600_000);
  await pass(4950);
  assert.equal(client.state.phase, "connected");
  await pass(50);
  assert.equal(client.state.phase, "waiting");
  assert.equal(server.asked("core.ping").length, 1);
});

test("check asks now, once at a time, and drops what stays silent", async () => {
  const server = new FakeServer();
  const client = await server.player();
  client.check();
  client.check();
  await pass(6000);
  assert.equal(server.asked("core.ping").length, 1);
  assert.equal(client.state.phase, "connected");
  server.answers["core.ping"] = () => undefined;
  client.check();
  await pass(5000);
  assert.equal(client.state.phase, "waiting");
  client.check(); // ends the pause
  await settle();
  assert.equal(client.state.phase, "connected");
});

test("a clock that is set back does not hide a server's silence", async () => {
  const server = new FakeServer();
  const clock = { offset: 0, now: () => Date.now() + clock.offset, monotonic: () => 0, setTimeout: (fn, ms) => setTimeout(fn, ms), clearTimeout: (timer) => clearTimeout(timer) };
  const client = await server.player({ clock });
  server.answers["core.ping"] = () => undefined;
  clock.offset = -3_600_000;
  await pass(PING_MS, 500);
  assert.equal(server.sockets.length, 2);
  assert.equal(client.state.phase, "connected");
});

class CountingTarget extends EventTarget {
  listeners = 0;
  addEventListener(...args) {
    this.listeners++;
    super.addEventListener(...args);
  }
  removeEventListener(...args) {
    this.listeners--;
    super.removeEventListener(...args);
  }
}

/** A window and a document that do nothing but dispatch. */
function page() {
  const window = new CountingTarget();
  const document = new CountingTarget();
  document.visibilityState = "hidden";
  globalThis.addEventListener = window.addEventListener.bind(window);
  globalThis.removeEventListener = window.removeEventListener.bind(window);
  globalThis.document = document;
  return {
    get listeners() { return window.listeners + document.listeners; },
    online: () => window.dispatchEvent(new Event("online")),
    turn(state) {
      document.visibilityState = state;
      document.dispatchEvent(new Event("visibilitychange"));
    },
    close() {
      delete globalThis.addEventListener;
      delete globalThis.removeEventListener;
      delete globalThis.document;
    },
  };
}

test("in a browser the event online, and a tab that is shown again, are wake-ups", async () => {
  const browser = page();
  try {
    const server = new FakeServer();
    const client = await server.player();
    browser.turn("hidden");
    assert.equal(server.asked("core.ping").length, 0);
    browser.turn("visible");
    assert.equal(server.asked("core.ping").length, 1);
    await pass(6000);
    browser.online();
    assert.equal(server.asked("core.ping").length, 2);
    server.socket.drop();
    browser.online();
    await settle();
    assert.equal(client.state.phase, "connected");
    assert.equal(browser.listeners, 2);
    await client.close();
    assert.equal(browser.listeners, 0);
    browser.online();
    browser.turn("visible");
    await pass(6000);
    assert.equal(server.sockets.length, 2);
  } finally {
    browser.close();
  }
});
