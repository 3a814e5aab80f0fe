// A list of bounded length: what is added to a full one takes the oldest's place.

export class Ring {
  #items = [];
  #start = 0; // index of the oldest, once the ring is full

  constructor(most) { this.most = most; }

  get length() { return this.#items.length; }

  /** Adds one, and returns the one that had to go, if any. */
  push(item) {
    if (this.#items.length < this.most) {
      this.#items.push(item);
      return undefined;
    }
    const gone = this.#items[this.#start];
    this.#items[this.#start] = item;
    this.#start = (this.#start + 1) % this.most;
    return gone;
  }

  clear() {
    this.#items = [];
    this.#start = 0;
  }

  /** The i-th, from the oldest; a negative i counts from the newest. */
  at(i) {
    const n = this.#items.length;
    if (i < 0) i += n;
    return i < 0 || i >= n ? undefined : this.#items[(this.#start + i) % n];
  }

  /** From the oldest to the newest. */
  *[Symbol.iterator]() {
    for (let i = 0; i < this.#items.length; i++) yield this.#items[(this.#start + i) % this.#items.length];
  }
}
