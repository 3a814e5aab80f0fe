// <rc-scope-page>: everything about one scope. Everybody sees it, owners change
// it: each part is saved by itself.
import { fill, h } from "./dom.js";
import { askTyped } from "./dialog.js";
import { full } from "./format.js";
import { notify } from "./notice.js";
import { go, link } from "./route.js";
import { scopeKey } from "./scope-key.js";
import { mailSenders, options, sessions } from "./scope-options.js";
import { permissions } from "./scope-permissions.js";
import { providers } from "./scope-providers.js";
import { webhook } from "./scope-webhook.js";
import { loading, trouble } from "./trouble.js";

export class ScopePage extends HTMLElement {
  #name = "";
  #asked = 0;
  #parts = []; // each with element and show(scope); none before the scope is loaded

  connectedCallback() {
    this.feed.addEventListener("events", this);
    this.session.addEventListener("state", this);
  }

  disconnectedCallback() {
    this.feed.removeEventListener("events", this);
    this.session.removeEventListener("state", this);
    this.#stop();
  }

  show({ args: [name] }) {
    if (name === this.#name) return;
    this.#stop();
    this.#name = name;
    fill(this, this.#head(), loading());
    this.#load();
  }

  /** Another admin changed the scope, or a lost connection is back. */
  handleEvent(event) {
    const load = event.type === "state" ? this.session.state.phase === "connected"
      : event.detail.some(({ push: { event: name, data } }) => name === "admin.action" && data.action.startsWith("admin.scopes.") && data.target === this.#name);
    if (load) this.#load();
  }

  #stop() {
    this.#asked++;
    for (const part of this.#parts) part.stop?.();
    this.#parts = [];
  }

  #head(more) {
    return h("div", { class: "head" }, h("h1", null, this.#name), more);
  }

  async #load() {
    const asked = ++this.#asked;
    try {
      const scope = (await this.session.scopes()).find(({ name }) => name === this.#name);
      if (asked !== this.#asked) return;
      if (scope) this.#show(scope);
      else this.#missing();
    } catch (error) {
      if (asked !== this.#asked || this.#parts.length > 0) return; // what is shown stays; a connection that is back asks again
      fill(this, this.#head(), trouble("The scope could not be loaded", error, () => {
        fill(this, this.#head(), loading());
        this.#load();
      }));
    }
  }

  #missing() {
    this.#stop();
    fill(this, this.#head(), h("p", null, "There is no scope of that name, or your account is not for it."), h("p", null, h("a", { href: link("scopes") }, "All scopes")));
  }

  #show(scope) {
    if (this.#parts.length === 0) this.#build(scope);
    for (const part of this.#parts) part.show(scope);
  }

  #build(scope) {
    const editable = this.session.may("owner");
    const save = async (update) => {
      const name = this.#name;
      const changed = await this.session.admin.scopes.update({ name, ...update });
      if (name === this.#name && this.#parts.length > 0) {
        this.#asked++; // an answer that is under way is older
        for (const part of this.#parts) part.show(changed);
      }
      return changed;
    };
    const deliveries = () => this.session.admin.scopes.deliveries({ name: scope.name });
    const how = { editable, save, deliveries };
    const [permits, policy, switches, senders, key, oauth, hook] =
      [permissions, sessions, options, mailSenders, scopeKey, providers, webhook].map((make) => make(how));
    this.#parts = [permits, policy, switches, senders, key, oauth, hook];
    fill(this,
      this.#head([
        h("a", { class: "button", href: link("users", [], { scope: scope.name }) }, "Users"),
        h("a", { class: "button", href: link("live", [], { scope: scope.name }) }, "Live"),
      ]),
      h("p", { class: "quiet about" }, `Created ${full(scope.created_at)}.${editable ? "" : " Only owners can change it."}`),
      permits.element,
      h("div", { class: "pair" }, h("div", null, switches.element, key.element), h("div", null, policy.element, senders.element)),
      oauth.element, hook.element, editable && this.#danger());
  }

  #danger() {
    return h("section", { class: "card", "aria-label": "Delete the scope" },
      h("h2", null, "Delete"), h("p", { class: "quiet about" }, "Only a scope that has no users can be deleted."),
      h("button", { type: "button", class: "danger", onclick: () => this.#delete() }, "Delete this scope"));
  }

  async #delete() {
    const name = this.#name;
    const done = await askTyped({
      title: "Delete the scope", confirm: "Delete", name,
      text: "Its settings, its webhook and its history of events go. This can't be undone.",
      act: async () => {
        try {
          return await this.session.admin.scopes.delete({ name });
        } catch (error) {
          if (error.status !== 606) throw error;
          throw new Error("Not deleted: the scope still has users. Delete its users first.", { cause: error });
        }
      },
    });
    if (done === undefined) return;
    notify(`Deleted: ${name}`);
    if (this.#name === name) go(link("scopes"));
  }
}
