import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CloseCode, Status, Subscription } from "../rollcall.js";
import { FakeServer, pass, settle, stopTime } from "./fake.js";

// The semantics are those of the Go client; see protocol/client/subscribe_test.go.

beforeEach(stopTime);

/** A position in epoch e1, at the event that event makes. */
const at = (seq) => ({ seq, epoch: "e1", event_id: `id-${seq}` });

const event = (scope, seq, more = {}) => ({
  event: "user.login", scope, seq, epoch: "e1", event_id: `id-${seq}`, time: "2026-11-24T10:00:00.000Z", data: { username: "tiny" }, ...more,
});

const enrols = (answer, ...frames) => ({ result: { subscription: "s1", recovered: true, ...answer }, frames });
const refuses = (status, more = {}) => ({ error: "refused", status, ...more });

/** A server that gives the first answer to the first admin.subscribe, and so on; the last one stays. */
function feedServer(...answers) {
  const server = new FakeServer();
  server.answers["admin.subscribe"] = ({ id, socket }) => {
    const { frames = [], ...answer } = answers[Math.min(server.asked("admin.subscribe").length, answers.length) - 1] ?? {};
    queueMicrotask(() => {
      if (Object.keys(answer).length === 0) return; // no answer at all
      socket.deliver({ id, type: "admin.subscribe", ...answer });
      for (const frame of frames) socket.deliver(frame);
    });
  };
  server.answers["admin.unsubscribe"] = () => ({ result: true });
  server.asks = () => server.asked("admin.subscribe").map(({ data }) => data);
  return server;
}

/** What a subscription hands out, in one order, as text. */
class Watcher {
  all = [];
  options = (more) => ({
    scope: "*",
    onEvent: ({ scope, seq }) => this.all.push(`${scope} ${seq}`),
    onResume: ({ awayMs, recovered, lost, follow }) => this.all.push(`resumed away ${awayMs} recovered ${recovered} lost [${lost}] follow ${follow}`),
    ...more,
  });
  saw(...lines) {
    assert.deepEqual(this.all, lines);
    this.all = [];
  }
}

async function subscribed(server, more) {
  const watcher = new Watcher();
  const client = await server.admin();
  client.on("push", ({ event, scope, seq }) => watcher.all.push(`nobody's ${event} ${scope} ${seq}`));
  const subscription = await client.subscribe(watcher.options(more));
  await settle();
  return { watcher, client, subscription };
}

/** Cuts the connection and waits until the client is back. */
async function away(server) {
  server.socket.drop();
  await pass(500);
}

test("a subscription hands out what follows its answer, in batches or not", async () => {
  const server = feedServer(enrols({ heads: { A: at(7) } }, event("A", 8), [event("A", 9), event("B", 1)]));
  const { watcher, subscription } = await subscribed(server, { events: ["user.login"] });
  watcher.saw("A 8", "A 9", "B 1");
  assert.deepEqual(subscription.positions(), { A: at(9), B: at(1) });
  assert.deepEqual(server.asks(), [{ scope: "*", events: ["user.login"], batch: true }]);
  assert.ok(subscription instanceof Subscription);
});

test("events tell whether they are live", async () => {
  const server = feedServer(
    enrols({ heads: { A: at(7) } }, event("A", 6), event("A", 7), event("A", 8)),
    enrols({ heads: { A: at(10) } }, event("A", 9), event("A", 10), event("A", 11), event("B", 1), event("A", 12, { epoch: "e2" })));
  const seen = [];
  await subscribed(server, { last: 2, onEvent: ({ scope, seq }, live) => seen.push(`${scope} ${seq} ${live}`) });
  await away(server);
  assert.deepEqual(seen, ["A 6 false", "A 7 false", "A 8 true", "A 9 false", "A 10 false", "A 11 true", "B 1 true", "A 12 true"]);
});

