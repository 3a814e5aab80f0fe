// Short notices at the edge of the page. They are read out by screen readers.
import { h } from "./dom.js";

/** Shows a text; an error stays until it is dismissed. */
export function notify(text, { bad = false } = {}) {
  const box = document.getElementById("notices");
  const notice = h("div", { class: bad ? "notice bad" : "notice" }, h("span", null, text),
    h("button", { class: "plain small", type: "button", "aria-label": `Dismiss: ${text}`, onclick: () => notice.remove() }, "Dismiss"));
  box.append(notice);
  while (box.children.length > 4) box.firstElementChild.remove();
  if (!bad) setTimeout(() => notice.remove(), 6000);
}

/** What a failed call is told as. */
export function explain(error) {
  if (error?.status === 606 && error.message === "not permitted") return "Your role does not permit that.";
  return error?.message || String(error);
}

/** Runs something and shows why it failed, if it did. Resolves to its result, or to undefined. */
export async function attempt(what, run) {
  try {
    return await run();
  } catch (error) {
    notify(`${what}: ${explain(error)}`, { bad: true });
    return undefined;
  }
}
