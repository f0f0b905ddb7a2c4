import { inTheHourBefore, of, perSecond, quantiles, sumBy } from './panels.ts';
import type { Row } from './panels.ts';

const HITS = 'keygate_cache_hits_total';
const KEY_REQUESTS = 'keygate_key_requests_total';

export const STORE_ROW: Row = {
  title: 'Keys and their store',
  open: false,
  panels: [
    {
      show: 'states',
      title: 'Store and change feed',
      about:
        'Whether each gateway reaches the key store, and hears of changes as they are made. Without the store known keys are served from memory and new ones are asked to retry (docs/operations.md#keygatestoredown); without the feed a revocation takes up to cache.freshFor (docs/operations.md#keygatefeeddown). Do not restart gateways meanwhile.',
      width: 12,
      queries: [
        { expr: of('keygate_store_up'), legend: '{{instance}}: store' },
        { expr: of('keygate_feed_up'), legend: '{{instance}}: feed' },
      ],
      words: ['away', 'there'],
      good: 1,
    },
    {
      show: 'states',
      title: 'Breaker, and a Redis that deletes keys',
      about:
        'Breaker: five lookups failed in a row, so the store is asked once at a time until one succeeds. Evicts: maxmemory-policy is allkeys-..., and Redis deletes keys when it is full: set noeviction (docs/operations.md#keygatestoreevicts).',
      width: 12,
      queries: [
        { expr: of('keygate_store_breaker_open'), legend: '{{instance}}: breaker' },
        { expr: of('keygate_store_evicts'), legend: '{{instance}}: evicts' },
      ],
      words: ['no', 'yes'],
      good: 0,
    },
    {
      show: 'lines',
      title: 'Lookups in the store, by outcome',
      about:
        'found and absent are answers. unavailable, timeout: Redis is away or slow (docs/outages.md). foreign: it is another store, or an empty one. absent far above its usual height: somebody tries keys.',
      width: 8,
      unit: 'cps',
      queries: [{ expr: sumBy('outcome', perSecond('keygate_store_lookup_seconds_count')), legend: '{{outcome}}' }],
    },
    {
      show: 'lines',
      title: 'Time of a lookup',
      about:
        'A millisecond or less as a rule. At store.redis.commandTimeout (0.1 s) lookups are given up and senders of new keys are asked to retry: see redis-cli --latency and slowlog.',
      width: 8,
      unit: 's',
      queries: quantiles('keygate_store_lookup_seconds', 'job', '{{job}}'),
    },
    {
      show: 'lines',
      title: 'Keys that were not looked up, by cause',
      about:
        'Their senders were asked to retry. lookups: the store is slow. unknown: a flood of keys that nobody made (docs/operations.md#keygatekeyspray). breaker: the store failed again and again.',
      width: 8,
      unit: 'cps',
      queries: [{ expr: sumBy('cause', perSecond('keygate_cache_shed_total')), legend: '{{cause}}' }],
    },
    {
      show: 'lines',
      title: 'Keys answered from memory',
      about:
        'Near 100 % as a rule. It falls after a start, and when more keys are in use than cache.maxKeys: see "Keys in memory" and evictions of known.',
      width: 8,
      unit: 'percentunit',
      queries: [
        {
          expr: `${sumBy('instance', perSecond(HITS))} / (${sumBy('instance', perSecond(HITS))} + ${sumBy('instance', perSecond('keygate_cache_misses_total'))})`,
          legend: '{{instance}}',
        },
      ],
    },
    {
      show: 'lines',
      title: 'Of those, aged',
      about:
        'Answers from memory of keys that could not be checked again. More than a moment of it: the store is away, and revocations do not arrive; after cache.staleFor (1 h) these keys are asked to retry (docs/operations.md#keygateservesaged).',
      width: 8,
      unit: 'percentunit',
      queries: [
        {
          expr: `${sumBy('instance', perSecond(HITS, 'aged="true"'))} / ${sumBy('instance', perSecond(HITS))}`,
          legend: '{{instance}}',
        },
      ],
    },
    {
      show: 'lines',
      title: 'Keys in memory, and pushed out',
      about:
        'Known and unknown keys have pools of their own. Evictions of known: raise cache.maxKeys. Evictions of unknown: somebody sends many random keys, which costs good senders nothing.',
      width: 8,
      unit: 'short',
      queries: [
        { expr: sumBy('pool', of('keygate_cache_entries')), legend: '{{pool}}' },
        { expr: sumBy('pool', perSecond('keygate_cache_evictions_total')), legend: '{{pool}} pushed out, a second' },
      ],
    },
    {
      show: 'lines',
      title: 'Snapshot of known keys: age',
      about:
        'Only with cache.snapshot. It is written within a second of a change of a key, and not while nothing changes. If writes fail, a gateway that starts while Redis is away knows no keys: look at the disk and the log (docs/operations.md#keygatesnapshotfails).',
      width: 12,
      unit: 's',
      queries: [
        {
          expr: `time() - (${of('keygate_snapshot_written_timestamp_seconds')} > 0)`,
          legend: '{{instance}}: written so long ago',
        },
        {
          expr: sumBy('instance, outcome', perSecond('keygate_snapshot_writes_total')),
          legend: '{{instance}}: {{outcome}}, a second',
        },
      ],
    },
    {
      show: 'lines',
      title: 'Notes of the use of keys',
      about:
        'Batches written to the store. While they fail, "last used" is out of date, and so is what `delete` goes by; they are kept and written later. Failures while the store is there: it takes no writes (docs/operations.md#keygatestorewritesfail). dropped: requests that will be missing there for good.',
      width: 12,
      unit: 'cps',
      queries: [
        { expr: sumBy('outcome', perSecond('keygate_usage_writes_total')), legend: '{{outcome}}' },
        { expr: `sum(${perSecond('keygate_usage_dropped_requests_total')})`, legend: 'dropped requests' },
      ],
    },
  ],
};