test("a backlog is handed out though it is behind the head, and is not asked for again", async () => {
  const server = feedServer(enrols({ heads: { A: at(7), B: at(3) } }, event("A", 6)));
  const { watcher, subscription } = await subscribed(server, { last: 5, batch: false });
  watcher.saw("A 6");
  server.socket.deliver({ event: "feed.head", scope: "B", seq: 2, epoch: "e1" }); // no event of a backlog
  assert.deepEqual(subscription.positions(), { A: at(6), B: at(3) }); // where the backlog breaks off
  await away(server);
  assert.deepEqual(server.asks(), [{ scope: "*", batch: false, last: 5 }, { scope: "*", batch: false, since: { A: at(6), B: at(3) } }]);
});

test("after a loss it goes on behind the last event", async () => {
  const server = feedServer(
    enrols({ heads: { A: at(7), B: at(3) } }, event("A", 8)),
    enrols({ subscription: "s2", heads: { A: at(10), B: at(3), C: at(1) } }, event("A", 9), event("A", 10), event("C", 1), event("C", 2)));
  const { watcher, subscription } = await subscribed(server);
  watcher.saw("A 8");
  await away(server);
  watcher.saw("resumed away 500 recovered true lost [] follow 2", "A 9", "A 10", "C 1", "C 2");
  assert.deepEqual(server.asks()[1].since, { A: at(8), B: at(3) });
  assert.deepEqual(subscription.positions(), { A: at(10), B: at(3), C: at(2) });
});

test("no event is handed out twice or out of order", async () => {
  const server = feedServer(
    enrols({ heads: { A: at(7) } }, event("A", 8), event("A", 8), event("A", 9)),
    enrols({ heads: { A: at(10) } }, event("A", 8), event("A", 9), event("A", 10), event("A", 4), event("A", 11)));
  const { watcher } = await subscribed(server, { scope: "A" });
  watcher.saw("A 8", "A 9");
  await away(server);
  watcher.saw("resumed away 500 recovered true lost [] follow 1", "A 10", "A 11");
});

test("a feed without events has a position too", async () => {
  const server = feedServer(
    enrols({ heads: { A: { seq: 0, epoch: "" }, B: { seq: 0, epoch: "" } } }, event("B", 1)),
    enrols({ heads: { A: at(2), B: at(1) } }, event("A", 1), event("A", 2)));
  const { watcher } = await subscribed(server);
  watcher.saw("B 1");
  await away(server);
  watcher.saw("resumed away 500 recovered true lost [] follow 2", "A 1", "A 2");
  assert.deepEqual(server.asks()[1].since, { A: { seq: 0, epoch: "" }, B: at(1) });
});

test("with a filter how many follow is unknown", async () => {
  const server = feedServer(enrols({ heads: { A: at(7) } }));
  const { watcher } = await subscribed(server, { events: ["user.login"] });
  await away(server);
  watcher.saw("resumed away 500 recovered true lost [] follow -1");
});

test("a history that no longer reaches back is told, and where things go on", async () => {
  const e2 = { seq: 900, epoch: "e2", event_id: "x" };
  const server = feedServer(
    enrols({ heads: { A: at(7), B: at(3), C: at(5) } }),
    enrols({ recovered: false, lost: ["C", "A"], heads: { A: e2, B: at(4) } }, event("B", 4)));
  const { watcher, subscription } = await subscribed(server);
  await away(server);
  watcher.saw("resumed away 500 recovered false lost [A,C] follow 1", "B 4");
  assert.deepEqual(subscription.positions(), { A: e2, B: at(4) });
});

test("events that a live feed loses are told, and so is another epoch", async () => {
  const server = feedServer(enrols({ heads: { A: at(7), B: at(3) } }));
  const { watcher, subscription } = await subscribed(server);
  for (const frame of [{ event: "feed.lost", scope: "A", seq: 20, epoch: "e1" }, event("A", 20), event("A", 21)]) server.socket.deliver(frame);
  watcher.saw("resumed away 0 recovered false lost [A] follow 0", "A 21");
  server.socket.deliver({ event: "feed.lost", scope: "A", seq: 21, epoch: "e1" }); // where it is anyway
  watcher.saw();
  server.socket.deliver([event("B", 5, { epoch: "e2", event_id: "y" }), { event: "feed.lost", scope: "B", seq: 5, epoch: "e2" }]);
  watcher.saw("resumed away 0 recovered false lost [B] follow 0", "B 5");
  assert.deepEqual(subscription.positions(), { A: at(21), B: { seq: 5, epoch: "e2", event_id: "y" } });
});

