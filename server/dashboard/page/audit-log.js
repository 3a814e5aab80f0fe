// What admins did, newest first, as it happens. It has a connection of its own,
// since a connection has one subscription and the page's is the feed's.
import { field, fill, h, perFrame, select } from "./dom.js";
import { count, full } from "./format.js";
import { Ring } from "./ring.js";
import { link } from "./route.js";
import { stackRow, stackTable } from "./stack-table.js";
import { ADMIN_ACTIONS } from "./tables.js";
import { trouble } from "./trouble.js";

/** How many actions are kept, and asked for: the most that the server gives. */
const KEPT = 1000;
const SHOWN = 100; // rows at first, and how many more at a time
const COLUMNS = ["Time", "Admin", "Action", "Target", "Scope", "Address"];

/** The parts of the filter, as they stand in the URL. */
export const AUDIT_PARTS = ["admin", "action", "q"];

/** Whether an action passes a filter {admin, action, q}. */
export function passes(push, { admin, action, q }) {
  const d = push.data;
  if (admin && d.admin !== admin) return false;
  if (action && d.action !== action) return false;
  const text = q.trim().toLowerCase();
  return !text || [d.admin, d.action, d.target, d.user_id, d.ip, d.node, push.scope].some((part) => part?.toLowerCase().includes(text));
}

export class AuditLog {
  #session;
  #client = null;
  #asked = 0;
  #kept = new Ring(KEPT);
  #seen = new Set(); // names of admins
  #filter = { admin: "", action: "", q: "" };
  #limit = SHOWN;
  #render = perFrame(() => this.#draw());
  #form;
  #state = h("p", { class: "quiet", role: "status" }, "Loading…");
  #problem = h("div");
  #list = h("div");
  #more = h("button", { type: "button", hidden: true, onclick: () => { this.#limit += SHOWN; this.#draw(); } }, "Show more");

  /** choose gets the filter when the controls changed it. */
  constructor(session, choose) {
    this.#session = session;
    const chosen = () => choose(Object.fromEntries(AUDIT_PARTS.map((name) => [name, this.#form.elements[name].value])));
    this.#form = h("form", { class: "filters", role: "search", "aria-label": "Filter the audit", onsubmit: (e) => e.preventDefault(), oninput: chosen, onreset: () => setTimeout(chosen) },
      field("Admin", select({ name: "admin" }, [["", "all"]])),
      field("Action", select({ name: "action" }, [["", "all"], ...ADMIN_ACTIONS])),
      field("Text", h("input", { name: "q", type: "search", autocomplete: "off", spellcheck: "false", placeholder: "target, address…" })),
      h("button", { type: "reset" }, "Clear"));
    this.element = h("section", { class: "card audit", "aria-labelledby": "audit-title" },
      h("h2", { id: "audit-title" }, "Audit"),
      h("p", { class: "quiet about" }, `What admins changed, newest first: the last ${KEPT.toLocaleString()} that the history keeps.`),
      this.#form, this.#problem, this.#state, this.#list, h("div", { class: "row" }, this.#more));
  }

  /** Shows what a filter lets through. */
  filter(filter) {
    this.#filter = filter;
    for (const name of AUDIT_PARTS) {
      const control = this.#form.elements[name];
      if (control.localName === "select") this.#offer(control, filter[name]);
      if (control.value !== filter[name]) control.value = filter[name];
    }
    this.#limit = SHOWN;
    this.#draw();
  }

  async start() {
    this.stop();
    const asked = this.#asked;
    fill(this.#problem);
    try {
      const client = await this.#session.second();
      if (asked !== this.#asked) return client.close();
      this.#client = client;
      this.#kept.clear();
      const subscription = await client.subscribe({
        scope: "*", events: ["admin.action"], last: KEPT, batch: true,
        onEvent: (push) => this.#take(push),
        onResume: ({ recovered }) => recovered || this.#gap(),
      });
      this.#loaded = true;
      this.#render();
      await subscription.done;
      if (subscription.error) throw subscription.error;
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#client?.close();
      this.#client = null;
      fill(this.#problem, trouble("The audit can't be followed", error, () => this.start()));
    }
  }

  stop() {
    this.#asked++;
    this.#render.cancel();
    this.#client?.close();
    this.#client = null;
  }

  #loaded = false;

  #take(push) {
    if (push.event !== "admin.action") return; // such as feed.head
    this.#kept.push(push);
    this.#seen.add(push.data.admin);
    this.#render();
  }

  #gap() {
    fill(this.#problem, h("p", { class: "banner" }, "The connection was lost for longer than the history reaches back: actions may be missing here."));
  }

  /** Adds a value to a select that has it not. */
  #offer(control, value) {
    if (![...control.options].some((o) => o.value === value)) control.append(h("option", { value }, value));
  }

  #draw() {
    const admins = this.#form.elements.admin;
    for (const name of [...this.#seen].sort()) this.#offer(admins, name);
    const found = [...this.#kept].filter((push) => passes(push, this.#filter));
    // Those of several scopes come one scope after the other at first.
    found.sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : b.seq - a.seq));
    const shown = found.slice(0, this.#limit);
    if (!this.#loaded && this.#kept.length === 0) return;
    const narrowed = AUDIT_PARTS.some((name) => this.#filter[name]);
    this.#state.textContent = narrowed ? `${found.length} of ${count(this.#kept.length, "action")}` : count(found.length, "action");
    this.#more.hidden = found.length <= shown.length;
    fill(this.#list, shown.length > 0 && stackTable("What admins changed, newest first", COLUMNS, shown.map(row)));
  }
}

function row(push) {
  const d = push.data;
  return stackRow(COLUMNS, [
    h("time", { datetime: push.time }, full(push.time)),
    d.admin, h("span", { class: "mono" }, d.action), target(d),
    push.scope === "*" ? h("span", { class: "quiet" }, "all") : h("a", { href: link("scopes", [push.scope]) }, push.scope),
    d.ip ?? "",
  ]);
}

function target({ user_id: id, target, action }) {
  if (id) return h("a", { href: link("users", [id]) }, target || id);
  if (target && action.startsWith("admin.scopes.") && action !== "admin.scopes.delete") return h("a", { href: link("scopes", [target]) }, target);
  return target ?? h("span", { class: "quiet" }, "–");
}
