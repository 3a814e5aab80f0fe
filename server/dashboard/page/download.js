// Files that the page makes itself. Nothing leaves the browser for them, and a
// long one never stands in the page's memory as a whole: it is put away in blobs,
// which the browser keeps on disk where they are many.

const PIECE = 1 << 20; // characters that are collected before they become a blob
const REVOKE_AFTER = 60_000; // ms; a browser may begin to read a blob late

/** Hands a blob to the browser's downloads. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER);
}

/** Text that is written bit by bit and becomes one blob. */
export class TextFile {
  #blobs = [];
  #texts = [];
  #size = 0;

  constructor(type) {
    this.type = type;
  }

  write(text) {
    this.#texts.push(text);
    this.#size += text.length;
    if (this.#size >= PIECE) this.#put();
  }

  #put() {
    this.#blobs.push(new Blob(this.#texts));
    this.#texts = [];
    this.#size = 0;
  }

  blob() {
    this.#put();
    return new Blob(this.#blobs, { type: this.type });
  }
}

const LIMIT = 200; // users a request, the most that there may be
const TRIES = 8; // of one request; with the waits between them, about two minutes
const LONGEST_WAIT = 30_000; // ms

/**
 * Fetches all users of a question and hands each to write. list is
 * admin.users.list. What fails for a time, as while a server restarts, is tried
 * again from the same cursor, so that nobody is left out or there twice.
 * progress gets the number of users after each request; a signal that is aborted
 * ends it with the signal's reason. Resolves to the number of users.
 */
export async function everyUser(list, query, write, { progress, signal, wait = pause } = {}) {
  let cursor = "";
  let users = 0;
  do {
    const params = { ...query, limit: LIMIT, ...(cursor && { cursor }) };
    const page = await insist(() => list(params), signal, wait);
    for (const user of page.users) write(user);
    users += page.users.length;
    cursor = page.cursor ?? "";
    progress?.(users);
  } while (cursor);
  return users;
}

async function insist(request, signal, wait) {
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    try {
      const page = await request();
      signal?.throwIfAborted();
      return page;
    } catch (error) {
      if (signal?.aborted || !error.temporary || tries === TRIES) throw error;
      await wait(error.retryAfterMs || Math.min(LONGEST_WAIT, 1000 * 2 ** tries), signal);
    }
  }
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