export const REVOCATION_ROW: Row = {
  title: 'Revocation: how soon a change is true everywhere',
  open: false,
  panels: [
    {
      show: 'lines',
      title: 'From a change to its effect',
      about:
        'Until the store had heard that this gateway applies it. The 99th percentile belongs below 50 ms. Above: a full core, a slow Redis, or a slow network between them (docs/operations.md#keygaterevocationslow).',
      width: 12,
      unit: 's',
      queries: quantiles('keygate_change_propagation_seconds', 'instance', '{{instance}}'),
    },
    {
      show: 'lines',
      title: 'Canaries, until refused',
      about:
        'Each gateway revokes a key of its own all the time, and measures. own: until it refuses it itself; everywhere: until all gateways do. This is what "revoked" means to you.',
      width: 12,
      unit: 's',
      queries: quantiles('keygate_canary_seconds', 'where', '{{where}}'),
    },
    {
      show: 'lines',
      title: 'Canary rounds',
      about:
        'kept: refused in time. broken: let through after it was revoked: treat it as a matter of security (docs/operations.md#keygaterevocationbroken). unmeasured: the store did not answer.',
      width: 8,
      unit: 'cps',
      queries: [{ expr: sumBy('outcome', perSecond('keygate_canary_rounds_total')), legend: '{{outcome}}' }],
      colours: { kept: 'green', broken: 'red', unmeasured: 'orange' },
    },
    {
      show: 'lines',
      title: 'Since a canary was last kept',
      about:
        'It belongs below two canary.interval (1 min). If it grows, nobody knows how fast revocations are there: the store is away, or the gateway hangs.',
      width: 8,
      unit: 's',
      queries: [
        {
          expr: `time() - (${of('keygate_canary_last_kept_timestamp_seconds')} > 0)`,
          legend: '{{instance}}',
        },
      ],
    },
    {
      show: 'lines',
      title: 'Last change applied',
      about:
        'Gateways of one store lie on one line. One that stays below does not get the feed, and may let through keys that were revoked: docs/operations.md#keygatefeedbehind.',
      width: 8,
      unit: 'short',
      queries: [{ expr: of('keygate_feed_position'), legend: '{{instance}}' }],
    },
  ],
};

export const KEYS_ROW: Row = {
  title: 'Each key, and what ends soon',
  open: false,
  panels: [
    {
      show: 'table',
      title: 'Keys in use that end soonest',
      about:
        'A key that ends is refused from that second on, and its sender loses data. `keygate ingestion-api-key update --id <id> --expiration <date>` gives it more time, docs/rotate-a-key.md replaces it without losing a request.',
      width: 12,
      query: `bottomk(20, min by (key_name, key_id) (${of('keygate_key_expiry_timestamp_seconds')}) - time())`,
      columns: { key_name: 'Key', key_id: 'Key id' },
      value: 'Ends in',
      unit: 'dtdurations',
      order: 'least first',
    },
    {
      show: 'table',
      title: 'Keys that have gone quiet',
      about:
        'They sent in the hour before and have sent nothing for ten minutes: the sender is down, or it is refused, see the first row. Senders that are refused stand there with their reason.',
      width: 12,
      query: `topk(20, (${sumBy('key_name, key_id', inTheHourBefore(KEY_REQUESTS))} > 0) unless (${sumBy('key_name, key_id', perSecond(KEY_REQUESTS, '', '10m'))} > 0))`,
      columns: { key_name: 'Key', key_id: 'Key id' },
      value: 'Requests/s before',
      unit: 'reqps',
      order: 'most first',
    },
    {
      show: 'lines',
      title: 'Requests of the ten busiest keys',
      about:
        'Let through, by key. One that grows out of the others is a sender that has changed: a limit keeps it from the others (docs/key-scopes.md#amounts).',
      width: 12,
      unit: 'reqps',
      queries: [
        {
          expr: `topk(10, ${sumBy('key_name, key_id', perSecond(KEY_REQUESTS))})`,
          legend: '{{key_name}} ({{key_id}})',
        },
      ],
    },
    {
      show: 'lines',
      title: 'Bytes of the ten heaviest keys',
      about: 'Bytes of bodies, as sent, by key: who pays for the collector. A limit of bytes is --limit-bytes.',
      width: 12,
      unit: 'Bps',
      queries: [
        {
          expr: `topk(10, ${sumBy('key_name, key_id', perSecond('keygate_key_request_bytes_total'))})`,
          legend: '{{key_name}} ({{key_id}})',
        },
      ],
    },
    {
      show: 'table',
      title: 'Certificates',
      about:
        'Of the ports grpc and http, and the one shown to the collector (upstream). After its end no sender gets through: renew it in time (docs/operations.md#keygatecertificateexpires).',
      width: 24,
      query: `sort(${of('keygate_certificate_expiry_timestamp_seconds')} - time())`,
      columns: { use: 'Of', instance: 'Gateway', job: 'Job' },
      value: 'Ends in',
      unit: 'dtdurations',
      order: 'least first',
    },
  ],
};
