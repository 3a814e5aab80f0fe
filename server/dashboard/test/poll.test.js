import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Poll } from "../page/poll.js";

let page;
beforeEach(() => {
  page = new EventTarget();
  page.visibilityState = "visible";
  globalThis.document = page;
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

function turn(visible) {
  page.visibilityState = visible ? "visible" : "hidden";
  page.dispatchEvent(new Event("visibilitychange"));
}

const settled = async () => { for (let i = 0; i < 5; i++) await null; };

test("it runs at once, and again after its time", async () => {
  let runs = 0;
  const poll = new Poll(1000, async () => { runs++; });
  poll.start();
  assert.equal(runs, 1);
  await settled();
  mock.timers.tick(1000);
  assert.equal(runs, 2);
  poll.stop();
});

test("a run that lasts is not overtaken; what was asked for meanwhile comes after it", async () => {
  let runs = 0, end;
  const poll = new Poll(1000, () => { runs++; return new Promise((resolve) => { end = resolve; }); });
  poll.start();
  mock.timers.tick(5000);
  assert.equal(runs, 1);
  poll.now();
  poll.now();
  assert.equal(runs, 1);
  end();
  await settled();
  assert.equal(runs, 2);
  poll.stop();
});

test("it rests while the page is hidden, and runs at once when it is seen again", async () => {
  let runs = 0;
  const poll = new Poll(1000, async () => { runs++; });
  poll.start();
  await settled();
  turn(false);
  mock.timers.tick(60_000);
  assert.equal(runs, 1);
  turn(true);
  assert.equal(runs, 2);
  poll.stop();
});

test("once stopped it runs no more, not even what was under way", async () => {
  let runs = 0, end;
  const poll = new Poll(1000, () => { runs++; return new Promise((resolve) => { end = resolve; }); });
  poll.start();
  poll.now();
  poll.stop();
  end();
  await settled();
  mock.timers.tick(60_000);
  turn(true);
  assert.equal(runs, 1);
});
