// <rc-connection> says at any time whether the page shows what happens now.
import { fill, h } from "./dom.js";
import { duration } from "./format.js";

const STALE = 40_000; // ms without a sign of life; a ping is due every 25 s

export class Connection extends HTMLElement {
  #timer;
  #shown = "";

  connectedCallback() {
    this.#timer = setInterval(() => this.#show(), 1000);
    this.session?.addEventListener("state", this);
    this.#show();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    this.session?.removeEventListener("state", this);
  }

  handleEvent() { this.#show(); }

  #show() {
    if (!this.session) return;
    const { client, state } = this.session;
    let [tone, text, retry] = ["warn", "connecting…", false];
    if (state.phase === "connected") {
      const silence = Date.now() - client.heardAt;
      [tone, text] = silence > STALE ? ["warn", `stale: nothing heard for ${duration(silence)}`] : ["good", "live"];
    } else if (state.phase === "waiting") {
      const left = Math.max(0, Math.ceil((state.retryAt - Date.now()) / 1000));
      [tone, text, retry] = ["bad", `reconnecting in ${left} s`, true];
    } else if (state.phase === "closed") {
      [tone, text] = ["bad", "signed out"];
    } else if (state.attempt > 0) {
      text = "reconnecting…";
    }
    if (this.#shown === tone + text) return;
    // A countdown is not read out every second.
    const spoken = text.replace(/ in \d+ s/, "").replace(/ for .*/, "");
    this.#shown = tone + text;
    const status = this.querySelector("[role=status]") ?? this.appendChild(h("span", { role: "status" }));
    status.className = tone;
    if (status.dataset.spoken !== spoken) {
      status.dataset.spoken = spoken;
      fill(status, h("span", { class: "lamp", "aria-hidden": "true" }), h("span", { class: "hidden" }, spoken), h("span", { "aria-hidden": "true", class: "said" }));
    }
    status.querySelector(".said").textContent = text;
    const button = this.querySelector("button");
    if (retry && !button) this.append(h("button", { class: "small", type: "button", onclick: () => client.retryNow() }, "Retry now"));
    else if (!retry) button?.remove();
  }
}
