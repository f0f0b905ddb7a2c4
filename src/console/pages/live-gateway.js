import { bar, tile } from './charts.js';
import { h } from './dom.js';
import { ago, number, span } from './format.js';
import { badge, factList } from './parts.js';
import { emptyState, table } from './table.js';

/** The state of this gateway, and of those that share its store. */

/** @param {any} overview */
export function gatewayTiles({ cache, store, feed, collectors, connections, draining }) {
  const asked = cache.hits + cache.misses + cache.shed;
  return [
    tile(
      'Key store',
      state(store.up, 'answers', 'does not answer'),
      factList([
        ['Kind', store.kind === 'redis' ? 'Redis' : 'SQLite'],
        ['Lookups', store.breakerOpen ? badge('held back: it fails', 'bad') : 'as they come'],
        ['Memory', store.evicts && badge('Redis may delete keys', 'bad')],
      ]),
      !store.up && h('p', { class: 'help' }, 'Known keys go on being served; what cannot be judged is asked to retry.'),
    ),
    tile(
      'Change feed',
      state(feed.up, 'is read', 'is not read'),
      h(
        'p',
        { class: 'help' },
        feed.up
          ? 'Changes of keys come true here within milliseconds.'
          : 'Known keys are checked again as they age, so changes come late.',
      ),
    ),
    tile(
      'Keys in memory',
      h('p', { class: 'figure' }, number(cache.known), h('small', {}, ` of ${number(cache.maxKnown)}`)),
      bar({ value: cache.known, most: cache.maxKnown, tone: 'plain' }),
      factList([
        ['From memory', asked === 0 ? 'nothing asked yet' : `${((cache.hits / asked) * 100).toFixed(1)} %`],
        ['Not confirmed lately', cache.agedHits > 0 && number(cache.agedHits)],
        ['Looked up', number(cache.misses)],
        ['Not looked up', cache.shed > 0 && badge(`${number(cache.shed)} asked to retry`, 'warn')],
        ['Unknown digests', `${number(cache.unknown)} of ${number(cache.maxUnknown)}`],
      ]),
    ),
    tile(
      'Senders',
      h('p', { class: 'figure' }, number(connections.grpc + connections.http), h('small', {}, ' connections')),
      factList([
        ['gRPC port', number(connections.grpc)],
        ['HTTP port', number(connections.http)],
        ['Draining', draining && badge('it shuts down', 'warn')],
      ]),
    ),
    tile('Collectors', ...collectors.map(collector)),
  ];
}

/** @param {boolean} isGood @param {string} good @param {string} bad */
function state(isGood, good, bad) {
  return h(
    'p',
    { class: `figure state ${isGood ? 'good' : 'bad'}` },
    h('span', { 'aria-hidden': 'true' }, isGood ? '● ' : '▲ '),
    isGood ? good : bad,
  );
}

/** @param {any} each */
function collector({ protocol, healthy, ejected, connections }) {
  const name = protocol === 'grpc' ? 'gRPC' : 'HTTP';
  return factList([
    [
      name,
      healthy + ejected === 0
        ? h('span', { class: 'muted' }, 'no address in use')
        : badge(`${healthy} of ${healthy + ejected} well`, ejected === 0 ? 'good' : 'bad'),
    ],
    ['Connections', number(connections)],
  ]);
}

/** @param {any} overview */
export function replicaTable({ gateway, replicas }) {
  if (replicas === undefined)
    return emptyState('The key store does not say who shares it.', h('p', {}, 'It does not answer now.'));
  if (replicas.length === 0) return emptyState('No gateway has told the store of itself yet.');
  return table({
    caption: 'As the key store knows them',
    rows: replicas,
    columns: [
      { title: 'Name', cell: ({ name }) => [name, name === gateway && h('span', { class: 'sub' }, 'this one')] },
      {
        title: 'State',
        cell: ({ live, silentForMs }) =>
          live ? badge('live', 'good') : badge(`silent for ${span(silentForMs)}`, 'bad'),
      },
      { title: 'Version', cell: ({ version }) => version },
      { title: 'Started', cell: ({ startedAt }) => ago(startedAt) },
      { title: 'Changes behind', className: 'number', cell: ({ changesBehind }) => number(changesBehind) },
    ],
  });
}
