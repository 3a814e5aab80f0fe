// What a page shows in place of what it could not load.
import { h } from "./dom.js";
import { explain } from "./notice.js";

/** A banner that says what failed and why, with a button that tries again. */
export function trouble(what, error, retry) {
  return h("div", { class: "banner bad row", role: "alert" },
    h("span", null, `${what}: ${explain(error)}`),
    h("button", { type: "button", class: "small", onclick: retry }, "Retry"));
}

/** Says that something is on its way. */
export function loading(what = "Loading…") {
  return h("p", { class: "quiet", role: "status" }, what);
}
