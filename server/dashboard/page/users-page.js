// <rc-users-page>: the users of a scope, searched, page by page.
import { userDialog } from "./user-create.js";
import { age, date, refreshAges, tags, userLink } from "./user-cells.js";
import { DownloadBar } from "./download-bar.js";
import { field, h, select } from "./dom.js";
import { number } from "./format.js";
import { explain, notify } from "./notice.js";
import { go, link } from "./route.js";
import { ScopeChoice } from "./scope-choice.js";
import { Trail, UserListing } from "./user-listing.js";
import { pager } from "./user-pager.js";
import { FLAGS, narrows, PARTS, queryOf, TEXTS } from "./user-query.js";
import { row, sync, table } from "./user-table.js";

const TYPING = 300; // ms that a prefix is left alone before it is searched for
const LIVE = 5_000; // ms between two refreshes of what is shown
const AGES = 30_000; // ms

const COLUMNS = [
  { name: "Username", class: "long" }, { name: "Email", class: "long" }, { name: "Group" }, { name: "State", class: "state" }, { name: "Created", class: "when" },
  { name: "Last login", class: "when" }, { name: "Logins", class: "n" },
];

const trails = new WeakMap(); // a session's trail outlives the page, for the way back from a user's

export class UsersPage extends HTMLElement {
  #listing;
  #trail;
  #choice;
  #params = new URLSearchParams();
  #shown = null; // what the listing was asked for last
  #timers = {};

  connectedCallback() {
    if (!trails.has(this.session)) trails.set(this.session, new Trail());
    this.#trail = trails.get(this.session);
    this.#listing = new UserListing((params) => this.session.admin.users.list(params), () => this.#draw());
    this.#choice = new ScopeChoice(this.session);
    this.#build();
    this.feed.addEventListener("events", this);
    this.#timers.ages = setInterval(() => refreshAges(this), AGES);
  }

