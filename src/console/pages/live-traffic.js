import { bar, sparkline, tile } from './charts.js';
import { h } from './dom.js';
import { ago, number, rate, span, time } from './format.js';
import { VERDICTS } from './history.js';
import { badge } from './parts.js';
import { emptyState, table } from './table.js';

/** A chart of two points would look like a trend. */
const SHORTEST_MS = 60_000;

/** @type {Record<string, [title: string, tone: string, about: string]>} */
const TITLES = {
  allow: ['Allowed', 'good', 'went to the collector'],
  deny: ['Denied', 'bad', 'refused for good'],
  undecided: ['Undecided', 'warn', 'asked to keep the data and retry'],
  cancelled: ['Cancelled', 'plain', 'the sender gave up'],
};

/** @param {ReturnType<typeof import('./history.js').createHistory>} history */
export function verdictTiles(history) {
  return VERDICTS.map((verdict) => {
    const [title, tone, about] = TITLES[verdict] ?? [verdict, 'plain', ''];
    const points = history.rates(verdict);
    const now = points.at(-1)?.value;
    return tile(
      title,
      h('p', { class: `figure ${now ? tone : 'plain'}` }, now === undefined ? '…' : rate(now), h('small', {}, ' /s')),
      sparkline({ title, tone, points, spanMs: Math.max(SHORTEST_MS, history.spanMs()) }),
      h('p', { class: 'help' }, `${number(history.total(verdict))} since the start; ${about}`),
    );
  });
}

/** @param {ReturnType<typeof import('./history.js').createHistory>} history */
export function reasonTable(history) {
  const rows = history.reasons();
  if (rows.length === 0) return emptyState('Nothing was refused since this gateway started.');
  const most = Math.max(...rows.map(({ lately }) => lately));
  return table({
    caption: history.isEmpty()
      ? 'Since the start; how many a second comes with the next look'
      : `While you watch: the last ${span(history.spanMs())}`,
    className: 'bars',
    rows,
    columns: [
      {
        title: 'Reason',
        cell: ({ reason, verdict }) => [h('code', {}, reason), ' ', verdict === 'undecided' && badge('undecided')],
      },
      {
        title: 'Share',
        className: 'bar-cell',
        cell: ({ lately, verdict }) => bar({ value: lately, most, tone: verdict === 'undecided' ? 'warn' : 'bad' }),
      },
      { title: 'A second', className: 'number', cell: ({ perSecond }) => rate(perSecond) },
      { title: 'Lately', className: 'number', cell: ({ lately }) => number(lately) },
      { title: 'Since the start', className: 'number', cell: ({ total }) => number(total) },
    ],
  });
}

/** @param {any} traffic */
export function sourceTable({ at, refusedSources }) {
  if (refusedSources.length === 0) return emptyState('Nobody was refused lately.');
  const most = Math.max(...refusedSources.map((/** @type {any} */ source) => source.perSecond));
  return table({
    caption: 'Those that worked before come first: they are the ones who will call. Rates are of the last minutes.',
    className: 'bars',
    rows: refusedSources,
    columns: [
      {
        title: 'From',
        cell: ({ peer, workedAt }) => [
          h('code', {}, peer),
          workedAt !== undefined && h('span', { class: 'sub' }, badge(`worked ${ago(workedAt, at)}`, 'warn')),
        ],
      },
      { title: 'Reason', cell: ({ reason }) => h('code', {}, reason) },
      {
        title: 'Share',
        className: 'bar-cell',
        cell: ({ perSecond, workedAt }) =>
          bar({ value: perSecond, most, tone: workedAt === undefined ? 'bad' : 'warn' }),
      },
      { title: 'A second', className: 'number', cell: ({ perSecond }) => rate(perSecond) },
      {
        title: 'Refusals',
        className: 'number',
        cell: ({ count, firstAt }) => h('span', { title: `since ${time(firstAt)}` }, number(count)),
      },
      { title: 'Key', cell: keyOf },
      {
        title: 'Program',
        className: 'long',
        cell: ({ userAgent }) => userAgent ?? h('span', { class: 'muted' }, 'not said'),
      },
    ],
  });
}

/** @param {any} source */
function keyOf({ keyId, keyName, fingerprint }) {
  if (keyId !== undefined) return h('a', { href: `#/keys/${keyId}` }, keyName);
  return fingerprint === undefined
    ? h('span', { class: 'muted' }, 'none')
    : [h('span', { class: 'muted' }, 'unknown '), h('code', {}, fingerprint)];
}
