// Entries of the Live list as rows of its table.
import { fill, h } from "./dom.js";
import { clock, count, number } from "./format.js";
import { clientText, detail, EVENTS, outcome } from "./live-filter.js";
import { link } from "./route.js";

/** The columns: what a header says, and the class of its cells. */
export const COLUMNS = [
  ["Time", "time"], ["Outcome", "outcome"], ["Event", "event"], ["User", "user"], ["Detail", "detail"],
  ["Method", "method"], ["Scope", "scope"], ["Node", "node"], ["Address", "ip"], ["Client", "client"],
];

/** Makes an entry's row. */
export function row(entry) {
  const tr = h("tr", { class: entry.kind });
  if (entry.kind === "rate") update(tr, entry);
  else if (entry.kind === "marker") {
    tr.classList.add(entry.tone);
    tr.append(h("td", { colspan: COLUMNS.length }, h("span", { class: "said" }, clock(entry.time), " · ", entry.text)));
  } else {
    fillEvent(tr, entry.push);
  }
  return tr;
}

function fillEvent(tr, push) {
  const d = push.data;
  const end = outcome(push);
  if (end === "failed") tr.classList.add("failed");
  const cells = [
    h("time", { datetime: push.time, title: push.time }, clock(push.time)),
    end && h("span", { class: `tag ${end === "ok" ? "good" : "bad"}` }, end === "ok" ? "✓ ok" : "✕ failed"),
    EVENTS[push.event] ?? push.event,
    user(d), detail(push), d.method, push.scope, d.node, d.ip, clientText(d.client),
  ];
  cells.forEach((cell, i) => {
    const td = h("td", { class: COLUMNS[i][1], "data-label": COLUMNS[i][0] }, cell);
    if (!cell) td.classList.add("empty");
    else if (typeof cell === "string") td.title = cell; // where there is no room for all of it
    tr.append(td);
  });
}

function user(d) {
  if (d.admin) return d.admin;
  if (!d.user_id) return d.username;
  return h("a", { href: link("users", [d.user_id]) }, d.username ?? d.user_id.slice(0, 8));
}

/** Brings a rate's row up to date. */
export function update(tr, rate) {
  const shares = [...rate.counts].sort((a, b) => b[1] - a[1]).map(([event, n]) => `${number(n)} ${EVENTS[event] ?? event}`);
  const said = [clock(rate.second * 1000), " · ", h("strong", null, count(rate.total, "event")), " in this second: ", shares.join(", ")];
  const line = tr.querySelector(".said");
  if (line) {
    fill(line, said);
    return;
  }
  const sample = h("details", {
    ontoggle: () => sample.open && fill(sample.querySelector("ul"), rate.sample.map((push) => h("li", null, brief(push)))),
  }, h("summary", null, "sample"), h("ul"));
  fill(tr, h("td", { colspan: COLUMNS.length }, h("span", { class: "said" }, said), sample));
}

function brief(push) {
  const d = push.data;
  return [clock(push.time), " ", EVENTS[push.event] ?? push.event, " ", user(d) ?? "", " ", [detail(push), d.method, push.scope, d.ip].filter(Boolean).join(" · ")];
}
