// The choice of a scope, for pages that show one scope at a time.
import { fill, h } from "./dom.js";

const KEPT = "rollcall.scope"; // the scope chosen last, for this tab

/**
 * A <select> of the scopes that an admin may see. load() fetches them and returns
 * the one to show: that of the URL, or the one chosen last, or the first; "" where
 * there is none.
 */
export class ScopeChoice {
  constructor(session) {
    this.session = session;
    this.control = h("select", { name: "scope" });
  }

  async load(wanted) {
    const names = (await this.session.scopes()).map((s) => s.name);
    const kept = sessionStorage.getItem(KEPT);
    const chosen = wanted || (names.includes(kept) ? kept : names[0] ?? "");
    this.names = names;
    this.choose(chosen);
    return chosen;
  }

  /** Shows a scope as chosen, one that is not among them too: the URL may name it. */
  choose(scope) {
    const names = this.names ?? [];
    const all = scope && !names.includes(scope) ? [...names, scope] : names;
    fill(this.control, all.map((name) => h("option", { value: name }, name)));
    this.control.value = scope;
    if (names.includes(scope)) sessionStorage.setItem(KEPT, scope);
  }
}
