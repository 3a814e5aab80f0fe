// Secrets: made here by the browser's random numbers, and shown once.
import { h, newID } from "./dom.js";
import { notify } from "./notice.js";

/** 256 random bits, as 43 characters that stand in a URL or a shell as they are. */
export function newSecret() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** A field for a secret, with a button that makes one. */
export function secretField(label, props, hint) {
  const id = newID();
  const input = h("input", { id, type: "text", class: "mono", autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-describedby": hint && `${id}-hint`, ...props });
  const make = h("button", { type: "button", onclick() {
    input.value = newSecret();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.select();
  } }, "Generate");
  return h("div", { class: "field" }, h("span", null, h("label", { for: id }, label)),
    h("div", { class: "row secret" }, input, make),
    hint && h("span", { class: "hint quiet", id: `${id}-hint` }, hint));
}

/** A box with a secret that is not shown again; it stays until it is put away. */
export function shownOnce(what, secret) {
  const id = newID();
  const input = h("input", { id, class: "mono", readonly: true, value: secret, onfocus: () => input.select() });
  const box = h("div", { class: "banner once", role: "group", "aria-label": what },
    h("label", { for: id }, `${what}. It is not shown again: keep it now.`),
    h("div", { class: "row secret" }, input,
      h("button", { type: "button", onclick: () => copy(input) }, "Copy"),
      h("button", { type: "button", onclick: () => box.remove() }, "I have kept it")));
  return box;
}

async function copy(input) {
  try {
    await navigator.clipboard.writeText(input.value);
    notify("Copied");
  } catch {
    input.focus(); // browsers let only pages of a secure origin write to the clipboard
    input.select();
    notify("Selected: copy it with the keyboard");
  }
}
