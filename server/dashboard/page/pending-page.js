// <rc-pending-page>: who was asked to confirm an email address and has not yet.
import { askTyped } from "./dialog.js";
import { check, field, fill, h, select } from "./dom.js";
import { count } from "./format.js";
import { secretLink } from "./link-dialog.js";
import { attempt, explain, notify } from "./notice.js";
import { go, link } from "./route.js";
import { ScopeChoice } from "./scope-choice.js";
import { age, refreshAges, userLink } from "./user-cells.js";
import { Trail, UserListing } from "./user-listing.js";
import { pager } from "./user-pager.js";
import { row, sync, table } from "./user-table.js";

const LIVE = 3_000; // ms between two refreshes of what is shown
const AGES = 30_000; // ms
const TELLING = ["user.created", "user.confirmed", "user.updated", "user.deleted"];

export class PendingPage extends HTMLElement {
  #listing;
  #trail = new Trail();
  #choice;
  #params = new URLSearchParams();
  #shown = null; // what the listing was asked for last
  #chosen = new Set(); // user IDs
  #sending = null; // AbortController of mails to those chosen
  #live = 0;
  #ages = 0;

  connectedCallback() {
    this.#listing = new UserListing((params) => this.session.admin.users.list(params), () => this.#draw());
    this.#choice = new ScopeChoice(this.session);
    this.#build();
    this.feed.addEventListener("events", this);
    this.#ages = setInterval(() => refreshAges(this), AGES);
  }

