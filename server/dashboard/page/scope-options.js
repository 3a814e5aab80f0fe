// The sections of a scope that are a few controls each: the sessions policy, the
// options and the mail senders.
import { field, h, newID, select } from "./dom.js";
import { Section } from "./section.js";

/** The sessions policies. */
export const SESSIONS = [
  { value: "many", text: "several connections of a user at once" },
  { value: "single", text: "a new connection replaces the older one" },
];

const OPTIONS = [
  { name: "hide_unknown", label: "Hide unknown users", text: "A login of an unknown user is answered as a wrong password (603), so that nobody finds out which accounts there are." },
  { name: "reauth", label: "Ask for the password again", text: "Who changes the password or the email of an account has to give the current password too." },
  { name: "confirm_email", label: "Confirm changed emails", text: "A changed email address has to be confirmed by a mail before the account is valid again." },
];

const yesNo = (on) => (on ? "on" : "off");

export function sessions({ editable, save }) {
  return new Section({
    title: "Sessions", editable, save,
    of: (scope) => scope.sessions,
    draw: (part) => field("Policy", select({ name: "sessions" }, SESSIONS.map(({ value, text }) => [value, `${value}: ${text}`]), part)),
    facts: (part) => h("p", null, h("strong", null, part), `: ${SESSIONS.find((s) => s.value === part)?.text ?? ""}`),
    change(form, part) {
      const { value } = form.elements.sessions;
      return value === part ? null : { update: { sessions: value }, said: `sessions are ${value}` };
    },
  });
}

export function options({ editable, save }) {
  return new Section({
    title: "Options", editable, save,
    of: ({ options }) => Object.fromEntries(OPTIONS.map(({ name }) => [name, Boolean(options[name])])),
    draw: (part) => OPTIONS.map(({ name, label, text }) => {
      const id = newID();
      return h("div", { class: "option" },
        h("label", { class: "check" }, h("input", { type: "checkbox", name, checked: part[name], "aria-describedby": id }), h("span", null, label)),
        h("p", { class: "quiet hint", id }, text));
    }),
    facts: (part) => OPTIONS.map(({ name, label, text }) => h("div", { class: "option" },
      h("p", null, `${label}: `, h("strong", null, yesNo(part[name]))), h("p", { class: "quiet hint" }, text))),
    change(form, part) {
      const changed = OPTIONS.filter(({ name }) => form.elements[name].checked !== part[name]);
      if (changed.length === 0) return null;
      return {
        update: { options: Object.fromEntries(changed.map(({ name }) => [name, form.elements[name].checked])) },
        said: changed.map(({ name, label }) => `${label.toLowerCase()} is ${yesNo(form.elements[name].checked)}`).join(", "),
      };
    },
  });
}

/** The lines of a textarea that are not empty, once each. */
export const lines = (text) => [...new Set(text.split("\n").map((line) => line.trim()).filter(Boolean))];

export function mailSenders({ editable, save }) {
  const none = "Clients can name no sender: mail goes out from the server's own.";
  return new Section({
    title: "Mail senders", editable, save,
    of: ({ options }) => options.from_emails ?? [],
    draw: (part) => field("Addresses, one a line", h("textarea", { name: "from", rows: 3, autocapitalize: "none", spellcheck: "false", value: part.join("\n") }),
      "Senders that clients may name for confirmation mails, 16 at most. Empty: they can name none, and mail goes out from the server's own."),
    facts: (part) => (part.length === 0 ? h("p", { class: "quiet" }, none) : h("ul", null, part.map((address) => h("li", null, address)))),
    change(form, part) {
      const from = lines(form.elements.from.value);
      if (JSON.stringify(from) === JSON.stringify(part)) return null;
      return { update: { options: { from_emails: from } }, said: from.length === 0 ? "clients can name no sender" : from.join(", ") };
    },
  });
}
