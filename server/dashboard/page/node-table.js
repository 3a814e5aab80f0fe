// The table of the server's nodes. A node that vanished stays in it for a minute,
// so that nobody has to wonder where it was.
import { fill, h } from "./dom.js";
import { ago, count, full, number } from "./format.js";

const GONE_FOR = 60_000;

export class NodeTable {
  #nodes = new Map(); // name to {node, goneAt}
  #body = h("tbody");
  #foot = h("tfoot");
  #says = h("p", { class: "quiet says" }, "Loading…");
  #table = h("table", { hidden: true }, h("caption", { class: "hidden" }, "Nodes"),
    h("thead", null, h("tr", null, ["Node", "Version", "Started"].map((name) => h("th", { scope: "col" }, name)),
      ["Connections", "Sessions", "Hash queue"].map((name) => h("th", { scope: "col", class: "n" }, name)))),
    this.#body, this.#foot);

  element = h("section", { class: "card", "aria-labelledby": "overview-nodes" }, h("h2", { id: "overview-nodes" }, "Nodes"),
    this.#says, h("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Table of nodes" }, this.#table));

  /** Takes what admin.nodes answered. */
  take(nodes, now) {
    const there = new Set(nodes.map((n) => n.node));
    for (const [name, kept] of this.#nodes) {
      if (!there.has(name)) kept.goneAt ??= now;
    }
    for (const node of nodes) this.#nodes.set(node.node, { node, goneAt: null });
    this.show(now);
  }

  /** Draws it once more, as time has gone on. */
  show(now) {
    for (const [name, { goneAt }] of this.#nodes) {
      if (goneAt !== null && now - goneAt >= GONE_FOR) this.#nodes.delete(name);
    }
    const rows = [...this.#nodes.values()].sort((a, b) => a.node.node.localeCompare(b.node.node));
    const live = rows.filter((r) => r.goneAt === null).map((r) => r.node);
    this.#table.hidden = rows.length === 0;
    this.#says.hidden = rows.length === 0;
    this.#says.textContent = `${count(live.length, "node")}, ${count(sum(live, "connections"), "connection")}`;
    fill(this.#body, rows.map(({ node, goneAt }) => h("tr", { class: goneAt === null ? null : "gone" },
      h("th", { scope: "row" }, node.node, goneAt !== null && [" ", h("span", { class: "tag bad" }, `gone, ${ago(goneAt, now)}`)]),
      h("td", null, node.version),
      h("td", null, h("time", { datetime: node.started_at, title: full(node.started_at) }, ago(node.started_at, now))),
      ["connections", "sessions", "hash_queue"].map((of) => h("td", { class: "n" }, goneAt === null ? number(node[of]) : "–")))));
    fill(this.#foot, live.length > 1 && h("tr", null, h("th", { scope: "row", colspan: "3" }, "All nodes"),
      ["connections", "sessions", "hash_queue"].map((of) => h("td", { class: "n" }, number(sum(live, of))))));
  }
}

function sum(nodes, of) {
  return nodes.reduce((n, node) => n + node[of], 0);
}
