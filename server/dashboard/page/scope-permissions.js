// What the clients of a scope may do, method by method.
import { h, newID, select } from "./dom.js";
import { Section } from "./section.js";
import { SCOPE_METHODS } from "./tables.js";

const ANY = "Any client of the scope may do it to every user, without being logged in as that user.";

/** What a choice means for a method: {text, warn}. */
function meaning(method, permit) {
  switch (permit) {
    case "any": return { text: `Warning: ${ANY[0].toLowerCase()}${ANY.slice(1)}`, warn: true };
    case "off": return { text: "Nobody may: it is answered with 606.", warn: false };
    default: return { text: `The rule: ${method.self}.`, warn: false };
  }
}

function told(e, { text, warn }) {
  e.className = warn ? "warn meaning" : "meaning";
  e.textContent = text;
}

/** The first sentence of what the protocol says of a method. */
const brief = ({ doc }) => doc.split(/(?<=\.)\s/, 1)[0];

function row(method, permit, editable) {
  const means = h("p", { id: newID() });
  told(means, meaning(method, permit));
  const id = newID();
  const about = h("div", null, editable ? h("label", { for: id, class: "mono" }, method.type) : h("span", { class: "mono" }, method.type),
    h("p", { class: "quiet hint" }, brief(method)));
  const control = editable
    ? select({ id, name: method.type, "aria-describedby": means.id, onchange: (e) => told(means, meaning(method, e.target.value)) }, method.choices, permit)
    : h("span", { class: permit === "any" ? "tag warn" : "tag" }, permit);
  return h("li", null, about, control, means);
}

/** The section. */
export function permissions({ editable, save }) {
  const of = ({ permissions }) => Object.fromEntries(SCOPE_METHODS.map(({ type }) => [type, permissions[type] || "self"]));
  const list = (part) => h("ul", { class: "permits" }, SCOPE_METHODS.map((m) => row(m, part[m.type], editable)));
  return new Section({
    title: "Permissions", editable, of, save,
    about: "Who may call a method: self is the rule of the contract, any opens it to every client of the scope, off switches it off. Admins are not bound by this.",
    draw: list, facts: list,
    change(form, part) {
      const changed = SCOPE_METHODS.map(({ type }) => [type, form.elements[type].value]).filter(([type, permit]) => permit !== part[type]);
      if (changed.length === 0) return null;
      return { update: { permissions: Object.fromEntries(changed) }, said: changed.map(([type, permit]) => `${type} is ${permit}`).join(", ") };
    },
  });
}
