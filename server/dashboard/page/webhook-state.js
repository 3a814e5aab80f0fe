// How a scope's webhook is doing, in words.
import { h } from "./dom.js";
import { count } from "./format.js";

/** The state of an admin.scopes.deliveries answer: {tone, text}. */
export function webhookState(state) {
  if (state.paused) return { tone: "bad", text: "paused" };
  if (state.failures > 0) return { tone: "bad", text: `failing (${count(state.failures, "attempt")})` };
  if (state.deliveries.length > 0) return { tone: "good", text: "delivering" };
  return { tone: "", text: "nothing sent yet" };
}

/** The same as a tag. */
export function webhookTag(state) {
  const { tone, text } = webhookState(state);
  return h("span", { class: `tag ${tone}` }, text);
}
