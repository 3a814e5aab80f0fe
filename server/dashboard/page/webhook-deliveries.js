// How far a webhook has come, and its last attempts, looked at anew while they
// can be seen.
import { fill, h } from "./dom.js";
import { clock, count, duration, full, number } from "./format.js";
import { explain } from "./notice.js";
import { webhookTag } from "./webhook-state.js";

const EVERY = 5000; // ms between two looks
const COLUMNS = [["Time"], ["Answer"], ["Events", "n"], ["Took", "n"]];

export class Deliveries {
  #read;
  #timer = 0;
  #asked = 0;
  #state = null;
  #shown = "";
  #facts = h("dl", { class: "facts" });
  #problem = h("p", { class: "problem", role: "status" });
  #list = h("div");

  /** read resolves to what admin.scopes.deliveries answers. */
  constructor(read) {
    this.#read = read;
    this.element = h("div", { class: "deliveries", hidden: true }, h("h3", null, "Deliveries"), this.#facts, this.#problem, this.#list);
  }

  start() {
    this.stop();
    this.#state = null;
    this.#shown = "";
    fill(this.#facts);
    fill(this.#list, h("p", { class: "quiet" }, "Loading…"));
    this.#timer = setInterval(() => document.hidden || this.refresh(), EVERY);
    this.refresh();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#asked++;
  }

  async refresh() {
    if (!this.#timer) return;
    const asked = ++this.#asked;
    try {
      const state = await this.#read();
      if (asked !== this.#asked) return;
      this.#state = state;
      this.#problem.textContent = "";
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#problem.textContent = `Not up to date: ${explain(error)}`;
    }
    if (this.#state) this.#draw(this.#state);
    else fill(this.#list);
  }

  #draw(state) {
    const next = state.paused ? "none: the receiver answered 410. An owner ends the pause by Try now."
      : !state.retry_at ? "when something happens"
        : new Date(state.retry_at) <= Date.now() ? "due now"
          : `in ${duration(new Date(state.retry_at) - Date.now())}`;
    fill(this.#facts,
      h("dt", null, "State"), h("dd", null, webhookTag(state)),
      h("dt", null, "Position"), h("dd", null, state.position
        ? ["behind event ", h("strong", null, number(state.position.seq)), " of epoch ", h("span", { class: "mono" }, state.position.epoch)]
        : "before the first attempt"),
      h("dt", null, "Failed in a row"), h("dd", null, number(state.failures)),
      h("dt", null, "Next try"), h("dd", null, next));
    const shown = JSON.stringify(state.deliveries);
    if (shown === this.#shown) return;
    this.#shown = shown;
    fill(this.#list, state.deliveries.length === 0
      ? h("p", { class: "quiet" }, "Nothing was posted yet.")
      : h("table", null, h("caption", { class: "hidden" }, `The last ${count(state.deliveries.length, "attempt")}, newest first`),
        h("thead", null, h("tr", null, COLUMNS.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))),
        h("tbody", null, state.deliveries.map((one) => h("tr", null,
          h("th", { scope: "row" }, h("time", { datetime: one.time, title: full(one.time) }, today(one.time) ? clock(one.time) : full(one.time))),
          h("td", null, answer(one)), h("td", { class: "n" }, number(one.events)), h("td", { class: "n" }, `${number(one.duration_ms)} ms`))))));
  }
}

const today = (time) => new Date(time).toDateString() === new Date().toDateString();

function answer({ http_status: status, error }) {
  if (!status) return h("span", { class: "bad" }, error ?? "none");
  const taken = status >= 200 && status < 300;
  return h("span", { class: taken ? "good" : "bad" }, `HTTP ${status}${taken ? ", taken" : ""}`);
}
