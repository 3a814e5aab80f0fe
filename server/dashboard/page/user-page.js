// <rc-user-page>: one user, kept up to date while it is looked at.
import { h, fill } from "./dom.js";
import { explain } from "./notice.js";
import { link } from "./route.js";
import { ActionsCard, FactsCard } from "./user-account.js";
import { refreshAges, tags } from "./user-cells.js";
import { ExtraCard } from "./user-extra.js";
import { HistoryCard } from "./user-history.js";
import { ProfileCard } from "./user-profile.js";
import { ProvidersCard, SessionsCard } from "./user-sessions.js";

const LIVE = 2_000; // ms between two refreshes that events ask for
const AGES = 30_000; // ms
const GONE = 604;

export class UserPage extends HTMLElement {
  #id = "";
  #turn = 0; // an answer of an earlier turn is dropped
  #detail = null;
  #cards = [];
  #live = 0; // timer of the next refresh
  #ages = 0;
  #last = 0; // when the last one began, in ms of performance.now

  connectedCallback() {
    this.feed.addEventListener("events", this);
    this.feed.addEventListener("marker", this);
    this.#ages = setInterval(() => refreshAges(this), AGES);
  }

  disconnectedCallback() {
    this.feed.removeEventListener("events", this);
    this.feed.removeEventListener("marker", this);
    clearInterval(this.#ages);
    this.#forget();
  }

  show({ args }) {
    if (args[0] === this.#id) return;
    this.#forget();
    this.#id = args[0];
    this.#detail = null;
    fill(this, h("div", { class: "head" }, h("h1", null, "User")), h("p", { class: "quiet", role: "status" }, "Loading…"));
    this.load();
  }

  /** Events of this user, or a gap in the feed, bring the page up to date. */
  handleEvent({ type, detail }) {
    const about = type === "marker" || detail.some(({ push }) => push.data?.user_id === this.#id);
    if (!about || this.#live || !this.#detail) return;
    this.#live = setTimeout(() => this.load(), Math.max(0, this.#last + LIVE - performance.now()));
  }

  /** Fetches the user and shows what is new; what is being edited stays. */
  async load() {
    clearTimeout(this.#live);
    this.#live = 0;
    this.#last = performance.now();
    const turn = ++this.#turn;
    try {
      const detail = await this.session.admin.users.get({ user_id: this.#id });
      if (turn === this.#turn) this.#took(detail);
    } catch (error) {
      if (turn === this.#turn) this.#failed(error);
    }
  }

  #forget() {
    clearTimeout(this.#live);
    this.#live = 0;
    this.#turn++;
  }

  #took(detail) {
    if (this.#detail === null) this.#build(detail);
    this.#detail = detail;
    this.#problem.hidden = true;
    const state = JSON.stringify([detail.username, detail.online, detail.confirmation, detail.active, Boolean(detail.ban)]);
    if (this.#title.dataset.state !== state) {
      this.#title.dataset.state = state;
      fill(this.#title, detail.username);
      fill(this.#tags, tags(detail));
      document.title = `${detail.username} · Rollcall`;
    }
    for (const card of this.#cards) card.update(detail);
  }

  #failed(error) {
    const gone = error.status === GONE;
    const said = gone && this.#detail ? "This user has been deleted." : explain(error);
    const retry = gone || h("button", { type: "button", class: "small", onclick: () => this.load() }, "Retry");
    if (this.#detail === null) {
      fill(this, h("div", { class: "head" }, h("h1", null, "User")),
        h("div", { class: "banner bad", role: "alert" }, said, " ", gone ? null : retry), h("p", null, h("a", { href: link("users") }, "All users")));
      return;
    }
    this.#problem.hidden = false;
    fill(this.#problem, said, " ", gone ? null : retry);
    if (gone) {
      this.#forget();
      this.#sheet.inert = true; // nothing can be done with it any more
    }
  }

  #title;
  #tags;
  #problem;
  #sheet;

  #build(detail) {
    const page = { session: this.session, reload: () => this.load() };
    const [facts, actions] = [new FactsCard(), new ActionsCard(page)];
    const [profile, extra, providers] = [new ProfileCard(page), new ExtraCard(page), new ProvidersCard()];
    const [sessions, history] = [new SessionsCard(page), new HistoryCard()];
    this.#cards = [facts, actions, profile, extra, providers, sessions, history];
    this.#title = h("h1");
    this.#tags = h("p", { class: "states" });
    this.#problem = h("div", { class: "banner bad", role: "alert", hidden: true });
    this.#sheet = h("div", { class: "sheet" },
      h("div", { class: "half" }, profile.element, extra.element),
      h("div", { class: "half" }, facts.element, actions.element, providers.element),
      h("div", { class: "whole" }, sessions.element, history.element));
    fill(this,
      h("p", { class: "back" }, h("a", { href: link("users", [], { scope: detail.scope }) }, `Users of ${detail.scope}`)),
      h("div", { class: "head user-head" }, this.#title, this.#tags), this.#problem, this.#sheet);
  }
}
