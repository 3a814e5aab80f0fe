// Tables of users and of what they have, which become cards on a phone. The roles
// say what the elements are by themselves: a browser forgets it where the style
// sheet makes blocks of them.
import { h } from "./dom.js";

/**
 * Makes a table: columns are {name, class?, hidden?: the name is for screen
 * readers alone}. The <tbody> is its .body.
 */
export function table(caption, columns) {
  const body = h("tbody", { role: "rowgroup" });
  const e = h("table", { class: "cards", role: "table" }, h("caption", { class: "hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((c) =>
      h("th", { scope: "col", role: "columnheader", class: c.class }, c.hidden ? h("span", { class: "hidden" }, c.name) : c.name)))),
    body);
  e.body = body;
  return e;
}

/** Makes a row of cells, the first of which heads it unless header says otherwise. */
export function row(columns, cells, { header = 0 } = {}) {
  return h("tr", { role: "row" }, cells.map((cell, i) => {
    const { name, class: kind, hidden } = columns[i];
    const empty = [cell].flat().every((part) => part === "" || part === null || part === undefined || part === false);
    const props = { class: [kind, empty && "empty"].filter(Boolean).join(" ") || null, "data-label": hidden ? null : name };
    return i === header ? h("th", { scope: "row", role: "rowheader", ...props }, cell) : h("td", { role: "cell", ...props }, cell);
  }));
}

/**
 * Brings a table's body to these items, each with an id: rows of items that are as
 * they were stay the very same elements, and so keep the focus and what is
 * selected in them.
 */
export function sync(body, items, idOf, make) {
  const old = new Map([...body.children].map((tr) => [tr.itemID, tr]));
  let at = body.firstElementChild;
  for (const item of items) {
    const id = idOf(item);
    const state = JSON.stringify(item);
    let tr = old.get(id);
    old.delete(id);
    if (tr?.state !== state) {
      const fresh = Object.assign(make(item), { itemID: id, state });
      if (tr) {
        const focus = controls(tr).indexOf(document.activeElement);
        if (at === tr) at = fresh;
        tr.replaceWith(fresh);
        if (focus >= 0) controls(fresh)[focus]?.focus();
      }
      tr = fresh;
    }
    if (tr === at) at = at.nextElementSibling;
    else body.insertBefore(tr, at);
  }
  for (const tr of old.values()) tr.remove();
}

const controls = (tr) => [...tr.querySelectorAll("a, button, input, select")];
