import { KEYS } from './api.js';
import { h } from './dom.js';
import { showKeyForm } from './key-form.js';
import { showKey } from './key-page.js';
import { showList } from './list-page.js';
import { badge, ending, past, TYPE_NAMES } from './parts.js';
import { may } from './session.js';
import { emptyState } from './table.js';

/** Ingestion keys: the list, one of them, and a new one. */

/** @type {import('./table.js').Column<any>[]} */
const COLUMNS = [
  { title: 'Name', sort: 'name', className: 'name', cell: nameOf },
  { title: 'Type', sort: 'type', cell: ({ type }) => TYPE_NAMES[type] ?? h('span', { class: 'muted' }, 'any') },
  { title: 'State', cell: ({ state }) => badge(state) },
  { title: 'Creator', sort: 'creator', className: 'long', cell: ({ createdBy }) => createdBy },
  { title: 'Created', sort: 'created', cell: ({ createdAt }) => past(createdAt) },
  { title: 'Last used', sort: 'last-used', cell: ({ lastUsed }) => past(lastUsed) },
  { title: 'Expiration', sort: 'expiration', cell: ({ expiration }) => ending(expiration) },
];

/** @type {[string, string][]} */
const SORTS = [
  ['name', 'Name'],
  ['type', 'Type'],
  ['creator', 'Creator'],
  ['created', 'Created'],
  ['last-used', 'Last used'],
  ['expiration', 'Expiration'],
];

/** @param {any} key */
function nameOf({ id, name, description }) {
  return [h('a', { href: `#/keys/${id}` }, name), description && h('span', { class: 'sub' }, description)];
}

/** @type {import('./views.js').View['show']} */
export async function showKeys(main, route, signal) {
  const [, id] = route.path;
  if (id === 'new') return showKeyForm(main, signal);
  if (id !== undefined) return showKey(main, id, signal);
  const create =
    may('create-ingestion-api-keys') && h('a', { class: 'button primary', href: '#/keys/new' }, 'Create a key');
  return showList({
    main,
    route,
    signal,
    title: 'Ingestion keys',
    about: 'Keys that senders of telemetry use. A key itself is shown once, when it is made.',
    path: KEYS,
    place: 'keys',
    query: { details: true },
    columns: COLUMNS,
    sorts: SORTS,
    many: 'keys',
    gone: 'Deleted and replaced ones too',
    actions: create,
    empty: emptyState(
      'There are no ingestion keys yet.',
      h('p', {}, 'Until there is one, whatever is sent is refused.'),
      create && h('a', { class: 'button primary', href: '#/keys/new' }, 'Create the first key'),
    ),
  });
}
