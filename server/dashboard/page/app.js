// <rc-app> is the whole page: the sign-in, or the frame with one page in it.
import { h, place, template } from "./dom.js";
import { Feed } from "./feed.js";
import { explain } from "./notice.js";
import { link, parse } from "./route.js";
import { Session } from "./session.js";

/**
 * The pages: what the address calls them, their names, their elements, and the
 * role that they are for. A page's element is given .session and .feed before it
 * is connected, and its show(route) is called then, and again whenever the route
 * changes within it.
 */
export const PAGES = [
  { page: "live", name: "Live", element: "rc-live-page", role: "viewer" },
  { page: "overview", name: "Overview", element: "rc-overview-page", role: "viewer" },
  { page: "users", name: "Users", element: "rc-users-page", inner: "rc-user-page", role: "viewer" },
  { page: "pending", name: "Pending", element: "rc-pending-page", role: "viewer" },
  { page: "scopes", name: "Scopes", element: "rc-scopes-page", inner: "rc-scope-page", role: "viewer" },
  { page: "admins", name: "Admins", element: "rc-admins-page", role: "viewer" },
  { page: "server", name: "Server", element: "rc-server-page", role: "operator", all: true },
];

export class App extends HTMLElement {
  #session = null;
  #feed = null;

  connectedCallback() {
    window.addEventListener("hashchange", () => this.#route());
    const session = Session.restore();
    if (session) this.#enter(session);
    else this.#signIn("");
  }

  #signIn(why) {
    this.#session = null;
    this.#feed = null;
    const view = template("sign-in");
    place(view, "why").textContent = why;
    const form = view.querySelector("form");
    const problem = place(view, "problem");
    const button = form.querySelector("button");
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      problem.textContent = "";
      try {
        const session = await Session.signIn(form.elements.name.value, form.elements.password.value);
        form.reset();
        this.#enter(session);
      } catch (error) {
        problem.textContent = explain(error);
        button.disabled = false;
        form.elements.password.select();
      }
    });
    this.replaceChildren(view);
    document.title = "Sign in · Rollcall";
    this.querySelector("input").focus();
  }

  #enter(session) {
    this.#session = session;
    this.#feed = new Feed(session);
    session.addEventListener("ended", (event) => {
      this.#feed?.stop();
      this.#signIn(event.detail.why);
    });
    session.addEventListener("state", () => this.#frame());
    const view = template("shell");
    view.querySelector("rc-connection").session = session;
    const menu = view.querySelector(".menu");
    const nav = view.querySelector("nav");
    const open = (yes) => {
      nav.classList.toggle("open", yes);
      menu.setAttribute("aria-expanded", String(yes));
    };
    menu.addEventListener("click", () => open(!nav.classList.contains("open")));
    nav.addEventListener("click", () => open(false));
    nav.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { open(false); menu.focus(); }
    });
    view.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault(); // the fragment is the route
      this.querySelector("#main").focus();
    });
    view.querySelector("[data-do=sign-out]").addEventListener("click", () => session.signOut());
    this.replaceChildren(view);
    this.#frame();
    this.#feed.start();
    this.#route();
  }

  #pages() {
    return PAGES.filter((p) => this.#session.may(p.role) && (!p.all || this.#session.forAll));
  }

  /** Shows who is signed in, and the pages for the role. */
  #frame() {
    const { name, role } = this.#session.account;
    place(this, "who").textContent = `${name}, ${role}`;
    const list = place(this, "pages");
    const pages = this.#pages();
    if (list.children.length !== pages.length) {
      list.replaceChildren(...pages.map((p) => h("li", null, h("a", { href: link(p.page), "data-page": p.page }, p.name))));
      this.#mark(parse(location.hash).page);
    }
  }

  #mark(page) {
    for (const a of this.querySelectorAll("nav a")) {
      if (a.dataset.page === page) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    }
  }

  #route() {
    if (!this.#session) return;
    const route = parse(location.hash);
    const page = this.#pages().find((p) => p.page === route.page);
    if (!page) {
      history.replaceState(null, "", link("live"));
      this.#route();
      return;
    }
    this.#mark(page.page);
    const main = this.querySelector("#main");
    const element = page.inner && route.args.length > 0 ? page.inner : page.element;
    let view = main.firstElementChild;
    if (view?.localName !== element) {
      const first = !view;
      view = document.createElement(element);
      view.session = this.#session;
      view.feed = this.#feed;
      main.replaceChildren(view);
      scrollTo(0, 0);
      if (!first) main.focus({ preventScroll: true });
    }
    document.title = `${route.args[0] ?? page.name} · Rollcall`;
    view.show(route);
  }
}
