// A user's profile, to be edited by operators; viewers read it.
import { check, field, fill, h } from "./dom.js";
import { KeptField } from "./kept-field.js";
import { attempt, notify } from "./notice.js";

const NAMES = { username: "Username", email: "Email", group: "Group" };

export class ProfileCard {
  #page;
  #user = null;
  #fields;
  #buttons;
  #changed;
  #facts = null; // in place of the form, for viewers

  constructor(page) {
    this.#page = page;
    if (!page.session.may("operator")) {
      this.#facts = h("dl", { class: "facts" });
      this.element = h("section", { class: "card", "aria-label": "Profile" }, h("h2", null, "Profile"), this.#facts);
      return;
    }
    const input = (name, props) => h("input", { name, autocomplete: "off", autocapitalize: "none", spellcheck: "false", ...props });
    const active = check("Active: the logins count, and the account is valid", { name: "active" });
    const controls = {
      username: input("username", { maxlength: 64, required: true }),
      email: input("email", { type: "email", maxlength: 254 }),
      group: input("group", { maxlength: 64 }),
      active: active.control,
    };
    this.#fields = Object.fromEntries(Object.entries(controls).map(([name, control]) => [name, new KeptField(control)]));
    this.#changed = h("div", { class: "banner", role: "status", hidden: true }, "The stored profile was changed meanwhile. Saving puts yours in its place. ",
      h("button", { type: "button", class: "small", onclick: () => this.#reset() }, "Load what is stored"));
    this.#buttons = h("div", { class: "row end", hidden: true },
      h("button", { type: "button", onclick: () => this.#reset() }, "Discard"), h("button", { class: "primary" }, "Save profile"));
    this.element = h("section", { class: "card", "aria-label": "Profile" }, h("h2", null, "Profile"),
      h("form", { onsubmit: (e) => this.#save(e), oninput: () => this.#judge() },
        this.#changed, ["username", "email", "group"].map((name) => field(NAMES[name], controls[name])), active, this.#buttons));
  }

  update(user) {
    this.#user = user;
    if (this.#facts) {
      fill(this.#facts, ["username", "email", "group"].map((name) => [h("dt", null, NAMES[name]), h("dd", null, user[name] || "–")]));
      return;
    }
    let conflict = false;
    for (const [name, kept] of Object.entries(this.#fields)) {
      if (kept.offer(stored(user, name))) conflict = true;
    }
    this.#changed.hidden = !conflict;
    this.#judge();
  }

  #judge() {
    this.#buttons.hidden = !Object.values(this.#fields).some((kept) => kept.edited);
    if (this.#buttons.hidden) this.#changed.hidden = true;
  }

  #reset() {
    for (const [name, kept] of Object.entries(this.#fields)) kept.reset(stored(this.#user, name));
    this.#judge();
    this.#fields.username.control.focus();
  }

  async #save(event) {
    event.preventDefault();
    const update = {};
    for (const [name, kept] of Object.entries(this.#fields)) {
      if (!kept.edited || kept.value === stored(this.#user, name)) continue;
      update[name] = kept.value === "" ? null : kept.value; // null clears it
    }
    if (Object.keys(update).length === 0) {
      this.#reset();
      return;
    }
    const button = this.#buttons.lastElementChild;
    button.disabled = true;
    const user = await attempt("The profile was not saved", () => this.#page.session.admin.users.update({ user_id: this.#user.user_id, update }));
    button.disabled = false;
    if (!user) return;
    this.#user = user;
    this.#reset();
    notify("Profile saved.");
    this.#page.reload();
  }
}

const stored = (user, name) => user[name] ?? "";
