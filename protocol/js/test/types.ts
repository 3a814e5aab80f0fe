// What the types promise of the API. A Go test compiles this file and runs none
// of it; a line under @ts-expect-error must be a mistake.
import {
  Client, CloseCode, connect, passwordHash, RollcallError, Status,
  type CallEvent, type EventData, type FeedPosition, type Login, type NodeObject, type State, type Subscription, type User,
} from "../rollcall.js";

async function player(): Promise<void> {
  const client: Client = await connect({
    server: "wss://example.com", scope: "Space Race", key: "k", client: { name: "space-race", version: "1.4.0" }, session: undefined,
    backoff: { minMs: 500, maxMs: 20_000, random: () => 0.5 }, dialTimeoutMs: 5000, reconnect: true,
  });
  const { user_id } = await client.users.create({ username: "tiny", password: "abcd1234", extra: { level: 3, pro: true, color: "red" } });
  const login: Login = await client.users.login({ email: "tina@home.com", password: "abcd1234" });
  const token: string = login.session.token;
  const kept: string | undefined = client.session;
  const changed: User = await client.users.update({ user_id, update: { group: null, extra: { color: null } } });
  const presence: Record<string, string> = await client.users.presence({ user_ids: [user_id] });
  await client.users.logout();
  await client.users.logout({ all: true });
  await client.users.resume({ session: token });
  const removed: number = await client.users.delete({ user_id });
  const nothing: void = client.users.get({ user_id }, (event: CallEvent<User>) => {
    const tt: number = event.tt;
    if (event.isError) console.log(event.name, event.error.length, event.status === Status.USER_NOT_FOUND, tt);
    else console.log(event.result.username);
  });
  client.users.logout((event) => console.log(event.isError));
  const off: () => void = client.on("state", (state: State) => console.log(state.phase === "waiting" && state.retryIn));
  client.on("session", ({ token, user, error }) => console.log(token?.length, user?.username, error?.status));
  off();
  const pong: string = await client.call("core.ping", undefined, { signal: AbortSignal.timeout(1000) });
  const unknown: unknown = await client.call("something.new", { any: 1 });
  console.log(kept, changed, presence, removed, nothing, pong, unknown, client.info?.ping_interval_ms, client.heardAt);

  // @ts-expect-error: a username is required
  await client.users.create({ password: "abcd1234" });
  // @ts-expect-error: extra holds nothing nested
  await client.users.create({ username: "tiny", password: "abcd1234", extra: { a: { b: 1 } } });
  // @ts-expect-error: null has no meaning outside of an update
  await client.users.create({ username: "tiny", password: "abcd1234", extra: { a: null } });
  // @ts-expect-error: there is no such message
  await client.users.explode();
  // @ts-expect-error: nor such a phase
  console.log(client.state.phase === "sleeping");
  // @ts-expect-error: parameters are needed
  await client.users.get();
}

async function admin(): Promise<void> {
  const client = new Client({ admin: { name: "admin", password: "p" } });
  await client.ready;
  const again = new Client({ server: "https://example.com", admin: { token: client.adminSession!.token } });
  const nodes: NodeObject[] = await client.admin.nodes();
  const page = await client.admin.users.list({ scope: "Space Race", filter: { online: true }, limit: 50 });
  const next: string | undefined = page.cursor;
  const steps = (await client.admin.stats({ scope: "*", step: 60 })).steps.map((step) => step.logins);
  client.admin.scopes.update({ name: "Space Race", providers: { google: null } }, (event) => console.log(event.result?.name));
  client.admin.nodes((event) => console.log(event.result?.length));
  client.admin.nodes(undefined, (event) => console.log(event.status));
  const subscription: Subscription = await client.subscribe({
    scope: "*", events: ["user.login", "user.login_failed"], last: 100,
    onEvent(push, live) {
      const data: EventData = push.data;
      console.log(push.event, push.scope, push.seq + 1, data.username, live === true);
    },
    onResume: ({ awayMs, recovered, lost, follow }) => console.log(awayMs, recovered, lost.length, follow),
  });
  const positions: Record<string, FeedPosition> = subscription.positions();
  await subscription.close();
  await subscription.done;
  console.log(nodes, next, steps, positions, subscription.error?.temporary, again.adminSession?.role);
  await client.close();

  // @ts-expect-error: a connection begins with it, and only once
  await client.admin.login({ token: "t" });
  // @ts-expect-error: that is client.subscribe
  await client.admin.subscribe({ scope: "*" });
  // @ts-expect-error: there is no such event
  await client.subscribe({ scope: "*", events: ["user.exploded"], onEvent() {} });
  // @ts-expect-error: a password or a token
  new Client({ admin: { name: "admin" } });
  // @ts-expect-error: a player or an admin
  new Client({ server: "wss://example.com" });
}

function errors(error: unknown): string {
  if (!(error instanceof RollcallError)) return "";
  // @ts-expect-error: statuses don't change
  Status.BUSY = 1;
  if (error.closeCode === CloseCode.KICKED) return error.reason ?? "";
  return `${error.status} ${error.temporary} ${error.retryAfterMs} ${error.idempotencyKey}`;
}

const hash: Promise<string> = passwordHash("Space Race", "abcd1234");
console.log(player, admin, errors, hash);
