/**
 * The SDK of Rollcall: user accounts, sessions, presence and a live login feed
 * over one WebSocket, for browsers, Node and HTML5 games.
 *
 *     import { connect } from "./rollcall.js";
 *     const client = await connect({ server: "wss://example.com", scope: "Space Race", key });
 *     const user = await client.users.login({ username: "tiny", password: "abcd1234" });
 *
 * One module, no dependency, no build step. rollcall.d.ts describes the API,
 * messages.d.ts the messages, README.md how to use both.
 *
 * @module rollcall
 */

// ---------------------------------------------------------------- constants

// <generated> by go generate ./protocol; do not edit.
/** The statuses of errors. */
export const Status = Object.freeze({
  USER_EXISTS: 600, // user already exists
  USER_NOT_CREATED: 601, // user could not be created
  PASSWORD_INVALID: 603, // password invalid
  USER_NOT_FOUND: 604, // user not found
  SERVER_LOGIN_REQUIRED: 605, // user requires server-side login
  NOT_PERMITTED: 606, // not permitted
  SESSION_INVALID: 607, // session token invalid or expired
  USER_BANNED: 608, // user banned
  PASSWORD_NEEDED: 610, // password needed once
  PENDING_NOT_FOUND: 614, // pending user not found
  PROVIDER_EXISTS: 620, // provider already exists for the user
  PROVIDER_NOT_FOUND: 624, // provider does not exist
  PROOF_REJECTED: 625, // provider proof rejected
  EMAIL_NOT_SENT: 701, // email could not be sent
  EMAIL_NOT_CONFIGURED: 702, // email not configured or invalid configuration
  EMAIL_INVALID: 704, // email address not found or invalid
  RESULT_INVALID: 800, // result invalid
  WRONG_TYPE: 801, // mismatched parameter type
  OUT_OF_BOUNDS: 802, // parameter out of bounds
  MISSING: 804, // required parameter missing
  UNKNOWN_TYPE: 805, // unknown type
  OUT_OF_ORDER: 806, // out of order: core.init first, and once
  TOO_MANY_REQUESTS: 807, // too many requests
  WRONG_KEY: 808, // wrong key
  BUSY: 809, // busy
  GENERAL: 810, // general error
  UNAVAILABLE: 815, // network or storage unavailable
  IO: 820, // IO error
  DECODE_FAILED: 830, // JSON decode failed
  ENCODE_FAILED: 831, // JSON encode failed
  SCOPE_EXISTS: 1000, // scope exists
  SCOPE_NOT_FOUND: 1004, // scope not found
  UNKNOWN: -1, // unknown error
});

/** The codes with which a server closes a connection. From 4500 on it does not want the client back. */
export const CloseCode = Object.freeze({
  DRAINING: 4001,
  TOO_SLOW: 4002,
  SILENT: 4003,
  OVERLOADED: 4004,
  REPLACED: 4501,
  KICKED: 4502,
  BANNED: 4503,
  NO_INIT: 4504,
  PROTOCOL_ABUSE: 4505,
  SESSION_ENDED: 4506,
});

// The messages that are functions of client.users and client.admin.
const METHODS = [
  "admin.admins.create", "admin.admins.delete", "admin.admins.list", "admin.admins.setPassword",
  "admin.logout", "admin.nodes", "admin.scopes.create", "admin.scopes.delete", "admin.scopes.deliveries",
  "admin.scopes.list", "admin.scopes.update", "admin.server", "admin.sessions.kick", "admin.sessions.list",
  "admin.stats", "admin.users.ban", "admin.users.confirmLink", "admin.users.create", "admin.users.delete",
  "admin.users.export", "admin.users.get", "admin.users.import", "admin.users.list",
  "admin.users.resendConfirmation", "admin.users.resetLink", "admin.users.sendPasswordReset",
  "admin.users.unban", "admin.users.update", "users.accessTokenExpired", "users.addAuthProvider",
  "users.create", "users.delete", "users.get", "users.getAuthProvider", "users.login", "users.logout",
  "users.presence", "users.removeAuthProvider", "users.resendConfirmation", "users.resume",
  "users.sendPasswordReset", "users.update", "users.updateAuthProvider", "users.updateTokenExpiry",
];

// Those that are meant for a logged-in client.
const NEEDS_LOGIN = new Set([
  "users.accessTokenExpired", "users.addAuthProvider", "users.delete", "users.get", "users.getAuthProvider",
  "users.logout", "users.presence", "users.removeAuthProvider", "users.resendConfirmation", "users.update",
  "users.updateAuthProvider", "users.updateTokenExpiry",
]);
// </generated>

const SUBPROTOCOL = "rollcall.v1";
const ALL_SCOPES = "*";

const MAX_WAITING = 256; // calls that wait for a connection; one more fails with 809
const MAX_REQUEST_BYTES = 32 << 10; // of one frame to the server
const ADMIN_PING_MS = 25_000; // taken for the ping interval of an admin's connection, whose first reply names none
const CHECK_MS = 5_000; // how long check() waits for a sign of life
const UNSUBSCRIBE_MS = 5_000; // how long the end of a subscription waits for its answer
const CLOSE_MS = 1_000; // how long close() waits for the server's close frame

// ------------------------------------------------------------------- errors

/** What the server answers a call with that could not be done, or the SDK in its place. */
export class RollcallError extends Error {
  constructor(status, message, { temporary = false, retryAfterMs = 0, closeCode, reason, idempotencyKey } = {}) {
    super(message);
    this.status = status;
    this.temporary = temporary;
    this.retryAfterMs = retryAfterMs;
    if (closeCode !== undefined) this.closeCode = closeCode;
    if (reason !== undefined) this.reason = reason;
    if (idempotencyKey !== undefined) this.idempotencyKey = idempotencyKey;
  }
}
RollcallError.prototype.name = "RollcallError";

