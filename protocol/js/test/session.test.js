import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Status } from "../rollcall.js";
import { ADMIN, FakeServer, login, pass, settle, stopTime, USER_ID } from "./fake.js";

beforeEach(stopTime);

/** A server that logs anybody in, and a client that is logged in. */
async function loggedIn(more) {
  const server = new FakeServer();
  server.answers["users.login"] = () => ({ result: login("token-1") });
  server.answers["users.resume"] = ({ data }) => ({ result: login(data.session) });
  server.answers["users.logout"] = () => ({ result: true });
  server.answers["users.get"] = () => ({ result: { username: "tiny" } });
  server.answers["users.delete"] = () => ({ result: 1 });
  const client = await server.player(more);
  const changes = [];
  client.on("session", (change) => changes.push(change));
  await client.users.login({ username: "tiny", password: "abcd1234" });
  return { server, client, changes };
}

const last = (server) => server.asked("core.init").at(-1).data.session;

test("after a loss the session is resumed", async () => {
  const { server, client, changes } = await loggedIn();
  assert.equal(client.user.username, "tiny");
  assert.equal(client.session, "token-1");
  server.socket.drop();
  await pass(500);
  assert.equal(last(server), "token-1");
  assert.equal(client.user.user_id, USER_ID);
  assert.deepEqual(changes.map(({ token, error }) => [token, error]), [["token-1", undefined], ["token-1", undefined]]);
});

test("a session given as an option is resumed", async () => {
  const server = new FakeServer();
  const client = await server.player({ session: "token-1" });
  assert.equal(client.user.user_id, USER_ID);
  assert.equal(client.info.user, undefined);
});

test("after a logout nothing is resumed", async () => {
  for (const out of [(client) => client.users.logout(), (client) => client.users.delete({ user_id: USER_ID })]) {
    const { server, client, changes } = await loggedIn();
    await out(client);
    assert.deepEqual([client.user, client.session, client.sessionError], [undefined, undefined, undefined]);
    assert.deepEqual(changes.at(-1), { token: undefined, user: undefined });
    server.socket.drop();
    await pass(500);
    assert.equal(last(server), undefined);
  }
});

test("deleting somebody else ends no session", async () => {
  const { client } = await loggedIn();
  await client.users.delete({ user_id: "00000000-0000-4000-8000-000000000000" });
  assert.equal(client.session, "token-1");
});

test("a resume by hand replaces the session", async () => {
  const { client } = await loggedIn();
  await client.users.resume({ session: "token-2" });
  assert.equal(client.session, "token-2");
});

for (const [how, refuse] of [
  ["an answer without a user", undefined],
  ["607", ({ data }) => (data.session ? { error: "session token invalid or expired", status: 607 } : undefined)],
]) {
  test(`an expired session is final and never anonymous in silence: ${how}`, async () => {
    const { server, client, changes } = await loggedIn();
    server.sessions.clear();
    const init = server.answers["core.init"];
    server.answers["core.init"] = (request) => refuse?.(request) ?? init(request);
    server.socket.drop();
    await pass(500);

    assert.equal(client.state.phase, "connected");
    assert.equal(client.state.error.status, Status.SESSION_INVALID);
    assert.equal(client.sessionError, client.state.error);
    assert.deepEqual([client.user, client.session], [undefined, undefined]);
    assert.equal(changes.at(-1).error.status, Status.SESSION_INVALID);
    const before = server.requests.length;
    await assert.rejects(client.users.get({ user_id: USER_ID }), { status: Status.SESSION_INVALID });
    await assert.rejects(client.users.logout(), { status: Status.SESSION_INVALID });
    assert.equal(server.requests.length, before, "nothing was sent without a login");
    assert.equal(await client.call("core.ping"), "pong");

    await client.users.login({ username: "tiny", password: "abcd1234" });
    assert.equal(client.sessionError, undefined);
    assert.deepEqual(client.state, { phase: "connected", attempt: 0 });
    assert.equal((await client.users.get({ user_id: USER_ID })).username, "tiny");
    server.sessions.add("token-1");
    server.answers["core.init"] = init;
    server.socket.drop();
    await pass(1000);
    assert.equal(last(server), "token-1");
  });
}

test("a session that has expired when the client begins is told the same way", async () => {
  const server = new FakeServer();
  const client = await server.player({ session: "stale" });
  assert.equal(client.state.error.status, Status.SESSION_INVALID);
  assert.equal(client.sessionError.status, Status.SESSION_INVALID);
});

test("calls that wait behind an expired session fail when that is known", async () => {
  const { server, client } = await loggedIn();
  server.sessions.clear();
  server.socket.drop();
  const get = assert.rejects(client.users.get({ user_id: USER_ID }), { status: Status.SESSION_INVALID });
  const ping = client.call("core.ping");
  await pass(500);
  await get;
  assert.equal(await ping, "pong");
});

test("an admin comes back by the token, and the password is forgotten", async () => {
  const server = new FakeServer();
  const client = await server.admin();
  assert.deepEqual(server.asked("admin.login")[0].data, ADMIN);
  assert.equal(client.adminSession.role, "owner");
  assert.equal(client.session, undefined);
  server.socket.drop();
  await pass(500);
  assert.deepEqual(server.asked("admin.login")[1].data, { token: "admin-token" });
  server.answers["admin.login"] = () => ({ error: "session token invalid or expired", status: 607 });
  server.socket.drop();
  await pass(5000);
  assert.equal(client.state.phase, "closed");
  assert.equal(client.state.error.status, Status.SESSION_INVALID);
  assert.equal(server.asked("admin.login").length, 3);
  assert.ok(server.asked("admin.login").slice(1).every(({ text }) => !text.includes(ADMIN.password)));
});

test("an admin's password lasts until it was used, over attempts that fail", async () => {
  const server = new FakeServer();
  server.refuse = true;
  const client = server.client({ scope: undefined, key: undefined, admin: ADMIN });
  await settle();
  server.refuse = false;
  await pass(500);
  assert.deepEqual(server.asked("admin.login")[0].data, ADMIN);
  assert.equal((await client.ready).adminSession.token, "admin-token");
});

test("an admin may begin with a token, and its changes are told", async () => {
  const server = new FakeServer();
  const client = server.client({ scope: undefined, key: undefined, admin: { token: "kept" } });
  const changes = [];
  client.on("session", (change) => changes.push(change));
  await client.ready;
  assert.deepEqual(server.asked("admin.login")[0].data, { token: "kept" });
  assert.deepEqual(changes.map(({ token, admin }) => [token, admin.name]), [["admin-token", "admin"]]);
});
