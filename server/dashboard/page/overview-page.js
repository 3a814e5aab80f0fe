// The overview: how many play now, how many came and failed to, and how the nodes
// are. Single numbers stream or are asked for again; charts are of a span.
import { fill, h, newID, select } from "./dom.js";
import { clock, count, duration, number, percent } from "./format.js";
import { NodeTable } from "./node-table.js";
import { explain } from "./notice.js";
import { Poll } from "./poll.js";
import { go, link } from "./route.js";
import { ScopeTable } from "./scope-table.js";
import { sparkline } from "./sparkline.js";
import { failureRate, History, SPANS } from "./spans.js";
import { Storm, wait } from "./storm.js";

const STATS_EVERY = 10_000, NODES_EVERY = 2000; // ms; a node reports every 2 s
const RATE_OVER = 10, FAILURES_OVER = 60, SPARK_OVER = 120; // seconds
const DAY = 86_400_000;
const SPAN = "24h"; // unless the address says another

export class OverviewPage extends HTMLElement {
  #scope = "*";
  #span = "";
  #history = null; // of the charts
  #days = null; // of the active users by day
  #statsAt = null; // when the numbers were heard, in ms
  #failed = null; // why the newest call failed
  #nodesAt = null;
  #storm = new Storm();
  #stormy = { waiting: 0, nodes: 0 };
  #stats = new Poll(STATS_EVERY, () => this.#askStats());
  #nodes = new Poll(NODES_EVERY, () => this.#askNodes());
  #timer = 0;
  #built = false;