const lost = (text = "connection lost") => new RollcallError(Status.UNAVAILABLE, text, { temporary: true });
const closedHere = () => new RollcallError(Status.UNAVAILABLE, "the client is closed");
const sessionExpired = () => new RollcallError(Status.SESSION_INVALID, "session expired: log in again");

/** The error of a close by the server. It is temporary when the server wants the client back. */
function closedByServer(code, reason, reconnect, retryAfterMs) {
  reason ||= (Object.keys(CloseCode).find((name) => CloseCode[name] === code) ?? "").toLowerCase().replaceAll("_", " ");
  return new RollcallError(Status.UNAVAILABLE, `server closed the connection: ${reason} (${code})`, {
    temporary: reconnect, retryAfterMs, closeCode: code, reason,
  });
}

/**
 * Whether a client comes back after a close code that no bye explained. Of the
 * codes of RFC 6455 those that tell of a mistake of the client's are final.
 */
function comesBack(code) {
  return (code >= 4000 && code <= 4499) || [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014].includes(code);
}

/** Whether there is no sense in another attempt after an error. */
function isFinal(error) {
  if (error.closeCode !== undefined) return !error.temporary;
  switch (error.status) {
    case Status.TOO_MANY_REQUESTS: case Status.BUSY: case Status.GENERAL: case Status.UNAVAILABLE: case Status.IO:
      return false;
  }
  return !error.temporary;
}

/** Tells the page or the process of an exception that came out of a listener, which must not stop us. */
function report(error) {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else queueMicrotask(() => { throw error; });
}

// ---------------------------------------------------------------- passwords

/**
 * What stands for a password on the wire, so that the password itself never
 * leaves the device: lowercase hex of SHA-256("rollcall:v1:" + scope + ":" + password).
 */
export async function passwordHash(scope, password) {
  const text = new TextEncoder().encode(`rollcall:v1:${scope}:${password}`);
  const subtle = globalThis.crypto?.subtle; // only in a secure context: https, localhost, Node
  return hex(subtle ? new Uint8Array(await subtle.digest("SHA-256", text)) : sha256(text));
}

function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

// The first 32 bits of the fractional parts of the cube roots of the first 64
// primes, and of the square roots of the first 8 (FIPS 180-4, 4.2.2 and 5.3.3).
const [SHA256_K, SHA256_H] = (() => {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const fraction = (x) => (x - Math.floor(x)) * 2 ** 32;
  return [Uint32Array.from(primes, (p) => fraction(Math.cbrt(p))), Uint32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)))];
})();

