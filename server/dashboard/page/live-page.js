// <rc-live-page>: the feed as it happens, newest first.
import { field, fill, h, perFrame, select } from "./dom.js";
import { count, number } from "./format.js";
import { EVENTS, filterOf, PARTS } from "./live-filter.js";
import { LiveList } from "./live-list.js";
import { COLUMNS, row, update } from "./live-rows.js";
import { attempt, explain } from "./notice.js";
import { go, link } from "./route.js";

const SHOWN = 200; // rows at first, and how many more at a time
const HELD = 20_000; // events that a pause keeps

export class LivePage extends HTMLElement {
  #list = new LiveList();
  #accepts = () => true;
  #filter = ""; // as it stands in the URL
  #limit = SHOWN;
  #held = null; // what comes in a pause: {from, marks, events: [push or marker], total}
  #fresh = 0; // entries that are not in the table yet
  #changed = new Set(); // rates whose rows are to be brought up to date
  #rows = new Map(); // entry to row
  #render = perFrame(() => this.#draw());

  connectedCallback() {
    this.#build();
    for (const name of ["events", "marker", "failed"]) this.feed.addEventListener(name, this);
    if (this.feed.error) this.#failed(this.feed.error);
    this.#scopes();
  }

  disconnectedCallback() {
    for (const name of ["events", "marker", "failed"]) this.feed.removeEventListener(name, this);
    this.#render.cancel();
  }