  connectedCallback() {
    if (!this.#built) this.#build();
    this.#timer = setInterval(() => this.#second(), 1000);
    document.addEventListener("visibilitychange", this);
    this.session.addEventListener("state", this);
    this.#nodes.start();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    document.removeEventListener("visibilitychange", this);
    this.session.removeEventListener("state", this);
    this.#stats.stop();
    this.#nodes.stop();
    this.scopes.stop();
  }

  handleEvent({ type }) {
    if (type === "state") {
      if (this.session.state.phase === "connected") {
        this.#stats.now();
        this.#nodes.now();
        this.scopes.start();
      }
      this.#second();
    } else if (document.visibilityState !== "visible") this.scopes.stop();
    else {
      this.#second();
      this.scopes.start();
    }
  }

  #build() {
    this.#built = true;
    const tile = (name, hint, ...more) => {
      const value = h("dd", { class: "value" }, "–");
      const box = h("div", { class: "tile" }, h("dt", null, name), value, more, h("dd", { class: "hint quiet" }, hint));
      return { box, set: (text) => { if (value.textContent !== text) value.textContent = text; } };
    };
    this.spark = sparkline();
    this.tiles = {
      online: tile("Online now", "players"),
      rate: tile("Logins per second", `over ${RATE_OVER} s; the line: 2 min`, h("dd", { class: "course" }, this.spark)),
      failures: tile("Failure rate", "of the last minute's logins"),
      users: tile("Users", "accounts"),
      pending: tile("Pending", "not confirmed yet"),
      dau: tile("DAU", "active today (UTC)"),
      wau: tile("WAU", "in the last 7 days"),
      mau: tile("MAU", "in the last 30 days"),
    };
    this.choice = select({ onchange: () => this.#choose({ scope: this.choice.value }) }, [["", "All scopes"]]);
    this.spans = Object.entries(SPANS).map(([span, { name }]) => h("button", { type: "button", class: "small", "data-span": span,
      onclick: () => this.#choose({ span }) }, name));
    this.banner = h("div", { role: "status" });
    this.fresh = h("p", { class: "fresh quiet" }, "Loading…");
    this.problem = h("p", { class: "problem", role: "status" });
    this.retry = h("button", { type: "button", class: "small", hidden: true, onclick: () => { this.session.client.retryNow(); this.#stats.now(); } }, "Retry");
    this.charts = {
      logins: chartCard("Logins"),
      online: chartCard("Online peak", "The most players who were online at once."),
      comings: chartCard("Joins and resumes", "New accounts, and sessions that were taken up again."),
      failures: chartCard("Failed logins"),
      active: chartCard("Active users", "Users who were there on a day, in the 7 and in the 30 days that end with it. Days are those of UTC.", "wide"),
    };
    this.noActive = h("p", { class: "quiet says wide" }, "DAU, WAU and MAU are counted by days: over 7\u00a0d and 30\u00a0d there is a chart of them.");
    this.table = new NodeTable();
    this.scopes = new ScopeTable(this.session, (names) => this.#offer(names));
    fill(this, h("div", { class: "head" }, h("h1", null, "Overview"),
      h("label", { class: "scope" }, h("span", { class: "hidden" }, "Scope"), this.choice),
      h("div", { class: "spans", role: "group", "aria-label": "Span of the charts" }, this.spans)),
    this.banner,
    h("dl", { class: "tiles" }, Object.values(this.tiles).map((t) => t.box)),
    h("div", { class: "row freshness" }, this.fresh, this.problem, this.retry),
    h("div", { class: "charts" }, Object.values(this.charts).map((c) => c.card), this.noActive),
    this.table.element, this.scopes.element);
  }

  #choose(change) {
    const scope = this.#scope === "*" ? "" : this.#scope;
    go(link("overview", [], { scope, span: this.#span, ...change }), { replace: true });
  }

  show({ params }) {
    const scope = params.get("scope") || "*";
    const span = params.get("span") in SPANS ? params.get("span") : SPAN;
    if (scope !== this.#scope) {
      this.#statsAt = null; // these are another's
      for (const name of ["online", "users", "pending", "dau", "wau", "mau"]) this.tiles[name].set("–");
    }
    if (scope !== this.#scope || span !== this.#span) {
      const { ms, step, shown } = SPANS[span];
      this.#history = new History(scope, ms, step, shown);
      // The days are asked for beside, unless they are what is asked for.
      this.#days = ms <= DAY ? null : step === DAY ? this.#history : new History(scope, ms, DAY);
    }
    this.#scope = scope;
    this.#span = span;
    this.#offer([...this.choice.options].map((o) => o.value).filter(Boolean));
    for (const b of this.spans) b.setAttribute("aria-pressed", String(b.dataset.span === span));
    this.charts.active.card.hidden = !this.#days;
    this.noActive.hidden = Boolean(this.#days);
    this.scopes.show(span, scope);
    this.#stats.start();
    this.#stats.now();
    this.#second();
  }

  /** Offers the scopes to choose from; the one that is shown is always among them. */
  #offer(names) {
    const chosen = this.#scope === "*" ? "" : this.#scope;
    const all = ["", ...new Set([...names, chosen].filter(Boolean))];
    if (all.join("\n") !== [...this.choice.options].map((o) => o.value).join("\n")) {
      fill(this.choice, all.map((name) => h("option", { value: name }, name || "All scopes")));
    }
    this.choice.value = chosen;
  }

  async #askStats() {
    const history = this.#history, days = this.#days;
    const asked = Date.now();
    const params = history.params(asked);
    try {
      const beside = days && days !== history ? days.params(asked) : null;
      const [stats, byDay] = await Promise.all([this.session.admin.stats(params), beside && this.session.admin.stats(beside)]);
      if (history !== this.#history) return;
      const now = Date.now();
      history.take(params, stats, now);
      if (byDay) days.take(beside, byDay, now);
      this.#statsAt = now;
      this.#failed = null;
      for (const name of ["online", "users", "pending", "dau", "wau", "mau"]) this.tiles[name].set(number(stats[name]));
      this.#draw();
    } catch (error) {
      if (history !== this.#history) return;
      this.#failed = error; // the last good numbers stay
    }
    this.#second();
  }

  async #askNodes() {
    try {
      const nodes = await this.session.admin.nodes();
      const now = this.#nodesAt = Date.now();
      this.table.take(nodes, now);
      const waiting = nodes.reduce((n, node) => n + node.hash_queue, 0);
      this.#stormy = { waiting, nodes: nodes.filter((n) => n.hash_queue > 0).length };
      this.#storm.update(waiting, now);
    } catch {
      // they stay as they were, and are marked as old
    }
    this.#second();
  }

  #draw() {
    const steps = this.#history.grouped, step = this.#history.shown;
    const drawn = (title, series, kind, of = steps, size = step) => ({ title, kind, series, times: of.map((s) => s.at), step: size, unfinished: true });
    const values = (name, of = steps) => of.map((s) => s[name] ?? null);
    const { logins, online, comings, failures, active } = this.charts;
    const span = SPANS[this.#span].of;
    logins.chart.data = drawn(`Logins in ${span}`, [{ name: "Logins", values: values("logins"), color: 0 }], "bars");
    online.chart.data = { ...drawn(`Online peak in ${span}`, [{ name: "Online peak", values: values("online_peak"), color: 2 }], "line"), unfinished: false };
    comings.chart.data = drawn(`Joins and resumes in ${span}`, [
      { name: "Joins", values: values("joins"), color: 0 }, { name: "Resumes", values: values("resumes"), color: 1 }], "line");
    failures.chart.data = drawn(`Failed logins in ${span}`, [
      { name: "Failures", values: values("failures"), color: 1 },
      { name: "Share of attempts", values: steps.map((s) => (s.logins + s.failures > 0 ? failureRate(s) : null)), format: percent, plotted: false }], "bars");
    const total = this.#history.total;
    logins.says.textContent = `${count(total.logins, "login")} in ${span}.`;
    const share = total.logins + total.failures > 0 ? `, ${percent(failureRate(total))} of the attempts` : "";
    failures.says.textContent = `${count(total.failures, "failure")} in ${span}${share}.`;
    if (!this.#days) return;
    const days = this.#days.grouped;
    active.chart.data = { ...drawn(`Active users by day in ${span}`, [
      { name: "DAU", values: values("dau", days), color: 0 }, { name: "WAU", values: values("wau", days), color: 1 },
      { name: "MAU", values: values("mau", days), color: 2 }], "line", days, DAY) };
  }

  /** What changes by itself, once a second. */
  #second() {
    if (!this.#built || document.visibilityState !== "visible" || !this.#span) return;
    const now = Date.now();
    const rates = this.feed.rates;
    const streams = !this.feed.error && this.session.state.phase === "connected";
    const spark = rates.last(SPARK_OVER, this.#scope, now);
    const perSecond = sum(spark.slice(-RATE_OVER)).logins / RATE_OVER;
    this.tiles.rate.set(perSecond.toFixed(perSecond < 100 ? 1 : 0));
    this.spark.show(spark.map((s) => s.logins));
    const rate = failureRate(sum(spark.slice(-FAILURES_OVER)));
    this.tiles.failures.set(percent(rate));
    for (const name of ["rate", "failures"]) this.tiles[name].box.classList.toggle("old", !streams);
    this.tiles.failures.box.classList.toggle("alarm", streams && rate >= 0.5);
    this.scopes.element.classList.toggle("old", !streams);
    this.#showAge(now, streams);
    this.#showStorm(now);
    if (this.#nodesAt) this.table.show(now);
    this.table.element.classList.toggle("old", this.#nodesAt !== null && now - this.#nodesAt > 3 * NODES_EVERY);
  }

  #showAge(now, streams) {
    const old = this.#failed || !streams || (this.#statsAt !== null && now - this.#statsAt > 2.5 * STATS_EVERY);
    const as = this.#statsAt === null ? "" : `The numbers are of ${clock(this.#statsAt)}.`;
    const why = this.#failed ? `${explain(this.#failed)}.`.replace(/\.\.$/, ".") : this.feed.error ? `No live feed: ${explain(this.feed.error)}.` : "";
    const says = old ? `Not up to date. ${why} ${as}`.replace(/ +/g, " ") : "";
    if (this.problem.textContent !== says) this.problem.textContent = says;
    this.fresh.textContent = this.#statsAt === null ? "Loading…" : `Updated at ${clock(this.#statsAt)}`;
    this.fresh.hidden = Boolean(old);
    this.retry.hidden = !old;
    for (const name of ["online", "users", "pending", "dau", "wau", "mau"]) this.tiles[name].box.classList.toggle("old", Boolean(old));
  }

  #showStorm(now) {
    this.banner.className = this.#storm.on ? "banner" : "";
    if (!this.#storm.on) {
      if (this.banner.firstChild) this.banner.replaceChildren();
      return;
    }
    const { waiting, nodes } = this.#stormy;
    // The feed of all scopes says how fast the line moves; of some it would say too little.
    const last = sum(this.feed.rates.last(RATE_OVER, "*", now));
    const ms = this.session.forAll && !this.feed.error ? wait(waiting, (last.logins + last.failures + last.joins) / RATE_OVER) : null;
    const takes = ms === null ? "logins take longer" : `logins take about ${duration(Math.max(1000, ms))}`;
    if (!this.banner.firstChild) fill(this.banner, h("strong", null, "Login storm"), h("span", { "aria-live": "off" }));
    // Only that it begins is read out, not each number.
    this.banner.lastChild.textContent = waiting === 0 ? ": no password hash waits any more" : `: ${count(waiting, "password hash", "password hashes")} ${waiting === 1 ? "waits" : "wait"} on ${count(nodes, "node")}; ${takes}`;
  }
}

function sum(seconds) {
  const all = { joins: 0, logins: 0, failures: 0, resumes: 0 };
  for (const s of seconds) for (const kind in all) all[kind] += s[kind];
  return all;
}

/** A card with a chart, and what is said above it. */
function chartCard(name, text = "", kind = "") {
  const id = newID();
  const chart = document.createElement("rc-time-chart");
  const says = h("p", { class: "quiet says" }, text);
  return { chart, says, card: h("section", { class: `card ${kind}`.trim(), "aria-labelledby": id }, h("h2", { id }, name), says, chart) };
}
