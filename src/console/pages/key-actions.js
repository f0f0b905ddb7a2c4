import { call } from './api.js';
import { askButton } from './dialog.js';
import { h, say } from './dom.js';
import { ago, counted, date, startOfDay } from './format.js';
import { field, select } from './parts.js';

/** What can be done with a key or a token, as far as the session permits it and its state allows it. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** @type {[string, string][]} */
const OVERLAPS = [
  [String(DAY_MS), 'a day'],
  [String(HOUR_MS), 'an hour'],
  [String(7 * DAY_MS), 'a week'],
  [String(30 * DAY_MS), '30 days'],
  ['0', 'no longer: it leaked'],
];

/**
 * @param {{ what: string, record: any, path: string, permits: { rotate: boolean, update: boolean, delete: boolean },
 *   changed: () => Promise<void>, rotated: (made: any) => Promise<void> }} options
 */
export function actionsOf({ what, record, path, permits, changed, rotated }) {
  const { name, state } = record;
  const isLive = state === 'active' || state === 'retiring';
  /** One that another takes the place of ends when that says so. */
  const isSettled = state === 'active' || state === 'disabled';

  /** @param {'disable' | 'enable'} change */
  const set = (change) => async () => {
    const { propagation } = await call('POST', `${path}/${change}`, { query: { wait: '5s' } });
    say(`${name} is ${change}d. ${toldBy(propagation)}`);
    await changed();
  };

  const disabling = () => ({
    title: `Disable ${name}?`,
    body: [
      inUse(record),
      h('p', {}, `Whoever uses this ${what} is refused until it is enabled again. It keeps its name.`),
    ],
    action: 'Disable',
    isDangerous: true,
    work: set('disable'),
  });
  const enabling = () => ({
    title: `Enable ${name}?`,
    body: h('p', {}, `This ${what} is taken again.`),
    action: 'Enable',
    work: set('enable'),
  });

  return [
    permits.rotate && state === 'active' && askButton('Rotate', () => rotation({ what, name, path, rotated })),
    permits.update && isSettled && askButton('Edit', () => edition({ what, record, path, changed })),
    permits.update && isLive && askButton('Disable', disabling),
    permits.update && state === 'disabled' && askButton('Enable', enabling),
    permits.delete &&
      (isLive || state === 'disabled') &&
      askButton('Revoke', () => revocation({ what, record, path, changed }), 'danger-quiet'),
  ];
}

/**
 * What can be changed of it: a token has no description, and calls its expiry by another name.
 *
 * @param {{ what: string, record: any, path: string, changed: () => Promise<void> }} options
 */
function edition({ what, record, path, changed }) {
  const isKey = what === 'ingestion key';
  const before = {
    description: record.description ?? '',
    day: record.expiration === undefined ? '' : date(record.expiration),
  };
  const description = h('input', { value: before.description, maxlength: '200', autocomplete: 'off' });
  const day = h('input', { type: 'date', value: before.day });
  return {
    title: `Edit ${record.name}`,
    body: [
      isKey && field('Description', description),
      field('Expiration', day, 'From 00:00 UTC of this day on it is dead. Empty: it does not expire.'),
    ],
    action: 'Save',
    work: async () => {
      const expiry = day.value === '' ? null : startOfDay(day.value);
      await call('PATCH', path, {
        body: {
          ...(isKey && description.value.trim() !== before.description && { description: description.value.trim() }),
          ...(day.value !== before.day && { [isKey ? 'expiration' : 'expiryDate']: expiry }),
        },
      });
      say(`${record.name} is changed.`);
      await changed();
    },
  };
}

/** @param {{ what: string, record: any, path: string, changed: () => Promise<void> }} options */
function revocation({ what, record, path, changed }) {
  const { name } = record;
  /** @param {boolean} force */
  const revoke = async (force) => {
    const propagation = await call('DELETE', path, { query: { wait: '5s', force: String(force) } });
    say(`${name} is revoked. ${toldBy(propagation)}`);
    await changed();
  };
  return {
    title: `Revoke ${name}?`,
    body: [
      inUse(record),
      h(
        'p',
        {},
        `Whoever sends with this ${what} is refused from now on, for good. To change over without a gap, rotate it instead; to try it out, disable it.`,
      ),
    ],
    action: 'Revoke',
    isDangerous: true,
    work: () => revoke(false),
    refused: cutOff(() => revoke(true)),
  };
}

/**
 * The guard of the API has spoken: it was used within the last hour. Whoever has read by whom may go on. Its second sentence is about
 * flags of the command line.
 *
 * @param {() => Promise<void>} goOn
 */
export function cutOff(goOn) {
  return (/** @type {any} */ fault) =>
    fault.type === 'InUse'
      ? {
          message: `${fault.message.split('. ', 1)[0]}. What they send is lost as soon as you cut them off.`,
          action: 'Cut them off all the same',
          work: goOn,
        }
      : undefined;
}

/** @param {{ what: string, name: string, path: string, rotated: (made: any) => Promise<void> }} options */
function rotation({ what, name, path, rotated }) {
  const overlap = select(OVERLAPS, String(DAY_MS));
  const expiration = h('input', { type: 'date', min: date(Date.now() + DAY_MS) });
  return {
    title: `Rotate ${name}?`,
    body: [
      h('p', {}, `A new ${what} with the same name and settings takes its place. Both work until the overlap is over.`),
      field('The old one goes on working for', overlap),
      field(
        'Expiration of the new one (optional)',
        expiration,
        'From 00:00 UTC of this day on. Without it, the new one does not expire.',
      ),
    ],
    action: 'Rotate',
    work: async () => {
      const gracePeriod = Number(overlap.value);
      const made = await call('POST', `${path}/rotate`, {
        body: { gracePeriod, ...(expiration.value !== '' && { expiration: startOfDay(expiration.value) }) },
      });
      await rotated(made);
    },
  };
}

/** @param {any} record */
function inUse({ lastUsed, sources = [] }) {
  if (lastUsed === undefined) return h('p', { class: 'note' }, 'It was never used, as far as gateways have told.');
  const isRecent = Date.now() - lastUsed < HOUR_MS;
  const from = sources.slice(0, 3).map((/** @type {any} */ source) => source.address);
  const who =
    sources.length === 0
      ? ''
      : ` by ${counted(sources.length, 'address', 'addresses')} (${from.join(', ')}${sources.length > from.length ? ', …' : ''})`;
  return h(
    'p',
    { class: isRecent ? 'warning' : 'note' },
    `${isRecent ? 'It is in use: last' : 'Last'} used ${ago(lastUsed)}${who}.`,
  );
}

/** @param {any} propagation */
export function toldBy(propagation) {
  const replicas = propagation?.replicas ?? [];
  const live = replicas.filter((/** @type {any} */ each) => each.state !== 'silent');
  if (live.length === 0) return '';
  const applied = live.filter((/** @type {any} */ each) => each.state === 'applied');
  return propagation.complete
    ? `${live.length === 1 ? 'The gateway has' : `All ${live.length} gateways have`} applied it.`
    : `${applied.length} of ${live.length} gateways have applied it so far.`;
}
