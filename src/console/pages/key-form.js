import { call, KEYS } from './api.js';
import { h, replace } from './dom.js';
import { date, startOfDay } from './format.js';
import { field, select } from './parts.js';
import { showSecret } from './secret.js';
import { may } from './session.js';
import { submitting } from './submit.js';

const SIGNALS = ['traces', 'metrics', 'logs', 'profiles'];
const DAY_MS = 86_400_000;

/** @param {HTMLElement} main @param {AbortSignal} signal */
export async function showKeyForm(main, signal) {
  if (!may('create-ingestion-api-keys')) {
    replace(main, h('h1', {}, 'Create an ingestion key'), h('p', {}, 'The roles of your token do not permit this.'));
    return;
  }
  const name = h('input', { required: true, maxlength: '100', autocomplete: 'off' });
  const description = h('input', { maxlength: '200', autocomplete: 'off' });
  const type = select([
    ['', 'Any: OTLP and RUM'],
    ['thirdParty', 'Third party: OTLP'],
    ['sensor', 'Sensor: agents on machines of your own'],
    ['rum', 'RUM: pages in browsers, where everybody can read the key'],
  ]);
  const expiration = h('input', { type: 'date', min: date(Date.now() + DAY_MS) });
  const owner = h('input', { autocomplete: 'off' });
  const tenant = h('input', { autocomplete: 'off' });
  const cidrs = h('textarea', { rows: '2', spellcheck: 'false', placeholder: '10.0.0.0/8' });
  const origins = h('textarea', { rows: '2', spellcheck: 'false', placeholder: 'https://shop.example.com' });
  const requests = h('input', { type: 'number', min: '1', step: '1' });
  const bytes = h('input', { type: 'number', min: '1', step: '1' });
  const signals = SIGNALS.map((value) => h('input', { type: 'checkbox', value }));
  const faults = h('div', {});
  const go = h('button', { type: 'submit', class: 'primary' }, 'Create the key');

  function wanted() {
    const chosen = signals.filter(({ checked }) => checked).map(({ value }) => value);
    const limits = without({ requestsPerSecond: numberOf(requests), bytesPerSecond: numberOf(bytes) });
    return without({
      name: name.value.trim(),
      description: description.value.trim(),
      type: type.value,
      expiration: expiration.value === '' ? undefined : startOfDay(expiration.value),
      owner: owner.value.trim(),
      tenant: tenant.value.trim(),
      signals: chosen.length === 0 ? undefined : chosen,
      cidrs: wordsOf(cidrs),
      origins: wordsOf(origins),
      limits: Object.keys(limits).length === 0 ? undefined : limits,
    });
  }

  async function work() {
    const made = await call('POST', KEYS, { body: wanted() });
    if (signal.aborted) return;
    showSecret(main, {
      what: 'ingestion key',
      name: made.name,
      text: made.apiKey,
      back: [`#/keys/${made.id}`, 'To the key'],
      signals: made.signals,
    });
  }
  const submit = submitting({ go, faults, work, isGone: () => signal.aborted });

  replace(
    main,
    h('p', { class: 'crumb' }, h('a', { href: '#/keys' }, 'Ingestion keys')),
    h('h1', {}, 'Create an ingestion key'),
    h(
      'form',
      { class: 'card stack form', on: { submit } },
      field('Name', name, 'Unique among the live keys: what it is for, such as checkout-eu.'),
      field('Description (optional)', description),
      field('Type', type),
      field(
        'Expiration (optional)',
        expiration,
        'The key is dead from 00:00 UTC of this day on. Without it the key does not expire.',
      ),
      field('Owner (optional)', owner, 'Name or id of a service id or user: the key works only while that one does.'),
      h(
        'details',
        {},
        h('summary', {}, 'Limit what it may send, from where and how much'),
        h(
          'div',
          { class: 'stack' },
          h(
            'fieldset',
            {},
            h('legend', {}, 'Signals'),
            h('p', { class: 'help' }, 'None chosen: everything.'),
            h('div', { class: 'row' }, ...signals.map((box) => h('label', { class: 'check' }, box, box.value))),
          ),
          field('Networks', cidrs, 'One a line. None: from everywhere.'),
          field('Web origins', origins, 'One a line, or *. For keys in pages.'),
          field('Requests per second', requests),
          field('Bytes per second', bytes),
          field('Tenant', tenant, 'Told to the collector with each request.'),
        ),
      ),
      faults,
      h('div', { class: 'row' }, go, h('a', { class: 'button', href: '#/keys' }, 'Cancel')),
    ),
  );
}

/** @param {HTMLInputElement} input */
const numberOf = ({ value }) => (value === '' ? undefined : Number(value));

/** @param {HTMLTextAreaElement} area */
function wordsOf({ value }) {
  const words = value.split(/[\s,]+/).filter((word) => word !== '');
  return words.length === 0 ? undefined : words;
}

/** @param {Record<string, any>} fields */
function without(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''));
}