test("a head advances the position of a filtered subscription", async () => {
  const server = feedServer(enrols({ heads: { A: at(7) } }, event("A", 9)));
  const { watcher, subscription } = await subscribed(server, { scope: "A", events: ["user.login"] });
  watcher.saw("A 9");
  server.socket.deliver({ event: "feed.head", scope: "A", seq: 9, epoch: "e1" });
  assert.deepEqual(subscription.positions(), { A: at(9) }); // the event's id is kept
  server.socket.deliver({ event: "feed.head", scope: "A", seq: 30, epoch: "e1" });
  assert.deepEqual(subscription.positions(), { A: { seq: 30, epoch: "e1" } });
  await away(server);
  assert.deepEqual(server.asks()[1].since, { A: { seq: 30, epoch: "e1" } });
});

test("a subscription continues from given positions of its own scope", async () => {
  const server = feedServer(enrols({ heads: { A: at(7) } }, event("A", 6), event("A", 7)));
  const { watcher } = await subscribed(server, { scope: "A", since: { A: at(5), another: at(1) } });
  watcher.saw("resumed away 0 recovered true lost [] follow 2", "A 6", "A 7");
  assert.deepEqual(server.asks()[0], { scope: "A", batch: true, since: { A: at(5) } });
});

test("positions too many for one message count as lost", async () => {
  const heads = {};
  const since = {};
  for (let i = 0; i < 2000; i++) {
    const name = `scope-${String(i).padStart(4, "0")}`;
    heads[name] = at(7);
    since[name] = at(5);
  }
  const server = feedServer(enrols({ heads }));
  let resumed;
  await subscribed(server, { since, onResume: (r) => { resumed = r; } });
  const [request] = server.asked("admin.subscribe");
  const told = Object.keys(request.data.since).length;
  assert.ok(told > 500 && request.text.length <= 32 << 10);
  assert.deepEqual(request.data.since["scope-0000"], { seq: 5, epoch: "e1" });
  assert.ok(!resumed.recovered);
  assert.equal(resumed.lost.length, 2000 - told);
  assert.equal(resumed.lost[0], `scope-${String(told).padStart(4, "0")}`);
  assert.equal(resumed.follow, 2 * told);
});

test("a scope may have any name", async () => {
  const name = "__proto__";
  const server = feedServer({ result: JSON.parse(`{"subscription":"s1","recovered":true,"heads":{"${name}":{"seq":7,"epoch":"e1","event_id":"id-7"}}}`) });
  const { watcher, subscription } = await subscribed(server);
  server.socket.deliver(event(name, 8));
  watcher.saw(`${name} 8`);
  assert.deepEqual(Object.entries(subscription.positions()), [[name, at(8)]]);
  await away(server);
  assert.ok(server.asked("admin.subscribe")[1].text.includes(`"since":{"${name}":{"seq":8`));
});

for (const status of [Status.UNAVAILABLE, Status.BUSY, Status.TOO_MANY_REQUESTS]) {
  test(`a temporary refusal (${status}) is repeated`, async () => {
    const server = feedServer(
      enrols({ heads: { A: at(7) } }),
      refuses(status, { temporary: true, retry_after_ms: 3000 }), refuses(status, { temporary: true }),
      enrols({ heads: { A: at(8) } }, event("A", 8)));
    const { watcher, subscription } = await subscribed(server, { scope: "A" });
    server.socket.drop();
    await pass(10_000);
    // A pause of 0.5 s to reconnect, 3.5 s and 1 s to subscribe.
    watcher.saw("resumed away 5000 recovered true lost [] follow 1", "A 8");
    assert.equal(server.asks().length, 4);
    assert.equal(subscription.error, undefined);
  });
}

