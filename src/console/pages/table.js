import { h } from './dom.js';

/**
 * A table that becomes a list of cards on narrow screens. The roles are said aloud, because browsers forget them where a
 * style sheet lays a table out as something else.
 *
 * @template R
 * @typedef {{ title: string, cell: (row: R) => import('./dom.js').Child, sort?: string, className?: string }} Column
 */

/**
 * @template R
 * @param {{ caption: string, columns: Column<R>[], rows: R[], className?: string,
 *   sorting?: { by: string, isDescending: boolean, sortBy: (sort: string) => void } }} options
 */
export function table({ caption, columns, rows, className = '', sorting }) {
  return h(
    'table',
    { role: 'table', class: className },
    h('caption', {}, caption),
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...columns.map((column) => heading(column, sorting)))),
    h(
      'tbody',
      { role: 'rowgroup' },
      ...rows.map((row) =>
        h(
          'tr',
          { role: 'row' },
          ...columns.map(({ title, cell, className: of }, index) =>
            h(
              index === 0 ? 'th' : 'td',
              { role: index === 0 ? 'rowheader' : 'cell', scope: index === 0 && 'row', 'data-label': title, class: of },
              cell(row),
            ),
          ),
        ),
      ),
    ),
  );
}

/** @param {Column<any>} column @param {{ by: string, isDescending: boolean, sortBy: (sort: string) => void }} [sorting] */
function heading({ title, sort, className }, sorting) {
  const attributes = { role: 'columnheader', scope: 'col', class: className };
  if (sort === undefined || sorting === undefined) return h('th', attributes, title);
  const isBy = sorting.by === sort;
  const direction = sorting.isDescending ? 'descending' : 'ascending';
  return h(
    'th',
    { ...attributes, 'aria-sort': isBy ? direction : 'none' },
    h(
      'button',
      { type: 'button', class: 'sort', 'data-sort': sort, on: { click: () => sorting.sortBy(sort) } },
      title,
      h('span', { 'aria-hidden': 'true', class: 'arrow' }, isBy ? (sorting.isDescending ? '▼' : '▲') : ''),
    ),
  );
}

/** What stands where a table would be empty. @param {string} title @param {...import('./dom.js').Child} rest */
export function emptyState(title, ...rest) {
  return h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), ...rest);
}
