// What of the feed is shown. A filter stands in the URL.

/** The feed's events; each has a name that people read. */
export const EVENTS = {
  "user.login": "login",
  "user.login_failed": "login failed",
  "user.resumed": "resumed",
  "user.created": "created",
  "user.updated": "updated",
  "user.confirmed": "confirmed",
  "user.deleted": "deleted",
  "user.banned": "banned",
  "user.unbanned": "unbanned",
  "user.online": "online",
  "user.offline": "offline",
  "admin.action": "admin action",
};

/** The names of a filter's parts, as they stand in the URL. */
export const PARTS = ["scope", "event", "method", "outcome", "q"];

/** "ok", "failed", or "" where an event is no attempt at anything. */
export function outcome(push) {
  switch (push.event) {
    case "user.login":
    case "user.resumed":
    case "user.created": return "ok";
    case "user.login_failed": return "failed";
    default: return "";
  }
}

/** What an event tells besides who, how and where. */
export function detail(push) {
  const d = push.data;
  const parts = [d.action, d.target, d.reason];
  if (d.action && !d.target && d.user_id) parts.push(d.user_id.slice(0, 8));
  if (d.fields) parts.push(d.fields.join(", "));
  if (d.until) parts.push(`until ${d.until}`);
  return parts.filter(Boolean).join(" ");
}

/** A client as it named itself. */
export function clientText(client) {
  if (!client) return "";
  const name = client.version ? `${client.name ?? ""} ${client.version}` : client.name ?? "";
  return client.platform ? `${name} (${client.platform})` : name;
}

/** Returns the filter of URL parameters: (push) => whether it is shown. */
export function filterOf(params) {
  const [scope, event, method, wanted, text] = PARTS.map((name) => params.get(name) ?? "");
  const q = text.trim().toLowerCase();
  return (push) => (!scope || push.scope === scope)
    && (!event || push.event === event)
    && (!method || push.data.method === method)
    && (!wanted || outcome(push) === wanted)
    && (!q || textOf(push).includes(q));
}

function textOf(push) {
  const d = push.data;
  return [d.username, d.user_id, d.admin, d.ip, d.node, d.group, detail(push), clientText(d.client)].join(" ").toLowerCase();
}