  show({ params }) {
    for (const name of PARTS) {
      const control = this.#form.elements[name];
      const value = params.get(name) ?? "";
      if (control.localName === "select" && value && ![...control.options].some((o) => o.value === value)) {
        control.append(h("option", { value }, value)); // such as a scope that is not listed yet
      }
      if (control.value !== value) control.value = value;
    }
    const filter = new URLSearchParams(PARTS.map((name) => [name, params.get(name) ?? ""])).toString();
    if (filter === this.#filter) return;
    this.#filter = filter;
    this.#accepts = filterOf(params);
    this.#replay();
  }

  handleEvent(event) {
    if (event.type === "failed") this.#failed(event.detail);
    else if (event.type === "marker") this.#mark(event.detail);
    else this.#take(event.detail);
  }

  // The controls.

  #form;
  #pause;
  #told;
  #count;
  #problem;
  #body;
  #more;

  #build() {
    const methods = ["password", "admin", "facebook", "google", "apple", "openudid"];
    this.#form = h("form", { class: "filters", role: "search", "aria-label": "Filter", onsubmit: (e) => e.preventDefault(), oninput: () => this.#choose(), onreset: () => setTimeout(() => this.#choose()) },
      field("Scope", select({ name: "scope" }, [["", "all"]])),
      field("Event", select({ name: "event" }, [["", "all"], ...Object.entries(EVENTS)])),
      field("Method", select({ name: "method" }, [["", "all"], ...methods])),
      field("Outcome", select({ name: "outcome" }, [["", "all"], "ok", "failed"])),
      field("Text", h("input", { name: "q", type: "search", placeholder: "name, address, reason…" })),
      h("button", { type: "reset" }, "Clear"));
    this.#pause = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.#toggle() }, "Pause");
    this.#told = h("span", { class: "told", role: "status" });
    this.#count = h("p", { class: "quiet count" });
    this.#problem = h("p", { class: "banner bad", role: "alert", hidden: true });
    this.#body = h("tbody");
    this.#more = h("button", { type: "button", onclick: () => this.#showMore() }, "Load older");
    this.append(
      h("div", { class: "head" }, h("h1", null, "Live"), this.#told, this.#pause),
      this.#problem, this.#form, this.#count,
      h("div", { class: "card feed scroll", role: "region", "aria-label": "Events", tabindex: "0" },
        h("table", { class: "live" }, h("caption", { class: "hidden" }, "Events, newest first"),
          h("thead", null, h("tr", null, COLUMNS.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))),
          this.#body),
        h("p", { class: "row" }, this.#more)));
  }

  async #scopes() {
    const scopes = await attempt("Scopes", () => this.session.scopes());
    const control = this.#form.elements.scope;
    for (const { name } of scopes ?? []) {
      if (![...control.options].some((o) => o.value === name)) control.append(h("option", { value: name }, name));
    }
  }

  /** Takes the filter from the controls into the URL, which calls show. */
  #choose() {
    const params = Object.fromEntries(PARTS.map((name) => [name, this.#form.elements[name].value]));
    go(link("live", [], params), { replace: true });
  }

  #failed(error) {
    this.#problem.hidden = false;
    this.#problem.textContent = `The feed can't be followed: ${explain(error)}`;
  }

  // The events.

  /** Makes the list anew from what the page keeps of the feed. */
  #replay() {
    this.#list.clear();
    const { from, marks } = this.#held ?? { from: Infinity, marks: Infinity };
    const held = [];
    let total = 0;
    for (const entry of this.feed.story()) {
      const { n, m, push } = entry;
      if (!push) {
        if (m <= marks) this.#list.mark(entry);
        else held.push(heldMarker(entry));
      } else if (this.#accepts(push)) {
        if (n <= from) this.#list.add(push);
        else {
          held.push(push);
          total++;
        }
      }
    }
    if (this.#held) this.#held = { from, marks, events: held, total };
    this.#redraw();
  }

  #take(entries) {
    let fresh = 0;
    for (const { push } of entries) {
      if (!this.#accepts(push)) continue;
      if (this.#held) {
        this.#held.total++;
        this.#held.events.push(push);
        if (this.#held.events.length > 2 * HELD) this.#held.events.splice(0, HELD);
        continue;
      }
      const before = this.#list.entries.at(-1);
      const entry = this.#list.add(push);
      if (entry === before || entry.kind === "rate" && entry.total > 1) this.#changed.add(entry);
      else fresh++;
    }
    this.#fresh += fresh;
    this.#render();
  }

  #mark(marker) {
    if (this.#held) {
      this.#held.events.push(heldMarker(marker));
    } else {
      this.#list.mark(marker);
      this.#fresh++;
    }
    this.#render();
  }

  #toggle() {
    if (this.#held) {
      const { events, total } = this.#held;
      this.#held = null;
      const kept = events.filter((e) => e.kind !== "marker").length;
      if (kept < total) {
        this.#list.mark({ tone: "warn", text: `${count(total - kept, "event")} of the pause are not kept in this page; they are in the server's history` });
      }
      // Few stand for themselves, as many as the list holds.
      const single = events.length <= 1000;
      for (const e of events) {
        if (e.kind === "marker") this.#list.mark(e);
        else this.#list.add(e, { single });
      }
      this.#redraw();
    } else {
      this.#held = { from: this.feed.n, marks: this.feed.m, events: [], total: 0 };
    }
    this.#pause.setAttribute("aria-pressed", String(this.#held !== null));
    this.#pause.textContent = this.#held ? "Resume" : "Pause";
    this.#render();
  }

  async #showMore() {
    if (this.#limit < this.#list.length) {
      this.#limit += SHOWN;
      this.#redraw();
      return;
    }
    this.#more.disabled = true;
    const filter = this.#filter;
    const scope = this.#form.elements.scope.value;
    const got = await attempt("Older events", () => this.feed.older(scope));
    this.#more.disabled = false;
    if (!got || filter !== this.#filter) return;
    const found = got.pushes.filter(this.#accepts);
    this.#list.prepend(found);
    this.#limit += found.length;
    this.#more.textContent = got.end ? "The history goes back no further" : "Load older";
    this.#more.disabled = got.end;
    this.#redraw();
  }

  // The table.

  #redraw() {
    this.#fresh = 0;
    this.#changed.clear();
    this.#rows.clear();
    const rows = [];
    for (let i = 0; i < Math.min(this.#limit, this.#list.length); i++) rows.push(this.#row(this.#list.newest(i)));
    this.#body.replaceChildren(...rows);
    this.#tell();
  }

  #row(entry) {
    const tr = row(entry);
    this.#rows.set(entry, tr);
    return tr;
  }

  #draw() {
    const fresh = Math.min(this.#fresh, this.#list.entries.length);
    this.#fresh = 0;
    if (fresh >= this.#limit) {
      this.#redraw();
      return;
    }
    const rows = [];
    for (let i = 0; i < fresh; i++) rows.push(this.#row(this.#list.newest(i)));
    this.#body.prepend(...rows);
    for (const rate of this.#changed) {
      const tr = this.#rows.get(rate);
      if (tr) update(tr, rate);
    }
    this.#changed.clear();
    if (this.#body.children.length > this.#limit) this.#trim();
    this.#tell();
  }

  #trim() {
    while (this.#body.children.length > this.#limit) this.#body.lastElementChild.remove();
    for (const [entry, tr] of this.#rows) {
      if (!tr.isConnected) this.#rows.delete(entry);
    }
  }

  #tell() {
    this.#told.textContent = this.#held ? `${number(this.#held.total)} new` : "";
    const { total, failed } = this.#list;
    this.#count.textContent = total === 0 ? "Nothing has happened yet that fits." : `${count(total, "event")}, ${number(failed)} failed`;
    if (!this.#more.disabled) this.#more.textContent = this.#limit < this.#list.length ? "Show more" : "Load older";
  }
}

const heldMarker = (marker) => ({ kind: "marker", ...marker });
