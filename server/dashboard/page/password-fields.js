// A new password of an admin, typed twice.
import { field, h } from "./dom.js";

/** As the server asks for: characters of an admin's password at least. */
const LEAST = 8;

/** The two fields, with a checkbox that shows what was typed. */
export function newPassword() {
  const input = (name) => h("input", { name, type: "password", required: true, minlength: LEAST, maxlength: 1024, autocomplete: "new-password" });
  const first = input("password");
  const again = input("again");
  const show = h("input", { type: "checkbox", onchange: () => { first.type = again.type = show.checked ? "text" : "password"; } });
  return [
    field("New password", first, `${LEAST} characters at least.`),
    field("The same again", again),
    h("label", { class: "check" }, show, h("span", null, "Show what is typed")),
  ];
}

/** The password of a form with the two fields; throws where they differ. */
export function password(data) {
  if (data.get("password") !== data.get("again")) throw new Error("The two passwords are not the same.");
  return data.get("password");
}
