// Asking again and again, for as long as somebody looks.

/**
 * Runs something every so many ms while the page is visible, and at once when it
 * becomes visible. The next run begins when the last one has ended, never before.
 */
export class Poll {
  #every;
  #run;
  #timer = 0;
  #running = false;
  #again = false;
  #started = false;

  constructor(every, run) {
    this.#every = every;
    this.#run = run;
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    document.addEventListener("visibilitychange", this);
    this.now();
  }

  stop() {
    this.#started = false;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this);
  }

  handleEvent() {
    if (document.visibilityState === "visible") this.now();
    else clearTimeout(this.#timer);
  }

  /** Runs it now, or once more where it is under way. */
  async now() {
    if (!this.#started || document.visibilityState !== "visible") return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#running = true;
    const begun = performance.now();
    try {
      await this.#run();
    } finally {
      this.#running = false;
      if (this.#again) {
        this.#again = false;
        this.now();
      } else if (this.#started && document.visibilityState === "visible") {
        this.#timer = setTimeout(() => this.now(), Math.max(0, this.#every - (performance.now() - begun)));
      }
    }
  }
}
