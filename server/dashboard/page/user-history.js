// What happened with a user lately, as far as the feed's history has it.
import { h } from "./dom.js";
import { clientText, detail, EVENTS } from "./live-filter.js";
import { moment } from "./user-cells.js";
import { row, sync, table } from "./user-table.js";

const COLUMNS = [{ name: "Time", class: "when" }, { name: "Event" }, { name: "Detail", class: "detail long" }, { name: "Method" }, { name: "Node" }, { name: "Address" }, { name: "Client", class: "long" }];

export class HistoryCard {
  #table = table("Events, newest first", COLUMNS);
  #none = h("p", { class: "quiet" }, "Nothing that the history still has.");

  constructor() {
    this.element = h("section", { class: "card history", "aria-label": "History" }, h("h2", null, "History"),
      h("p", { class: "quiet" }, "The last 50 events, newest first."), this.#table, this.#none);
  }

  update({ events }) {
    this.#none.hidden = events.length > 0;
    this.#table.hidden = events.length === 0;
    sync(this.#table.body, [...events].reverse(), (e) => e.event_id, (push) => {
      const d = push.data;
      return row(COLUMNS, [
        moment(push.time), EVENTS[push.event] ?? push.event, [d.admin && `by ${d.admin}: `, detail(push)],
        d.method, d.node, d.ip, clientText(d.client),
      ], { header: 1 });
    });
  }
}
