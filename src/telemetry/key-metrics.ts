import { endsAt } from '../keys/record.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { RequestReport } from '../plane/plane.ts';
import { escapeLabel } from './figures.ts';

/** What each key has sent, for Prometheus. */
export interface KeyMetrics {
  /** Each request when it has ended; on the way of all of them. */
  note(report: RequestReport): void;
  /** What was noted in other processes. */
  add(used: readonly UsedKey[]): void;
  /** The families in the text format of Prometheus, in pieces that are short work each: senders can be served in between. */
  text(): Iterable<string>;
}

export interface KeyMetricsOptions {
  /** So many keys have series of their own; what others send is added up under `other`. */
  readonly maxKeys: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What one key has sent in another process, since that told it last. */
export interface UsedKey {
  readonly key: SeenKey;
  readonly requests: number;
  readonly bytes: number;
}

/** As much of a key as its series tell. */
export type SeenKey = Pick<KeyRecord, 'id' | 'name' | 'expiresAt' | 'retireAt'>;

interface Series {
  /** As it stands between the braces. */
  readonly labels: string;
  record: SeenKey | undefined;
  requests: number;
  bytes: number;
  /** Requests when it was looked at, and when that had changed last: no request needs to ask the clock. */
  seenRequests: number;
  changedAtMs: number;
}

/** Series, or keys, that are dealt with at once. */
export const SERIES_OF_PIECE = 1_000;

/** In place of a key: all that have no series of their own. No key has such an id. */
export const OTHER_KEYS: SeenKey = { id: 'other', name: 'other' };

/** A key that has sent nothing for so long makes room for others. */
const IDLE_MS = 24 * 3_600_000;

export const KEY_METRICS = {
  requests: {
    name: 'keygate_key_requests_total',
    type: 'counter',
    labels: ['key_id', 'key_name'],
    help: 'Requests that were let through, by key; those of keys beyond ops.keySeries together as "other".',
  },
  bytes: {
    name: 'keygate_key_request_bytes_total',
    type: 'counter',
    labels: ['key_id', 'key_name'],
    help: 'Bytes of request bodies that were let through, by key.',
  },
  expiry: {
    name: 'keygate_key_expiry_timestamp_seconds',
    type: 'gauge',
    labels: ['key_id', 'key_name'],
    help: 'When a key that is in use ends, because it expires or was replaced; of keys that never end there is none.',
  },
} as const;

/**
 * prom-client takes some microseconds for each series that it writes, which ten thousand keys would make a pause of all senders;
 * here the text of each series is put together from what was escaped once.
 */
export function createKeyMetrics({ maxKeys, now }: KeyMetricsOptions): KeyMetrics {
  const series = new Map<string, Series>();
  const others = toSeries(OTHER_KEYS.id, OTHER_KEYS.name, undefined);

  function add(key: SeenKey, requests: number, bytes: number): void {
    const own = key.id === OTHER_KEYS.id ? others : seriesOf(key);
    own.requests += requests;
    own.bytes += bytes;
    if (own !== others) own.record = key; // the latest: its expiry may have been changed
  }

  function seriesOf(key: SeenKey): Series {
    const known = series.get(key.id);
    if (known !== undefined) return known;
    if (series.size >= maxKeys) return others;
    const added = toSeries(key.id, key.name, key);
    series.set(key.id, added);
    return added;
  }

  function forgetIdle(nowMs: number): void {
    for (const [id, each] of series) {
      if (each.requests !== each.seenRequests) {
        each.seenRequests = each.requests;
        each.changedAtMs = nowMs;
      } else if (nowMs - each.changedAtMs > IDLE_MS) {
        series.delete(id);
      }
    }
  }

  function* family({ name, type, help }: (typeof KEY_METRICS)[keyof typeof KEY_METRICS], valueOf: ValueOf) {
    let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    let left = SERIES_OF_PIECE;
    for (const each of allSeries()) {
      const value = valueOf(each);
      if (value !== undefined) text += `${name}{${each.labels}} ${value}\n`;
      if (--left > 0) continue;
      yield text;
      text = '';
      left = SERIES_OF_PIECE;
    }
    yield text;
  }

  function* allSeries() {
    yield* series.values();
    yield others;
  }

  return {
    note({ outcome, key, receivedBytes }) {
      if (outcome === 'accepted' && key !== undefined) add(key, 1, receivedBytes);
    },
    add(used) {
      for (const { key, requests, bytes } of used) add(key, requests, bytes);
    },
    *text() {
      forgetIdle(now());
      yield* family(KEY_METRICS.requests, ({ requests }) => (requests === 0 ? undefined : requests));
      yield* family(KEY_METRICS.bytes, ({ requests, bytes }) => (requests === 0 ? undefined : bytes));
      yield* family(KEY_METRICS.expiry, ({ record }) => {
        const endsAtMs = record && endsAt(record);
        return endsAtMs === undefined ? undefined : endsAtMs / 1_000;
      });
    },
  };
}

type ValueOf = (series: Series) => number | undefined;

function toSeries(id: string, name: string, record: SeenKey | undefined): Series {
  const labels = `key_id="${id}",key_name="${escapeLabel(name)}"`;
  return { labels, record, requests: 0, bytes: 0, seenRequests: 0, changedAtMs: 0 };
}
