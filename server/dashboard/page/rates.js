// How many events there were in each of the last seconds, for every scope and
// in all. What happened while the page was away is not among them: it comes in
// one burst, which is no rate.

/** How many seconds are kept. */
export const KEPT = 300;

const KINDS = {
  "user.created": "joins",
  "user.login": "logins",
  "user.login_failed": "failures",
  "user.resumed": "resumes",
};

export class Rates {
  #scopes = new Map(); // name to {seconds: Map of second to counts}

  /** Counts a push that came just now, in ms of Date.now(). */
  add(push, now) {
    const second = Math.floor(now / 1000);
    for (const scope of ["*", push.scope]) {
      if (!this.#scopes.has(scope)) this.#scopes.set(scope, new Map());
      const seconds = this.#scopes.get(scope);
      let counts = seconds.get(second);
      if (!counts) {
        counts = none(second);
        seconds.set(second, counts);
        for (const old of seconds.keys()) { // a Map keeps the order in which they came
          if (old > second - KEPT) break;
          seconds.delete(old);
        }
      }
      counts.all++;
      const kind = KINDS[push.event];
      if (kind) counts[kind]++;
      if (push.scope === "*") break;
    }
  }

  /**
   * The last n complete seconds of a scope, or of all with "*", from the oldest:
   * [{second, all, joins, logins, failures, resumes}].
   */
  last(n, scope = "*", now = Date.now()) {
    const end = Math.floor(now / 1000);
    const seconds = this.#scopes.get(scope);
    return Array.from({ length: n }, (_, i) => seconds?.get(end - n + i) ?? none(end - n + i));
  }
}

function none(second) {
  return { second, all: 0, joins: 0, logins: 0, failures: 0, resumes: 0 };
}
