// <rc-scopes-page>: the scopes, and the way to a new one.
import { field, fill, h, select } from "./dom.js";
import { ask } from "./dialog.js";
import { full } from "./format.js";
import { go, link } from "./route.js";
import { secretField, shownOnce } from "./secret.js";
import { stackRow, stackTable } from "./stack-table.js";
import { loading, trouble } from "./trouble.js";
import { notify } from "./notice.js";
import { SESSIONS } from "./scope-options.js";
import { webhookTag } from "./webhook-state.js";

const COLUMNS = ["Scope", "Key", "Sessions", "Providers", "Webhook", "Created"];
const REFRESH = 30_000; // ms between two looks at the webhooks

export class ScopesPage extends HTMLElement {
  #asked = 0;
  #timer;
  #scopes = null;
  #hooks = new Map(); // scope to the last answer about its webhook
  #list = h("div", null, loading());
  #once = h("div");

  connectedCallback() {
    const may = this.session.may("owner") && this.session.forAll;
    fill(this, h("div", { class: "head" }, h("h1", null, "Scopes"),
      may && h("button", { type: "button", class: "primary", onclick: () => this.#create() }, "New scope")),
      this.#once, h("section", { class: "card", "aria-label": "Scopes" }, this.#list));
    this.feed.addEventListener("events", this);
    this.session.addEventListener("state", this);
    this.#timer = setInterval(() => document.hidden || this.#askWebhooks(), REFRESH);
    this.#load();
  }

  disconnectedCallback() {
    this.#asked++;
    clearInterval(this.#timer);
    this.feed.removeEventListener("events", this);
    this.session.removeEventListener("state", this);
  }

  show() {}

  /** Another admin changed a scope, or a lost connection is back. */
  handleEvent(event) {
    const load = event.type === "state" ? this.session.state.phase === "connected"
      : event.detail.some(({ push }) => push.event === "admin.action" && push.data.action.startsWith("admin.scopes."));
    if (load) this.#load();
  }

  async #load() {
    const asked = ++this.#asked;
    try {
      const scopes = await this.session.scopes();
      if (asked !== this.#asked) return;
      this.#scopes = scopes;
      this.#draw();
      this.#askWebhooks();
    } catch (error) {
      if (asked === this.#asked) fill(this.#list, trouble("The scopes could not be loaded", error, () => this.#load()));
    }
  }

  async #askWebhooks() {
    const asked = this.#asked;
    for (const { name, webhook } of this.#scopes ?? []) {
      if (!webhook) continue;
      try {
        const state = await this.session.admin.scopes.deliveries({ name });
        if (asked !== this.#asked) return;
        this.#hooks.set(name, state);
        const cell = this.#list.querySelector(`[data-hook="${CSS.escape(name)}"]`);
        if (cell) fill(cell, webhookTag(state));
      } catch {
        if (asked !== this.#asked) return; // what was known of it stays
      }
    }
  }

  #draw() {
    if (this.#scopes.length === 0) {
      fill(this.#list, h("p", { class: "quiet" }, "There is no scope yet. A scope is a game, or whatever else has users of its own."));
      return;
    }
    fill(this.#list, stackTable("Scopes", COLUMNS, this.#scopes.map((scope) => stackRow(COLUMNS, [
      h("a", { href: link("scopes", [scope.name]) }, scope.name),
      scope.has_key ? "own" : "the server's",
      scope.sessions,
      this.#providers(scope),
      scope.webhook
        ? h("span", { "data-hook": scope.name }, this.#hooks.has(scope.name) ? webhookTag(this.#hooks.get(scope.name)) : "set")
        : h("span", { class: "quiet" }, "none"),
      full(scope.created_at),
    ]))));
  }

  #providers({ providers }) {
    const names = Object.keys(providers).sort();
    if (names.length === 0) return h("span", { class: "quiet" }, "none");
    return h("span", { class: "tags" }, names.map((name) => (providers[name].mode === "trust"
      ? h("span", { class: "tag warn" }, `${name}: trust`)
      : h("span", { class: "tag" }, name))));
  }

  async #create() {
    let key = "";
    const scope = await ask({
      title: "New scope", confirm: "Create",
      body: [
        field("Name", h("input", { name: "name", required: true, maxlength: 64, autocomplete: "off", autocapitalize: "none", spellcheck: "false" }), "1 to 64 bytes. It never changes."),
        field("Sessions", select({ name: "sessions" }, SESSIONS.map(({ value, text }) => [value, `${value}: ${text}`]), "many")),
        secretField("Key of its own (optional)", { name: "key", maxlength: 4096 }, "What the game's client shows to the server. Without one, the server's key opens the scope."),
      ],
      act: (data) => {
        key = data.get("key");
        return this.session.admin.scopes.create({ name: data.get("name"), sessions: data.get("sessions"), ...(key && { key }) });
      },
    });
    if (!scope) return;
    notify(`Created: ${scope.name}`);
    if (!key) return go(link("scopes", [scope.name]));
    fill(this.#once, shownOnce(`The key of ${scope.name}`, key));
    this.#load();
  }
}
