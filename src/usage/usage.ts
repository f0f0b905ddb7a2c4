import type { KeyRecord } from '../keys/record.ts';
import { MAX_USES_PER_CALL } from '../store/usage-port.ts';
import type { KeyUse, UsageStore } from '../store/usage-port.ts';

/** Notes which keys are used, how much and from where, and writes that to the store now and then. */
export interface UsageRecorder {
  /** One request that was taken. On the way of every request: it only notes. */
  used(key: KeyRecord, peer: string, bytes: number): void;
  /** Writes what was noted. Never rejects: what could not be written is kept, as far as there is room. */
  flush(): Promise<void>;
  /** Stops writing now and then, and writes once more. */
  close(): Promise<void>;
}

export interface UsageObserver {
  /** A batch was written, or not and why. */
  written(outcome: 'ok' | 'failed', error?: Error): void;
  /** The use of so many requests was not noted, since there was no room. */
  dropped(requests: number): void;
}

export interface UsageOptions {
  readonly record: UsageStore['record'];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** 0: nothing is noted or written. */
  readonly intervalMs: number;
  /** How many keys can be noted until they are written; then they are written early. */
  readonly maxKeys?: number;
  readonly observe?: UsageObserver;
}

const MAX_KEYS = 10_000;
/** Of one key, until it is written. Whoever sends goes on sending, so the others come later. */
const MAX_SOURCES_NOTED = 16;

interface Noted {
  lastUsedAt: number;
  requests: number;
  bytes: number;
  /** By the name that the socket gives it, which is not yet the one that is written. */
  readonly sources: Map<string, Source>;
  /** Whoever has sent will send again. */
  lastSource: Source | undefined;
}

interface Source {
  readonly peer: string;
  lastUsedAt: number;
}

const IPV4_IN_IPV6 = '::ffff:';

const IDLE: UsageRecorder = { used: () => {}, flush: async () => {}, close: async () => {} };

export function createUsageRecorder(options: UsageOptions): UsageRecorder {
  return options.intervalMs === 0 ? IDLE : startRecorder(options);
}

function startRecorder(options: UsageOptions): UsageRecorder {
  const { record, now, intervalMs, maxKeys = MAX_KEYS, observe } = options;
  let noted = new Map<string, Noted>();
  let dropped = 0;
  let flushing: Promise<void> | undefined;
  let isFailing = false;
  const timer = setInterval(() => void flush(), intervalMs).unref();

  function used({ id, kind }: KeyRecord, peer: string, bytes: number): void {
    if (kind === 'receiver') return; // set in the configuration: there is nothing to note it beside
    const at = now();
    let entry = noted.get(id);
    if (entry === undefined) {
      if (noted.size >= maxKeys) {
        dropped++;
        return;
      }
      entry = { lastUsedAt: at, requests: 0, bytes: 0, sources: new Map(), lastSource: undefined };
      noted.set(id, entry);
      // A store that is away is left alone until the next time.
      if (noted.size === maxKeys && !isFailing) void flush();
    }
    entry.lastUsedAt = Math.max(entry.lastUsedAt, at);
    entry.requests++;
    entry.bytes += bytes;
    noteSource(entry, peer, at);
  }

  function flush(): Promise<void> {
    flushing ??= writeAll().finally(() => (flushing = undefined));
    return flushing;
  }

  async function writeAll(): Promise<void> {
    const batches = inBatches(noted);
    noted = new Map();
    isFailing = false;
    for (const batch of batches) {
      // After a failure the rest is not even tried: each would take as long.
      if (isFailing) keep(batch);
      else await write(batch);
    }
    if (dropped > 0) observe?.dropped(dropped);
    dropped = 0;
  }

  async function write(batch: Batch): Promise<void> {
    try {
      await record(batch.map(toUse));
      observe?.written('ok');
    } catch (error) {
      isFailing = true;
      keep(batch);
      observe?.written('failed', error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Adds what could not be written to what was noted since. */
  function keep(batch: Batch): void {
    for (const [id, old] of batch) {
      const entry = noted.get(id);
      if (entry !== undefined) {
        entry.lastUsedAt = Math.max(entry.lastUsedAt, old.lastUsedAt);
        entry.requests += old.requests;
        entry.bytes += old.bytes;
        for (const { peer, lastUsedAt } of old.sources.values()) noteSource(entry, peer, lastUsedAt);
      } else if (noted.size < maxKeys) {
        noted.set(id, old);
      } else {
        dropped += old.requests;
      }
    }
  }

  return {
    used,
    flush,
    async close() {
      clearInterval(timer);
      await flushing;
      await flush();
    },
  };
}

function noteSource(entry: Noted, peer: string, at: number): void {
  let source = entry.lastSource;
  if (source === undefined || source.peer !== peer) {
    source = entry.sources.get(peer);
    if (source === undefined) {
      if (entry.sources.size >= MAX_SOURCES_NOTED || peer === '') return;
      source = { peer, lastUsedAt: at };
      entry.sources.set(peer, source);
    }
    entry.lastSource = source;
  }
  source.lastUsedAt = Math.max(source.lastUsedAt, at);
}

type Batch = readonly (readonly [id: string, noted: Noted])[];

function inBatches(noted: ReadonlyMap<string, Noted>): Batch[] {
  const all = [...noted];
  return Array.from({ length: Math.ceil(all.length / MAX_USES_PER_CALL) }, (_, i) =>
    all.slice(i * MAX_USES_PER_CALL, (i + 1) * MAX_USES_PER_CALL),
  );
}

function toUse([id, { lastUsedAt, requests, bytes, sources }]: Batch[number]): KeyUse {
  const seen = new Map<string, number>();
  for (const { peer, lastUsedAt: at } of sources.values()) {
    const address = peer.startsWith(IPV4_IN_IPV6) ? peer.slice(IPV4_IN_IPV6.length) : peer;
    seen.set(address, Math.max(seen.get(address) ?? 0, at));
  }
  const latestFirst = [...seen].map(([address, at]) => ({ address, lastUsedAt: at }));
  return { id, lastUsedAt, requests, bytes, sources: latestFirst.sort((a, b) => b.lastUsedAt - a.lastUsedAt) };
}
