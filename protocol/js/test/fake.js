// A server and a WebSocket for specs: nothing leaves the process, and time
// passes only where a spec says so.
import { mock } from "node:test";
import { Client, connect } from "../rollcall.js";

export const KEY = "the-server-key";
export const ADMIN = { name: "admin", password: "the-admin-password" };
export const USER_ID = "289bc36e-0df7-44df-99b1-a6543c6f45eb";
export const PING_MS = 25_000;

export const login = (token = "token-1", more = {}) => ({
  active: true, scope: "Space Race", user_id: USER_ID, username: "tiny", validated: true, ...more,
  session: { token, expires_at: "2026-12-01T12:00:00.000Z" },
});

/** Lets everything happen that needs no time. */
export const settle = () => new Promise((resolve) => { setImmediate(resolve); });

/** Takes timers and the date over; to be called before each spec. */
export function stopTime() {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_795_000_000_000 });
}

/** Lets time pass, in steps, with everything that happens meanwhile. */
export async function pass(ms, step = 50) {
  await settle();
  for (let left = ms; left > 0; left -= step) {
    mock.timers.tick(Math.min(step, left));
    await settle();
  }
}

/** The machine sleeps: time passes and no timer fires until it is awake. */
export async function sleep(ms) {
  mock.timers.setTime(Date.now() + ms);
  mock.timers.tick(0);
  await settle();
}

export class FakeServer {
  sockets = []; // all that were ever opened
  requests = []; // {id, type, data, socket}
  refuse = false; // handshakes fail
  mute = false; // nothing is answered, not even a handshake
  sessions = new Set(["token-1"]); // that can be resumed
  /** Answers by type: a function of the request that returns {result} or {error, status}, or undefined for none. */
  answers = {
    "core.init": ({ data }) => ({
      result: {
        session_id: "n1-1", scope: data.scope, server_time: "2026-11-24T10:00:00.000Z", ping_interval_ms: PING_MS,
        user: this.sessions.has(data.session) ? login(data.session) : undefined,
      },
    }),
    "admin.login": () => ({ result: { name: "admin", role: "owner", token: "admin-token", expires_at: "2026-12-01T12:00:00.000Z" } }),
    "core.ping": () => ({ result: "pong" }),
  };
  #heard = new Set();

  constructor() {
    const server = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url, protocols) {
        super(server, url, protocols);
      }
    };
  }

  /** The present connection. */
  get socket() { return this.sockets.at(-1); }

  asked(type) { return this.requests.filter((request) => request.type === type); }

  /** Resolves to the nth request of a type. */
  async request(type, n = 1) {
    for (;;) {
      const found = this.asked(type)[n - 1];
      if (found) return found;
      await new Promise((resolve) => { this.#heard.add(resolve); });
    }
  }

  hear(socket, text) {
    const request = { ...JSON.parse(text), socket, text };
    this.requests.push(request);
    const answer = this.mute ? undefined : this.answers[request.type]?.(request);
    if (answer) queueMicrotask(() => socket.deliver({ id: request.id, type: request.type, ...answer }));
    for (const resolve of this.#heard) resolve();
    this.#heard.clear();
  }

  reply(request, answer) {
    request.socket.deliver({ id: request.id, type: request.type, ...answer });
  }

  options(more = {}) {
    return { server: "wss://example.com", WebSocket: this.WebSocket, backoff: { random: () => 1 }, ...more };
  }

  player(more = {}) { return connect(this.options({ scope: "Space Race", key: KEY, ...more })); }

  admin(more = {}) { return connect(this.options({ admin: ADMIN, ...more })); }

  /** A client that may still have to connect. */
  client(more = {}) { return new Client(this.options({ scope: "Space Race", key: KEY, ...more })); }
}

class FakeSocket {
  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  #server;

  constructor(server, url, protocols) {
    this.#server = server;
    this.url = url;
    this.protocols = protocols;
    server.sockets.push(this);
    queueMicrotask(() => {
      if (server.mute || this.readyState !== 0) return;
      if (server.refuse) return this.drop();
      this.readyState = 1;
      this.onopen?.({});
    });
  }

  send(text) {
    if (this.readyState === 0) throw new DOMException("still connecting", "InvalidStateError");
    if (this.readyState === 1) this.#server.hear(this, text);
  }

  // The server answers the close at once.
  close(code, reason = "") {
    if (this.readyState >= 2) return;
    this.closedWith = code;
    this.readyState = 2;
    queueMicrotask(() => {
      this.readyState = 3;
      this.onclose?.({ code: code ?? 1005, reason });
    });
  }

  // ---- what the server does

  /** Sends a frame: an object, or text as it is. */
  deliver(frame) {
    if (this.readyState === 1) this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  /** The connection breaks. */
  drop() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onerror?.({});
    this.onclose?.({ code: 1006, reason: "" });
  }

  /** The server closes it with a code. */
  end(code, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  bye(code, reason, reconnect, more = {}) {
    this.deliver({ event: "bye", code, reason, reconnect, ...more });
    this.end(code, reason);
  }
}

/** The states that a client goes through from now on, as words. */
export function phases(client) {
  const seen = [];
  client.on("state", ({ phase }) => seen.push(phase));
  return seen;
}
