// Elements made by calls: text is text, never markup, and no attribute is a style.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; `text`, `on` (listeners) and `data` apart, what is given is attributes. */
export function el(tag, given = {}, ...children) {
  return dressed(document.createElement(tag), given, children);
}

/** The same for the elements of a picture. */
export function svg(tag, given = {}, ...children) {
  return dressed(document.createElementNS(SVG, tag), given, children);
}

function dressed(node, { text, on = {}, data = {}, ...attributes }, children) {
  set(node, attributes);
  if (text !== undefined) node.textContent = text;
  for (const [name, value] of Object.entries(data)) node.dataset[name] = value;
  for (const [name, listen] of Object.entries(on)) node.addEventListener(name, listen);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set attributes that differ; null and false take one away, true is an empty one. */
export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) node.removeAttribute(name);
    else {
      const text = value === true ? "" : String(value);
      if (node.getAttribute(name) !== text) node.setAttribute(name, text);
    }
  }
  return node;
}

/** Set the text if it differs, so that nothing is drawn or read out in vain. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
  return node;
}

/** The element with that id. */
export const byId = (id) => document.getElementById(id);

/**
 * Make the children of `parent` those of `items`, in their order.
 *
 * A child whose key stays is kept and brought up to date: with it stay the focus
 * and what a person has selected in it.
 */
export function keyed(parent, items, keyOf, make, update) {
  const kept = parent.kept ?? (parent.kept = new Map());
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  // Before the others are put in order: what is moved loses the focus.
  for (const [key, node] of kept) {
    if (wanted.has(key)) continue;
    node.remove();
    kept.delete(key);
  }
  let after = null;
  for (const [key, item] of wanted) {
    if (!kept.has(key)) kept.set(key, make(item));
    const node = kept.get(key);
    update(node, item);
    const place = after ? after.nextSibling : parent.firstChild;
    if (node !== place) parent.insertBefore(node, place);
    after = node;
  }
}

/** Signs that differ by their shape, not by colour alone. */
const SIGNS = {
  fresh: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm3.6 5.200-4.300 4.600-2.900-2.600 1-1.100 1.800 1.600 3.300-3.500Z",
  stale: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm.8 7.400 2.700 1.700-.8 1.300L7.200 9.200V4h1.600Z",
  expired: "M3.500 1h9v2.500L9.200 8l3.300 4.500V15h-9v-2.500L6.800 8 3.500 3.500Z",
  dead: "M5 1h6l4 4v6l-4 4H5l-4-4V5Zm.9 3.800L4.800 5.900 6.900 8l-2.100 2.100 1.100 1.100L8 9.100l2.100 2.100 1.100-1.100L9.100 8l2.100-2.100-1.100-1.100L8 6.900Z",
  none: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 1.700a5.300 5.300 0 1 1 0 10.600A5.300 5.300 0 0 1 8 2.700Z",
  warning: "M8 1 15.500 14.500H.5ZM7.200 5.800v4.400h1.600V5.800Zm0 5.400v1.600h1.600v-1.600Z",
};
SIGNS.error = SIGNS.dead;

/** Return the sign of that name; the word stands beside it, so nobody reads it out. */
export function sign(name) {
  const given = { class: "sign", viewBox: "0 0 16 16", "aria-hidden": "true" };
  return svg("svg", given, svg("path", { d: SIGNS[name] ?? SIGNS.none, "fill-rule": "evenodd" }));
}
