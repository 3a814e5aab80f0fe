// The table of all scopes that the admin may see, those with the most players
// online first. Each scope's numbers are a call of their own: few at a time, and
// the more scopes there are, the longer until the next round.
import { fill, h, perFrame } from "./dom.js";
import { count, number } from "./format.js";
import { explain } from "./notice.js";
import { link } from "./route.js";
import { History, SPANS } from "./spans.js";

const AT_ONCE = 4;
const SHORTEST = 15_000; // ms from one round to the next
const SHARE = 10; // a round may take a tenth of the time
const FIRST = 50; // rows until somebody asks for all

const COLUMNS = [["Online", "online"], ["Users", "users"], ["Logins", "logins"], ["Failures", "failures"], ["Joins", "joins"], ["DAU", "dau"]];

export class ScopeTable {
  #session;
  #span = "";
  #chosen = "";
  #rows = new Map(); // scope to {tr, cells, history, stats, error}
  #round = 0; // which round is the newest; the others have stopped
  #timer = 0;
  #due = 0; // when the next round is, by performance.now()
  #asked = perFrame(() => this.#draw());
  #all = false;

  #says = h("p", { class: "quiet says" }, "Loading…");
  #body = h("tbody");
  #more = h("button", { type: "button", class: "small", hidden: true, onclick: () => this.#showAll() });
  #table = h("table", { hidden: true }, h("caption", { class: "hidden" }, "By scope"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "Scope"), COLUMNS.map(([name]) => h("th", { scope: "col", class: "n" }, name)))), this.#body);

  element = h("section", { class: "card scopes", "aria-labelledby": "overview-scopes" }, h("h2", { id: "overview-scopes" }, "By scope"),
    this.#says, h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Table of scopes" }, this.#table), this.#more);

  /** onscopes is told the scopes whenever they were listed. */
  constructor(session, onscopes) {
    this.#session = session;
    this.onscopes = onscopes;
  }

  /** Shows a span, with one scope marked. */
  show(span, chosen) {
    this.#chosen = chosen;
    if (span !== this.#span) {
      this.#span = span;
      for (const row of this.#rows.values()) row.stats = row.history = null;
      this.#due = 0;
      this.start();
    }
    this.#asked();
  }

  /** Goes on, at once where a round is due. */
  start() {
    this.stop();
    if (document.visibilityState === "visible" && this.#span) this.#later(++this.#round);
  }

  stop() {
    this.#round++;
    clearTimeout(this.#timer);
  }

  #later(round) {
    this.#timer = setTimeout(() => this.#go(round), Math.max(0, this.#due - performance.now()));
  }

  async #go(round) {
    const begun = performance.now();
    try {
      const scopes = await this.#session.scopes();
      if (round !== this.#round) return;
      this.#list(scopes.map((s) => s.name));
      this.onscopes([...this.#rows.keys()]);
      // Those that were at the top are asked for first.
      const left = this.#sorted();
      await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (left.length > 0 && round === this.#round) await this.#ask(left.shift(), round);
      }));
    } catch (error) {
      if (round === this.#round && this.#rows.size === 0) this.#says.textContent = explain(error);
    }
    if (round !== this.#round) return;
    const now = performance.now();
    this.#due = now + Math.max(SHORTEST, SHARE * (now - begun));
    this.#later(round);
  }

  async #ask(row, round) {
    const span = SPANS[this.#span];
    const history = row.history ?? new History(row.name, span.ms, span.each);
    const params = history.params(Date.now());
    try {
      const stats = await this.#session.admin.stats(params);
      if (round !== this.#round) return;
      history.take(params, stats, Date.now());
      row.history = history;
      row.stats = { ...stats, ...history.total };
      row.error = null;
    } catch (error) {
      if (round !== this.#round) return;
      row.error = error; // what was known of it stays
    }
    this.#asked();
  }

  #list(names) {
    const there = new Set(names);
    for (const name of this.#rows.keys()) if (!there.has(name)) this.#rows.delete(name);
    for (const name of names) {
      if (this.#rows.has(name)) continue;
      const cells = COLUMNS.map(() => h("td", { class: "n" }, "…"));
      const a = h("a", null, name);
      this.#rows.set(name, { name, a, cells, tr: h("tr", null, h("th", { scope: "row" }, a), cells), history: null, stats: null, error: null });
    }
    this.#asked();
  }

  #showAll() {
    this.#all = true;
    this.#draw();
    this.#body.children[FIRST]?.querySelector("a").focus(); // the button has gone
  }

  #sorted() {
    const by = (of) => (a, b) => (b.stats?.[of] ?? -1) - (a.stats?.[of] ?? -1);
    const online = by("online"), today = by("dau");
    return [...this.#rows.values()].sort((a, b) => online(a, b) || today(a, b) || a.name.localeCompare(b.name, undefined, { numeric: true }));
  }

  #draw() {
    const rows = this.#sorted();
    const known = rows.filter((r) => r.stats).length, failed = rows.filter((r) => r.error);
    for (const { name, a, cells, tr, stats, error } of rows) {
      a.setAttribute("href", link("overview", [], { scope: name, span: this.#span }));
      tr.toggleAttribute("data-chosen", name === this.#chosen);
      if (name === this.#chosen) a.setAttribute("aria-current", "true");
      else a.removeAttribute("aria-current");
      tr.classList.toggle("old", Boolean(error));
      COLUMNS.forEach(([, of], i) => { cells[i].textContent = stats ? number(stats[of]) : error ? "–" : "…"; });
    }
    const shown = rows.filter((r, i) => this.#all || i < FIRST || r.name === this.#chosen).map((r) => r.tr);
    if (shown.length !== this.#body.children.length || shown.some((tr, i) => this.#body.children[i] !== tr)) {
      const focused = document.activeElement;
      const inside = this.#body.contains(focused);
      fill(this.#body, shown);
      if (inside && focused.isConnected) focused.focus({ preventScroll: true });
    }
    this.#more.hidden = shown.length === rows.length;
    this.#more.textContent = `Show all ${number(rows.length)} scopes`;
    this.#table.hidden = rows.length === 0;
    const of = SPANS[this.#span].of;
    if (rows.length === 0) return;
    this.#says.textContent = failed.length > 0 ? `Not up to date for ${count(failed.length, "scope")}: ${explain(failed[0].error)}`
      : known < rows.length ? `Logins, failures and joins of ${of}. Loading: ${number(known)} of ${count(rows.length, "scope")}`
        : `Logins, failures and joins of ${of}.`;
    this.#says.classList.toggle("warn", failed.length > 0);
  }
}
