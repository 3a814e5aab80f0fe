// Edits of a user's extra data: flat values that keep their types, strings,
// numbers and booleans.

/** The server's bounds (protocol: MaxExtraKeys, MaxExtraBytes, MaxExtraKeyBytes). */
export const MOST_KEYS = 64;
export const MOST_BYTES = 8192;
export const MOST_KEY_BYTES = 64;

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/; // RFC 8259, section 6
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

const utf8 = new TextEncoder();
const bytes = (text) => utf8.encode(text).length;

/** The value of a text as a type; throws an Error that says what is wrong with it. */
export function valueOf(type, text) {
  switch (type) {
    case "number": {
      const trimmed = text.trim();
      if (!NUMBER.test(trimmed)) throw new Error("is no number as JSON writes them, such as 3, -0.5 or 1e6");
      const value = Number(trimmed);
      if (!Number.isFinite(value)) throw new Error("is beyond a 64-bit float");
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new Error("has more digits than a browser keeps; store it as a string");
      return value;
    }
    case "boolean": return text === "true";
    default: return text;
  }
}

/** What is wrong with a key, or "". */
export function keyProblem(key) {
  if (key === "") return "needs a name";
  if (bytes(key) > MOST_KEY_BYTES) return `is longer than ${MOST_KEY_BYTES} bytes`;
  return CONTROL.test(key) ? "has control characters" : "";
}

/** How much there is: {keys, bytes}, counted as the server counts. */
export function size(extra) {
  const entries = Object.entries(extra);
  return { keys: entries.length, bytes: entries.reduce((n, [key, value]) => n + bytes(key) + bytes(String(value)), 0) };
}

/**
 * Holds edits against what is stored. edits are {key, type, text, removed?,
 * touched?}, one for each row; untouched rows are as they are stored. Returns
 * {update, extra, problems}: what admin.users.update is to be given (undefined
 * where nothing changed), what will be stored then, and what is wrong with which
 * edit, a Map.
 */
export function compare(stored, edits) {
  const update = {};
  const extra = {};
  const problems = new Map();
  const keys = new Set();
  for (const edit of edits) {
    const { key } = edit;
    if (edit.removed) {
      if (Object.hasOwn(stored, key) && !keys.has(key)) put(update, key, null);
      continue;
    }
    const problem = keyProblem(key) || (keys.has(key) ? "is there twice" : "");
    if (problem) {
      problems.set(edit, `The key ${problem}.`);
      continue;
    }
    keys.add(key);
    if (!edit.touched) {
      if (Object.hasOwn(stored, key)) put(extra, key, stored[key]);
      continue;
    }
    try {
      const value = valueOf(edit.type, edit.text);
      put(extra, key, value);
      if (!Object.hasOwn(stored, key) || stored[key] !== value) put(update, key, value);
    } catch (error) {
      problems.set(edit, `${key} ${error.message}.`);
    }
  }
  for (const key of keys) if (update[key] === null) delete update[key]; // removed and added again
  return { update: Object.keys(update).length > 0 ? update : undefined, extra, problems };
}

// A key may be "__proto__", which an assignment would not store.
function put(object, key, value) {
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}
