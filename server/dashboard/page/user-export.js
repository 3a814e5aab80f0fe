// Users as lines of files: CSV for spreadsheets, NDJSON for programs.

const COLUMNS = [
  ["user_id", (u) => u.user_id],
  ["username", (u) => u.username],
  ["email", (u) => u.email],
  ["group", (u) => u.group],
  ["active", (u) => u.active],
  ["validated", (u) => u.validated],
  ["pending", (u) => u.confirmation],
  ["banned", (u) => Boolean(u.ban)],
  ["ban_reason", (u) => u.ban?.reason],
  ["ban_until", (u) => u.ban?.until],
  ["online", (u) => u.online],
  ["logins", (u) => u.logins],
  ["created_at", (u) => u.created_at],
  ["updated_at", (u) => u.updated_at],
  ["last_login_at", (u) => u.last_login_at],
  ["providers", (u) => (u.providers ?? []).join(" ")],
  ["extra", (u) => (u.extra && Object.keys(u.extra).length > 0 ? JSON.stringify(u.extra) : "")],
];

/**
 * One cell of RFC 4180: quoted where it has a quote, a comma or a line break, its
 * quotes doubled. A cell that begins with = + - @, a tab or a carriage return is
 * a formula to spreadsheet programs, and names and extra data are typed by
 * strangers: such a cell gets a ' before it (OWASP, "CSV Injection"). Who needs
 * the text as it is takes NDJSON.
 */
export function csvCell(value) {
  let text = value === undefined || value === null ? "" : String(value);
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const line = (cells) => `${cells.map(csvCell).join(",")}\r\n`;

/** The formats: what their files are called and are, their first line, and a user's. */
export const FORMATS = {
  csv: {
    name: "CSV",
    type: "text/csv;charset=utf-8",
    head: line(COLUMNS.map(([name]) => name)),
    line: (user) => line(COLUMNS.map(([, cell]) => cell(user))),
  },
  ndjson: {
    name: "NDJSON",
    type: "application/x-ndjson",
    head: "",
    line: (user) => `${JSON.stringify(user)}\n`,
  },
};
