// The buttons that download the users of a question, and how far that has come.
import { everyUser, save, TextFile } from "./download.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { explain, notify } from "./notice.js";
import { FORMATS } from "./user-export.js";

const TOLD = 2_000; // ms between two counts that are read out

export class DownloadBar {
  #session;
  #abort = null;
  #buttons = [];
  #count = h("span");
  #said = h("span", { class: "hidden", role: "status" });

  constructor(session) {
    this.#session = session;
    const stop = h("button", { type: "button", class: "small", onclick: () => this.cancel() }, "Cancel download");
    this.bar = h("div", { class: "banner good row", hidden: true }, this.#count, this.#said, stop);
  }

  /** One button for each format; question() is what they download the users of. */
  buttons(question) {
    this.#buttons = Object.entries(FORMATS).map(([ext, { name }]) =>
      h("button", { type: "button", "aria-label": `Download as ${name}`, onclick: () => this.#start(ext, question()) }, h("span", { "aria-hidden": "true" }, "↓"), name));
    return this.#buttons;
  }

  cancel() { this.#abort?.abort(); }

  /**
   * Writes the file by a connection of its own, so that the feed and the page go
   * on beside it. Leaving the page, or asking another question, ends it.
   */
  async #start(ext, query) {
    if (this.#abort || !query.scope) return;
    const abort = this.#abort = new AbortController();
    const { type, head, line } = FORMATS[ext];
    const file = new TextFile(type);
    let connection;
    let told = 0;
    this.#show("Download begins…", true);
    try {
      connection = await this.#session.second();
      if (head) file.write(head);
      const users = await everyUser((params) => connection.admin.users.list(params), query, (user) => file.write(line(user)), {
        signal: abort.signal,
        progress: (n) => {
          const tell = Date.now() - told > TOLD;
          if (tell) told = Date.now();
          this.#show(`Downloading: ${count(n, "user")} so far`, tell);
        },
      });
      save(file.blob(), fileName(query.scope, ext));
      notify(`${count(users, "user")} downloaded.`);
    } catch (error) {
      if (abort.signal.aborted) notify("The download was cancelled.");
      else notify(`The download failed: ${explain(error)}`, { bad: true });
    } finally {
      connection?.close();
      this.#abort = null;
      this.bar.hidden = true;
      for (const button of this.#buttons) button.disabled = false;
    }
  }

  #show(text, aloud) {
    this.bar.hidden = false;
    for (const button of this.#buttons) button.disabled = true;
    this.#count.textContent = text;
    this.#count.setAttribute("aria-hidden", "true");
    if (aloud) this.#said.textContent = text;
  }
}

// A scope's name may have characters that file systems refuse.
function fileName(scope, ext) {
  const safe = scope.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "scope";
  return `users-${safe}-${new Date().toISOString().slice(0, 10)}.${ext}`;
}
