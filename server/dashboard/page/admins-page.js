// <rc-admins-page>: the admin accounts, one's own password, and what admins did.
import { AUDIT_PARTS, AuditLog } from "./audit-log.js";
import { ask, askTyped } from "./dialog.js";
import { check, field, fill, h, select } from "./dom.js";
import { full } from "./format.js";
import { attempt, notify } from "./notice.js";
import { newPassword, password } from "./password-fields.js";
import { go, link } from "./route.js";
import { stackRow, stackTable } from "./stack-table.js";
import { loading, trouble } from "./trouble.js";

const COLUMNS = ["Name", "Role", "Scopes", "Created", ""];
const ROLES = [
  ["viewer", "viewer: sees everything, changes nothing"],
  ["operator", "operator: takes care of users too"],
  ["owner", "owner: changes scopes and admins too"],
];

export class AdminsPage extends HTMLElement {
  #asked = 0;
  #audit = null;
  #list = h("div", null, loading());

  connectedCallback() {
    const owner = this.session.may("owner");
    this.#audit = new AuditLog(this.session, (filter) => go(link("admins", [], filter), { replace: true }));
    fill(this, h("div", { class: "head" }, h("h1", null, "Admins"),
      h("button", { type: "button", onclick: () => this.#setPassword(this.session.account.name) }, "Change my password"),
      owner && h("button", { type: "button", class: "primary", onclick: () => this.#create() }, "New admin")),
      owner && h("section", { class: "card", "aria-label": "Accounts" }, this.#list),
      this.#audit.element);
    this.feed.addEventListener("events", this);
    this.session.addEventListener("state", this);
    if (owner) this.#load();
    this.#audit.start();
  }

  disconnectedCallback() {
    this.#asked++;
    this.#audit.stop();
    this.feed.removeEventListener("events", this);
    this.session.removeEventListener("state", this);
  }

  show({ params }) {
    this.#audit.filter(Object.fromEntries(AUDIT_PARTS.map((name) => [name, params.get(name) ?? ""])));
  }

  /** Another owner changed an account, or a lost connection is back. */
  handleEvent(event) {
    const load = event.type === "state" ? this.session.state.phase === "connected"
      : event.detail.some(({ push }) => push.event === "admin.action" && push.data.action.startsWith("admin.admins."));
    if (load && this.session.may("owner")) this.#load();
  }

  async #load() {
    const asked = ++this.#asked;
    try {
      const admins = await this.session.admin.admins.list();
      if (asked === this.#asked) this.#draw(admins.sort((a, b) => a.name.localeCompare(b.name)));
    } catch (error) {
      if (asked === this.#asked) fill(this.#list, trouble("The accounts could not be loaded", error, () => this.#load()));
    }
  }

  #draw(admins) {
    const own = this.session.account.name;
    fill(this.#list, stackTable("Admin accounts", COLUMNS, admins.map(({ name, role, scopes, created_at }) => stackRow(COLUMNS, [
      [name, name === own && h("span", { class: "quiet" }, " (you)")],
      role,
      scopes?.length ? h("span", { class: "tags" }, scopes.map((scope) => h("span", { class: "tag" }, scope))) : "all",
      full(created_at),
      h("span", { class: "row" },
        h("button", { type: "button", class: "small", "aria-label": `Set password of ${name}`, onclick: () => this.#setPassword(name) }, "Set password"),
        h("button", { type: "button", class: "small danger", "aria-label": `Delete ${name}`, onclick: () => this.#delete(name) }, "Delete")),
    ]))));
  }

  async #create() {
    const scopes = await attempt("The scopes could not be loaded", () => this.session.scopes());
    if (!scopes) return;
    const all = this.session.forAll;
    const made = await ask({
      title: "New admin", confirm: "Create",
      body: [
        field("Name", h("input", { name: "name", required: true, maxlength: 64, autocomplete: "off", autocapitalize: "none", spellcheck: "false" })),
        field("Role", select({ name: "role" }, ROLES, "viewer")),
        h("fieldset", null, h("legend", null, all ? "Scopes; none chosen means all" : "Scopes"),
          h("div", { class: "events" }, scopes.map(({ name }) => check(name, { name: "scope", value: name })))),
        newPassword(),
      ],
      act: (data) => {
        const names = data.getAll("scope");
        if (!all && names.length === 0) throw new Error("Choose a scope at least: your own account is for some scopes only.");
        return this.session.admin.admins.create({ name: data.get("name"), role: data.get("role"), password: password(data), ...(names.length > 0 && { scopes: names }) });
      },
    });
    if (!made) return;
    notify(`Created: ${made.name}, ${made.role}`);
    this.#load();
  }

  async #setPassword(name) {
    const own = name === this.session.account.name;
    const done = await ask({
      title: own ? "Change my password" : `Set the password of ${name}`, confirm: own ? "Change" : "Set",
      body: [h("p", null, own ? "You stay signed in here, and are signed out everywhere else." : `${name} is signed out everywhere.`), newPassword()],
      act: (data) => this.session.admin.admins.setPassword({ name, password: password(data) }),
    });
    if (!done) return;
    notify(own ? "Your password is changed" : `The password of ${name} is set`);
    if (own) this.#audit.start(); // its connection was one of those elsewhere
  }

  async #delete(name) {
    const own = name === this.session.account.name;
    const done = await askTyped({
      title: "Delete an admin", confirm: "Delete", name,
      text: own ? "This is your own account: you are signed out at once." : `${name} is signed out everywhere at once. This can't be undone.`,
      act: () => this.session.admin.admins.delete({ name }),
    });
    if (done === undefined) return;
    notify(`Deleted: ${name}`);
    if (!own) this.#load();
  }
}