test("a pause before it asks again is kept over a loss, and pauses start anew once it is enrolled", async () => {
  const busy = refuses(Status.BUSY, { temporary: true, retry_after_ms: 2000 });
  const server = feedServer(enrols({ heads: {} }), busy, busy, enrols({ heads: {} }), busy, enrols({ heads: {} }));
  const { client } = await subscribed(server);
  await away(server); // 2.5 s until it asks again
  assert.equal(server.asks().length, 2);
  await pass(500);
  server.socket.drop();
  await pass(1000);
  assert.equal(client.state.phase, "connected");
  assert.equal(server.asks().length, 2);
  await pass(1000);
  assert.equal(server.asks().length, 3);
  await pass(3000);
  assert.equal(server.asks().length, 4);
  server.socket.drop();
  await pass(2000);
  assert.equal(server.asks().length, 5);
  await pass(2500);
  assert.equal(server.asks().length, 6);
});

test("a connection that is lost while it asks again is no reason to end", async () => {
  const server = feedServer(enrols({ heads: { A: at(7) } }), undefined, enrols({ heads: { A: at(8) } }, event("A", 8)));
  const { watcher } = await subscribed(server);
  await away(server);
  assert.equal(server.asks().length, 2);
  server.socket.drop();
  await pass(2000);
  watcher.saw("resumed away 1500 recovered true lost [] follow 1", "A 8");
  assert.equal(server.asks().length, 3);
});

for (const status of [Status.NOT_PERMITTED, Status.SESSION_INVALID, Status.SCOPE_NOT_FOUND]) {
  test(`a refusal for good (${status}) ends the subscription`, async () => {
    const server = feedServer(enrols({ heads: { A: at(7) } }), refuses(status));
    const { watcher, client, subscription } = await subscribed(server);
    await away(server);
    await subscription.done;
    assert.equal(subscription.error.status, status);
    server.socket.deliver(event("A", 8));
    watcher.saw("nobody's user.login A 8");
    await assert.rejects(client.subscribe(watcher.options()), { status });
    assert.equal(server.asks().length, 3);
  });
}

test("the first refusal is returned, and so is an answer of another form", async () => {
  const server = feedServer(refuses(Status.UNAVAILABLE, { temporary: true }), { result: [1] }, { result: { subscription: "s1" } }, enrols({ heads: {} }));
  const watcher = new Watcher();
  const client = await server.admin();
  for (const status of [Status.UNAVAILABLE, Status.RESULT_INVALID, Status.RESULT_INVALID]) await assert.rejects(client.subscribe(watcher.options()), { status });
  await client.subscribe(watcher.options());
  assert.equal(server.sockets.length, 1);
});

test("close unsubscribes and hands out nothing more", async () => {
  const server = feedServer(enrols({ heads: { A: at(7) } }));
  const { watcher, client, subscription } = await subscribed(server, { scope: "A" });
  await assert.rejects(client.subscribe(watcher.options()), /already/);
  const closed = subscription.close();
  server.socket.deliver(event("A", 8));
  assert.deepEqual(subscription.positions(), { A: at(7) });
  await closed;
  await subscription.done;
  assert.equal(subscription.error, undefined);
  assert.deepEqual(server.asked("admin.unsubscribe").map(({ data }) => data), [{ subscription: "s1" }]);
  server.socket.deliver(event("A", 9));
  watcher.saw("nobody's user.login A 9");
  await away(server);
  assert.equal(server.asks().length, 1);
  await client.subscribe(watcher.options({ scope: "B" }));
  await subscription.close();
});

test("a subscribe right behind a close waits for its end", async () => {
  const server = feedServer(enrols({ heads: {} }), enrols({ subscription: "s2", heads: {} }, event("A", 1)));
  const { watcher, client, subscription } = await subscribed(server);
  subscription.close();
  await client.subscribe(watcher.options());
  await settle();
  watcher.saw("A 1");
});

