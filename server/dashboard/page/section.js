// A part of a page that is saved by itself: it sends only what was changed, and
// says what was saved.
import { fill, h, newID } from "./dom.js";
import { explain } from "./notice.js";

/**
 * of(whole) picks what the section is about; draw(part) makes its fields, and
 * facts(part) what stands there for those who may not edit. change(form, part)
 * returns {update, said}, or null where nothing differs, and may throw what is
 * wrong. save(update) resolves to the whole as it is then.
 */
export class Section {
  #def;
  #part; // as it was drawn: what differs from it is what the admin changed
  #latest;
  #shown = "";
  #body = h("div");
  #problem = h("p", { class: "problem", role: "alert" });
  #status = h("p", { class: "saved", role: "status" });
  #discard = h("button", { type: "button", hidden: true, onclick: () => this.#redraw() }, "Discard changes");
  #save = h("button", { class: "primary" }, "Save");
  #form = null;

  constructor(def) {
    this.#def = def;
    const id = newID();
    const head = [h("h2", { id }, def.title), def.about && h("p", { class: "quiet about" }, def.about)];
    if (def.editable) {
      this.#form = h("form", { "aria-labelledby": id, oninput: () => this.#touched(), onsubmit: (event) => this.#submit(event) },
        this.#body, this.#problem, h("div", { class: "row" }, this.#save, this.#discard, this.#status));
    }
    this.element = h("section", { class: "card", "aria-labelledby": id }, head, this.#form ?? this.#body);
  }

  /** Shows the whole anew. What the admin has typed and not saved stays. */
  show(whole) {
    const part = this.#def.of(whole);
    const shown = JSON.stringify(part);
    if (shown === this.#shown) return;
    const typed = this.#shown !== "" && this.#dirty();
    this.#latest = part;
    this.#shown = shown;
    if (!typed) this.#redraw();
    else this.#status.textContent = "Somebody else changed this meanwhile. Save sends your changes alone; discard them to see the other's.";
  }

  #redraw() {
    this.#part = this.#latest;
    fill(this.#body, this.#form ? this.#def.draw(this.#part) : this.#def.facts(this.#part));
    this.#problem.textContent = "";
    this.#status.textContent = "";
    if (!this.#discard.hidden && document.activeElement === this.#discard) this.#save.focus();
    this.#discard.hidden = true;
  }

  #dirty() {
    if (!this.#form) return false;
    try {
      return this.#def.change(this.#form, this.#part) !== null;
    } catch {
      return true; // it is wrong as it stands
    }
  }

  #touched() {
    this.#discard.hidden = !this.#dirty();
    this.#status.textContent = "";
    this.#problem.textContent = "";
  }

  async #submit(event) {
    event.preventDefault();
    if (this.#save.getAttribute("aria-disabled") === "true") return;
    this.#problem.textContent = "";
    this.#status.textContent = "";
    try {
      const change = this.#def.change(this.#form, this.#part);
      if (!change) {
        this.#status.textContent = "Nothing was changed.";
        return;
      }
      this.#save.setAttribute("aria-disabled", "true"); // disabled, it would lose the focus
      const whole = await this.#def.save(change.update);
      this.#shown = "";
      this.show(whole);
      this.#status.textContent = `Saved: ${change.said}.`;
    } catch (error) {
      this.#problem.textContent = `Not saved: ${explain(error)}`;
    } finally {
      this.#save.removeAttribute("aria-disabled");
    }
  }
}
