import { AUDIT, call } from './api.js';
import { h, replace, say } from './dom.js';
import { time } from './format.js';
import { badge, faultBox, field } from './parts.js';
import { goTo } from './route.js';
import { emptyState, table } from './table.js';

/** Who changed what, newest first. */

const PAGE_SIZE = 50;

/** @type {Record<string, string>} */
const TONES = {
  created: 'good',
  enabled: 'good',
  unlocked: 'good',
  disabled: 'warn',
  locked: 'warn',
  rotated: 'warn',
  revoked: 'bad',
  revealed: 'warn',
};

/** @type {Record<string, string>} */
const PLACES = { 'ingestion-api-key': 'keys', 'service-token': 'tokens', 'service-id': 'service-ids', user: 'users' };

/** @type {import('./table.js').Column<any>[]} */
const COLUMNS = [
  {
    title: 'When',
    className: 'when',
    cell: ({ timestamp }) => h('time', { datetime: new Date(timestamp).toISOString() }, time(timestamp)),
  },
  { title: 'Action', cell: ({ action }) => badge(action, TONES[action]) },
  {
    title: 'What',
    cell: ({ what, id, name }) => [
      PLACES[what] ? h('a', { href: `#/${PLACES[what]}/${id}` }, name) : name,
      h('span', { class: 'sub' }, what.replaceAll('-', ' ')),
    ],
  },
  {
    title: 'Who',
    className: 'long',
    cell: ({ actor, via, address }) => [
      actor,
      h('span', { class: 'sub' }, [via, address].filter(Boolean).join(', from ')),
    ],
  },
  { title: 'Change', className: 'change', cell: changes },
];

/** @type {import('./views.js').View['show']} */
export async function showAudit(main, route, signal) {
  const key = /^[0-9]{1,19}$/.test(route.query['key'] ?? '') ? route.query['key'] : undefined;
  const filter = h('input', {
    inputmode: 'numeric',
    pattern: '[0-9]{1,19}',
    value: key,
    placeholder: 'Id of a key, token or owner',
  });
  /** @type {any[]} */
  const entries = [];
  const results = h('div', { class: 'results' });
  const more = h('button', { type: 'button', on: { click: read } }, 'Read on');

  async function read() {
    more.disabled = true;
    try {
      const next = await call('GET', AUDIT, {
        signal,
        query: { limit: PAGE_SIZE, key, before: entries.at(-1)?.cursor },
      });
      entries.push(...next);
      if (signal.aborted) return;
      const hasMore = next.length === PAGE_SIZE;
      replace(
        results,
        entries.length === 0
          ? nothing()
          : [
              table({ caption: 'Changes, newest first', columns: COLUMNS, rows: entries, className: 'audit' }),
              hasMore && h('p', {}, more),
            ],
      );
      if (entries.length > next.length) say(`${next.length} more entries.`);
    } catch (error) {
      if (!signal.aborted) replace(results, faultBox(error), h('p', {}, more));
    }
    more.disabled = false;
  }

  const nothing = () =>
    key === undefined
      ? emptyState('Nothing was changed yet.')
      : emptyState('There is no entry about this id.', h('p', {}, 'The latest 100,000 changes are kept.'));

  replace(
    main,
    h(
      'div',
      { class: 'heading' },
      h(
        'div',
        {},
        h('h1', {}, 'Audit'),
        h('p', { class: 'muted' }, 'Each change of a key, token or owner, written in one step with the change.'),
      ),
    ),
    h(
      'form',
      { class: 'tools', role: 'search', 'aria-label': 'Audit', on: { submit: apply } },
      field('Only changes of', filter),
      h('button', { type: 'submit' }, 'Show'),
    ),
    results,
  );
  /** @param {Event} event */
  function apply(event) {
    event.preventDefault();
    goTo('audit', { key: filter.value.trim() });
  }
  if (route.isWithin) filter.focus();
  await read();
}

/** @param {{ action: string, before: Record<string, unknown>, after: Record<string, unknown> }} entry */
function changes({ action, before, after }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  if (names.length === 0) return undefined;
  // Of what is new it goes without saying that there was nothing before.
  const isNew = action === 'created';
  return h(
    'ul',
    { class: 'changes' },
    ...names.map((name) =>
      h('li', {}, h('b', {}, name), ': ', !isNew && [valueOf(name, before[name]), ' → '], valueOf(name, after[name])),
    ),
  );
}

/** @param {string} name @param {unknown} value */
function valueOf(name, value) {
  if (value === undefined) return h('span', { class: 'muted' }, 'none');
  if (typeof value === 'number' && name.endsWith('At')) return time(value);
  if (Array.isArray(value)) return value.join(', ');
  if (typeof value !== 'object' || value === null) return `${/** @type {string | number | boolean | null} */ (value)}`;
  const { name: called } = /** @type {{ name?: unknown }} */ (value);
  if (typeof called === 'string') return called;
  return Object.entries(value)
    .map(([part, of]) => `${part} ${of}`)
    .join(', ');
}
