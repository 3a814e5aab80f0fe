// A scope's webhook: where its events are posted to, and how that goes.
import { fill, field, h, newID } from "./dom.js";
import { ask } from "./dialog.js";
import { attempt } from "./notice.js";
import { newSecret, secretField, shownOnce } from "./secret.js";
import { FEED_EVENTS } from "./tables.js";
import { Deliveries } from "./webhook-deliveries.js";

/**
 * An object with an element, show(scope) and stop(). save takes an update and
 * resolves to the scope as it is then; ask for the state by deliveries().
 */
export function webhook({ editable, save, deliveries }) {
  const id = newID();
  const settings = h("div");
  const once = h("div");
  const status = h("p", { class: "saved", role: "status" });
  const state = new Deliveries(deliveries);
  const setUp = h("button", { type: "button", onclick: change });
  const again = h("button", { type: "button", onclick: tryNow }, "Try now");
  const secret = h("button", { type: "button", onclick: renew }, "New secret");
  const off = h("button", { type: "button", class: "danger", onclick: remove }, "Remove");
  let hook = null;
  let shown;

  const element = h("section", { class: "card", "aria-labelledby": id },
    h("h2", { id }, "Webhook"),
    h("p", { class: "quiet about" }, "The scope's events are posted to a URL as they happen, in order, each signed with a secret."),
    settings, once,
    editable && h("div", { class: "row" }, setUp, again, secret, off, status),
    state.element);

  function draw() {
    fill(settings, hook
      ? h("dl", { class: "facts" },
        h("dt", null, "URL"), h("dd", { class: "mono" }, hook.url),
        h("dt", null, "Events"), h("dd", null, hook.events?.length ? hook.events.join(", ") : "all"),
        h("dt", null, "Secret"), h("dd", { class: "quiet" }, "set, and never read back"))
      : h("p", { class: "quiet" }, "None: nothing is posted."));
    setUp.textContent = hook ? "Change" : "Set up";
    for (const button of [again, secret, off]) button.hidden = !hook;
    state.element.hidden = !hook;
  }

  /** What makes the webhook what it is; with more, another one. */
  const same = (more = {}) => ({ webhook: { url: hook.url, ...(hook.events?.length && { events: hook.events }), ...more } });

  function tell(scope, said, own = "") {
    status.textContent = `Saved: ${said}.`;
    const made = scope.webhook?.secret || own;
    if (made) {
      fill(once, shownOnce("The webhook's secret", made));
      once.querySelector("input").focus();
    }
    state.refresh();
  }

  async function change() {
    let own = "";
    const url = h("input", { name: "url", type: "url", required: true, maxlength: 2048, placeholder: "https://…", autocomplete: "off", value: hook?.url ?? "" });
    const chosen = new Set(hook?.events ?? []);
    const names = h("div", { class: "events" }, FEED_EVENTS.map(({ name }) =>
      h("label", { class: "check" }, h("input", { type: "checkbox", name: "event", value: name, checked: chosen.has(name) }), h("span", { class: "mono" }, name))));
    const done = await ask({
      title: hook ? "Change the webhook" : "Set up a webhook", confirm: "Save",
      body: [
        field("URL", url, "https, unless it is on the server's own machine."),
        h("fieldset", null, h("legend", null, "Events; none chosen means all"), names),
        secretField("Secret", { name: "secret", minlength: 16, maxlength: 4096 },
          hook ? "What signs the posts. Empty: it stays." : "What signs the posts, 16 characters at least. Empty: the server makes one and shows it once."),
      ],
      act(data) {
        own = data.get("secret");
        const events = data.getAll("event");
        return save({ webhook: { url: data.get("url"), ...(events.length > 0 && { events }), ...(own && { secret: own }) } });
      },
    });
    if (done) tell(done, `events are posted to ${done.webhook.url}`, own);
  }

  async function tryNow() {
    const done = await attempt("The webhook was not set again", () => save(same()));
    if (done) tell(done, "the webhook is set again as it was, and tried at once");
  }

  async function renew() {
    const made = newSecret();
    const done = await ask({
      title: "A new secret", confirm: "Make a new secret",
      body: [h("p", null, "Posts are signed with the new secret at once. The receiver refuses them until it knows it; they are tried again.")],
      act: () => save(same({ secret: made })),
    });
    if (done) tell(done, "posts are signed with a new secret", made);
  }

  async function remove() {
    const done = await ask({
      title: "Remove the webhook", confirm: "Remove", danger: true,
      body: [h("p", null, "Nothing is posted any more, and its place in the feed is forgotten: one that is set up later begins with what happens then.")],
      act: () => save({ webhook: { url: "" } }),
    });
    if (!done) return;
    fill(once);
    status.textContent = "Saved: nothing is posted any more.";
    setUp.focus();
  }

  return {
    element,
    show(scope) {
      const { url, events } = scope.webhook ?? {};
      const now = JSON.stringify([url, events]);
      if (now === shown) return;
      shown = now;
      hook = scope.webhook ?? null;
      draw();
      if (hook) state.start();
      else state.stop();
    },
    stop: () => state.stop(),
  };
}
