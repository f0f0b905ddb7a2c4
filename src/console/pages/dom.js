/**
 * The only way by which anything gets into the page: elements are made one by one, and every text becomes a text node, so that
 * no name, description or message is ever read as markup. The content security policy holds the browser to it as well.
 */

/** @typedef {Node | string | number | null | undefined | false | Child[]} Child */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes] `on` holds listeners; true stands for an empty value, false and undefined for none
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  fill(element, attributes, children);
  return element;
}

/** @param {Element} element @param {Record<string, any>} attributes @param {Child[]} children */
function fill(element, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    // Links lead within the console. What comes from outside must not name a script, or another site.
    if (name === 'href' && !String(value).startsWith('#')) throw new TypeError(`a link to ${value}`);
    if (name.startsWith('on') || name === 'style' || name === 'srcdoc') throw new TypeError(`an attribute ${name}`);
    element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  append(element, children);
}

/** @param {Element} element @param {Child[]} children */
function append(element, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** @param {Element} element @param {...Child} children */
export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

let ids = 0;

/** An id that no other element has, to tie labels and descriptions to what they are of. @param {string} what */
export function freshId(what) {
  ids += 1;
  return `${what}-${ids}`;
}

/** Says something to everybody, with and without eyes, without taking the focus. @param {string} text */
export function say(text) {
  const place = /** @type {HTMLElement} */ (document.getElementById('said'));
  place.textContent = text;
  place.classList.remove('shown');
  // The next frame, so that saying the same again is seen again.
  requestAnimationFrame(() => place.classList.add('shown'));
}
