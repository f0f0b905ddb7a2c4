/**
 * Where one is, as the part of the address behind #: a path, and what is asked of the page. So "back" works, and a page can
 * be sent to somebody else.
 *
 * @typedef {{ path: string[], query: Record<string, string>, isWithin: boolean }} Route
 */

let last = '';

/** @param {string} hash @returns {Route} */
export function readRoute(hash) {
  const [place = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const isWithin = place === last;
  last = place;
  return { path: place.split('/').map(decode), query: Object.fromEntries(new URLSearchParams(search)), isWithin };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} path @param {Record<string, any>} [query] what is empty is left out */
export function hashOf(path, query = {}) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '' && value !== false) parts.set(name, String(value));
  }
  const search = parts.toString();
  return `#/${path}${search && `?${search}`}`;
}

/** @param {string} path @param {Record<string, any>} [query] */
export function goTo(path, query) {
  location.hash = hashOf(path, query);
}
