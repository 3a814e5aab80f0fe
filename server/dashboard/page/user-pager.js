// What stands under a page of users: how far a search came, and the ways on and back.
import { fill, h } from "./dom.js";
import { count } from "./format.js";
import { PAGE } from "./user-listing.js";

/**
 * Makes it for a listing and its trail; to(cursor) goes to a page. Its .draw()
 * brings it up to date.
 */
export function pager(listing, trail, to) {
  // Neither is disabled while a page is fetched, which would take the focus away.
  const back = h("button", { type: "button", onclick: () => to(trail().previous ?? "") }, "Previous");
  const on = h("button", { type: "button", onclick: () => listing.loading || to(listing.next) }, "Next");
  const said = h("p", { class: "quiet", role: "status" });
  const further = h("button", { type: "button", onclick: () => listing.goOn() }, "Search on");
  const e = h("div", { class: "pager" }, said, h("div", { class: "row" }, further, back, on));
  e.draw = () => {
    const { users, next, requests, loading, loaded } = listing;
    const short = loaded && next !== "" && users.length < PAGE;
    const first = trail().previous === undefined;
    const text = told(listing, short, first);
    if (said.textContent !== text) fill(said, text);
    further.hidden = !short || loading;
    back.disabled = first;
    on.disabled = next === "" || short;
    back.hidden = on.hidden = first && on.disabled;
  };
  return e;
}

function told({ users, next, requests, loading, loaded }, short, first) {
  const searched = `Searched ${count(requests, "part")} of the scope, found ${count(users.length, "user")}`;
  if (loading && requests > 1) return `${searched}…`;
  if (!loaded || (users.length === 0 && !next)) return "";
  if (short) return loading ? "" : `${searched}; there is more to search.`;
  return `${count(users.length, "user")}${first && !next ? "" : next ? " on this page" : " on this page, the last one"}`;
}
