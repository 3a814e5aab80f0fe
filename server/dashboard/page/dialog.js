// Dialogs: a form in a <dialog>, which traps the focus, closes by Escape and
// gives the focus back.
import { h, newID } from "./dom.js";
import { explain } from "./notice.js";

/**
 * Shows a form. body are its fields; act gets the FormData when it is sent, and
 * whatever it throws is shown in the dialog, which stays open. Resolves to what
 * act returned, or to undefined when the dialog was cancelled.
 */
export function ask({ title, body = [], confirm = "OK", danger = false, act = () => true, ready }) {
  return new Promise((resolve) => {
    const id = newID();
    const problem = h("p", { class: "problem", role: "alert" });
    const send = h("button", { class: danger ? "primary danger" : "primary" }, confirm);
    const form = h("form", { method: "dialog", onsubmit: submit },
      h("h2", { id }, title), body, problem,
      h("div", { class: "row end" }, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), send));
    const dialog = h("dialog", { "aria-labelledby": id, onclose: closed }, form);
    let result;

    async function submit(event) {
      event.preventDefault();
      send.disabled = true;
      problem.textContent = "";
      try {
        result = await act(new FormData(form));
        dialog.close();
      } catch (error) {
        problem.textContent = explain(error);
        send.disabled = false;
        ready?.(form, send);
      }
    }
    function closed() {
      dialog.remove();
      resolve(result);
    }
    document.body.append(dialog);
    ready?.(form, send);
    dialog.showModal();
  });
}

/**
 * Asks before something that can't be undone: the button stays disabled until
 * the name is typed as it stands.
 */
export function askTyped({ title, text, name, confirm, act }) {
  const input = h("input", { name: "typed", autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
  return ask({
    title, confirm, danger: true, act,
    body: [h("p", null, text), h("label", { class: "field" }, h("span", null, "Type ", h("strong", null, name), " to confirm"), input)],
    ready(form, send) {
      const judge = () => { send.disabled = input.value !== name; };
      input.addEventListener("input", judge);
      judge();
    },
  });
}
