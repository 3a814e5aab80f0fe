// A scope's key: its own or the server's.
import { fill, h, newID } from "./dom.js";
import { ask } from "./dialog.js";
import { secretField, shownOnce } from "./secret.js";

/** An object with an element and show(scope). save takes an update. */
export function scopeKey({ editable, save }) {
  const id = newID();
  const state = h("p");
  const once = h("div");
  const buttons = h("div", { class: "row" });
  const status = h("p", { class: "saved", role: "status" });
  const element = h("section", { class: "card", "aria-labelledby": id },
    h("h2", { id }, "Key"), state, once, editable && buttons);
  const set = h("button", { type: "button", onclick: choose });
  const back = h("button", { type: "button", onclick: giveUp }, "Back to the server's key");
  fill(buttons, set, back, status);

  async function choose() {
    let key = "";
    const done = await ask({
      title: "A key of the scope's own", confirm: "Set key",
      body: [
        h("p", null, "Games that show another key are refused from their next connection on. Connections that are open stay."),
        secretField("Key", { name: "key", required: true, maxlength: 4096 }),
      ],
      act: (data) => save({ key: (key = data.get("key")) }),
    });
    if (!done) return;
    status.textContent = "Saved: the scope has a new key of its own.";
    fill(once, shownOnce("The scope's key", key));
    once.querySelector("input").focus();
  }

  async function giveUp() {
    const done = await ask({
      title: "Back to the server's key", confirm: "Use the server's key", danger: true,
      body: [h("p", null, "The scope's own key is forgotten. Games that show it are refused from their next connection on.")],
      act: () => save({ key: null }),
    });
    if (!done) return;
    fill(once);
    status.textContent = "Saved: the server's key opens the scope.";
    set.focus();
  }

  return {
    element,
    show({ has_key }) {
      state.textContent = has_key ? "The scope has a key of its own. It is kept as a hash and can't be shown." : "The server's key opens the scope.";
      set.textContent = has_key ? "Set another key" : "Set a key of its own";
      back.hidden = !has_key;
    },
  };
}
