import { call, TOKENS } from './api.js';
import { h, replace } from './dom.js';
import { date, startOfDay, time } from './format.js';
import { actionsOf } from './key-actions.js';
import { overlapNote } from './key-page.js';
import { showList } from './list-page.js';
import { badge, ending, factList, field, past } from './parts.js';
import { showSecret } from './secret.js';
import { may } from './session.js';
import { submitting } from './submit.js';
import { emptyState } from './table.js';

/** Service tokens: the list, one of them, and a new one. */

const DAY_MS = 86_400_000;

/** With what each is for, as docs/roles.md has it. @type {[role: string, about: string][]} */
export const OFFERED_ROLES = [
  ['key-manager', 'manages ingestion keys, and neither owners nor tokens'],
  ['viewer', 'sees keys, tokens, owners and traffic, and changes nothing'],
  ['auditor', 'reads the audit log'],
  ['validator', 'asks whether a key may send'],
  ['admin', 'everything'],
];

/** @type {import('./table.js').Column<any>[]} */
const COLUMNS = [
  { title: 'Name', sort: 'name', className: 'name', cell: ({ id, name }) => h('a', { href: `#/tokens/${id}` }, name) },
  { title: 'Roles', className: 'long', cell: ({ roles }) => roles.join(', ') },
  { title: 'State', cell: ({ state }) => badge(state) },
  { title: 'Creator', sort: 'creator', className: 'long', cell: ({ createdBy }) => createdBy },
  { title: 'Created', sort: 'created', cell: ({ createdAt }) => past(createdAt) },
  { title: 'Last used', sort: 'last-used', cell: ({ lastUsed }) => past(lastUsed) },
  { title: 'Expiration', sort: 'expiration', cell: ({ expiration }) => ending(expiration) },
];

/** @type {import('./views.js').View['show']} */
export async function showTokens(main, route, signal) {
  const [, id] = route.path;
  if (id === 'new') return showTokenForm(main, signal);
  if (id !== undefined) return showToken(main, id, signal);
  return showList({
    main,
    route,
    signal,
    title: 'Service tokens',
    about: 'Tokens open the admin API and this console; they never send telemetry.',
    path: TOKENS,
    place: 'tokens',
    query: { details: true },
    columns: COLUMNS,
    sorts: [
      ['name', 'Name'],
      ['creator', 'Creator'],
      ['created', 'Created'],
      ['last-used', 'Last used'],
      ['expiration', 'Expiration'],
    ],
    many: 'service tokens',
    gone: 'Deleted and replaced ones too',
    actions:
      may('create-service-tokens') && h('a', { class: 'button primary', href: '#/tokens/new' }, 'Create a token'),
    empty: emptyState('There are no service tokens.'),
  });
}

/** @param {HTMLElement} main @param {string} id @param {AbortSignal} signal */
async function showToken(main, id, signal) {
  const path = `${TOKENS}/${encodeURIComponent(id)}`;
  const token = await call('GET', path, { signal });
  if (signal.aborted) return;
  const actions = actionsOf({
    what: 'service token',
    record: token,
    path,
    permits: {
      rotate: may('rotate-service-tokens'),
      update: may('update-service-tokens'),
      delete: may('delete-service-tokens'),
    },
    changed: () => showToken(main, id, signal),
    rotated: async (made) =>
      showSecret(main, {
        what: 'service token',
        name: made.name,
        text: made.token,
        note: overlapNote(made.predecessor),
        back: [`#/tokens/${made.id}`, 'To the new token'],
      }),
  });
  replace(
    main,
    h('p', { class: 'crumb' }, h('a', { href: '#/tokens' }, 'Service tokens')),
    h(
      'div',
      { class: 'heading' },
      h('h1', {}, token.name, ' ', badge(token.state)),
      h('div', { class: 'row' }, actions),
    ),
    h(
      'section',
      { class: 'card', 'aria-label': 'What it is' },
      factList([
        ['Id', String(token.id)],
        ['Roles', token.roles.join(', ')],
        ['For', token.dedicatedSubject],
        ['Created', [past(token.createdAt), ` by ${token.createdBy}`]],
        ['Last used', past(token.lastUsed)],
        ['Expiration', ending(token.expiration)],
        ['Works until', token.retireAt && time(token.retireAt)],
        ['Replaced by', token.replacedBy && h('a', { href: `#/tokens/${token.replacedBy}` }, String(token.replacedBy))],
        ['Revoked', token.revokedAt && [past(token.revokedAt), ` by ${token.revokedBy}`]],
      ]),
    ),
  );
}

/** @param {HTMLElement} main @param {AbortSignal} signal */
async function showTokenForm(main, signal) {
  const name = h('input', { required: true, maxlength: '100', autocomplete: 'off' });
  const subject = h('input', { autocomplete: 'off' });
  const expiration = h('input', { type: 'date', min: date(Date.now() + DAY_MS) });
  const roles = OFFERED_ROLES.map(([value]) => h('input', { type: 'checkbox', value }));
  const faults = h('div', {});
  const go = h('button', { type: 'submit', class: 'primary' }, 'Create the token');

  async function work() {
    const made = await call('POST', TOKENS, {
      body: {
        name: name.value.trim(),
        roles: roles.filter(({ checked }) => checked).map(({ value }) => value),
        ...(subject.value.trim() !== '' && { dedicatedSubject: subject.value.trim() }),
        ...(expiration.value !== '' && { expiryDate: startOfDay(expiration.value) }),
      },
    });
    if (signal.aborted) return;
    showSecret(main, {
      what: 'service token',
      name: made.name,
      text: made.token,
      back: [`#/tokens/${made.id}`, 'To the token'],
    });
  }
  const submit = submitting({ go, faults, work, isGone: () => signal.aborted });

  replace(
    main,
    h('p', { class: 'crumb' }, h('a', { href: '#/tokens' }, 'Service tokens')),
    h('h1', {}, 'Create a service token'),
    h(
      'form',
      { class: 'card stack form', on: { submit } },
      field('Name', name, 'Unique among the live tokens: who or what uses it.'),
      h(
        'fieldset',
        {},
        h('legend', {}, 'Roles'),
        h('p', { class: 'help' }, 'They are for good. A token cannot give what it lacks itself.'),
        ...OFFERED_ROLES.map(([role, about], index) =>
          h('label', { class: 'check' }, roles[index], h('span', {}, h('b', {}, role), `: ${about}`)),
        ),
      ),
      field('For (optional)', subject, 'Name or id of a user or service id: the token works only while that one does.'),
      field('Expiration (optional)', expiration, 'The token is dead from 00:00 UTC of this day on.'),
      faults,
      h('div', { class: 'row' }, go, h('a', { class: 'button', href: '#/tokens' }, 'Cancel')),
    ),
  );
}
