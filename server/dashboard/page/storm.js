// Whether a login storm is being worked off: so many want to log in at once that
// their password hashes wait in line. It goes by how many hashes wait, as the
// nodes report it every 2 s.

/** From how many waiting hashes on it is a storm; an eighth of a node's queue unless configured. */
export const MANY = 32;
/** Below how many it may be over. Fewer are no storm either, however they rise. */
export const FEW = 8;
/** How long there must be few before it is over, in ms: it comes in waves. */
export const CALM = 5000;

export class Storm {
  #last = 0;
  #rises = 0; // reports in a row that were higher than the one before
  #calmSince = null;

  /** Whether there is one. */
  on = false;
  /** How many hashes waited at the last report. */
  waiting = 0;

  /**
   * Takes the number of hashes that wait, at a moment in ms, and returns whether
   * there is a storm. The same number again changes nothing: it may be the same
   * report.
   */
  update(waiting, now) {
    if (waiting > this.#last) this.#rises++;
    else if (waiting < this.#last) this.#rises = 0;
    this.#last = this.waiting = waiting;
    if (waiting >= FEW) this.#calmSince = null;
    else this.#calmSince ??= now;

    if (!this.on) this.on = waiting >= MANY || (waiting >= FEW && this.#rises >= 2);
    else if (this.#calmSince !== null && now - this.#calmSince >= CALM) this.on = false;
    return this.on;
  }
}

/**
 * How long a login takes that joins the line now, in ms: the line by the rate at
 * which it moves (Little's law). null where nothing moves yet.
 */
export function wait(waiting, perSecond) {
  return perSecond > 0 ? (waiting / perSecond) * 1000 : null;
}
