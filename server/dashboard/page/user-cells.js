// What tables and pages show of a user in few words.
import { h } from "./dom.js";
import { ago, full } from "./format.js";
import { link } from "./route.js";

const dateForm = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** Tags of what is out of the ordinary, and of being online. */
export function tags(user) {
  const list = [];
  if (user.online) list.push(["good", "online"]);
  if (user.confirmation) list.push(["warn", user.confirmation === "failed" ? "pending, mail failed" : "pending"]);
  if (!user.active && !user.confirmation) list.push(["", "inactive"]);
  if (user.ban) list.push(["bad", "banned"]);
  return list.map(([tone, text]) => h("span", { class: `tag ${tone}` }, text));
}

/** Nov 24, 2026, with the time to point at. */
export function date(t) {
  return t ? h("time", { datetime: t, title: full(t) }, dateForm.format(new Date(t))) : "";
}

/** "5 min ago", which grows old by refreshAges. */
export function age(t) {
  return t ? h("time", { datetime: t, title: full(t), "data-age": true }, ago(t)) : "";
}

/** A moment in full. */
export function moment(t) {
  return t ? h("time", { datetime: t }, full(t)) : "";
}

/** Brings every age below an element up to date. */
export function refreshAges(root) {
  for (const e of root.querySelectorAll("time[data-age]")) e.textContent = ago(e.dateTime);
}

/** A link to a user's page. */
export const userLink = (user) => h("a", { href: link("users", [user.user_id]) }, user.username);

/** How long a ban lasts, and why. */
export function banText(ban) {
  const until = ban.until ? `until ${full(ban.until)}` : "for good";
  return ban.reason ? `${until}: ${ban.reason}` : until;
}
