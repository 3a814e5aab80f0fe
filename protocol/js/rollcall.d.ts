// The types of rollcall.js. Those of the messages are in messages.d.ts, which is
// written from the server's own tables.

import type {
  AdminSession, ClientInfo, CloseCodeTable, CoreInitResult, EventName, FeedPosition, Login, Messages, Push, StatusTable,
} from "./messages.js";

export type * from "./messages.js";

/** The statuses of errors, by name. */
export declare const Status: StatusTable;

/** Values of {@link RollcallError.closeCode}. From 4500 on the server does not want the client back. */
export declare const CloseCode: CloseCodeTable;

/** What the server answers a call with that could not be done, or the SDK in its place. */
export declare class RollcallError extends Error {
  private constructor();
  /** One of {@link Status}; 815 when the connection was lost before the answer came, so that the server may have done what was asked. */
  readonly status: number;
  /** The same call may succeed later. */
  readonly temporary: boolean;
  /** How long to wait before that, in ms; 0 where the server did not say. */
  readonly retryAfterMs: number;
  /** With which code the server closed the connection; see {@link CloseCode}. */
  readonly closeCode?: number;
  /** What it said to that, such as an admin's reason for a kick. */
  readonly reason?: string;
  /** Of users.create: give it as idempotency_key to repeat a call whose outcome is unknown. */
  readonly idempotencyKey?: string;
}

interface CommonOptions {
  /** ws, wss, http or https; the path /ws is added where there is none. In a browser the page's own origin by default. */
  server?: string;
  /** A WebSocket constructor, where the platform has none: Node before 22 (`import WebSocket from "ws"`). */
  WebSocket?: unknown;
  /** The pauses between attempts: drawn evenly from 0 … min(maxMs, minMs·2ⁿ⁻¹). 500 and 20,000 by default. */
  backoff?: { minMs?: number; maxMs?: number; random?: () => number };
  /** False makes the first loss of the connection final. */
  reconnect?: boolean;
  /** For one attempt, up to and with the server's first answer. 10,000 by default. */
  dialTimeoutMs?: number;
  /** For tests. */
  clock?: Clock;
}

export interface PlayerOptions extends CommonOptions {
  /** The scope whose users this client means. */
  scope: string;
  /** The server key, or the scope's own. */
  key: string;
  /** What admins are shown of this client. */
  client?: ClientInfo;
  /** The token of an earlier login, to come back as the same user. */
  session?: string;
  admin?: undefined;
}

export interface AdminOptions extends CommonOptions {
  /** The password is forgotten after the first login: the client comes back by the token that it got. */
  admin: { name: string; password: string; token?: undefined } | { token: string; name?: undefined; password?: undefined };
  client?: ClientInfo;
}

export type Options = PlayerOptions | AdminOptions;

export interface Clock {
  /** As Date.now. */
  now(): number;
  /** As performance.now. */
  monotonic(): number;
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/**
 * Connects in one attempt, and keeps the connection up from then on. Rejects with
 * a {@link RollcallError} when the server can't be reached (815) or refuses.
 *
 * A session that no longer holds is no refusal: see {@link Client.sessionError}.
 */
export declare function connect(options: Options): Promise<Client>;

/**
 * What stands for a password on the wire: lowercase hex of
 * SHA-256("rollcall:v1:" + scope + ":" + password). The methods of
 * {@link Client.users} hash passwords themselves.
 */
export declare function passwordHash(scope: string, password: string): Promise<string>;

export interface State {
  /**
   * connecting: an attempt is under way; connected: calls are sent; waiting: a
   * pause before the next attempt; closed: for good.
   */
  readonly phase: "connecting" | "connected" | "waiting" | "closed";
  /**
   * Why: for waiting and closed what ended the connection or refused it; for
   * connected that the session could not be resumed (607).
   */
  readonly error?: RollcallError;
  /** The length of the pause in ms, for waiting. */
  readonly retryIn?: number;
  /** When it ends, in ms of Date.now(). */
  readonly retryAt?: number;
  /** Counts the attempts since the connection was lost, from 1; 0 for the first one of all. */
  readonly attempt: number;
}

/** Who is logged in, when that has changed. */
export interface SessionChange {
  /** The token to come back with. */
  token?: string;
  user?: Login;
  /** Nobody is logged in any more because the session could not be resumed. */
  error?: RollcallError;
  /** On an admin's connection. */
  admin?: AdminSession;
}

/** A push of the feed: an event, or outside of subscriptions feed.head or feed.lost. */
export type FeedPush = Push & Required<Pick<Push, "scope" | "seq" | "epoch" | "data">>;

/** What a listener is told, once and never inside the call. */
export type CallEvent<Result> = {
  /** The type of the message. */
  name: string;
  /** The round trip in ms. */
  tt: number;
} & (
  | { isError: false; result: Result; error?: undefined; status?: undefined }
  | { isError: true; error: string; status: number; temporary?: true; retry_after_ms?: number; idempotency_key?: string; result?: undefined }
);

export type Listener<Result> = (event: CallEvent<Result>) => void;

type Params<T extends keyof Messages> = Messages[T]["params"];
type Result<T extends keyof Messages> = Messages[T]["result"];

/** A message as a function: a promise without a listener, nothing with one. */
export type Method<T extends keyof Messages> = {} extends Params<T>
  ? {
      (listener: Listener<Result<T>>): void;
      (params: Params<T> | undefined, listener: Listener<Result<T>>): void;
      (params?: Params<T>): Promise<Result<T>>;
    }
  : {
      (params: Params<T>): Promise<Result<T>>;
      (params: Params<T>, listener: Listener<Result<T>>): void;
    };

/** A connection's first message, and what {@link Client.subscribe} sends, are no methods. */
type Callable = Exclude<keyof Messages, "core.init" | "admin.login" | "admin.subscribe" | "admin.unsubscribe">;

/** The messages whose types begin with a prefix, as functions in objects. */
export type Namespace<Prefix extends string> = {
  [T in Callable as T extends `${Prefix}${infer Name}` ? (Name extends `${infer Group}.${string}` ? Group : Name) : never]:
    T extends `${Prefix}${infer Name}` ? (Name extends `${infer Group}.${string}` ? Namespace<`${Prefix}${Group}.`> : Method<T>) : never;
};

/** A connection to a server, kept up over losses. */
export declare class Client {
  /**
   * Begins to connect at once and keeps trying, with backoff. Calls wait for the
   * connection, 256 at most; one more fails with 809. Throws a TypeError for
   * options that make no sense.
   */
  constructor(options: Options);

