import { call, EXPLAIN } from './api.js';
import { h, replace } from './dom.js';
import { span } from './format.js';
import { badge, faultBox } from './parts.js';
import { may } from './session.js';
import { table } from './table.js';

/** What each gateway would say to a key now: asked for, since all of them have to answer. @param {number} id */
export function askExplanation(id) {
  if (!may('explain-keys')) return undefined;
  const result = h('div', { role: 'status' });
  const button = h('button', { type: 'button', on: { click: look } }, 'Ask every gateway');

  async function look() {
    button.disabled = true;
    try {
      const { store, replicas } = await call('POST', EXPLAIN, { body: { id } });
      replace(result, answers([{ name: 'the key store', answer: store }, ...replicas]));
    } catch (error) {
      replace(result, faultBox(error));
    }
    button.disabled = false;
  }

  return h(
    'section',
    { class: 'card stack', 'aria-label': 'What a sender would hear' },
    h('h2', {}, 'What a sender would hear'),
    h(
      'p',
      { class: 'muted' },
      'Each live gateway is asked what it would answer to this key now, and from where it knows.',
    ),
    h('div', {}, button),
    result,
  );
}

/** @param {any[]} rows */
function answers(rows) {
  return table({
    caption: 'Answers',
    rows,
    columns: [
      { title: 'Asked', cell: ({ name }) => name },
      {
        title: 'Verdict',
        cell: ({ answer }) => (answer ? badge(answer.verdict) : h('span', { class: 'muted' }, 'did not answer')),
      },
      {
        title: 'Why',
        className: 'long',
        cell: ({ answer }) => answer?.message ?? answer?.reason ?? (answer && 'The key is good.'),
      },
      {
        title: 'Known from',
        cell: ({ answer }) => answer && [answer.level, answer.ageMs !== undefined && `, ${span(answer.ageMs)} old`],
      },
    ],
  });
}
