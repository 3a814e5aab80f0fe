// The providers by which a scope's users may log in.
import { field, fill, h, newID, select } from "./dom.js";
import { ask } from "./dialog.js";
import { lines } from "./scope-options.js";
import { stackRow, stackTable } from "./stack-table.js";

const COLUMNS = ["Provider", "Mode", "Issuer", "Client ids", ""];
const MODES = { verify: "verify: proof is asked for", trust: "trust: the client's word is believed" };
const TRUST = "Whoever knows or guesses a user's id at the provider can log in as that user. Use it only while an old game needs it.";

/** The providers that the server knows by name, and what has to be told of each. */
const KNOWN = {
  google: { ids: true },
  apple: { ids: true },
  facebook: { ids: true, secret: true },
  openudid: { nothing: "Nothing has to be configured. A user's openudid is a secret of 16 characters at least, and is kept as a hash." },
};
const OWN = { ids: true, issuer: true };

const modeOf = (config) => config.mode || "verify";

/** An object with an element and show(scope). save takes an update. */
export function providers({ editable, save }) {
  const id = newID();
  const list = h("div");
  const status = h("p", { class: "saved", role: "status" });
  const columns = editable ? COLUMNS : COLUMNS.slice(0, -1);
  const addButton = h("button", { type: "button", onclick: add }, "Add provider");
  let present = {};
  let shown = "";

  const element = h("section", { class: "card", "aria-labelledby": id },
    h("h2", { id }, "Providers"),
    h("p", { class: "quiet about" }, "By which of them the scope's users may log in, besides a password. One that is not here is refused (624)."),
    list, editable && h("div", { class: "row" }, addButton, status));

  function draw() {
    const names = Object.keys(present).sort();
    if (names.length === 0) {
      fill(list, h("p", { class: "quiet" }, "None: users log in by a password only."));
      return;
    }
    fill(list,
      names.some((name) => modeOf(present[name]) === "trust" && name !== "openudid") && h("p", { class: "banner" }, `Trust is set. ${TRUST}`),
      stackTable("Providers", columns, names.map((name) => {
        const config = present[name];
        const cells = [
          name,
          name === "openudid" ? h("span", { class: "quiet" }, "–") : h("span", { class: modeOf(config) === "trust" ? "tag warn" : "tag" }, modeOf(config)),
          config.issuer ?? h("span", { class: "quiet" }, name in KNOWN && name !== "openudid" ? "the provider's own" : "–"),
          config.client_ids?.length ? h("ul", { class: "bare" }, config.client_ids.map((one) => h("li", { class: "mono" }, one))) : h("span", { class: "quiet" }, "–"),
        ];
        if (editable) {
          cells.push(h("span", { class: "row" },
            name !== "openudid" && h("button", { type: "button", class: "small", "aria-label": `Edit ${name}`, onclick: () => edit(name) }, "Edit"),
            h("button", { type: "button", class: "small danger", "aria-label": `Remove ${name}`, onclick: () => remove(name) }, "Remove")));
        }
        return stackRow(columns, cells);
      })));
  }

  /** The fields for a provider's configuration, as it is. */
  function fields(name, config = {}) {
    const needs = KNOWN[name] ?? OWN;
    if (needs.nothing) return [h("p", { class: "quiet" }, needs.nothing)];
    const warning = h("p", { class: "warn", role: "status" });
    const ids = h("textarea", { name: "client_ids", rows: 3, autocapitalize: "none", spellcheck: "false", value: (config.client_ids ?? []).join("\n") });
    const issuer = (needs.issuer || config.issuer) && h("input", { name: "issuer", type: "url", maxlength: 256, placeholder: "https://…", value: config.issuer ?? "" });
    const secret = needs.secret && h("input", { name: "app_secret", type: "password", maxlength: 256, autocomplete: "off" });
    const mode = select({ name: "mode", onchange: judge }, Object.entries(MODES), modeOf(config));
    function judge() {
      const trust = mode.value === "trust";
      warning.textContent = trust ? `Warning: ${TRUST[0].toLowerCase()}${TRUST.slice(1)}` : "";
      ids.required = !trust;
      if (issuer) issuer.required = needs.issuer && !trust;
      if (secret) secret.required = !trust;
    }
    judge();
    return [
      field("Mode", mode), warning,
      issuer && field("Issuer", issuer, "URL of the OpenID Connect issuer, as its tokens name it."),
      field("Client ids, one a line", ids, "Ids of your app at the provider: a token has to be made out to one of them. 16 at most."),
      secret && field("App secret", secret, "Of your app at the provider. It is never read back: type it again with every change."),
    ];
  }

  function config(data) {
    const made = {};
    if (data.has("mode")) made.mode = data.get("mode");
    if (data.get("issuer")?.trim()) made.issuer = data.get("issuer").trim();
    const ids = lines(data.get("client_ids") ?? "");
    if (ids.length > 0) made.client_ids = ids;
    if (data.get("app_secret")) made.app_secret = data.get("app_secret");
    return made;
  }

  async function put(name, made, said) {
    await save({ providers: { [name]: made } });
    return said;
  }

  async function add() {
    const free = Object.keys(KNOWN).filter((name) => !(name in present));
    const own = h("input", { name: "own", required: true, maxlength: 64, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });
    const ownField = field("Its name", own, "What the game calls it in users.login.");
    const body = h("div");
    const which = select({ name: "which", onchange: chosen }, [...free, ["", "another OpenID Connect issuer"]]);
    function chosen() {
      ownField.hidden = own.disabled = which.value !== "";
      fill(body, fields(which.value));
    }
    chosen();
    tell(await ask({
      title: "Add provider", confirm: "Add", body: [field("Provider", which), ownField, body],
      act(data) {
        const name = which.value || own.value.trim();
        if (name in present) throw new Error(`${name} is configured already: edit it.`);
        return put(name, config(data), `${name} is added`);
      },
    }));
  }

  async function edit(name) {
    tell(await ask({
      title: `Edit ${name}`, confirm: "Save", body: fields(name, present[name]),
      act: (data) => put(name, config(data), `${name} is changed`),
    }));
  }

  async function remove(name) {
    tell(await ask({
      title: `Remove ${name}`, confirm: "Remove", danger: true,
      body: [h("p", null, `Nobody can log in by ${name} any more. The accounts stay, and what binds them to the provider too.`)],
      act: () => put(name, null, `${name} is removed`),
    }));
  }

  function tell(said) {
    if (!said) return;
    status.textContent = `Saved: ${said}.`;
    addButton.focus(); // the row's button was drawn anew
  }

  return {
    element,
    show(scope) {
      if (JSON.stringify(scope.providers) === shown) return;
      present = scope.providers;
      shown = JSON.stringify(present);
      draw();
    },
  };
}
