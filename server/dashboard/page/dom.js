// Elements from script. Whatever a user typed gets into the page as text alone:
// there is no way here to make markup of a string.

/**
 * Makes an element: h("a", {href: "#/live", class: "x"}, "text", other).
 * A property that begins with "on" is a listener, true sets an attribute without
 * a value, and null, undefined and false leave it out. Children are nodes,
 * strings, numbers, lists of these, or nothing.
 */
export function h(tag, props, ...children) {
  const e = document.createElement(tag);
  set(e, props);
  add(e, children);
  return e;
}

/** As h, for SVG. */
export function svg(tag, props, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(e, props);
  add(e, children);
  return e;
}

function set(e, props) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
    else if (name === "value") e.value = value;
    else e.setAttribute(name, value === true ? "" : String(value));
  }
}

function add(e, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(e, child);
    else e.append(child instanceof Node ? child : String(child));
  }
}

/** Clones a <template> of index.html. */
export function template(id) {
  return document.getElementById(id).content.cloneNode(true);
}

/** The element of a template that has data-place="name". */
export function place(root, name) {
  return root.querySelector(`[data-place="${name}"]`);
}

/** Puts these children in place of all that an element has. */
export function fill(e, ...children) {
  const all = document.createDocumentFragment();
  add(all, children);
  e.replaceChildren(all);
  return e;
}

let ids = 0;

/** A new id, for labels. */
export function newID() {
  return `id-${++ids}`;
}

/**
 * A labelled control. hint says more beside it; the label is its name and the
 * hint its description.
 */
export function field(label, control, hint) {
  const id = newID();
  control.id ||= id;
  const name = h("span", null, label);
  const parts = [name, control];
  if (hint) {
    control.setAttribute("aria-describedby", `${id}-hint`);
    parts.push(h("span", { class: "hint quiet", id: `${id}-hint` }, hint));
  }
  return hint
    ? h("div", { class: "field" }, h("span", null, h("label", { for: control.id }, label)), control, parts[2])
    : h("label", { class: "field" }, parts);
}

/** A <select> of [value, text] pairs, or of texts that are their own values. */
export function select(props, options, chosen) {
  const e = h("select", props, options.map((o) => {
    const [value, text] = Array.isArray(o) ? o : [o, o];
    return h("option", { value, selected: value === chosen }, text);
  }));
  return e;
}

/** A checkbox within its label, whose .control is the input. */
export function check(label, props) {
  return h("label", { class: "check" }, h("input", { type: "checkbox", ...props }), h("span", null, label));
}

/** Runs a function at most once in each frame, however often it is asked for. */
export function perFrame(run) {
  let asked = 0;
  const ask = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      run();
    });
  };
  ask.cancel = () => {
    cancelAnimationFrame(asked);
    asked = 0;
  };
  return ask;
}
