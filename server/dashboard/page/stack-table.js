// Tables whose rows become blocks on a phone, each cell beside its column's name.
// The roles stand there because a browser may forget a table's own ones when its
// display is another.
import { h } from "./dom.js";

/** columns are names, rows what stackRow makes; "" names a column of buttons. */
export function stackTable(caption, columns, rows = []) {
  return h("table", { class: "stack", role: "table" },
    h("caption", { class: "hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
      columns.map((name) => h("th", { scope: "col", role: "columnheader" }, name || h("span", { class: "hidden" }, "Actions"))))),
    h("tbody", { role: "rowgroup" }, rows));
}

/** A row. The first cell names it; a cell is a child of h(), or a list of them. */
export function stackRow(columns, [name, ...cells]) {
  return h("tr", { role: "row" },
    h("th", { scope: "row", role: "rowheader" }, name),
    cells.map((cell, i) => h("td", { role: "cell", "data-label": columns[i + 1] }, cell)));
}
