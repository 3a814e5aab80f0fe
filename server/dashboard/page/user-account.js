// What is known of a user's account, and what can be done with it.
import { ask, askTyped } from "./dialog.js";
import { save } from "./download.js";
import { field, fill, h, select } from "./dom.js";
import { full, number } from "./format.js";
import { secretLink } from "./link-dialog.js";
import { credentials, passwordFields } from "./new-password.js";
import { attempt, notify } from "./notice.js";
import { go, link } from "./route.js";
import { age, banText, moment } from "./user-cells.js";

export class FactsCard {
  #facts = h("dl", { class: "facts" });
  #state = "";

  constructor() {
    this.element = h("section", { class: "card", "aria-label": "Account" }, h("h2", null, "Account"), this.#facts);
  }

  update(user) {
    const state = JSON.stringify(user);
    if (state === this.#state) return;
    this.#state = state;
    const facts = [
      ["State", user.validated ? "active" : user.active ? "active, email address not confirmed" : "inactive"],
      user.confirmation && ["Confirmation", user.confirmation === "failed" ? "the mail could not be sent" : "waited for"],
      user.ban && ["Banned", banText(user.ban)],
      ["Presence", user.online ? "online" : "offline"],
      ["Last login", user.last_login_at ? [moment(user.last_login_at), " (", age(user.last_login_at), ")"] : "never"],
      ["Logins", number(user.logins)],
      ["Created", moment(user.created_at)],
      ["Changed", moment(user.updated_at)],
      ["Scope", user.scope],
      ["User ID", h("code", null, user.user_id)],
    ];
    fill(this.#facts, facts.filter(Boolean).map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
  }
}

const HOUR = 3_600_000; // ms
const LENGTHS = [
  [String(HOUR), "1 hour"], [String(24 * HOUR), "1 day"], [String(7 * 24 * HOUR), "7 days"], [String(30 * 24 * HOUR), "30 days"], ["", "for good"], ["date", "until a date"],
];
const REASON_CHARS = 256; // the protocol bounds it to as many bytes

export class ActionsCard {
  #page;
  #user = null;
  #buttons = [];

  constructor(page) {
    this.#page = page;
    const { session } = page;
    const add = (role, name, run, { danger = false, when } = {}) => {
      if (!session.may(role)) return;
      const button = h("button", { type: "button", class: danger ? "danger" : null, onclick: () => run(this.#user) }, name);
      this.#buttons.push({ button, when });
    };
    const pending = (u) => Boolean(u.confirmation);
    add("operator", "Ban…", (u) => this.#ban(u), { danger: true, when: (u) => !u.ban });
    add("operator", "Change the ban…", (u) => this.#ban(u), { when: (u) => Boolean(u.ban) });
    add("operator", "Lift the ban", (u) => this.#run("The ban was not lifted", () => session.admin.users.unban(ref(u)), "Ban lifted."), { when: (u) => Boolean(u.ban) });
    add("operator", "Activate", (u) => this.#run("The user was not activated", () => session.admin.users.update({ ...ref(u), update: { active: true } }), "Activated."), { when: (u) => !u.active });
    add("operator", "Set a password…", (u) => this.#password(u));
    add("operator", "Resend confirmation", (u) => this.#run("The mail was not sent", () => session.admin.users.resendConfirmation(ref(u)), "Confirmation mail sent."), { when: pending });
    add("operator", "Send password reset", (u) => this.#run("The mail was not sent", () => session.admin.users.sendPasswordReset(ref(u)), "Reset mail sent."), { when: (u) => Boolean(u.email) });
    add("owner", "Confirmation link…", (u) => secretLink(session, u, "confirm"), { when: pending });
    add("owner", "Reset link…", (u) => secretLink(session, u, "reset"));
    add("owner", "Export…", (u) => this.#export(u));
    add("operator", "Delete…", (u) => this.#delete(u), { danger: true });
    this.element = h("section", { class: "card", "aria-label": "Actions", hidden: this.#buttons.length === 0 }, h("h2", null, "Actions"),
      h("div", { class: "row actions" }, this.#buttons.map(({ button }) => button)));
  }

  update(user) {
    this.#user = user;
    for (const { button, when } of this.#buttons) {
      const hidden = when ? !when(user) : false;
      if (hidden && button === document.activeElement) {
        button.hidden = true;
        this.element.querySelector("button:not([hidden])")?.focus();
      }
      button.hidden = hidden;
    }
  }

  async #run(what, act, done) {
    if ((await attempt(what, act)) === undefined) return;
    notify(done);
    this.#page.reload();
  }

  async #ban(user) {
    const date = h("input", { name: "date", type: "datetime-local" });
    const when = field("Date", date, "In this browser's time zone.");
    const length = select({ name: "length", onchange: () => judge() }, LENGTHS, String(24 * HOUR));
    const judge = () => {
      when.hidden = length.value !== "date";
      date.required = !when.hidden;
    };
    judge();
    const banned = await ask({
      title: user.ban ? `Change the ban of ${user.username}` : `Ban ${user.username}?`,
      confirm: "Ban", danger: true,
      body: [
        h("p", null, "All sessions end at once, on every node, and logins are refused."),
        field("How long", length), when,
        field("Reason", h("input", { name: "reason", maxlength: REASON_CHARS, autocomplete: "off", value: user.ban?.reason ?? "" }), "The user is told it. It may be left empty."),
      ],
      act: (data) => {
        const params = ref(user);
        const reason = data.get("reason").trim();
        if (reason) params.reason = reason;
        const until = endOf(data.get("length"), data.get("date"));
        if (until) params.until = until.toISOString();
        return this.#page.session.admin.users.ban(params);
      },
    });
    if (!banned) return;
    notify(banned.ban?.until ? `Banned until ${full(banned.ban.until)}.` : "Banned for good.");
    this.#page.reload();
  }

  async #password(user) {
    const set = await ask({
      title: `Set a new password for ${user.username}`,
      confirm: "Set password",
      body: [
        h("p", null, "All sessions of the user end. The password is hashed here; the server never gets it, and nobody can look it up later."),
        passwordFields({ label: "New password", required: true }),
      ],
      act: async (data) => this.#page.session.admin.users.update({ ...ref(user), update: await credentials(user.scope, data.get("password")) }),
    });
    if (!set) return;
    notify("Password set.");
    this.#page.reload();
  }

  async #export(user) {
    const all = await attempt("The export failed", () => this.#page.session.admin.users.export(ref(user)));
    if (!all) return;
    save(new Blob([JSON.stringify(all, null, 2), "\n"], { type: "application/json" }), `user-${user.user_id}.json`);
    notify("Exported.");
  }

  async #delete(user) {
    const deleted = await askTyped({
      title: `Delete ${user.username}?`,
      text: "The account goes with everything that is stored about it, and all its sessions end. This can't be undone. The name can then be taken by somebody else.",
      name: user.username, confirm: "Delete",
      act: () => this.#page.session.admin.users.delete(ref(user)),
    });
    if (deleted === undefined) return;
    notify(deleted ? `${user.username} deleted.` : `${user.username} had been deleted already.`);
    if (this.element.isConnected) go(link("users", [], { scope: user.scope }));
  }
}

const ref = (user) => ({ user_id: user.user_id });

/** The end of a ban, undefined for good. */
function endOf(length, date) {
  if (length === "") return undefined;
  if (length !== "date") return new Date(Date.now() + Number(length));
  const end = new Date(date);
  if (Number.isNaN(end.getTime())) throw new Error("Choose a date.");
  if (end <= new Date()) throw new Error("The date must be in the future.");
  return end;
}
