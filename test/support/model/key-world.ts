import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createKeyCache } from '../../../src/cache/key-cache.ts';
import { createDigester } from '../../../src/credential/digest.ts';
import { createKeyText } from '../../../src/credential/key-text.ts';
import { createGate } from '../../../src/gate.ts';
import { createKeyService } from '../../../src/keys/service.ts';
import type { KeyService } from '../../../src/keys/service.ts';
import { announcing } from '../../../src/store/announcing.ts';
import type { ChangeObserver, KeyStore } from '../../../src/store/port.ts';
import { createSqliteStore } from '../../../src/store/sqlite/store.ts';
import { row } from '../../../src/verdict/reasons.ts';
import { startRedis } from '../redis.ts';
import { openRedisStore } from '../stores.ts';
import { startTcpProxy } from '../tcp-proxy.ts';
import { until } from '../wait.ts';
import { FRESH_FOR_MS, STALE_FOR_MS, UNKNOWN_FOR_MS } from './key-model.ts';
import type { Answer } from './key-model.ts';

/** What may be between the gateway and its store. `locked`: somebody holds the store so that nobody can write. */
export type Fault = 'open' | 'cut' | 'frozen' | 'no-feed' | 'locked';

/** How a store of one kind is opened, and broken. */
export interface StorePlace {
  /** As the gateway has it, through whatever may break. */
  openHere(): KeyStore;
  /** As another replica or the CLI has it. */
  openElsewhere(): KeyStore;
  setFault(fault: Fault): void;
  close(): Promise<void>;
}

export interface PlaceKind {
  readonly name: string;
  /** Those that it can suffer, besides none. */
  readonly faults: readonly Fault[];
  begin(): Promise<void>;
  end(): Promise<void>;
  newPlace(): Promise<StorePlace>;
}

/** So generous that only a fault, and no busy machine, makes a lookup late. */
const COMMAND_TIMEOUT_MS = 500;
const PROBE_MS = 100;

export function redisPlaces(faults: readonly Fault[]): PlaceKind {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  const options = { commandTimeoutMs: COMMAND_TIMEOUT_MS, socketTimeoutMs: 2 * COMMAND_TIMEOUT_MS };
  return {
    name: 'Redis',
    faults,
    begin: async () => void (redis = await startRedis()),
    end: () => redis.stop(),
    async newPlace() {
      const proxy = await startTcpProxy(redis.port);
      const prefix = randomUUID();
      return {
        openHere: () => openRedisStore(`redis://127.0.0.1:${proxy.port}`, { ...options, prefix }),
        openElsewhere: () => openRedisStore(redis.url, { ...options, prefix }),
        setFault: (fault) => proxy.set(fault === 'locked' ? 'open' : fault),
        close: () => proxy.close(),
      };
    },
  };
}

export function sqlitePlaces(): PlaceKind {
  let directory: string;
  return {
    name: 'SQLite',
    faults: ['locked'],
    begin: async () => void (directory = await mkdtemp(join(tmpdir(), 'keygate-model-'))),
    end: () => rm(directory, { recursive: true, force: true }),
    async newPlace() {
      const path = join(directory, randomUUID(), 'keygate.db');
      const open = () => createSqliteStore({ path, pollMs: 2, busyTimeoutMs: 1 });
      let lock: DatabaseSync | undefined;
      const unlock = (): void => {
        lock?.close();
        lock = undefined;
      };
      return {
        openHere: open,
        openElsewhere: open,
        setFault(fault) {
          unlock();
          if (fault !== 'locked') return;
          lock = new DatabaseSync(path);
          lock.exec('BEGIN IMMEDIATE');
        },
        close: async () => unlock(),
      };
    },
  };
}

export interface GateAnswer {
  readonly answer: Answer | 'undecided';
  /** The store was waited for as long as it ever is. */
  readonly isLate: boolean;
}

/** A gateway's own parts, from the key to the verdict, on a store that others use too, and on a clock that is set. */
export interface KeyWorld {
  readonly here: KeyService;
  readonly elsewhere: KeyService;
  now(): number;
  advance(ms: number): void;
  ask(text: string): Promise<GateAnswer>;
  /** The text of the key that will be made next. */
  nextText(): string;
  /** Says that the record of this key was written. */
  wrote(text: string): void;
  /** Until the gateway has heard of all that was written. */
  heard(): Promise<void>;
  /** Until it shows; the time may go on a little. */
  setFault(fault: Fault): Promise<void>;
  close(): Promise<void>;
}

