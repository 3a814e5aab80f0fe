// One page of users at a time, by cursor. Where a filter lets few through, the
// server's pages are short of what was asked for, and several are put together.
import { explain } from "./notice.js";

/** Users on a page. */
export const PAGE = 50;

/** Requests for one page; then the operator decides whether to search on. */
export const MOST_REQUESTS = 10;

// A page that took more requests than this is not fetched anew by itself.
const CHEAP_REQUESTS = 2;

/**
 * Fetches a page: list is admin.users.list, cursor where it begins. Resolves to
 * {users, next, requests}; next is "" after the last user, and the page is full
 * unless there is nobody left or `most` requests were made. part is told what is
 * there after each request, and may say by false that nobody waits any more.
 */
export async function fetchPage(list, query, cursor, { want = PAGE, most = MOST_REQUESTS, part } = {}) {
  const users = [];
  let next = cursor;
  let requests = 0;
  do {
    const answer = await list({ ...query, limit: want - users.length, ...(next && { cursor: next }) });
    requests++;
    users.push(...answer.users);
    next = answer.cursor ?? "";
    if (part?.(users, requests) === false) break;
  } while (next && users.length < want && requests < most);
  return { users, next, requests };
}

/**
 * The pages that were gone through, for the way back: cursors only lead on. "" is
 * the first page's.
 */
export class Trail {
  #of = "";
  #cursors = [""];

  /** Notes the page that is shown; another question begins anew. */
  at(of, cursor) {
    if (of !== this.#of) {
      this.#of = of;
      this.#cursors = [""];
    }
    const seen = this.#cursors.indexOf(cursor);
    if (seen >= 0) this.#cursors.length = seen + 1;
    else this.#cursors.push(cursor);
  }

  /** The cursor of the page before, undefined on the first one. */
  get previous() { return this.#cursors.at(-2); }
}

/**
 * What a page of users shows: .users, .next (cursor of the next page), .requests
 * (how many this one took so far), .loading, .problem (why it could not be
 * loaded), .loaded (whether there was an answer at all). Calls draw on each change.
 */
export class UserListing {
  users = [];
  next = "";
  requests = 0;
  loading = false;
  problem = "";
  loaded = false;

  #list;
  #draw;
  #query;
  #cursor = "";
  #of = ""; // the question and the cursor whose users are shown
  #turn = 0; // an answer of an earlier turn is dropped

  constructor(list, draw) {
    this.#list = list;
    this.#draw = draw;
  }

  /** Shows the page of a question that begins at a cursor. What was shown stays until there is an answer. */
  show(query, cursor) {
    const first = this.#query === undefined || query.scope !== this.#query.scope;
    this.#query = query;
    this.#cursor = cursor;
    if (first) this.#set({ users: [], next: "", requests: 0, loaded: false });
    return this.#fetch();
  }

  /** Fetches the shown page again. */
  refresh() { return this.#query && this.#fetch({ again: true }); }

  /** Whether fetching the page again costs little. */
  get cheap() { return !this.loading && this.requests <= CHEAP_REQUESTS; }

  /** Searches on, to fill the page further. */
  async goOn() {
    const turn = ++this.#turn;
    const { users: before, requests } = this;
    this.#set({ loading: true, problem: "" });
    await this.#run(turn, async () => {
      const part = (users, n) => this.#part(turn, [...before, ...users], requests + n);
      const page = await fetchPage(this.#list, this.#query, this.next, { want: PAGE - before.length, part });
      return { ...page, users: [...before, ...page.users], requests: requests + page.requests };
    });
  }

  /** Forgets whatever is under way. */
  stop() {
    this.#turn++;
    this.loading = false;
  }

  async #fetch({ again = false } = {}) {
    const turn = ++this.#turn;
    this.#set({ loading: true, problem: "" });
    await this.#run(turn, () => fetchPage(this.#list, this.#query, this.#cursor, {
      most: again ? Math.max(MOST_REQUESTS, this.requests) : MOST_REQUESTS,
      part: (users, requests) => (again ? turn === this.#turn : this.#part(turn, users, requests)),
    }));
  }

  async #run(turn, fetch) {
    try {
      const page = await fetch();
      if (turn === this.#turn) this.#take({ ...page, loading: false });
    } catch (error) {
      if (turn !== this.#turn) return;
      if (this.#of !== this.#asked()) this.#set({ users: [], next: "", requests: 0, loaded: false }); // of another question
      this.#set({ loading: false, problem: explain(error) });
    }
  }

  #part(turn, users, requests) {
    if (turn !== this.#turn) return false;
    if (users.length > 0 || requests > 1) this.#take({ users: [...users], requests, next: "" });
    return true;
  }

  #asked() { return JSON.stringify([this.#query, this.#cursor]); }

  #take(state) {
    this.#of = this.#asked();
    this.#set({ ...state, loaded: true });
  }

  #set(state) {
    Object.assign(this, state);
    this.#draw();
  }
}
