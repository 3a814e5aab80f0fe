// <rc-server-page>: what the server runs with, and what about that is unsafe. The
// server masks secrets before it tells them.
import { field, fill, h } from "./dom.js";
import { count } from "./format.js";
import { go, link } from "./route.js";
import { stackRow, stackTable } from "./stack-table.js";
import { loading, trouble } from "./trouble.js";

const COLUMNS = ["Setting", "Value", "From", "Note"];
const EMPTY = new Set(["", '""', "[]"]); // values are YAML
const STORES = { embedded: "embedded, in the server's process: for trying it out", redis: "Redis" };

export class ServerPage extends HTMLElement {
  #asked = 0;
  #info = null;
  #filter = h("input", { type: "search", name: "q", autocomplete: "off", spellcheck: "false", placeholder: "name, value, origin, note…" });
  #content = h("div", null, loading());
  #rows = h("div");
  #count = h("p", { class: "quiet", role: "status" });

  connectedCallback() {
    this.#filter.addEventListener("input", () => go(link("server", [], { q: this.#filter.value }), { replace: true }));
    fill(this, h("div", { class: "head" }, h("h1", null, "Server"),
      h("button", { type: "button", onclick: () => this.#load() }, "Refresh")), this.#content);
    this.session.addEventListener("state", this);
    this.#load();
  }

  disconnectedCallback() {
    this.#asked++;
    this.session.removeEventListener("state", this);
  }

  show({ params }) {
    const q = params.get("q") ?? "";
    if (this.#filter.value !== q) this.#filter.value = q;
    this.#list();
  }

  /** After a lost connection it may be another server, or another start of it. */
  handleEvent() {
    if (this.session.state.phase === "connected") this.#load();
  }

  async #load() {
    const asked = ++this.#asked;
    try {
      const info = await this.session.admin.server();
      if (asked !== this.#asked) return;
      this.#info = info;
      this.#draw();
    } catch (error) {
      if (asked === this.#asked) fill(this.#content, trouble("The server's configuration could not be loaded", error, () => this.#load()));
    }
  }

  #draw() {
    const { node, version, go: runtime, store, warnings } = this.#info;
    fill(this.#content,
      h("section", { "aria-label": "Warnings", class: "warnings" }, warnings.length === 0
        ? h("p", { class: "card good" }, "Nothing about the configuration is known to be unsafe.")
        : warnings.map(({ code, text }) => h("p", { class: "banner" }, h("strong", { class: "mono" }, code), " ", text))),
      h("section", { class: "card", "aria-labelledby": "server-node" },
        h("h2", { id: "server-node" }, "This node"),
        h("dl", { class: "facts" },
          h("dt", null, "Node"), h("dd", null, node),
          h("dt", null, "Version"), h("dd", null, version),
          h("dt", null, "Go"), h("dd", null, runtime),
          h("dt", null, "Store"), h("dd", null, STORES[store] ?? store))),
      h("section", { class: "card", "aria-labelledby": "server-settings" },
        h("h2", { id: "server-settings" }, "Settings"),
        h("p", { class: "quiet about" }, "In effect since the server's start. Secrets are masked by the server."),
        h("div", { class: "filters", role: "search" }, field("Filter", this.#filter), this.#count),
        this.#rows));
    this.#list();
  }

  #list() {
    if (!this.#info) return;
    const q = this.#filter.value.trim().toLowerCase();
    const { settings } = this.#info;
    const found = settings.filter(({ name, value, source, note }) => !q || [name, value, source, note].some((text) => text?.toLowerCase().includes(q)));
    this.#count.textContent = q ? `${found.length} of ${count(settings.length, "setting")}` : count(settings.length, "setting");
    fill(this.#rows, found.length === 0 ? h("p", { class: "quiet" }, "None has that in it.")
      : stackTable("Settings", COLUMNS, found.map(({ name, value, source, note }) => stackRow(COLUMNS, [
        h("span", { class: "mono" }, name),
        EMPTY.has(value) ? h("span", { class: "quiet" }, "none") : h("span", { class: "mono" }, value),
        source, note ?? "",
      ]))));
  }
}