const SENDING = { to: 'send', signal: 'traces', route: 'otlp-http', peer: '127.0.0.1', origin: undefined } as const;

export async function createKeyWorld(kind: PlaceKind, startMs: number): Promise<KeyWorld> {
  const place = await kind.newPlace();
  let nowMs = startMs;
  const now = (): number => nowMs;
  const digester = createDigester({});
  const nextBytes = { current: drawBytes() };
  /** Texts are made of 32 bytes, and nothing else is. */
  const random = (size: number): Buffer => {
    if (size !== nextBytes.current.length) return randomBytes(size);
    const bytes = nextBytes.current;
    nextBytes.current = drawBytes();
    return bytes;
  };
  const service = (store: KeyStore): KeyService =>
    createKeyService({ store, digester, now, random, tombstoneMs: STALE_FOR_MS });

  const outside = place.openElsewhere();
  const elsewhere = service(outside);
  // Without a first key there is no store yet, and a gateway that has seen none would judge nobody.
  await elsewhere.create({ kind: 'ingestion', name: 'the first key' }, { name: 'model' });

  const store = place.openHere();
  const cache = createKeyCache({
    find: (digests) => store.find(digests),
    now,
    maxKeys: 1_000,
    maxUnknown: 1_000,
    freshForMs: FRESH_FOR_MS,
    staleForMs: STALE_FOR_MS,
    unknownForMs: UNKNOWN_FOR_MS,
    maxLookups: 100,
    maxUnknownLookups: 1_000_000,
    lookupTimeoutMs: COMMAND_TIMEOUT_MS + 20,
  });
  /** By digest, the changes that were written and that the gateway was not told of yet. */
  const untold = new Map<string, number>();
  const observer: ChangeObserver = {
    changed(digest) {
      cache.changed(digest);
      untold.set(digest, (untold.get(digest) ?? 0) - 1);
    },
    gap() {
      cache.gap();
      untold.clear();
    },
  };
  const watch = await store.watch(observer);
  await store.ping();
  const gate = createGate({
    readCredential: () => ({ problem: 'missing_credential' }),
    digest: digester,
    lookup: cache.lookup,
    now,
  });

  async function ask(text: string): Promise<GateAnswer> {
    const startedAt = performance.now();
    const { decision } = await gate.judgeKey(text, SENDING);
    const isLate = performance.now() - startedAt >= COMMAND_TIMEOUT_MS;
    if (decision.verdict === 'allow') return { answer: 'allow', isLate };
    const isDoubt = row(decision.reason).verdict === 'undecided';
    return { answer: isDoubt ? 'undecided' : (decision.reason as Answer), isLate };
  }

  return {
    here: service(announcing(store, cache)),
    elsewhere,
    now,
    advance: (ms) => void (nowMs += ms),
    ask,
    nextText: () => createKeyText('ingestion', () => nextBytes.current),
    wrote(text) {
      const { digest } = digester(text);
      untold.set(digest, (untold.get(digest) ?? 0) + 1);
    },
    heard: () => until('the gateway is told of all changes', () => [...untold.values()].every((count) => count <= 0)),
    async setFault(fault) {
      place.setFault(fault);
      if (fault === 'cut' || fault === 'frozen') return;
      await until('the store is reached again', () =>
        store.ping().then(
          () => true,
          () => false,
        ),
      );
      // A breaker lets one lookup through now and then, and time passes only if it is told to.
      await until('lookups are answered again', async () => {
        const { answer } = await ask(createKeyText('ingestion'));
        if (answer === 'undecided') nowMs += PROBE_MS;
        return answer !== 'undecided';
      });
    },
    async close() {
      await watch.close();
      await Promise.all([store.close(), outside.close()]);
      await place.close();
    },
  };
}

/** Bytes that become one letter each. */
function drawBytes(): Buffer {
  return Buffer.from(randomBytes(32).map((byte) => byte % 248));
}
