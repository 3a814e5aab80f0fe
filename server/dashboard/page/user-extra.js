// A user's extra data: a table of keys, types and values, editable for operators.
import { fill, h, select } from "./dom.js";
import { count, number } from "./format.js";
import { compare, MOST_BYTES, MOST_KEYS, size } from "./extra-edit.js";
import { attempt, notify } from "./notice.js";
import { row, table } from "./user-table.js";

const COLUMNS = [{ name: "Key", class: "long" }, { name: "Type", class: "type" }, { name: "Value", class: "value" }, { name: "Actions", hidden: true, class: "acts" }];

/**
 * Rows are {key, type, text, isNew, removed, touched, shown, tr}: what is edited,
 * and shown, the stored value that it was made of.
 */
export class ExtraCard {
  #page;
  #user = null;
  #stored = {};
  #rows = [];
  #table = table("Extra data", COLUMNS);
  #none = h("p", { class: "quiet" }, "None is stored.");
  #sum = h("p", { class: "quiet" });
  #problems = h("ul", { class: "problem", role: "alert", hidden: true });
  #changed;
  #buttons;

  constructor(page) {
    this.#page = page;
    this.may = page.session.may("operator");
    this.#changed = h("div", { class: "banner", role: "status", hidden: true }, "The stored data was changed meanwhile. Saving changes only the keys that you changed. ",
      h("button", { type: "button", class: "small", onclick: () => this.#reset() }, "Load what is stored"));
    this.#buttons = h("div", { class: "row end", hidden: true },
      h("button", { type: "button", onclick: () => this.#reset() }, "Discard"), h("button", { class: "primary" }, "Save extra"));
    this.element = h("section", { class: "card extra", "aria-label": "Extra" }, h("h2", null, "Extra"),
      h("form", { novalidate: true, onsubmit: (e) => this.#save(e), oninput: () => this.#judge() },
        this.#changed, this.#table, this.#none,
        h("div", { class: "row" }, this.#sum, this.may && h("button", { type: "button", class: "small", onclick: () => this.#add() }, "Add a key")),
        this.#problems, this.#buttons));
  }

  update(user) {
    this.#user = user;
    const stored = user.extra ?? {};
    if (JSON.stringify(stored) !== JSON.stringify(this.#stored) || this.#rows.length === 0) this.#merge(stored);
    this.#judge();
  }

  /** Takes what is stored into the rows that nobody edits. */
  #merge(stored) {
    let conflict = false;
    const kept = this.#rows.filter((r) => r.touched || r.removed);
    for (const r of kept) {
      const is = Object.hasOwn(stored, r.key) ? stored[r.key] : undefined;
      if (is !== r.shown) conflict = true;
    }
    const rows = [];
    for (const key of Object.keys(stored).sort()) {
      const own = kept.find((r) => !r.isNew && r.key === key);
      const same = this.#rows.find((r) => !r.isNew && r.key === key && r.shown === stored[key]);
      rows.push(own ?? same ?? this.#storedRow(key, stored[key]));
    }
    for (const r of kept) if (!rows.includes(r) && !(r.removed && !Object.hasOwn(stored, r.key))) rows.push(r);
    this.#stored = stored;
    this.#rows = rows;
    this.#changed.hidden = !conflict;
    const same = this.#table.body.children;
    if (rows.length !== same.length || rows.some((r, i) => r.tr !== same[i])) fill(this.#table.body, rows.map((r) => r.tr));
  }

  #storedRow(key, value) {
    return this.#row({ key, type: typeof value, text: String(value), shown: value, isNew: false });
  }

  #row(r) {
    Object.assign(r, { removed: false, touched: r.isNew });
    if (!this.may) {
      r.tr = row(COLUMNS, [r.key, r.type, h("span", { class: "text" }, r.text), ""]);
      return r;
    }
    const name = () => (r.key === "" ? "new key" : r.key);
    const key = r.isNew ? h("input", { "aria-label": "Key", maxlength: 64, autocomplete: "off", autocapitalize: "none", spellcheck: "false", oninput: () => { r.key = key.value; relabel(); } }) : r.key;
    const type = select({ "aria-label": `Type of ${name()}`, onchange: () => retype() }, ["string", "number", "boolean"], r.type);
    const value = h("span", { class: "text" });
    const undo = h("button", { type: "button", class: "small", hidden: true, onclick: () => keep() }, "Keep");
    const remove = h("button", { type: "button", class: "small danger", "aria-label": `Remove ${name()}`, onclick: () => drop() }, "Remove");
    const relabel = () => {
      for (const [what, e] of [["Type of", type], ["Value of", value.firstElementChild], ["Remove", remove]]) e.setAttribute("aria-label", `${what} ${name()}`);
    };
    const touch = (text) => {
      r.text = text;
      r.touched = true;
    };
    const control = () => {
      const label = `Value of ${name()}`;
      if (r.type === "boolean") return select({ "aria-label": label, onchange: (e) => touch(e.target.value) }, ["true", "false"], r.text);
      if (r.type === "number") return h("input", { "aria-label": label, inputmode: "decimal", autocomplete: "off", value: r.text, oninput: (e) => touch(e.target.value) });
      // A line break must not get lost, so a string's control has lines.
      return h("textarea", { "aria-label": label, rows: 1, spellcheck: "false", value: r.text, oninput: (e) => touch(e.target.value) });
    };
    const retype = () => {
      r.type = type.value;
      touch(r.type === "boolean" ? String(r.text.trim() === "true") : r.text);
      fill(value, control());
      this.#judge();
    };
    const drop = () => {
      if (r.isNew) {
        const at = this.#rows.indexOf(r);
        this.#rows.splice(at, 1);
        r.tr.remove();
        (this.#rows[at] ?? this.#rows.at(-1))?.tr.querySelector("button:not([hidden])")?.focus();
      } else {
        mark(true);
        undo.focus();
      }
      this.#judge();
    };
    const keep = () => {
      mark(false);
      remove.focus();
      this.#judge();
    };
    const mark = (removed) => {
      r.removed = removed;
      r.tr.classList.toggle("removed", removed);
      undo.hidden = !removed;
      remove.hidden = removed;
      for (const e of r.tr.querySelectorAll("input, select, textarea")) e.disabled = removed;
    };
    fill(value, control());
    r.tr = row(COLUMNS, [key, type, value, [remove, undo]]);
    return r;
  }

  #add() {
    const r = this.#row({ key: "", type: "string", text: "", shown: undefined, isNew: true });
    this.#rows.push(r);
    this.#table.body.append(r.tr);
    this.#judge();
    r.tr.querySelector("input").focus();
  }

  #reset() {
    this.#rows = [];
    this.#merge(this.#stored);
    this.#problems.hidden = true;
    this.#judge();
  }

  /** Shows how much there is, and whether there is something to save. */
  #judge() {
    const { update, extra } = compare(this.#stored, this.#rows);
    const { keys, bytes } = size(extra);
    this.#none.hidden = this.#rows.length > 0;
    this.#table.hidden = this.#rows.length === 0;
    const over = keys > MOST_KEYS || bytes > MOST_BYTES;
    this.#sum.textContent = `${number(keys)} of ${count(MOST_KEYS, "key")}, ${number(bytes)} of ${count(MOST_BYTES, "byte")}`;
    this.#sum.className = over ? "problem" : "quiet";
    this.#buttons.hidden = update === undefined && !this.#rows.some((r) => r.isNew || r.touched || r.removed);
    if (this.#buttons.hidden) this.#changed.hidden = true;
    return over;
  }

  async #save(event) {
    event.preventDefault();
    const { update, problems } = compare(this.#stored, this.#rows);
    const said = [...problems.values()];
    if (this.#judge()) said.push(`There are at most ${count(MOST_KEYS, "key")} and ${count(MOST_BYTES, "byte")} in all.`);
    this.#problems.hidden = said.length === 0;
    fill(this.#problems, said.map((text) => h("li", null, text)));
    if (said.length > 0) {
      [...problems.keys()][0]?.tr.querySelector("input, textarea")?.focus();
      return;
    }
    if (!update) {
      this.#reset();
      return;
    }
    const button = this.#buttons.lastElementChild;
    button.disabled = true;
    const user = await attempt("The extra data was not saved", () => this.#page.session.admin.users.update({ user_id: this.#user.user_id, update: { extra: update } }));
    button.disabled = false;
    if (!user) return;
    this.#stored = user.extra ?? {};
    this.#reset();
    notify("Extra data saved.");
    this.#page.reload();
  }
}