test("an unsubscribe that is not answered gives the connection up", async () => {
  const server = feedServer(enrols({ heads: {} }));
  const { client, subscription } = await subscribed(server);
  server.answers["admin.unsubscribe"] = () => undefined;
  const closed = subscription.close();
  await pass(5000);
  await closed;
  assert.equal(subscription.error, undefined);
  assert.equal(client.state.phase, "waiting");
  server.answers["admin.unsubscribe"] = () => ({ error: "no such subscription", status: 802 });
  await pass(1000);
  const again = await client.subscribe(new Watcher().options());
  const { socket } = server;
  await again.close();
  assert.notEqual(socket.readyState, 1);
});

test("close during an outage, or a pause before asking again, ends at once", async () => {
  const server = feedServer(enrols({ heads: {} }), refuses(Status.BUSY, { temporary: true, retry_after_ms: 60_000 }), enrols({ heads: {} }));
  const { client, subscription, watcher } = await subscribed(server);
  await away(server);
  await subscription.close();
  const other = await client.subscribe(watcher.options());
  server.socket.drop();
  await other.close();
  assert.equal(other.error, undefined);
  assert.equal(server.asked("admin.unsubscribe").length, 0);
});

test("a subscribe that is given up leaves no subscription", async () => {
  const server = feedServer(undefined, enrols({ subscription: "s2", heads: { A: at(8) } }, event("A", 9)));
  const watcher = new Watcher();
  const client = await server.admin();
  const stop = new AbortController();
  const given = client.subscribe(watcher.options({ signal: stop.signal }));
  const request = await server.request("admin.subscribe");
  stop.abort(new Error("enough"));
  await assert.rejects(given, /enough/);
  const next = client.subscribe(watcher.options()); // waits for the end of the first
  server.reply(request, { result: { subscription: "s1", recovered: true, heads: { A: at(7) } } });
  server.socket.deliver(event("A", 8));
  await next;
  await settle();
  watcher.saw("A 9");
  assert.deepEqual(server.asked("admin.unsubscribe").map(({ data }) => data), [{ subscription: "s1" }]);
  assert.equal(server.sockets.length, 1);
  await assert.rejects(client.subscribe(watcher.options({ signal: stop.signal })), /enough/);
});

test("a connection that may still be subscribed is given up", async () => {
  const server = feedServer(undefined);
  const client = await server.admin();
  const stop = new AbortController();
  const given = assert.rejects(client.subscribe(new Watcher().options({ signal: stop.signal })), /enough/);
  await server.request("admin.subscribe");
  stop.abort(new Error("enough"));
  await given;
  await pass(10_000);
  assert.equal(server.sockets.length, 2);
  assert.equal(server.asks().length, 1);
});

test("a subscribe waits for the connection", async () => {
  const server = feedServer(enrols({ heads: {} }, event("A", 1)));
  server.refuse = true;
  const client = server.client({ scope: undefined, key: undefined, admin: { token: "t" } });
  const watcher = new Watcher();
  const subscribing = client.subscribe(watcher.options());
  await pass(400);
  server.refuse = false;
  await pass(100);
  await subscribing;
  watcher.saw("A 1");
});

for (const [how, end] of [
  ["closed", (server, client) => client.close()],
  ["kicked", (server) => server.socket.bye(CloseCode.SESSION_ENDED, "session ended", false)],
]) {
  test(`the end of the client ends its subscription: ${how}`, async () => {
    const server = feedServer(enrols({ heads: {} }));
    const { watcher, client, subscription } = await subscribed(server);
    end(server, client);
    await subscription.done;
    assert.equal(subscription.error, client.state.error);
    await assert.rejects(client.subscribe(watcher.options()), { status: 815 });
  });
}

