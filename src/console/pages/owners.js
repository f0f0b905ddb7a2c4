import { call, SERVICE_IDS, USERS } from './api.js';
import { askButton } from './dialog.js';
import { h, replace, say } from './dom.js';
import { counted } from './format.js';
import { cutOff, toldBy } from './key-actions.js';
import { showList } from './list-page.js';
import { badge, factList, field, past } from './parts.js';
import { goTo } from './route.js';
import { may } from './session.js';
import { emptyState } from './table.js';

/** Owners of keys: service ids and users, which differ in their names and permissions only. */

/** @typedef {{ path: string, place: string, title: string, about: string, one: string, many: string, permission: string }} Kind */

/** @type {Kind} */
const SERVICE_ID = {
  path: SERVICE_IDS,
  place: 'service-ids',
  title: 'Service ids',
  about: 'Programs and teams that own keys. Lock one, and all its keys are refused at once.',
  one: 'service id',
  many: 'service ids',
  permission: 'service-ids',
};

/** @type {Kind} */
const USER = {
  ...SERVICE_ID,
  path: USERS,
  place: 'users',
  title: 'Users',
  about: 'People who own keys. Prefer service ids for what runs in production.',
  one: 'user',
  many: 'users',
  permission: 'users',
};

/** @type {import('./views.js').View['show']} */
export const showServiceIds = (main, route, signal) => showOwners(SERVICE_ID, main, route, signal);

/** @type {import('./views.js').View['show']} */
export const showUsers = (main, route, signal) => showOwners(USER, main, route, signal);

/** @param {Kind} kind @param {HTMLElement} main @param {import('./route.js').Route} route @param {AbortSignal} signal */
async function showOwners(kind, main, route, signal) {
  const [, id] = route.path;
  if (id !== undefined) return showOwner(kind, main, id, signal);
  const { one, many, place, permission } = kind;
  const create = may(`create-${permission}`) && askButton(`Create a ${one}`, () => creation(kind), 'primary');
  return showList({
    main,
    route,
    signal,
    title: kind.title,
    about: kind.about,
    path: kind.path,
    place,
    columns: [
      {
        title: 'Name',
        sort: 'name',
        className: 'name',
        cell: ({ id: of, name, description }) => [
          h('a', { href: `#/${place}/${of}` }, name),
          description && h('span', { class: 'sub' }, description),
        ],
      },
      { title: 'State', cell: ({ state }) => badge(state) },
      {
        title: 'Roles',
        cell: ({ roles }) => roles.join(', ') || h('span', { class: 'muted' }, 'none: its keys may not send'),
      },
      { title: 'Creator', sort: 'creator', className: 'long', cell: ({ createdBy }) => createdBy },
      { title: 'Created', sort: 'created', cell: ({ createdAt }) => past(createdAt) },
    ],
    sorts: [
      ['name', 'Name'],
      ['creator', 'Creator'],
      ['created', 'Created'],
    ],
    many,
    gone: 'Deleted ones too',
    actions: create,
    empty: emptyState(
      `There are no ${many}.`,
      h('p', {}, 'A key without an owner depends on nobody. Give keys an owner to stop all of them at once.'),
    ),
  });
}

/** @param {Kind} kind */
function creation({ path, place, one }) {
  const name = h('input', { required: true, maxlength: '100', autocomplete: 'off' });
  const description = h('input', { maxlength: '200', autocomplete: 'off' });
  return {
    title: `Create a ${one}`,
    body: [
      field('Name', name, 'Unique among the live ones, and no number.'),
      field('Description (optional)', description),
    ],
    action: 'Create',
    work: async () => {
      const made = await call('POST', path, {
        body: {
          name: name.value.trim(),
          ...(description.value.trim() !== '' && { description: description.value.trim() }),
        },
      });
      say(`${made.name} is there.`);
      goTo(`${place}/${made.id}`);
    },
  };
}

/** @param {Kind} kind @param {HTMLElement} main @param {string} id @param {AbortSignal} signal */
async function showOwner(kind, main, id, signal) {
  const { place, title, one, permission } = kind;
  const path = `${kind.path}/${encodeURIComponent(id)}`;
  const owner = await call('GET', path, { signal });
  if (signal.aborted) return;
  const { name, state, keys, keysInUse } = owner;
  const goes = keys === undefined ? 'all its keys and tokens' : counted(keys, 'key or token', 'keys and tokens');

  /** @param {'POST' | 'DELETE'} method @param {string} step @param {string} done @param {boolean} [force] */
  const change = async (method, step, done, force = false) => {
    const { propagation } = await call(method, `${path}${step}`, { query: { wait: '5s', force } });
    say(`${name} is ${done}. ${toldBy(propagation)}`);
    await showOwner(kind, main, id, signal);
  };
  const used =
    keysInUse > 0 &&
    h(
      'p',
      { class: 'warning' },
      `${counted(keysInUse, 'of its keys was', 'of its keys were')} used within the last hour.`,
    );

  replace(
    main,
    h('p', { class: 'crumb' }, h('a', { href: `#/${place}` }, title)),
    h(
      'div',
      { class: 'heading' },
      h('h1', {}, name, ' ', badge(state)),
      h(
        'div',
        { class: 'row' },
        may(`update-${permission}`) &&
          state === 'active' &&
          askButton('Lock', () => ({
            title: `Lock ${name}?`,
            body: [used, h('p', {}, `With it, ${goes} are refused until it is unlocked.`)],
            action: 'Lock',
            isDangerous: true,
            work: () => change('POST', '/lock', 'locked'),
          })),
        may(`update-${permission}`) &&
          state === 'locked' &&
          askButton('Unlock', () => ({
            title: `Unlock ${name}?`,
            body: h('p', {}, 'Its keys and tokens are taken again.'),
            action: 'Unlock',
            work: () => change('POST', '/unlock', 'unlocked'),
          })),
        may(`delete-${permission}`) &&
          state !== 'deleted' &&
          askButton(
            'Delete',
            () => ({
              title: `Delete ${name}?`,
              body: [
                used,
                h(
                  'p',
                  {},
                  `This is for good: with it, ${goes} are refused from now on. A ${one} that is deleted does not come back. Lock it first if you are not sure.`,
                ),
              ],
              action: 'Delete',
              isDangerous: true,
              work: () => change('DELETE', '', 'deleted'),
              refused: cutOff(() => change('DELETE', '', 'deleted', true)),
            }),
            'danger-quiet',
          ),
      ),
    ),
    owner.description && h('p', {}, owner.description),
    h(
      'section',
      { class: 'card', 'aria-label': 'What it is' },
      factList([
        ['Id', String(owner.id)],
        ['Roles', owner.roles.join(', ') || 'none: its keys may not send'],
        ['Keys and tokens', keys === undefined ? 'too many keys to look through' : String(keys)],
        ['Of these in use', keysInUse === undefined ? undefined : String(keysInUse)],
        ['Created', [past(owner.createdAt), ` by ${owner.createdBy}`]],
        ['Deleted', owner.revokedAt && [past(owner.revokedAt), ` by ${owner.revokedBy}`]],
      ]),
    ),
  );
}