  disconnectedCallback() {
    this.feed.removeEventListener("events", this);
    clearInterval(this.#timers.ages);
    clearTimeout(this.#timers.typing);
    clearTimeout(this.#timers.live);
    this.#listing.stop();
    this.#download.cancel();
  }

  async show({ params }) {
    this.#params = params;
    if (this.#choice.names === undefined && !(await this.#scopes())) return;
    const scope = this.#params.get("scope") ?? "";
    if (!scope) {
      if (this.#choice.control.value) this.#go({ scope: this.#choice.control.value });
      return;
    }
    this.#choice.choose(scope);
    for (const name of [...TEXTS, ...FLAGS, "orderby"]) {
      const control = this.#form.elements[name];
      const value = this.#params.get(name) ?? control.options?.[0].value ?? "";
      if (control.value.trim() !== value) control.value = value; // a space at the end may be what comes next
    }
    const query = queryOf(this.#params);
    const cursor = this.#params.get("cursor") ?? "";
    const asked = JSON.stringify([query, cursor]);
    if (asked === this.#shown) return;
    this.#shown = asked;
    this.#trail.at(JSON.stringify(query), cursor);
    this.#download.cancel();
    this.#listing.show(query, cursor);
  }

  /** A user who is shown has changed: the page is fetched again, now and then. */
  handleEvent({ detail }) {
    if (this.#timers.live || !this.#listing.cheap) return;
    const ids = new Set(this.#listing.users.map((u) => u.user_id));
    if (!detail.some(({ push }) => ids.has(push.data?.user_id))) return;
    this.#timers.live = setTimeout(() => {
      this.#timers.live = 0;
      if (this.#listing.cheap) this.#listing.refresh();
    }, LIVE);
  }

  // The controls.

  #form;
  #problem;
  #none;
  #card;
  #table;
  #pager;
  #download;
  #refresh;
  #create;

  #build() {
    const flag = (label, name, yes, no) => field(label, select({ name }, [["", "any"], ["yes", yes], ["no", no]]));
    this.#form = h("form", {
      class: "filters users-filters", role: "search", "aria-label": "Users",
      onsubmit: (e) => { e.preventDefault(); this.#choose(); },
      onchange: () => this.#choose(),
      oninput: (e) => e.target.name === "username" && this.#typed(),
      onreset: (e) => { e.preventDefault(); this.#go({ scope: this.#params.get("scope") }, { clear: true }); },
    },
      field("Scope", this.#choice.control),
      field("Username begins with", h("input", { name: "username", type: "search", maxlength: 64, autocapitalize: "none", spellcheck: "false" })),
      field("Email is", h("input", { name: "email", type: "search", inputmode: "email", maxlength: 254, autocapitalize: "none", spellcheck: "false" })),
      field("Group is", h("input", { name: "group", type: "search", maxlength: 64, autocapitalize: "none", spellcheck: "false" })),
      flag("Active", "active", "active", "inactive"),
      flag("Email address", "pending", "pending", "not pending"),
      flag("Ban", "banned", "banned", "not banned"),
      flag("Presence", "online", "online", "offline"),
      field("Order", select({ name: "orderby" }, [["username", "username"], ["created_at", "creation, oldest first"]])),
      h("button", { type: "reset" }, "Clear"));
    this.#refresh = h("button", { type: "button", onclick: () => this.#again() }, "Refresh");
    this.#create = this.session.may("operator") && h("button", { type: "button", class: "primary", onclick: () => this.#createUser() }, "Create user");
    this.#download = new DownloadBar(this.session);
    this.#problem = h("div", { class: "banner bad", role: "alert", hidden: true });
    this.#none = h("p", { class: "quiet", hidden: true });
    this.#table = table("Users", COLUMNS);
    this.#pager = pager(this.#listing, () => this.#trail, (cursor) => this.#turn(cursor));
    this.#card = h("section", { class: "card", "aria-label": "Users" }, this.#table, this.#none, this.#pager);
    this.append(
      h("div", { class: "head" }, h("h1", null, "Users"), this.#refresh,
        this.#download.buttons(() => queryOf(this.#params)), this.#create || null),
      this.#form, this.#download.bar, this.#problem, this.#card);
    this.#draw();
  }

  async #scopes() {
    try {
      await this.#choice.load(this.#params.get("scope") ?? "");
      this.#tell("");
    } catch (error) {
      this.#tell(explain(error), () => this.show({ params: this.#params }));
      return false;
    }
    if (!this.#choice.control.value) {
      this.#none.hidden = false;
      this.#none.textContent = "There is no scope yet. Users belong to scopes; an owner makes one on the Scopes page.";
    }
    return this.isConnected;
  }

  #typed() {
    clearTimeout(this.#timers.typing);
    this.#timers.typing = setTimeout(() => this.#choose(), TYPING);
  }

  /** Takes the question from the controls into the URL, which calls show. */
  #choose() {
    clearTimeout(this.#timers.typing);
    const params = Object.fromEntries(PARTS.map((name) => [name, this.#form.elements[name].value.trim()]));
    if (params.orderby === "username") params.orderby = ""; // as it is anyway
    if (params.scope) this.#go(params, { clear: true });
  }

  #go(params, { clear = false } = {}) {
    const all = clear ? {} : Object.fromEntries(this.#params);
    go(link("users", [], { ...all, ...params }), { replace: true });
  }

  /** Goes to a page of the same question; a step back in the history is the page before. */
  #turn(cursor) {
    go(link("users", [], { ...Object.fromEntries(this.#params), cursor }));
    scrollTo(0, 0);
  }

  #again() {
    if (this.#choice.names === undefined || !this.#shown) this.show({ params: this.#params });
    else this.#listing.refresh();
  }

  async #createUser() {
    const scope = this.#params.get("scope");
    if (!scope) {
      notify("There is no scope yet.", { bad: true });
      return;
    }
    const created = await userDialog(this.session, scope);
    if (created) location.hash = link("users", [created.user_id]);
  }

  // What is shown.

  #draw() {
    const { users, next, loading, loaded, problem } = this.#listing;
    this.#tell(problem, () => this.#listing.refresh());
    this.#card.setAttribute("aria-busy", String(loading));
    sync(this.#table.body, users, (u) => u.user_id, (u) => row(COLUMNS, [
      userLink(u), u.email, u.group, tags(u), date(u.created_at), u.last_login_at ? age(u.last_login_at) : "never", number(u.logins),
    ]));
    this.#table.hidden = users.length === 0;
    const empty = loaded && !loading && users.length === 0 && !next;
    this.#none.hidden = !empty && (loaded || !loading);
    if (empty) this.#none.textContent = narrows(queryOf(this.#params)) ? "No user is like that." : "This scope has no users yet.";
    else if (!loaded && loading) this.#none.textContent = "Loading…";
    this.#pager.draw();
  }

  #tell(problem, retry) {
    this.#problem.hidden = !problem;
    if (!problem) return;
    this.#problem.replaceChildren(h("span", null, problem), " ", h("button", { type: "button", class: "small", onclick: retry }, "Retry"));
  }
}