  /** Resolves to the client when it is connected for the first time; rejects when the server refuses for good. */
  readonly ready: Promise<Client>;
  /** The last state that was told. */
  readonly state: State;
  /** The login object of the last login or resume. */
  readonly user: Login | undefined;
  /** The session's token, to come back with later. Keep it as a secret of the device. */
  readonly session: string | undefined;
  /**
   * Status 607 when the session could not be resumed. The connection is open, but
   * nobody is logged in on it: every call that needs a login fails with this
   * error until users.login or users.resume succeeds.
   */
  readonly sessionError: RollcallError | undefined;
  /** The answer to the latest admin.login. */
  readonly adminSession: AdminSession | undefined;
  /** The answer to the latest core.init. */
  readonly info: Omit<CoreInitResult, "user"> | undefined;
  /** When anything was heard from the server last, in ms of Date.now(). */
  readonly heardAt: number | undefined;

  /**
   * The users.* messages. Passwords are hashed before they are sent; where an
   * account needs the password itself once (610) it is sent once, over wss only.
   * create carries an idempotency_key, made here where none is given.
   */
  readonly users: Namespace<"users.">;
  /** The admin.* messages, passwords of users hashed as well. */
  readonly admin: Namespace<"admin.">;

  /** Every change of state, in order. */
  on(event: "state", listener: (state: State) => void): () => void;
  /** Every change of who is logged in. */
  on(event: "session", listener: (change: SessionChange) => void): () => void;
  /** Every push that belongs to no subscription. */
  on(event: "push", listener: (push: Push) => void): () => void;

  /**
   * Sends a message as it is (passwords too) and resolves to its result. Rejects
   * with a {@link RollcallError}, or with the signal's reason; the message may
   * have been sent then.
   */
  call<T extends keyof Messages>(type: T, data?: Params<T>, options?: { signal?: AbortSignal }): Promise<Result<T>>;
  call(type: string, data?: unknown, options?: { signal?: AbortSignal }): Promise<unknown>;

  /**
   * Subscribes an admin to the feed; resolves when the server has enrolled it.
   * After a loss of the connection it goes on behind the last event that it
   * handed out. A refusal for good (such as 606, 607 or 1004) ends it. There is
   * one subscription a client: a second one is refused until the first has ended.
   */
  subscribe(options: SubscribeOptions): Promise<Subscription>;

  /** Ends the pause before the next attempt to reconnect. */
  retryNow(): void;
  /** For wake-ups: asks for a sign of life now and drops a connection that stays silent for 5 s. */
  check(): void;
  /**
   * Ends the connection; calls that are under way or waiting fail. It ends no
   * session. Resolves when the server has answered, after 1 s at most.
   */
  close(): Promise<void>;
}

export interface SubscribeOptions {
  /** A scope's name, or "*" for all. */
  scope: string;
  /** Names of events; none: all. */
  events?: EventName[];
  /**
   * Continues an earlier subscription, from what {@link Subscription.positions}
   * returned. {} begins where the server does for a scope that it was told
   * nothing of.
   */
  since?: Record<string, FeedPosition>;
  /** Asks for so many of the newest events first, at most 1,000. It does not go with since. */
  last?: number;
  /** Lets the server put events that wait into one frame; true by default. It changes nothing else. */
  batch?: boolean;
  /**
   * Gets each event once, those of a scope in the order of their seq. live is
   * false for an event from before the server enrolled this connection: of a
   * backlog, or after a loss.
   */
  onEvent(push: FeedPush, live: boolean): void;
  /**
   * Is told, before the events that follow, each time that the subscription was
   * taken up again: after a reconnect, and at the beginning where since was
   * given. Also when the server lost events with the connection in place.
   */
  onResume?(resumed: Resumed): void;
  /** Gives subscribe up, not the subscription once it is there. */
  signal?: AbortSignal;
}

export interface Resumed {
  /** For how long events could not come, in ms; 0 where the connection was not lost. */
  awayMs: number;
  /** Every event that happened meanwhile, and that the filter lets through, follows now. */
  recovered: boolean;
  /** Scopes of which events are lost for good. Reload what was made from events. */
  lost: string[];
  /** How many events happened meanwhile in the other scopes, and follow now; -1 where a filter makes that unknowable. */
  follow: number;
}

/** An admin's view of the feed, kept up over losses of the connection. */
export declare class Subscription {
  private constructor();
  /** How far it has come in each scope, to be given as since later. An event counts once onEvent has returned. */
  positions(): Record<string, FeedPosition>;
  /** Hands out nothing more; resolves when the server has answered, after 5 s at most. */
  close(): Promise<void>;
  /** Resolves when the subscription has ended. */
  readonly done: Promise<void>;
  /** Why it has ended; undefined after close, and while it goes on. */
  readonly error: RollcallError | undefined;
}
