import type { KeyKind } from '../../keys/record.ts';
import type { PagePosition, PageQuery } from '../port.ts';
import type { Connection } from './connection.ts';
import type { StoreIdentity } from './identity.ts';
import { keysOfWriters, STORE_FIELD } from './scripts.ts';
import type { KeyNames } from './scripts.ts';

/** Each step is one script, and a script holds up everybody else: a few milliseconds at most. */
const RECORDS_PER_SCAN = 250;
const CHANGES_PER_STEP = 250;
const TOMBSTONES_PER_STEP = 100;

export interface StoredPage {
  readonly records: readonly (readonly [id: string, json: string])[];
  readonly next: PagePosition | undefined;
}

/** Reads by the indexes, and completes them where a writer of an earlier version left something out. */
export interface Indexes {
  /** Undefined if they cannot be completed: somebody else goes on writing without them. */
  page(kind: KeyKind, query: PageQuery): Promise<StoredPage | undefined>;
  /** Forgets the tombstones that died before; returns how many. */
  prune(beforeMs: number): Promise<number>;
  /** All records by their ids, some at a time; one may come twice while others come and go. */
  scan(): AsyncGenerator<[id: string, json: string][]>;
}

export interface IndexesOptions {
  readonly connection: Connection;
  readonly keys: KeyNames;
  readonly identity: StoreIdentity;
}

export function createIndexes({ connection, keys, identity }: IndexesOptions): Indexes {
  const readKeys = [keys.digests, keys.records, keys.order] as const;
  const writeKeys = keysOfWriters(keys);
  let completing: Promise<void> | undefined;

  const expectedStore = () => identity.expected ?? '';

  async function* scan(): AsyncGenerator<[string, string][]> {
    let cursor = '0';
    do {
      const from = cursor;
      const [next, found] = await connection.run((redis) => redis.hscan(keys.records, from, 'COUNT', RECORDS_PER_SCAN));
      const records: [string, string][] = [];
      for (let i = 0; i + 1 < found.length; i += 2) records.push([found[i] ?? '', found[i + 1] ?? '']);
      yield records.filter(([id]) => id !== STORE_FIELD);
      cursor = next;
    } while (cursor !== '0');
  }

  async function readState() {
    const [storeId, changes, indexed, isWhole] = await connection.run((redis) => redis.keygateReadState(...readKeys));
    const indexedTo = indexed === null || isWhole === 0 ? undefined : Number(indexed);
    return { isUnused: identity.isUnused(storeId), changes: Number(changes), indexedTo };
  }

  /** Whether every change from this one on was there to be indexed. */
  async function catchUp(from: number): Promise<boolean> {
    for (let at = from; ;) {
      const [outcome, storeId, reached = at] = await connection.run((redis) =>
        redis.keygateCatchUp(...writeKeys, expectedStore(), at, CHANGES_PER_STEP),
      );
      identity.outcomeOf([outcome, storeId]);
      if (outcome !== 'behind') return outcome === 'complete';
      at = reached;
    }
  }

  async function indexAll(): Promise<void> {
    for await (const records of scan()) {
      const ids = records.map(([id]) => id);
      identity.outcomeOf(await connection.run((redis) => redis.keygateIndex(...writeKeys, expectedStore(), ...ids)));
    }
  }

  async function complete(): Promise<void> {
    const { changes, indexedTo } = await readState();
    if (indexedTo !== undefined && (await catchUp(indexedTo))) return;
    await indexAll();
    await catchUp(changes); // what was changed meanwhile
  }

  /** Once at a time in this process; another one that does it as well does no harm. */
  function completeOnce(): Promise<void> {
    completing ??= complete().finally(() => (completing = undefined));
    return completing;
  }

  async function readPage(kind: KeyKind, { after, limit }: PageQuery) {
    const from = after === undefined ? `[${kind}:` : `(${kind}:${after.name}\0${after.id}`;
    const end = `(${kind};`; // the character after the colon
    const [storeId, isComplete, places = [], records = []] = await connection.run((redis) =>
      redis.keygateReadPage(...readKeys, from, end, limit),
    );
    if (identity.isUnused(storeId)) return { records: [], next: undefined };
    if (isComplete === 0) return undefined;
    const found = places.map((place) => positionOf(kind, place));
    return {
      records: found.flatMap(({ id }, i): [string, string][] => {
        const json = records[i];
        return typeof json === 'string' ? [[id, json]] : [];
      }),
      next: found.length < limit ? undefined : found.at(-1),
    };
  }

  return {
    scan,

    async page(kind, query) {
      const page = await readPage(kind, query);
      if (page !== undefined) return page;
      await completeOnce();
      return readPage(kind, query);
    },

    async prune(beforeMs) {
      const { isUnused, changes, indexedTo } = await readState();
      if (isUnused) return 0;
      if (indexedTo !== changes) await completeOnce();
      for (let total = 0; ;) {
        const [outcome, storeId, looked = 0, forgotten = 0] = await connection.run((redis) =>
          redis.keygatePrune(...writeKeys, expectedStore(), beforeMs, TOMBSTONES_PER_STEP),
        );
        identity.outcomeOf([outcome, storeId]);
        total += forgotten;
        if (looked < TOMBSTONES_PER_STEP) return total;
      }
    },
  };
}

/** Names hold no control characters, so the last NUL is ours. */
function positionOf(kind: KeyKind, place: string): PagePosition {
  const end = place.lastIndexOf('\0');
  return { name: place.slice(kind.length + 1, end), id: place.slice(end + 1) };
}
