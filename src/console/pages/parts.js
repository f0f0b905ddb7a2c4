import { ApiError } from './api.js';
import { freshId, h, say } from './dom.js';
import { ago, span, time } from './format.js';

/** Small pieces that several pages are made of. */

/** What went wrong, and as a rule what to do about it: the API says both. @param {unknown} error */
export function faultBox(error) {
  const messages = error instanceof ApiError ? error.messages : [/** @type {Error} */ (error).message];
  const content =
    messages.length === 1 ? h('p', {}, messages[0]) : h('ul', {}, ...messages.map((text) => h('li', {}, text)));
  return h('div', { class: 'fault', role: 'alert' }, content);
}

/** A time that says how far away it is, and on closer look when exactly. @param {number | undefined} ms @param {string} [none] */
export function past(ms, none = 'never') {
  return ms === undefined
    ? h('span', { class: 'muted' }, none)
    : h('time', { datetime: new Date(ms).toISOString(), title: time(ms) }, ago(ms));
}

/** The types of keys, as people call them. @type {Record<string, string>} */
export const TYPE_NAMES = { thirdParty: 'Third party', sensor: 'Sensor', rum: 'RUM' };

const SOON_MS = 7 * 86_400_000;

/** When something ends. What ends soon is marked, and says so. @param {number | undefined} ms */
export function ending(ms) {
  if (ms === undefined) return h('span', { class: 'muted' }, 'never');
  const left = ms - Date.now();
  const text = left <= 0 ? 'over' : `in ${span(left)}`;
  const day = h(
    'time',
    { datetime: new Date(ms).toISOString(), title: time(ms) },
    new Date(ms).toISOString().slice(0, 10),
  );
  return h('span', { class: left > 0 && left < SOON_MS ? 'soon' : undefined }, day, ' ', h('small', {}, text));
}

/** @type {Record<string, string>} */
const TONES = {
  active: 'good',
  retiring: 'warn',
  disabled: 'warn',
  locked: 'warn',
  expired: 'bad',
  retired: 'bad',
  revoked: 'bad',
  deleted: 'bad',
  allow: 'good',
  deny: 'bad',
  undecided: 'warn',
};

/** @param {string} text @param {string} [tone] */
export function badge(text, tone = TONES[text] ?? '') {
  return h('span', { class: `badge ${tone}` }, text);
}

/**
 * A field with its label and what there is to know about it.
 *
 * @template {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} C
 * @param {string} label @param {C} control @param {string} [help]
 */
export function field(label, control, help) {
  const id = freshId('field');
  control.id = id;
  if (help !== undefined) control.setAttribute('aria-describedby', `${id}-help`);
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    control,
    help !== undefined && h('p', { id: `${id}-help`, class: 'help' }, help),
  );
}

/** @param {[value: string, text: string][]} choices @param {string} [chosen] @param {Record<string, any>} [attributes] */
export function select(choices, chosen = '', attributes = {}) {
  return h(
    'select',
    attributes,
    ...choices.map(([value, text]) => h('option', { value, selected: value === chosen }, text)),
  );
}

/** @param {[term: string, value: import('./dom.js').Child][]} facts */
export function factList(facts) {
  const shown = facts.filter(([, value]) => value !== undefined && value !== false && value !== '');
  return h(
    'dl',
    { class: 'facts' },
    ...shown.map(([term, value]) => h('div', {}, h('dt', {}, term), h('dd', {}, value))),
  );
}

/** @param {string} text @param {string} what @param {string} [className] */
export function copyButton(text, what, className = '') {
  const button = h('button', { type: 'button', class: className, on: { click: copy } }, `Copy ${what}`);
  async function copy() {
    const isDone = await toClipboard(text);
    say(isDone ? `Copied ${what}.` : 'This browser did not let the console copy. Mark the text and copy it yourself.');
    button.textContent = isDone ? 'Copied' : `Copy ${what}`;
  }
  return button;
}

/** Browsers give the clipboard only to pages with TLS or of this machine; elsewhere the old way is tried. @param {string} text */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h('textarea', { readonly: true, class: 'off-screen', 'aria-hidden': 'true' });
    area.value = text;
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const isDone = document.execCommand('copy');
    area.remove();
    before?.focus();
    return isDone;
  }
}
