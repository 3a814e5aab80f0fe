// The admin's session: one connection, kept up by the SDK, and the right that
// goes with it. The token is kept for this tab alone, until it is closed, and
// never stands in a URL.
import { Client, connect } from "../sdk/rollcall.js";

const KEPT = "rollcall.session";
const RANK = { viewer: 1, operator: 2, owner: 3 };
const ABOUT = { name: "rollcall-dashboard", platform: "web" };

/**
 * Dispatches "state" when the connection's state changes, and "ended", with a
 * detail.why, when the session is over: signed out, expired or revoked.
 */
export class Session extends EventTarget {
  #ended = false;

  constructor(client, account) {
    super();
    this.client = client;
    this.account = account; // {name, role, scopes?}
    client.on("state", (state) => this.#changed(state));
  }

  /** Signs in; rejects with what the server said. */
  static async signIn(name, password) {
    const client = await connect({ admin: { name, password }, client: ABOUT });
    const { token, expires_at, ...account } = client.adminSession;
    sessionStorage.setItem(KEPT, JSON.stringify({ token, account }));
    return new Session(client, account);
  }

  /** The session that this tab had before it was reloaded, or null. */
  static restore() {
    try {
      const { token, account } = JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
      return token ? new Session(new Client({ admin: { token }, client: ABOUT }), account) : null;
    } catch {
      return null; // not of this version
    }
  }

  /** A second connection, for what would be in the way of the feed. The caller closes it. */
  second() {
    return connect({ admin: { token: this.client.adminSession.token }, client: ABOUT });
  }

  get admin() { return this.client.admin; }
  get state() { return this.client.state; }

  /** Whether the account's role has the rights of another one. */
  may(role) { return (RANK[this.account.role] ?? 0) >= RANK[role]; }

  /** Whether the account is for all scopes. */
  get forAll() { return !this.account.scopes?.length; }

  /** The scopes that this admin may see, by name. */
  async scopes() {
    const scopes = await this.admin.scopes.list();
    return scopes.filter((s) => s.name !== "*").sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Ends the session here and on the server. */
  async signOut() {
    this.#end("");
    try {
      await this.admin.logout();
    } catch {
      // it ends by itself when it expires
    }
    this.client.close();
  }

  #changed(state) {
    if (state.phase === "connected" && this.client.adminSession) {
      const { name, role, scopes } = this.client.adminSession;
      this.account = { name, role, scopes };
    }
    if (state.phase === "closed") this.#end(why(state.error));
    else this.dispatchEvent(new Event("state"));
  }

  #end(text) {
    if (this.#ended) return;
    this.#ended = true;
    sessionStorage.removeItem(KEPT);
    this.dispatchEvent(new CustomEvent("ended", { detail: { why: text } }));
  }
}

function why(error) {
  if (!error) return "";
  if (error.status === 607) return "Your session has ended. Sign in again.";
  return `You were signed out: ${error.message}.`;
}
