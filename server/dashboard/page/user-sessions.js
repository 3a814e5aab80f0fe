// A user's sessions, and the providers by which the user can log in.
import { ask } from "./dialog.js";
import { field, fill, h } from "./dom.js";
import { count } from "./format.js";
import { clientText } from "./live-filter.js";
import { notify } from "./notice.js";
import { age, date, moment } from "./user-cells.js";
import { row, sync, table } from "./user-table.js";

const REASON_CHARS = 256; // the protocol bounds it to as many bytes

const SESSIONS = [
  { name: "Connected" }, { name: "Node" }, { name: "Client", class: "long" }, { name: "Address" }, { name: "Begun", class: "when" }, { name: "Expires", class: "when" },
  { name: "Actions", hidden: true, class: "acts" },
];

export class SessionsCard {
  #page;
  #user = null;
  #table = table("Sessions", SESSIONS);
  #none = h("p", { class: "quiet" }, "None. The user would have to log in.");
  #all;

  constructor(page) {
    this.#page = page;
    this.may = page.session.may("operator");
    this.#all = this.may && h("button", { type: "button", class: "small danger", onclick: () => this.#kick() }, "Kick all");
    this.element = h("section", { class: "card", "aria-label": "Sessions" },
      h("div", { class: "row title" }, h("h2", null, "Sessions"), this.#all), this.#table, this.#none);
  }

  update(user) {
    this.#user = user;
    const { sessions } = user;
    this.#none.hidden = sessions.length > 0;
    this.#table.hidden = sessions.length === 0;
    if (this.#all) this.#all.hidden = sessions.length === 0;
    sync(this.#table.body, sessions, (s) => s.session_id, (s) => row(SESSIONS, [
      s.connected_at ? age(s.connected_at) : "not connected", s.node, clientText(s.client), s.ip, moment(s.created_at), date(s.expires_at),
      this.may && h("button", { type: "button", class: "small danger", "aria-label": `Kick the session ${s.connected_at ? `connected to ${s.node}` : "that is not connected"}, begun ${s.created_at}`, onclick: () => this.#kick(s) }, "Kick"),
    ]));
  }

  async #kick(session) {
    const user = this.#user;
    const ended = await ask({
      title: session ? `Kick this session of ${user.username}?` : `Kick all sessions of ${user.username}?`,
      confirm: "Kick", danger: true,
      body: [
        h("p", null, "The connection ends, and its device has to log in again. To keep the user away, ban."),
        field("Reason", h("input", { name: "reason", maxlength: REASON_CHARS, autocomplete: "off" }), "The client is told it. It may be left empty."),
      ],
      act: (data) => {
        const reason = data.get("reason").trim();
        const whom = session ? { session_id: session.session_id } : { user_id: user.user_id };
        return this.#page.session.admin.sessions.kick({ ...whom, ...(reason && { reason }) });
      },
    });
    if (ended === undefined) return;
    notify(`${count(ended, "session")} ended.`);
    this.#page.reload();
  }
}

const PROVIDERS = [{ name: "Provider" }, { name: "Client ID", class: "long" }, { name: "Access token" }];

export class ProvidersCard {
  #table = table("Providers", PROVIDERS);
  #none = h("p", { class: "quiet" }, "None.");

  constructor() {
    this.element = h("section", { class: "card", "aria-label": "Providers" }, h("h2", null, "Providers"), this.#table, this.#none);
  }

  update({ provider_objects: providers }) {
    this.#none.hidden = providers.length > 0;
    this.#table.hidden = providers.length === 0;
    fill(this.#table.body, providers.map((p) => row(PROVIDERS, [
      p.provider, p.client_id ?? h("span", { class: "quiet" }, "secret"), token(p),
    ])));
  }
}

function token(p) {
  if (!p.access_token_expiry) return "";
  return [p.access_token_expired ? "expired " : "until ", moment(new Date(p.access_token_expiry * 1000).toISOString())];
}