  disconnectedCallback() {
    this.feed.removeEventListener("events", this);
    clearInterval(this.#ages);
    clearTimeout(this.#live);
    this.#listing.stop();
    this.#sending?.abort();
  }

  async show({ params }) {
    this.#params = params;
    if (this.#choice.names === undefined && !(await this.#scopes())) return;
    const scope = this.#params.get("scope") ?? "";
    if (!scope) {
      if (this.#choice.control.value) this.#go(this.#choice.control.value, "");
      return;
    }
    this.#choice.choose(scope);
    const orderby = this.#params.get("orderby") === "username" ? "username" : "created_at";
    this.#order.value = orderby;
    const query = { scope, filter: { pending: true }, orderby };
    const cursor = this.#params.get("cursor") ?? "";
    const asked = JSON.stringify([query, cursor]);
    if (asked === this.#shown) return;
    this.#shown = asked;
    this.#trail.at(JSON.stringify(query), cursor);
    this.#chosen.clear();
    this.#sending?.abort();
    this.#listing.show(query, cursor);
  }

  /** Somebody of the scope registered, confirmed or went. */
  handleEvent({ detail }) {
    if (this.#live || !this.#listing.cheap) return;
    const scope = this.#params.get("scope");
    if (!detail.some(({ push }) => push.scope === scope && TELLING.includes(push.event))) return;
    this.#live = setTimeout(() => {
      this.#live = 0;
      if (this.#listing.cheap) this.#listing.refresh();
    }, LIVE);
  }

  // The controls.

  #order;
  #problem;
  #none;
  #card;
  #columns;
  #table;
  #pager;
  #all;
  #bulk;
  #send;
  #stop;
  #said;

  #build() {
    this.may = this.session.may("operator");
    this.#order = select({ name: "orderby" }, [["created_at", "longest waiting first"], ["username", "username"]]);
    const form = h("form", { class: "filters", "aria-label": "Pending users", onsubmit: (e) => e.preventDefault(), onchange: () => this.#go(this.#choice.control.value, this.#order.value) },
      field("Scope", this.#choice.control), field("Order", this.#order));
    this.#columns = [{ name: "Username", class: "long" }, { name: "Email", class: "long" }, { name: "Confirmation", class: "state" }, { name: "Waiting since", class: "when" }];
    if (this.may) {
      this.#columns.unshift({ name: "Select", hidden: true, class: "pick" });
      this.#columns.push({ name: "Actions", hidden: true, class: "acts" });
    }
    this.#problem = h("div", { class: "banner bad", role: "alert", hidden: true });
    this.#none = h("p", { class: "quiet", hidden: true });
    this.#table = table("Pending users", this.#columns);
    this.#pager = pager(this.#listing, () => this.#trail, (cursor) => this.#turn(cursor));
    this.#all = check("Select all of this page", { onchange: () => this.#chooseAll() });
    this.#send = h("button", { type: "button", onclick: () => this.#resendAll() }, "Resend to selected");
    this.#stop = h("button", { type: "button", hidden: true, onclick: () => this.#sending?.abort() }, "Stop");
    this.#said = h("span", { role: "status" });
    this.#bulk = h("div", { class: "row bulk", hidden: true }, this.#all, this.#send, this.#stop, this.#said);
    this.#card = h("section", { class: "card", "aria-label": "Pending users" }, this.may && this.#bulk, this.#table, this.#none, this.#pager);
    this.append(
      h("div", { class: "head" }, h("h1", null, "Pending"), h("button", { type: "button", onclick: () => this.#again() }, "Refresh")),
      h("p", { class: "quiet" }, "Users who were asked to confirm their email address and have not done it yet."),
      form, this.#problem, this.#card);
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
      this.#none.textContent = "There is no scope yet.";
    }
    return this.isConnected;
  }

  #go(scope, orderby) {
    if (scope) go(link("pending", [], { scope, orderby: orderby === "created_at" ? "" : orderby }), { replace: true });
  }

  #turn(cursor) {
    go(link("pending", [], { ...Object.fromEntries(this.#params), cursor }));
    scrollTo(0, 0);
  }

  #again() {
    if (this.#choice.names === undefined || !this.#shown) this.show({ params: this.#params });
    else this.#listing.refresh();
  }

  // What is done.

  async #do(what, run, done) {
    if ((await attempt(what, run)) === undefined) return;
    notify(done);
    this.#listing.refresh();
  }

  #resend(user) {
    return this.#do(`No mail to ${user.username}`, () => this.session.admin.users.resendConfirmation(ref(user)), `Confirmation mail sent to ${user.username}.`);
  }

  #activate(user) {
    return this.#do(`${user.username} was not activated`, () => this.session.admin.users.update({ ...ref(user), update: { active: true } }), `${user.username} activated.`);
  }

  async #delete(user) {
    const deleted = await askTyped({
      title: `Delete ${user.username}?`, name: user.username, confirm: "Delete",
      text: "The account goes with everything that is stored about it. This can't be undone.",
      act: () => this.session.admin.users.delete(ref(user)),
    });
    if (deleted === undefined) return;
    notify(`${user.username} deleted.`);
    this.#listing.refresh();
  }

  /** Mails those chosen, one after the other: a mail server wants it slow. */
  async #resendAll() {
    const users = this.#listing.users.filter((u) => this.#chosen.has(u.user_id));
    const { signal } = (this.#sending = new AbortController());
    let sent = 0;
    const failed = [];
    this.#send.disabled = true;
    this.#stop.hidden = false;
    for (const user of users) {
      if (signal.aborted) break;
      this.#said.textContent = `${sent + failed.length} of ${users.length}…`;
      try {
        await this.session.admin.users.resendConfirmation(ref(user));
        sent++;
        this.#chosen.delete(user.user_id);
      } catch (error) {
        failed.push(`${user.username}: ${explain(error)}`);
      }
    }
    this.#sending = null;
    this.#stop.hidden = true;
    this.#said.textContent = "";
    notify(`${count(sent, "mail")} sent${signal.aborted ? ", then stopped" : ""}.`);
    if (failed.length > 0) notify(`${count(failed.length, "mail")} not sent. ${failed[0]}`, { bad: true });
    if (this.isConnected) this.#listing.refresh();
  }

  // What is shown.

  #draw() {
    const { users, next, loading, loaded, problem } = this.#listing;
    this.#tell(problem, () => this.#listing.refresh());
    this.#card.setAttribute("aria-busy", String(loading));
    sync(this.#table.body, users, (u) => u.user_id, (u) => this.#row(u));
    this.#table.hidden = users.length === 0;
    const empty = loaded && !loading && users.length === 0 && !next;
    this.#none.hidden = !empty && (loaded || !loading);
    this.#none.textContent = empty ? "Nobody is waiting." : "Loading…";
    this.#pager.draw();
    const here = new Set(users.map((u) => u.user_id));
    for (const id of this.#chosen) if (!here.has(id)) this.#chosen.delete(id);
    this.#bulk.hidden = users.length === 0;
    this.#count();
  }

  #row(user) {
    const cells = [
      userLink(user), user.email,
      h("span", { class: `tag ${user.confirmation === "failed" ? "bad" : "warn"}` }, user.confirmation === "failed" ? "mail failed" : "waiting"),
      age(user.created_at),
    ];
    if (!this.may) return row(this.#columns, cells);
    const button = (name, run, props) => h("button", { type: "button", class: "small", "aria-label": `${name}: ${user.username}`, onclick: () => run(user), ...props }, name);
    const pick = h("input", {
      type: "checkbox", "aria-label": `Select ${user.username}`,
      onchange: () => {
        if (pick.checked) this.#chosen.add(user.user_id);
        else this.#chosen.delete(user.user_id);
        this.#count();
      },
    });
    pick.checked = this.#chosen.has(user.user_id);
    return row(this.#columns, [h("label", { class: "target" }, pick), ...cells, h("div", { class: "row" },
      button("Resend", (u) => this.#resend(u)),
      this.session.may("owner") && button("Link", (u) => secretLink(this.session, u, "confirm")),
      button("Activate", (u) => this.#activate(u)),
      button("Delete", (u) => this.#delete(u), { class: "small danger" }))], { header: 1 });
  }

  #chooseAll() {
    this.#chosen = new Set(this.#all.control.checked ? this.#listing.users.map((u) => u.user_id) : []);
    for (const pick of this.#table.body.querySelectorAll("input[type=checkbox]")) pick.checked = this.#all.control.checked;
    this.#count();
  }

  #count() {
    const chosen = this.#chosen.size;
    const all = this.#listing.users.length;
    this.#all.control.checked = chosen > 0 && chosen === all;
    this.#all.control.indeterminate = chosen > 0 && chosen < all;
    this.#send.disabled = chosen === 0 || this.#sending !== null;
    fill(this.#send, chosen > 0 ? `Resend to ${count(chosen, "selected user")}` : "Resend to selected");
  }

  #tell(problem, retry) {
    this.#problem.hidden = !problem;
    if (problem) fill(this.#problem, h("span", null, problem), " ", h("button", { type: "button", class: "small", onclick: retry }, "Retry"));
  }
}

const ref = (user) => ({ user_id: user.user_id });
