// A link by which whoever has it acts as a user, made for an owner to hand over.
import { h, newID } from "./dom.js";
import { full } from "./format.js";
import { attempt } from "./notice.js";

const KINDS = {
  confirm: {
    title: (name) => `Confirmation link for ${name}`,
    text: "Whoever opens it confirms the email address. Hand it to the user alone.",
    make: (session, ref) => session.admin.users.confirmLink(ref),
  },
  reset: {
    title: (name) => `Reset link for ${name}`,
    text: "Whoever opens it sets a new password. Hand it to the user alone.",
    make: (session, ref) => session.admin.users.resetLink(ref),
  },
};

/** Makes a link, "confirm" or "reset", and shows it: this once, for it is kept nowhere. */
export async function secretLink(session, user, kind) {
  const { title, text, make } = KINDS[kind];
  const answer = await attempt("The link was not made", () => make(session, { user_id: user.user_id }));
  if (!answer) return;
  const id = newID();
  const input = h("input", { readonly: true, "aria-label": "Link", value: answer.link, class: "mono", onfocus: () => input.select() });
  const said = h("span", { class: "good", role: "status" });
  const copy = async () => {
    said.textContent = (await copied(input)) ? "Copied." : "Copy it by hand: the browser refused.";
  };
  const dialog = h("dialog", { "aria-labelledby": id, onclose: () => dialog.remove() },
    h("h2", { id }, title(user.username)),
    h("p", null, `${text} It is good for one use, until ${full(answer.expires_at)}, and shown this once.`),
    h("div", { class: "field" }, input),
    h("div", { class: "row end" }, said,
      h("button", { type: "button", class: "primary", onclick: copy }, "Copy"),
      h("button", { type: "button", onclick: () => dialog.close() }, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

// The clipboard's API is there on HTTPS and on loopback only; the old command
// works elsewhere.
async function copied(input) {
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    input.select();
    return document.execCommand("copy");
  }
}
