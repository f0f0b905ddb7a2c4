import { call } from './api.js';
import { h, replace } from './dom.js';
import { faultBox, field, select } from './parts.js';
import { goTo } from './route.js';
import { emptyState, table } from './table.js';

/** One page of a list; one more is asked for, to know whether there is another page. */
export const PAGE_SIZE = 50;
const TYPING_MS = 250;

/**
 * A list with a filter, an order and pages, which are all in the address. The server sorts and filters, so that it is the
 * same with ten keys and with ten thousand.
 *
 * @param {{ main: HTMLElement, route: import('./route.js').Route, signal: AbortSignal, title: string, about: string,
 *   path: string, place: string, query?: Record<string, any>, columns: import('./table.js').Column<any>[],
 *   sorts: [value: string, text: string][], many: string, gone: string,
 *   actions?: import('./dom.js').Child, empty: import('./dom.js').Child }} options
 */
export async function showList({ main, route, signal, ...options }) {
  const { title, about, path, place, query = {}, columns, sorts, many, gone, actions, empty } = options;
  const asked = route.query;
  const by = sorts.some(([value]) => value === asked['sort']) ? String(asked['sort']) : 'name';
  const isDescending = asked['order'] === 'desc';
  const page = Math.max(1, Math.trunc(Number(asked['page'] ?? 1)) || 1);
  const all = asked['all'] === 'true';

  /** @param {Record<string, any>} change */
  const go = (change) => goTo(place, { ...asked, page: undefined, ...change });

  // Within one page the controls stay, so that whoever types goes on typing.
  const results = (route.isWithin && main.querySelector('.results')) || frame();
  const filterNow = /** @type {HTMLInputElement | null} */ (main.querySelector('input[type=search]'));
  if (filterNow !== null && filterNow !== document.activeElement) filterNow.value = asked['name'] ?? '';

  function frame() {
    const found = h('div', { class: 'results', 'aria-live': 'off' });
    const filter = h('input', {
      type: 'search',
      value: asked['name'],
      placeholder: 'Part of the name, or shop-*',
      on: { input: typed },
    });
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let typing;
    function typed() {
      clearTimeout(typing);
      typing = setTimeout(
        () => goTo(place, { ...currentQuery(), page: undefined, name: filter.value.trim() }),
        TYPING_MS,
      );
    }
    const order = select(
      sorts.flatMap(([value, text]) => [
        [value, `${text}, up`],
        [`${value} desc`, `${text}, down`],
      ]),
      isDescending ? `${by} desc` : by,
      { on: { change: reorder } },
    );
    function reorder() {
      const [sort, direction] = order.value.split(' ');
      goTo(place, { ...currentQuery(), page: undefined, sort, order: direction });
    }
    const dead = h('input', {
      type: 'checkbox',
      checked: all,
      on: { change: () => goTo(place, { ...currentQuery(), page: undefined, all: dead.checked }) },
    });
    replace(
      main,
      h(
        'div',
        { class: 'heading' },
        h('div', {}, h('h1', {}, title), h('p', { class: 'muted' }, about)),
        h('div', { class: 'row' }, actions),
      ),
      h(
        'div',
        { class: 'tools', role: 'search', 'aria-label': title },
        field('Filter', filter),
        h('div', { class: 'narrow-only' }, field('Sort by', order)),
        h('label', { class: 'check' }, dead, gone),
      ),
      found,
    );
    return found;
  }

  results.setAttribute('aria-busy', 'true');
  try {
    const rows = await call('GET', path, {
      signal,
      query: {
        ...query,
        name: asked['name'],
        sort: by,
        order: isDescending ? 'desc' : 'asc',
        all,
        limit: PAGE_SIZE + 1,
        offset: (page - 1) * PAGE_SIZE,
      },
    });
    if (signal.aborted) return;
    const focused = document.activeElement?.getAttribute('data-sort');
    replace(results, rows.length === 0 ? nothing() : [listed(rows), pager(rows)]);
    const again = focused ? results.querySelector(`[data-sort="${focused}"]`) : undefined;
    if (again instanceof HTMLElement) again.focus();
  } catch (error) {
    if (signal.aborted) return;
    replace(
      results,
      faultBox(error),
      h(
        'button',
        { type: 'button', on: { click: () => dispatchEvent(new HashChangeEvent('hashchange')) } },
        'Try again',
      ),
    );
  } finally {
    results.removeAttribute('aria-busy');
  }

  function nothing() {
    if (page > 1)
      return emptyState(
        'This page is empty.',
        h('button', { type: 'button', on: { click: () => go({}) } }, 'To the first page'),
      );
    if (!asked['name']) return empty;
    return emptyState(
      `No ${many} match this filter.`,
      h('p', {}, 'It looks for a part of the name in any case; with * and ? for the whole name.'),
      h('button', { type: 'button', on: { click: clear } }, 'Clear the filter'),
    );
  }

  function clear() {
    const filter = /** @type {HTMLInputElement | null} */ (main.querySelector('input[type=search]'));
    if (filter !== null) filter.value = '';
    go({ name: undefined });
  }

  /** @param {any[]} rows */
  function listed(rows) {
    const word = sorts.find(([value]) => value === by)?.[1].toLowerCase();
    return table({
      caption: `${title} by ${word}${isDescending ? ', descending' : ''}${page > 1 ? `, page ${page}` : ''}`,
      columns,
      rows: rows.slice(0, PAGE_SIZE),
      sorting: {
        by,
        isDescending,
        sortBy: (sort) => go({ sort, order: sort === by && !isDescending ? 'desc' : undefined }),
      },
    });
  }

  /** @param {any[]} rows */
  function pager(rows) {
    const hasNext = rows.length > PAGE_SIZE;
    if (page === 1 && !hasNext) return h('p', { class: 'muted count' }, `${rows.length} shown, no more.`);
    const from = (page - 1) * PAGE_SIZE + 1;
    const to = from + Math.min(rows.length, PAGE_SIZE) - 1;
    return h(
      'nav',
      { class: 'pager', 'aria-label': `Pages of ${many}` },
      h('button', { type: 'button', disabled: page === 1, on: { click: () => go({ page: page - 1 }) } }, 'Previous'),
      h('span', { role: 'status' }, `${from} to ${to}${hasNext ? ', and more' : ''}`),
      h('button', { type: 'button', disabled: !hasNext, on: { click: () => go({ page: page + 1 }) } }, 'Next'),
    );
  }
}

/** What the address asks for by now, which may be more than when a control was made. */
function currentQuery() {
  return Object.fromEntries(new URLSearchParams(location.hash.split('?', 2)[1] ?? ''));
}
