/**
 * The few things that every panel does with the page's elements. Texts go in as text, never as HTML.
 */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element with attributes and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean>} attributes `false` leaves one out, `true` is the empty text
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean>} attributes
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svgElement(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

/**
 * The element of the page with this id. Throws where the page has none: page and scripts belong together.
 * @param {string} id
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element '${id}'`);
  return found;
}

/**
 * Writes only what differs, so that nothing is laid out anew for a number that stayed.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  const { firstChild, lastChild } = node;
  if (firstChild instanceof Text && firstChild === lastChild) {
    if (firstChild.data !== text) firstChild.data = text;
  } else if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {HTMLElement | SVGElement} target
 * @param {string} property a custom property
 * @param {string} value
 */
export function setProperty(target, property, value) {
  if (target.style.getPropertyValue(property) !== value) target.style.setProperty(property, value);
}

/**
 * The line in a panel that says what it has nothing to show, and what to do.
 * @param {string} text
 */
export function emptyState(text) {
  return element('p', { class: 'empty' }, text);
}

/**
 * @param {Element} target
 * @param {Record<string, string | number | boolean>} attributes
 */
function setAttributes(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false) continue;
    target.setAttribute(name, value === true ? '' : String(value));
  }
}