/** SHA-256 (FIPS 180-4, 6.2), for pages without crypto.subtle: games on plain http. */
function sha256(message) {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, message.length << 3);

  const rotr = (x, n) => (x >>> n) | (x << (32 - n));
  const hash = Uint32Array.from(SHA256_H);
  const w = new Uint32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let t = 0; t < 16; t++) w[t] = view.getUint32(block + 4 * t);
    for (let t = 16; t < 64; t++) {
      const s0 = rotr(w[t - 15], 7) ^ rotr(w[t - 15], 18) ^ (w[t - 15] >>> 3);
      const s1 = rotr(w[t - 2], 17) ^ rotr(w[t - 2], 19) ^ (w[t - 2] >>> 10);
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let t = 0; t < 64; t++) {
      const t1 = (h + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + ((e & f) ^ (~e & g)) + SHA256_K[t] + w[t]) | 0;
      const t2 = ((rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0;
      d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((x, i) => { hash[i] += x; });
  }
  const digest = new DataView(new ArrayBuffer(32));
  hash.forEach((x, i) => digest.setUint32(4 * i, x));
  return new Uint8Array(digest.buffer);
}

/** A random key of 128 bits. It need not be secret, so Math.random will do where there is nothing better. */
function randomKey() {
  const bytes = new Uint8Array(16);
  if (globalThis.crypto?.getRandomValues) globalThis.crypto.getRandomValues(bytes);
  else bytes.forEach((_, i) => { bytes[i] = Math.random() * 256; });
  return hex(bytes);
}

// ----------------------------------------------------------- clock and URLs

// Looked up at each use, so that a test may put its own timers in their place.
const systemClock = {
  now: () => Date.now(),
  monotonic: () => globalThis.performance.now(),
  setTimeout: (fn, ms) => globalThis.setTimeout(fn, Math.min(ms, 2 ** 31 - 1)), // more would be no time at all
  clearTimeout: (timer) => globalThis.clearTimeout(timer),
};

/**
 * The pause before an attempt, counted from 1: drawn evenly from
 * 0 … min(maxMs, minMs·2ⁿ⁻¹). Exponential with full jitter: Marc Brooker,
 * "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
function pause({ minMs, maxMs, random }, attempt) {
  return random() * Math.min(maxMs, minMs * 2 ** (attempt - 1));
}

/** The URL to connect to; the page's own origin where none is given. */
function endpoint(server = globalThis.location?.origin) {
  let url;
  try {
    url = new URL(server);
  } catch {
    throw new TypeError(`rollcall: options.server must be a URL, not ${server}`);
  }
  switch (url.protocol) {
    case "ws:": case "wss:": break;
    case "http:": url.protocol = "ws:"; break;
    case "https:": url.protocol = "wss:"; break;
    default: throw new TypeError(`rollcall: options.server has the scheme ${url.protocol} and not ws, wss, http or https`);
  }
  if (url.pathname === "/") url.pathname = "/ws";
  url.hash = ""; // no WebSocket takes one
  return url;
}

/** Whether a frame is beyond what a server reads. A UTF-16 unit is at most three bytes of UTF-8. */
function tooLong(frame) {
  return frame.length * 3 > MAX_REQUEST_BYTES && new TextEncoder().encode(frame).length > MAX_REQUEST_BYTES;
}

/** A request as one frame. It throws a RollcallError where that can't be. */
function encode(id, type, data) {
  let frame;
  try {
    frame = JSON.stringify({ id, type, data });
  } catch {
    throw new RollcallError(Status.ENCODE_FAILED, `${type}: the parameters have no JSON form`);
  }
  if (tooLong(frame)) {
    throw new RollcallError(Status.OUT_OF_BOUNDS, `${type}: a message is at most ${MAX_REQUEST_BYTES} bytes`);
  }
  return frame;
}

// ----------------------------------------------------------- one connection

/**
 * One WebSocket, from the handshake to its loss, and the calls under way on it.
 * It tells its owner, a set of functions: opened(link), result(call, result) before
 * the call's own function, push(link, push), lost(link, error).
 */
class Link {
  interval = 0; // the server's ping interval in ms; 0 while it is unknown
  heardAt;
  dead = false;

  #owner;
  #ws;
  #clock;
  #pending = new Map(); // by id: {type, resolve(result), reject(error), …}
  #first = 0; // id of the first message, whose answer may come without an id
  #frames = 0; // that were heard
  #bye;
  #watchTimer;
  #watchDue; // when it should fire
  #checkTimer;

  constructor(owner, url, WebSocket, clock) {
    this.#owner = owner;
    this.#clock = clock;
    const ws = this.#ws = new WebSocket(url, [SUBPROTOCOL]);
    ws.onopen = () => this.#owner.opened(this);
    ws.onmessage = (event) => this.#read(event.data);
    ws.onclose = (event) => this.drop(this.#why(event.code, event.reason));
    ws.onerror = () => this.drop(this.#why(1006)); // not every implementation closes after it
    this.heardAt = clock.now();
  }

  get writable() { return !this.dead && this.#ws.readyState === 1; }

  /** Sends a frame whose reply belongs to call. */
  send(id, call, frame, isFirst = false) {
    if (isFirst) this.#first = id;
    this.#pending.set(id, call);
    this.#ws.send(frame);
  }

  /** Ends the connection as lost. What the socket does after that is nobody's business. */
  drop(error) {
    if (this.dead) return;
    this.dead = true;
    const ws = this.#ws;
    ws.onopen = ws.onmessage = ws.onclose = null;
    ws.onerror = () => {}; // "ws" throws where nobody listens
    try {
      ws.close();
    } catch { /* closed already */ }
    this.#end();
    this.#owner.lost(this, error);
  }

  /** Ends the connection in good form; the promise resolves when the server has answered the close. */
  close() {
    if (this.dead) return Promise.resolve();
    this.dead = true;
    const ws = this.#ws;
    ws.onopen = ws.onmessage = null;
    const closed = new Promise((resolve) => {
      const timer = this.#clock.setTimeout(resolve, CLOSE_MS);
      ws.onclose = ws.onerror = () => {
        this.#clock.clearTimeout(timer);
        resolve();
      };
    });
    ws.close(1000);
    this.#end();
    return closed;
  }

  #end() {
    this.#clock.clearTimeout(this.#watchTimer);
    this.#clock.clearTimeout(this.#checkTimer);
    for (const call of this.#pending.values()) call.reject(lost());
    this.#pending.clear();
  }

  #why(code, reason) {
    const bye = this.#bye;
    if (bye) return closedByServer(bye.code, bye.reason, bye.reconnect, bye.retry_after_ms);
    if (code === undefined || code === 1006) return lost(this.#frames ? undefined : "the server can't be reached");
    return closedByServer(code, reason, comesBack(code));
  }

  // A frame that can't be read is left out.
  #read(text) {
    this.heardAt = this.#clock.now();
    this.#frames++;
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (Array.isArray(frame)) {
      for (let i = 0; i < frame.length; i++) if (frame[i]?.event) this.#owner.push(this, frame[i]);
    } else if (frame?.event === "bye") {
      this.#bye = frame;
    } else if (frame?.event) {
      this.#owner.push(this, frame);
    } else if (frame) {
      this.#reply(frame);
    }
  }

  #reply(frame) {
    const id = frame.id ?? this.#first;
    const call = this.#pending.get(id);
    if (!call) return; // the answer to a ping of ours, or nobody waits for it any more
    if (frame.error !== undefined) {
      this.#pending.delete(id);
      call.reject(new RollcallError(frame.status ?? Status.UNKNOWN, frame.error, {
        temporary: frame.temporary, retryAfterMs: frame.retry_after_ms,
      }));
    } else if (frame.result !== undefined) {
      this.#pending.delete(id);
      this.#owner.result(call, frame.result);
      call.resolve(frame.result);
    }
  }

  // ---- liveness. Browsers don't show WebSocket pings, so silence is asked about.

  /** Begins to look after the server's liveness, every half ping interval. */
  watch() {
    if (!(this.interval > 0)) return;
    const every = this.interval / 2;
    this.#watchDue = this.#clock.now() + every;
    this.#watchTimer = this.#clock.setTimeout(() => {
      const now = this.#clock.now();
      const late = Math.abs(now - this.#watchDue);
      const silence = now - this.heardAt;
      if (late > this.interval) this.check(); // the machine slept, the tab was throttled, the clock was set: silence says nothing
      else if (silence >= 3 * this.interval) return this.drop(lost("nothing was heard from the server for three ping intervals"));
      else if (silence > this.interval) this.ping();
      this.watch();
    }, every);
  }

  ping() {
    if (this.writable) this.#ws.send('{"id":-1,"type":"core.ping"}');
  }

  /** Asks for a sign of life now, and ends a connection that stays silent. */
  check() {
    if (this.dead || this.#checkTimer !== undefined) return;
    const heard = this.#frames;
    this.ping();
    this.#checkTimer = this.#clock.setTimeout(() => {
      this.#checkTimer = undefined;
      if (this.#frames === heard) this.drop(lost("nothing was heard from the server after a wake-up"));
    }, CHECK_MS);
  }
}

// ------------------------------------------------------------------- client

const firstAttemptIsFinal = Symbol("first attempt is final");

/** Connects in one attempt. It rejects when the server can't be reached (815) or refuses. */
export async function connect(options) {
  return new Client({ ...options, [firstAttemptIsFinal]: true }).ready;
}

/** A connection to a server, kept up over losses. */
export class Client {
  /** Resolves to the client when it is connected for the first time; rejects when it never will be. */
  ready;
  /** The users.* messages, as users.login(params, listener). */
  users;
  /** The admin.* messages, as admin.users.list(params, listener). */
  admin;

  #url;
  #WebSocket;
  #clock;
  #backoff;
  #reconnect;
  #dialTimeoutMs;
  #player; // {scope, key, client?}, or undefined for an admin
  #credentials; // an admin's name and password, until they were used
  #settleReady;

  #state;
  #listeners = { state: new Set(), push: new Set(), session: new Set() };
  #link = null; // while there is a connection that calls may use
  #dialing = null; // while an attempt is under way
  #timer; // of the attempt or of the pause
  #attempt = 0;
  #upAt = 0;
  #onlyAttempt; // whether the failure of an attempt is final
  #final; // why there will be no connection again
  #unhook = () => {};
  #heardBefore; // heardAt of the last connection

  #nextID = 1;
  #waiting = new Set(); // calls, in order, that wait for a connection or for a hash before them
  #feed = null; // the subscription, until it has ended

  #info;
  #user;
  #token; // of the session, or of the admin's
  #adminSession;
  #sessionError;

  constructor(options = {}) {
    const { server, scope, key, client, session, admin, backoff = {}, reconnect = true, dialTimeoutMs = 10_000, clock = systemClock } = options;
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (typeof this.#WebSocket !== "function") throw new TypeError("rollcall: there is no WebSocket here; give one as options.WebSocket");
    this.#url = endpoint(server);
    if (admin) {
      if (!admin.token && !(admin.name && admin.password)) throw new TypeError("rollcall: options.admin needs a name and a password, or a token");
      if (admin.token) this.#token = admin.token;
      else this.#credentials = { name: admin.name, password: admin.password };
    } else {
      if (!scope || !key) throw new TypeError("rollcall: options need a scope and a key, or an admin");
      this.#player = { scope, key, client };
      this.#token = session || undefined;
    }
    this.#backoff = { minMs: backoff.minMs ?? 500, maxMs: backoff.maxMs ?? 20_000, random: backoff.random ?? Math.random };
    this.#reconnect = reconnect;
    this.#dialTimeoutMs = dialTimeoutMs;
    this.#clock = clock;
    this.#onlyAttempt = options[firstAttemptIsFinal] === true;
    this.ready = new Promise((resolve, reject) => { this.#settleReady = { resolve, reject }; });
    this.ready.catch(() => {}); // who asks is told; nobody has to ask
    const send = (type, params, listener) => this.#send(type, params, listener);
    this.users = namespace("users.", send);
    this.admin = namespace("admin.", send);
    this.#hookWakeUps();
    this.#dial();
  }

  /** The last state that was told: {phase, attempt, error?, retryIn?, retryAt?}. */
  get state() { return this.#state; }
  /** The login object of the last login or resume, or undefined. */
  get user() { return this.#user; }
  /** The session's token, to come back with later, or undefined. */
  get session() { return this.#player && this.#token; }
  /** Why nobody is logged in any more, if a session could not be resumed (607). */
  get sessionError() { return this.#sessionError; }
  /** The answer to the latest admin.login. */
  get adminSession() { return this.#adminSession; }
  /** The answer to the latest core.init, less its user. */
  get info() { return this.#info; }
  /** When anything was heard last, in ms of Date.now(). */
  get heardAt() { return this.#link?.heardAt ?? this.#heardBefore; }

  /** Adds a listener of "state", "push" or "session"; returns what takes it off. */
  on(name, listener) {
    const set = this.#listeners[name];
    if (!set) throw new TypeError(`rollcall: there is no event ${name}`);
    const entry = { listener }; // one function may be added twice
    set.add(entry);
    return () => { set.delete(entry); };
  }

  #emit(name, value) {
    for (const { listener } of this.#listeners[name]) {
      try {
        listener(value);
      } catch (error) {
        report(error);
      }
    }
  }

  #tell(state) {
    this.#state = Object.freeze(state);
    this.#emit("state", state);
  }

  // ---- connecting, and coming back

  // The owner of every link.
  #owner = {
    opened: (link) => this.#greet(link),
    result: (call, result) => this.#note(call, result),
    push: (link, push) => {
      if (link !== this.#link) return; // an attempt's: nobody asked for it
      if (this.#feed?.takes(push)) this.#feed.push(push);
      else if (this.#listeners.push.size > 0) this.#emit("push", push);
    },
    lost: (link, error) => this.#lost(link, error),
  };

  #dial() {
    this.#timer = this.#clock.setTimeout(() => this.#dialing?.drop(lost("the server did not answer in time")), this.#dialTimeoutMs);
    this.#tell({ phase: "connecting", attempt: this.#attempt });
    if (!this.#final) this.#open();
  }

  #open() {
    try {
      this.#dialing = new Link(this.#owner, this.#url.href, this.#WebSocket, this.#clock);
    } catch (error) { // such as ws: from a page that came by https
      this.#finish(new RollcallError(Status.UNAVAILABLE, error.message));
    }
  }

  /** Sends the first message: core.init or admin.login. */
  #greet(link) {
    const token = this.#token;
    const [type, data] = this.#player
      ? ["core.init", { ...this.#player, session: token }]
      : ["admin.login", token ? { token } : this.#credentials];
    const id = this.#nextID++;
    const resolve = (result) => {
      const shaped = typeof result === "object" && result !== null && (this.#player || typeof result.token === "string");
      if (!shaped) return link.drop(new RollcallError(Status.RESULT_INVALID, `${type}: the result is not of the documented form`));
      if (this.#player) this.#initialised(link, token, result);
      else this.#adminLoggedIn(link, result);
      this.#attach(link);
    };
    const reject = (error) => {
      if (link.dead) return; // and told as lost
      if (this.#player && token && error.status === Status.SESSION_INVALID) {
        this.#expire();
        this.#dialing = null; // not lost, but replaced
        link.close();
        return this.#open();
      }
      link.drop(error);
    };
    try {
      link.send(id, { type, resolve, reject }, encode(id, type, data), true);
    } catch (error) {
      link.drop(error instanceof RollcallError ? error : lost());
    }
  }

  #initialised(link, token, { user, ...info }) {
    link.interval = info.ping_interval_ms;
    this.#info = info;
    if (user) this.#logIn(user);
    else if (token) this.#expire();
  }

  #adminLoggedIn(link, session) {
    link.interval = ADMIN_PING_MS;
    this.#credentials = undefined; // from here on the token will do
    this.#token = session.token;
    this.#adminSession = session;
    this.#emit("session", { token: session.token, admin: session });
  }

  // Calls are let go when everybody was told, so that what a listener asks for
  // takes its place behind what waits already.
  #attach(link) {
    this.#clock.clearTimeout(this.#timer);
    this.#onlyAttempt = false;
    this.#upAt = this.#clock.now();
    this.#tell(this.#connectedState());
    if (this.#final) return; // closed by a listener
    this.#dialing = null;
    this.#link = link;
    link.watch();
    this.#settleReady.resolve(this);
    this.#feed?.attached();
    this.#flush();
  }

  #connectedState() {
    const state = { phase: "connected", attempt: 0 };
    if (this.#sessionError) state.error = this.#sessionError;
    return state;
  }

  #lost(link, error) {
    if (link === this.#dialing) {
      this.#dialing = null;
      this.#clock.clearTimeout(this.#timer);
    } else if (link === this.#link) {
      this.#link = null;
      this.#heardBefore = link.heardAt;
      // Only a connection that held starts the pauses anew.
      if (this.#clock.now() - this.#upAt >= this.#backoff.maxMs) this.#attempt = 0;
      this.#feed?.detached();
    } else {
      return;
    }
    if (isFinal(error) || !this.#reconnect || this.#onlyAttempt) return this.#finish(error);
    this.#attempt++;
    const retryIn = error.retryAfterMs + pause(this.#backoff, this.#attempt);
    this.#timer = this.#clock.setTimeout(() => this.#dial(), retryIn);
    this.#tell({ phase: "waiting", error, retryIn, retryAt: this.#clock.now() + retryIn, attempt: this.#attempt });
  }

  /** Ends the pause before the next attempt, if there is one. */
  retryNow() {
    if (this.#state.phase !== "waiting") return;
    this.#clock.clearTimeout(this.#timer);
    this.#dial();
  }

  /** Makes sure that the connection still holds, after a wake-up: drops it if it is silent for 5 s. */
  check() {
    if (this.#link) this.#link.check();
    else this.retryNow();
  }

  #hookWakeUps() {
    const page = globalThis.document;
    if (typeof globalThis.addEventListener !== "function") return;
    const online = () => this.check();
    const visible = () => { if (page.visibilityState === "visible") this.check(); };
    globalThis.addEventListener("online", online);
    page?.addEventListener("visibilitychange", visible);
    this.#unhook = () => {
      globalThis.removeEventListener("online", online);
      page?.removeEventListener("visibilitychange", visible);
    };
  }

  /**
   * Ends the connection; calls that are under way or waiting fail. It ends no
   * session: that lives on until users.logout or its expiry.
   */
  async close() {
    const link = this.#link ?? this.#dialing;
    this.#link = this.#dialing = null;
    if (link && !this.#final) this.#heardBefore = link.heardAt;
    const closed = link?.close();
    this.#finish(closedHere());
    await closed;
  }

  #finish(error) {
    if (this.#final) return;
    this.#final = error;
    this.#clock.clearTimeout(this.#timer);
    this.#unhook();
    this.#credentials = undefined;
    for (const call of this.#waiting) call.reject(error);
    this.#waiting.clear();
    this.#feed?.end(error);
    this.#tell({ phase: "closed", error, attempt: 0 });
    this.#settleReady.reject(error);
  }

  // ---- who is logged in

  #logIn(user) {
    this.#user = user;
    this.#token = user.session.token;
    this.#sessionChanged(undefined);
  }

  #logOut() {
    this.#user = this.#token = undefined;
    this.#sessionChanged(undefined);
  }

  /** Forgets a session that the server no longer holds. Nobody goes on as somebody else in silence. */
  #expire() {
    this.#user = this.#token = undefined;
    this.#sessionChanged(sessionExpired());
  }

  #sessionChanged(error) {
    const before = this.#sessionError;
    this.#sessionError = error;
    const told = { token: this.#token, user: this.#user };
    if (error) told.error = error;
    this.#emit("session", told);
    if (before && !error && this.#state.phase === "connected") this.#tell(this.#connectedState());
  }

  // Takes over what a reply says of the connection, in the order of the replies:
  // of two logins the one that the server did last is the one remembered.
  #note(call, result) {
    switch (call.type) {
      case "users.login": case "users.resume":
        if (result?.session?.token) this.#logIn(result);
        break;
      case "users.logout":
        this.#logOut();
        break;
      case "users.delete":
        if (this.#user && call.subject === this.#user.user_id) this.#logOut();
    }
  }

  // ---- calls

  /** Sends any message of the contract, its data as it is, and resolves to its result. */
  call(type, data, { signal } = {}) {
    return this.#submit(type, data, undefined, signal);
  }

  // Calls go out in the order in which they were made. Where the data is a
  // promise (a password has to be hashed), what was called after it waits too.
  #submit(type, data, later, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#final) return reject(this.#final);
      if (!this.#link?.writable && this.#waiting.size >= MAX_WAITING) {
        return reject(new RollcallError(Status.BUSY, `${MAX_WAITING} calls wait for the connection already`, { temporary: true }));
      }
      const id = this.#nextID++;
      const call = { id, type, frame: undefined, subject: undefined, resolve, reject };
      if (type === "users.delete") call.subject = data?.user_id;
      if (signal) {
        const abort = () => this.#abandon(call, signal.reason);
        signal.addEventListener("abort", abort, { once: true });
        call.resolve = (result) => { signal.removeEventListener("abort", abort); resolve(result); };
        call.reject = (error) => { signal.removeEventListener("abort", abort); reject(error); };
      }
      const ready = (known) => {
        try {
          call.frame = encode(id, type, known);
        } catch (error) {
          fail(error);
        }
        this.#flush();
      };
      const fail = (error) => {
        this.#waiting.delete(call);
        call.reject(error);
        this.#flush();
      };
      this.#waiting.add(call);
      if (later) later.then(ready, fail);
      else ready(data);
    });
  }

  #flush() {
    for (const call of this.#waiting) {
      const link = this.#link;
      if (!link?.writable || call.frame === undefined) return;
      this.#waiting.delete(call);
      if (this.#sessionError && NEEDS_LOGIN.has(call.type)) {
        call.reject(this.#sessionError);
        continue;
      }
      link.send(call.id, call, call.frame);
      call.frame = undefined;
    }
  }

  // A call whose caller has left. Once it was sent its reply is still noted: it
  // may tell as whom we are logged in.
  #abandon(call, reason) {
    this.#waiting.delete(call);
    call.reject(reason);
    this.#flush();
  }

  // ---- the messages of the namespaces

  /** With a listener, which is called once and never inside the call; else a promise. */
  #send(type, params, listener) {
    if (typeof params === "function") [params, listener] = [undefined, params];
    const began = this.#clock.monotonic();
    const outcome = this.#prepare(type, params);
    if (typeof listener !== "function") return outcome;
    const tell = (event) => {
      try {
        listener({ name: type, ...event, tt: this.#clock.monotonic() - began });
      } catch (error) {
        report(error);
      }
    };
    outcome.then((result) => tell({ result, isError: false }), (error) => tell(failure(error)));
    return undefined;
  }

  // Passwords are hashed, and kept no longer than the call.
  #prepare(type, params) {
    switch (type) {
      case "users.create": return this.#create(params);
      case "users.login": return this.#login(params);
      case "users.update": return this.#submit(type, params, this.#hashedUpdate(params));
      case "admin.users.create": return this.#submit(type, params, hashed(params, params?.scope));
      case "admin.users.update": return this.#submit(type, params, this.#hashedByScope(params));
    }
    return this.#submit(type, params);
  }

  async #create(params) {
    const idempotencyKey = params?.idempotency_key ?? randomKey();
    const data = { ...params, idempotency_key: idempotencyKey };
    try {
      return await this.#submit("users.create", data, hashed(data, this.#player?.scope));
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      throw new RollcallError(error.status, error.message, { ...error, idempotencyKey });
    }
  }

  // An account that was imported with a foreign hash needs the password itself
  // once (610); it is sent over TLS only.
  async #login(params) {
    try {
      return await this.#submit("users.login", params, hashed(params, this.#player?.scope));
    } catch (error) {
      const bare = params?.password && !params.password_hash && this.#url.protocol === "wss:";
      if (error?.status !== Status.PASSWORD_NEEDED || !bare) throw error;
      return this.#submit("users.login", { ...params });
    }
  }

  #hashedUpdate(params) {
    const scope = this.#player?.scope;
    const update = hashed(params?.update, scope);
    const current = hashed(params, scope, "current_password");
    if (!update && !current) return undefined;
    return Promise.all([update ?? params.update, current ?? params]).then(([changes, rest]) => ({ ...rest, update: changes }));
  }

  // An admin's update names no scope, and the hash needs it.
  #hashedByScope(params) {
    if (!params?.update?.password || params.update.password_hash) return undefined;
    return this.#submit("admin.users.get", { user_id: params.user_id })
      .then((user) => hashed(params.update, user.scope))
      .then((update) => ({ ...params, update }));
  }

  // ---- the feed

  /**
   * Subscribes an admin to the feed of a scope, or of all with "*", and resolves
   * when the server has enrolled it. It goes on over losses of the connection. A
   * push names its scope and not its subscription, so there is one at a time.
   */
  async subscribe(options) {
    if (typeof options?.scope !== "string" || typeof options.onEvent !== "function") {
      throw new TypeError("rollcall: subscribe needs a scope and onEvent");
    }
    const { signal } = options;
    while (this.#feed?.ending) await this.#feed.done;
    signal?.throwIfAborted();
    if (this.#final) throw this.#final;
    if (this.#feed) throw new RollcallError(Status.UNKNOWN, "there is a subscription on this client already: close it, or connect another client");
    const feed = this.#feed = new Feed(options, {
      clock: this.#clock,
      backoff: this.#backoff,
      link: () => (this.#link?.writable ? this.#link : null),
      nextID: () => this.#nextID++,
      ended: () => { if (this.#feed === feed) this.#feed = null; },
    });
    const abort = () => feed.abandon(signal.reason);
    signal?.addEventListener("abort", abort, { once: true });
    feed.attached();
    try {
      return await feed.started;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }
}

/** Puts the hash of a password in its place. It returns undefined where there is none to hash. */
function hashed(params, scope, member = "password") {
  const password = params?.[member];
  // Where both are given, which is a mistake, the server is left to say so.
  if (!password || params[`${member}_hash`] || scope === undefined) return undefined;
  if (typeof password !== "string") return Promise.reject(new RollcallError(Status.WRONG_TYPE, `${member}: must be a string`));
  const { [member]: _, ...rest } = params;
  return passwordHash(scope, password).then((hash) => ({ ...rest, [`${member}_hash`]: hash }));
}

/** The messages whose types begin with prefix, as functions in objects: {users: {list(params, listener)}}. */
function namespace(prefix, send) {
  const root = {};
  for (const type of METHODS) {
    if (!type.startsWith(prefix)) continue;
    const path = type.slice(prefix.length).split(".");
    const name = path.pop();
    const at = path.reduce((object, part) => (object[part] ??= {}), root);
    at[name] = (params, listener) => send(type, params, listener);
  }
  return root;
}

/** What a listener is told of an error. */
function failure(error) {
  const event = { error: error.message, status: error.status ?? Status.UNKNOWN, isError: true };
  if (error.temporary) event.temporary = true;
  if (error.retryAfterMs) event.retry_after_ms = error.retryAfterMs;
  if (error.idempotencyKey) event.idempotency_key = error.idempotencyKey;
  return event;
}

// ------------------------------------------------------------- subscription

/**
 * A subscription to the feed, taken up on one connection after the other. What
 * the caller of subscribe gets is its handle.
 */
class Feed {
  started; // resolves to the handle when it is enrolled for the first time
  done; // resolves when it has ended
  ending = false; // no event is handed out any more

  #opt;
  #client; // {clock, backoff, link(), nextID(), ended()}
  #on = null; // the connection that it is on
  #asked = null; // the connection on which it asked and has no answer yet
  #id; // its name there
  #positions = new Positions();
  #enrolledOnce = false;
  #lostAt = 0; // when the connection went away on which it was
  #attempt = 0;
  #timer; // of the pause before it asks again, or of its end
  #settleStarted;
  #settleDone;
  #handle;
  #ended = false;

  constructor(options, client) {
    this.#opt = { ...options, events: options.events?.length ? [...options.events] : undefined, batch: options.batch ?? true };
    this.#client = client;
    for (const [scope, at] of Object.entries(options.since ?? {})) if (this.#covers(scope)) this.#positions.set(scope, at);
    this.started = new Promise((resolve, reject) => { this.#settleStarted = { resolve, reject }; });
    this.done = new Promise((resolve) => { this.#settleDone = resolve; });
    this.#handle = Object.assign(Object.create(Subscription.prototype), { done: this.done });
    handles.set(this.#handle, this);
  }

  get error() { return this.#error; }
  #error;

  positions() { return this.#positions.since(); }

  #covers(scope) { return Boolean(scope) && (this.#opt.scope === ALL_SCOPES || this.#opt.scope === scope); }

  // ---- enrolment

  /** There is a connection. */
  attached() {
    const link = this.#client.link();
    if (!link || this.#ended || this.ending || this.#timer !== undefined) return;
    let request;
    try {
      request = this.#request(this.#client.nextID());
    } catch (error) {
      return this.end(error);
    }
    const { id, frame, since } = request;
    this.#asked = link;
    link.send(id, {
      type: "admin.subscribe",
      resolve: (answer) => {
        this.#asked = null;
        if (!this.#enrolled(link, since, answer)) {
          this.#refused(new RollcallError(Status.RESULT_INVALID, "admin.subscribe: the result is not of the documented form"));
        }
      },
      reject: (error) => {
        this.#asked = null;
        this.#refused(error);
      },
    }, frame);
  }

  /** The connection is lost. What was asked on it has been rejected. */
  detached() {
    if (this.#on) this.#lostAt = this.#client.clock.now();
    this.#on = null;
    if (this.ending) this.end();
  }

  #refused(error) {
    if (this.#ended) return;
    if (this.ending) return this.end();
    if (isFinal(error) || !this.#enrolledOnce) return this.end(error);
    this.#attempt++;
    this.#timer = this.#client.clock.setTimeout(() => {
      this.#timer = undefined;
      this.attached();
    }, error.retryAfterMs + pause(this.#client.backoff, this.#attempt));
  }

  // Positions that are too many for one message lose their events' ids, and then
  // the last of them their place: of those scopes what happened meanwhile counts
  // as lost.
  #request(id) {
    const { scope, events, last, batch } = this.#opt;
    const data = { scope, events, batch };
    if (!this.#enrolledOnce && !this.#opt.since) {
      data.last = last || undefined;
      return { id, frame: encode(id, "admin.subscribe", data) };
    }
    data.since = this.#positions.since();
    const fits = () => !tooLong(JSON.stringify({ id, type: "admin.subscribe", data }));
    if (!fits()) {
      for (const at of Object.values(data.since)) delete at.event_id;
      const scopes = Object.keys(data.since).sort();
      while (scopes.length > 0 && !fits()) {
        for (const name of scopes.splice(-16)) delete data.since[name];
      }
    }
    return { id, since: data.since, frame: encode(id, "admin.subscribe", data) };
  }

  // Takes over the answer before the next frame is read.
  #enrolled(link, since, answer) {
    if (typeof answer?.subscription !== "string" || typeof answer.heads !== "object") return false;
    const { lost: gone, follow } = this.#positions.enrol(since, answer);
    this.#on = link;
    this.#id = answer.subscription;
    this.#attempt = 0;
    if (this.ending) {
      this.#unsubscribe();
      return true;
    }
    const first = !this.#enrolledOnce;
    this.#enrolledOnce = true;
    if (since) {
      this.#resumed({
        awayMs: first ? 0 : this.#client.clock.now() - this.#lostAt,
        recovered: answer.recovered === true && gone.length === 0,
        lost: gone,
        follow: this.#opt.events ? -1 : follow,
      });
    }
    if (first) this.#settleStarted.resolve(this.#handle);
    return true;
  }

  #resumed(resumed) {
    if (this.ending || !this.#opt.onResume) return;
    try {
      this.#opt.onResume(resumed);
    } catch (error) {
      report(error);
    }
  }

  // ---- pushes

  /** Whether a push on the present connection belongs to this subscription. */
  takes(push) { return this.#on !== null && this.#covers(push.scope); }

  push(push) {
    if (this.ending) return; // not wanted any more
    const { event, scope, seq } = push;
    const step = this.#positions.next(push);
    if (step === BEHIND) return;
    if (step === LOST) this.#resumed({ awayMs: 0, recovered: false, lost: [scope], follow: 0 });
    if (event !== "feed.head" && event !== "feed.lost" && !this.ending) {
      try {
        this.#opt.onEvent(push, seq > this.#positions.head(scope));
      } catch (error) {
        report(error);
      }
    }
    this.#positions.advance(push);
  }

  // ---- the end

  /** Its caller does not wait for it any more. */
  abandon(reason) {
    this.#settleStarted.reject(reason);
    this.close();
  }

  /** Hands out nothing more and tells the server. */
  close() {
    if (!this.ending && !this.#ended) {
      this.ending = true;
      if (this.#timer !== undefined) this.#client.clock.clearTimeout(this.#timer);
      this.#timer = undefined;
      if (this.#on) this.#unsubscribe();
      else if (this.#asked) this.#giveUp(this.#asked); // there may be a subscription that nobody wants
      else this.end();
    }
    return this.done;
  }

  #unsubscribe() {
    const link = this.#on;
    this.#giveUp(link);
    if (!link.writable) return;
    const id = this.#client.nextID();
    const call = { type: "admin.unsubscribe", resolve: () => this.end(), reject: () => { if (!this.#ended) link.drop(lost()); } };
    link.send(id, call, encode(id, "admin.unsubscribe", { subscription: this.#id }));
  }

  /** Ends the connection in place of the subscription, when no answer comes. */
  #giveUp(link) {
    this.#client.clock.clearTimeout(this.#timer);
    this.#timer = this.#client.clock.setTimeout(() => link.drop(lost("the server did not answer in time")), UNSUBSCRIBE_MS);
  }

  /** It has ended: after close without an error, else with one. */
  end(error) {
    if (this.#ended) return;
    this.#ended = this.ending = true;
    this.#client.clock.clearTimeout(this.#timer);
    this.#on = null;
    this.#error = error;
    this.#client.ended();
    this.#settleStarted.reject(error ?? new RollcallError(Status.UNKNOWN, "the subscription was closed"));
    this.#settleDone();
  }
}

const handles = new WeakMap(); // from a Subscription to its Feed

/** An admin's view of the feed, kept up over losses of the connection. See Client.subscribe. */
export class Subscription {
  constructor() { throw new TypeError("rollcall: a subscription comes from client.subscribe"); }
  /** How far it has come in each scope, to be given as since later. */
  positions() { return handles.get(this).positions(); }
  /** Ends it; resolves when the server has answered, after 5 s at most. */
  close() { return handles.get(this).close(); }
  /** Why it has ended; undefined after close, and while it goes on. */
  get error() { return handles.get(this).error; }
}

// ---------------------------------------------------------------- positions

// What a push means to the position of its scope.
const BEHIND = 0; // known already: nothing to do
const ON = 1; // the next one
const LOST = 2; // the next one, and events before it are lost

/** How far a subscription has come in each scope's feed. */
class Positions {
  // scope to {seq, epoch, event_id, open, head}. open: seq is the head that the
  // server named at enrolment, and events up to it may still follow from a
  // backlog; the first one then counts as it is. head: that head.
  #at = new Map();

  set(scope, { seq, epoch, event_id }) {
    this.#at.set(scope, { seq, epoch, event_id, open: false, head: 0 });
  }

  head(scope) { return this.#at.get(scope)?.head ?? 0; }

  /** The positions to come back with. */
  since() {
    const entries = [];
    for (const [scope, { seq, epoch, event_id }] of this.#at) entries.push([scope, event_id ? { seq, epoch, event_id } : { seq, epoch }]);
    return Object.fromEntries(entries);
  }

  /**
   * Takes over the answer to a subscription with these positions, undefined for
   * one without. Returns the scopes of which events were lost, in order, and how
   * many events of the others are to follow.
   */
  enrol(since, { lost: told, heads }) {
    const gone = new Set(told);
    if (since) {
      for (const [scope, at] of this.#at) {
        if (!Object.hasOwn(since, scope)) gone.add(scope); // for want of room in the message
        at.open = false;
      }
    }
    for (const scope of gone) {
      this.#at.delete(scope);
      if (Object.hasOwn(heads, scope)) this.set(scope, heads[scope]); // what follows comes behind it
    }
    let follow = 0;
    for (const [scope, head] of Object.entries(heads)) {
      const at = this.#at.get(scope);
      if (!at) {
        this.set(scope, head);
        this.#at.get(scope).open = true;
      } else if (!gone.has(scope) && (at.epoch === head.epoch || (at.epoch === "" && at.seq === 0))) {
        follow += Math.max(0, head.seq - at.seq);
      }
      this.#at.get(scope).head = head.seq;
    }
    return { lost: [...gone].sort(), follow };
  }

  /** What a push means, without going there. */
  next({ event, scope, seq = 0, epoch = "", event_id }) {
    const at = this.#at.get(scope);
    if (at && at.epoch !== "" && at.epoch !== epoch) return LOST;
    if (at && at.epoch === epoch && seq <= at.seq && (!at.open || !event_id)) return BEHIND;
    return event === "feed.lost" ? LOST : ON;
  }

  /** Goes to where a push is. */
  advance({ scope, seq = 0, epoch = "", event_id }) {
    let at = this.#at.get(scope);
    if (!at) this.#at.set(scope, at = { head: 0 });
    at.seq = seq;
    at.epoch = epoch;
    at.event_id = event_id;
    at.open = false;
  }
}
