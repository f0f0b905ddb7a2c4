import { call, KEYS } from './api.js';
import { askButton } from './dialog.js';
import { askExplanation } from './explain.js';
import { h, replace } from './dom.js';
import { bytes, counted, number, time } from './format.js';
import { actionsOf } from './key-actions.js';
import { badge, ending, factList, past, TYPE_NAMES } from './parts.js';
import { showSecret } from './secret.js';
import { may } from './session.js';
import { emptyState, table } from './table.js';

/** One ingestion key: what it is, who uses it, and what can be done with it. */

/** @param {HTMLElement} main @param {string} id @param {AbortSignal} signal */
export async function showKey(main, id, signal) {
  const path = `${KEYS}/${encodeURIComponent(id)}`;
  const key = await call('GET', path, { signal });
  if (signal.aborted) return;
  const actions = actionsOf({
    what: 'ingestion key',
    record: key,
    path,
    permits: {
      rotate: may('rotate-ingestion-api-keys'),
      update: may('update-ingestion-api-keys'),
      delete: may('delete-ingestion-api-keys'),
    },
    changed: () => showKey(main, id, signal),
    rotated: async (made) =>
      showSecret(main, {
        what: 'ingestion key',
        name: made.name,
        text: made.apiKey,
        note: overlapNote(made.predecessor),
        back: [`#/keys/${made.id}`, 'To the new key'],
        signals: made.signals,
      }),
  });
  const revealed = async () => {
    const { apiKey, name } = await call('POST', `${path}/reveal`);
    showSecret(main, { what: 'ingestion key', name, text: apiKey, isAgain: true, back: ['#/keys', 'To the list'] });
  };
  replace(
    main,
    h('p', { class: 'crumb' }, h('a', { href: '#/keys' }, 'Ingestion keys')),
    h(
      'div',
      { class: 'heading' },
      h('h1', {}, key.name, ' ', badge(key.state)),
      h('div', { class: 'row' }, actions, revealButton(key, revealed)),
    ),
    key.description && h('p', {}, key.description),
    h('div', { class: 'columns' }, identity(key), use(key)),
    askExplanation(key.id),
  );
}

/** What to know of the old one after a rotation. @param {any} predecessor */
export function overlapNote({ state, retireAt }) {
  return h(
    'p',
    { class: 'note' },
    state === 'retiring'
      ? `The old one works until ${time(retireAt)}, so senders can change over one by one. Its page shows who still uses it.`
      : 'The old one does not work any more.',
  );
}

/** @param {any} key @param {() => Promise<void>} revealed */
function revealButton({ state }, revealed) {
  const isAlive = state === 'active' || state === 'disabled';
  if (!isAlive || !may('reveal-ingestion-api-keys')) return undefined;
  return askButton('Reveal', () => ({
    title: 'Reveal the key?',
    body: h(
      'p',
      {},
      'The key is shown if a copy of it was kept, which is so only for types that are declared revealable. That you saw it is written to the audit log.',
    ),
    action: 'Reveal the key',
    work: revealed,
  }));
}

/** @param {any} key */
function identity(key) {
  const { limits = {} } = key;
  return h(
    'section',
    { class: 'card', 'aria-label': 'What it is' },
    h('h2', {}, 'What it is'),
    factList([
      ['Id', String(key.id)],
      ['Type', TYPE_NAMES[key.type] ?? 'any'],
      ['Created', [past(key.createdAt), ` by ${key.createdBy}`]],
      ['Expiration', ending(key.expiration)],
      ['Works until', key.retireAt && time(key.retireAt)],
      ['Replaced by', key.replacedBy && h('a', { href: `#/keys/${key.replacedBy}` }, String(key.replacedBy))],
      ['Revoked', key.revokedAt && [past(key.revokedAt), ` by ${key.revokedBy}`]],
      [
        'Owner',
        key.owner &&
          h('a', { href: `#/${key.owner.kind === 'user' ? 'users' : 'service-ids'}/${key.owner.id}` }, key.owner.name),
      ],
      ['Tenant', key.tenant],
      ['Tags', key.tags?.join(', ')],
      ['Signals', key.signals?.join(', ') ?? 'all'],
      ['Networks', key.cidrs?.join(', ') ?? 'all'],
      ['Web origins', key.origins?.join(', ')],
      ['Requests', limits.requestsPerSecond && `at most ${number(limits.requestsPerSecond)} a second`],
      ['Bytes', limits.bytesPerSecond && `at most ${bytes(limits.bytesPerSecond)} a second`],
    ]),
  );
}

/** @param {any} key */
function use({ lastUsed, requests, bytes: sent, sources = [] }) {
  return h(
    'section',
    { class: 'card', 'aria-label': 'Who uses it' },
    h('h2', {}, 'Who uses it'),
    lastUsed === undefined
      ? emptyState('It was never used.', h('p', {}, 'Uses show here some seconds after the collector has answered.'))
      : [
          factList([
            ['Last used', past(lastUsed)],
            ['So far', `${counted(requests, 'request')}, ${bytes(sent)}`],
          ]),
          sources.length === 0
            ? h('p', { class: 'muted' }, 'Nobody within the last hour.')
            : table({
                caption: `Within the last hour, from ${counted(sources.length, 'address', 'addresses')}`,
                columns: [
                  { title: 'Address', cell: ({ address }) => h('code', {}, address) },
                  { title: 'Last used', cell: ({ lastUsed: at }) => past(at) },
                ],
                rows: sources,
              }),
        ],
  );
}