test("pushes of no subscription go to the listeners of push", async () => {
  const early = { result: { subscription: "s1", recovered: true, heads: { A: at(8) } }, frames: [event("A", 8)] };
  const server = feedServer(early);
  const answer = server.answers["admin.subscribe"];
  server.answers["admin.subscribe"] = (request) => {
    queueMicrotask(() => request.socket.deliver(event("A", 7))); // before the answer: not this subscription's
    return answer(request);
  };
  const { watcher } = await subscribed(server, { scope: "A" });
  server.socket.deliver([event("B", 1), { event: "something.else" }]);
  watcher.saw("nobody's user.login A 7", "A 8", "nobody's user.login B 1", "nobody's something.else undefined undefined");
});

test("an event counts once onEvent has returned, and an exception neither stops nor repeats anything", async () => {
  const server = feedServer(enrols({ heads: { A: at(7) } }));
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    const seen = [];
    const { subscription } = await subscribed(server, {
      onEvent({ seq }) {
        seen.push([seq, subscription.positions().A.seq]);
        if (seq === 8) throw new Error("in onEvent");
      },
      onResume() { throw new Error("in onResume"); },
    });
    server.socket.deliver([event("A", 8), event("A", 9)]);
    assert.deepEqual(seen, [[8, 7], [9, 8]]);
    await away(server);
    assert.deepEqual(reported, ["in onEvent", "in onResume"]);
    assert.deepEqual(JSON.parse(JSON.stringify(subscription.positions())), { A: at(9) });
  } finally {
    delete globalThis.reportError;
  }
});

test("a subscription, or a client, that is closed within onEvent hands out no more of the batch", async () => {
  for (const stop of [({ subscription }) => subscription.close(), ({ client }) => client.close()]) {
    const server = feedServer(enrols({ heads: { A: at(7) } }));
    const seen = [];
    const all = await subscribed(server, {
      onEvent({ seq }) {
        seen.push(seq);
        if (seq === 9) stop(all);
      },
    });
    server.socket.deliver([8, 9, 10, 11].map((seq) => event("A", seq)));
    await settle();
    assert.deepEqual(seen, [8, 9]);
    all.watcher.saw();
  }
});

test("options that make no sense are refused", async () => {
  const client = await feedServer().admin();
  for (const options of [undefined, {}, { scope: "A" }, { onEvent() {} }]) await assert.rejects(client.subscribe(options), TypeError);
  assert.throws(() => new Subscription(), TypeError);
});

// A feed of one scope that grows and has all of its history.
test("over many losses every event comes once and in order", async () => {
  const server = new FakeServer();
  let head = 0;
  const subscribers = new Set();
  server.answers["admin.subscribe"] = ({ id, data, socket }) => {
    queueMicrotask(() => {
      socket.deliver({ id, result: { subscription: "s", recovered: true, heads: { A: at(head) } } });
      for (let seq = (data.since?.A.seq ?? head) + 1; seq <= head; seq++) socket.deliver(event("A", seq));
      subscribers.add(socket);
    });
  };
  const client = await server.admin({ backoff: { random: () => 0.7 } });
  const got = [];
  let resumed = 0;
  let follow = 0;
  const subscription = await client.subscribe({
    scope: "A", onEvent: ({ seq }) => got.push(seq), onResume: (r) => { resumed++; follow += r.follow; },
  });
  await settle();
  const EVENTS = 5000;
  for (let i = 0; i < EVENTS; i++) {
    head++;
    for (const socket of subscribers) socket.deliver(event("A", head));
    if (i % 7 === 0) await pass(140, 70);
    if (i % 250 === 50) server.socket.drop();
    if (i % 250 === 180) server.socket.bye(CloseCode.TOO_SLOW, "too slow", true);
  }
  await pass(60_000, 500);
  assert.deepEqual(got, Array.from({ length: EVENTS }, (_, i) => i + 1));
  assert.ok(resumed >= 4 && follow > 0, `resumed ${resumed} times with ${follow} events`);
  assert.deepEqual(subscription.positions(), { A: at(EVENTS) });
});
