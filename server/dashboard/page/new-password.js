// A password that an admin gives to a user. It is hashed in the browser, as an
// SDK does it, so that the server never gets the password itself.
import { passwordHash } from "../sdk/rollcall.js";
import { check, field, h } from "./dom.js";

const LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"; // none that look alike
const LENGTH = 16; // of a made one: 56 letters, so 92 bits
const MOST_BYTES = 1024; // the protocol's MaxPasswordBytes

/** The fields: the password, a way to see it, and one to make it up. */
export function passwordFields({ label = "Password", hint, required = false } = {}) {
  const input = h("input", { name: "password", type: "password", autocomplete: "new-password", required });
  const visible = check("Show it", { onchange: () => { input.type = visible.control.checked ? "text" : "password"; } });
  const make = h("button", {
    type: "button", class: "small",
    onclick: () => {
      input.value = random();
      visible.control.checked = true;
      input.type = "text";
    },
  }, "Make one up");
  return [field(label, input, hint), h("div", { class: "row" }, visible, make)];
}

/** What is sent of a password: {password_hash}, or {} without one. */
export async function credentials(scope, password) {
  if (password === "") return {};
  if (new TextEncoder().encode(password).length > MOST_BYTES) throw new Error(`A password has at most ${MOST_BYTES} bytes.`);
  return { password_hash: await passwordHash(scope, password) };
}

function random() {
  let text = "";
  const byte = new Uint8Array(1);
  while (text.length < LENGTH) {
    crypto.getRandomValues(byte);
    const i = byte[0] & 63; // even chances: what is beyond the letters is thrown away
    if (i < LETTERS.length) text += LETTERS[i];
  }
  return text;
}
