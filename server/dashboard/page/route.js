// Where the dashboard is: #/page/arg?name=value. It stands in the fragment, which
// browsers send to nobody, so that no server's or proxy's log gets what an
// operator searched for.

/** Reads a fragment: {page, args, params}. */
export function parse(hash) {
  const text = hash.replace(/^#\/?/, "");
  const mark = text.indexOf("?");
  const [path, query] = mark < 0 ? [text, ""] : [text.slice(0, mark), text.slice(mark + 1)];
  const [page, ...args] = path.split("/").map(decode);
  return { page, args, params: new URLSearchParams(query) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand
  }
}

/** Writes one. params is URLSearchParams or an object; empty values are left out. */
export function link(page, args = [], params = {}) {
  const path = [page, ...args].map(encodeURIComponent).join("/");
  const kept = new URLSearchParams();
  const all = params instanceof URLSearchParams ? params : Object.entries(params);
  for (const [name, value] of all) {
    if (value !== "" && value !== null && value !== undefined) kept.append(name, value);
  }
  const query = kept.toString();
  return `#/${path}${query ? `?${query}` : ""}`;
}

/** Goes to a link that link() made; replace leaves no step in the history. */
export function go(to, { replace = false } = {}) {
  if (to === location.hash) return;
  if (replace) {
    history.replaceState(null, "", to);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = to;
  }
}
