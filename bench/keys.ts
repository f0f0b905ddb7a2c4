import { randomInt } from 'node:crypto';
import { cpus, release, totalmem, type } from 'node:os';
import type { KeyRecord } from '../src/keys/record.ts';
import type { KeyService } from '../src/keys/service.ts';
import type { KeyStore } from '../src/store/port.ts';
import { openKeyService } from '../test/support/key-service.ts';
import { startRedis } from '../test/support/redis.ts';
import { digestOf, openRedisStore } from '../test/support/stores.ts';

/**
 * `npm run bench:keys [largest number of keys] [rounds]`: what managing and looking up keys costs while their number grows
 * tenfold, again and again, in a redis-server of its own. Each operation is made alone, one after the other, through the
 * code that the gateway runs; keys are added through the same, many at once. Read the columns downwards: they should stay
 * what they are.
 */
const largest = Number(process.argv[2] ?? 1_000_000);
const rounds = Number(process.argv[3] ?? 1_000);
const SMALLEST = 1_000;
const INSERTS_AT_ONCE = 200;
const PAGE = 50;
const TEAMS = 1_000;
const ACTOR = { name: 'bench' };
const CREATED_AT = Date.now();

const redis = await startRedis();
const { store, service, close } = openPlace('bench');
try {
  print(`${type()} ${release()}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ${gib(totalmem())} GiB`);
  print(
    `Node ${process.version}, Redis ${await infoOf('server', 'redis_version')}; ${rounds} rounds, median / p99 in ms`,
  );
  print('');
  print('| keys | create | first page of 50 | page in the middle | lookup | rotate | memory of Redis | a key |');
  print('|---|---|---|---|---|---|---|---|');

  // What is compiled, opened and loaded with the first operations is no cost of few keys.
  const other = openPlace('warm-up');
  await fill(other.store, 0, SMALLEST);
  await measureAll(SMALLEST, other);
  await other.close();
  await redis.command('FLUSHALL');

  let count = 0;
  for (let size = SMALLEST; size <= largest; size *= 10) {
    const startedAt = performance.now();
    await fill(store, count, size);
    note(`${size - count} keys added in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
    count = size;
    const memory = Number(await infoOf('memory', 'used_memory'));

    const cells = (await measureAll(size, { store, service })).join(' | ');
    print(`| ${size.toLocaleString('en')} | ${cells} | ${mib(memory)} MiB | ${Math.round(memory / size)} B |`);
  }
} finally {
  await close();
  await redis.stop();
}

interface Place {
  readonly store: KeyStore;
  readonly service: KeyService;
  close(): Promise<void>;
}

function openPlace(prefix: string): Place {
  const store = openRedisStore(redis.url, { prefix, commandTimeoutMs: 5_000, socketTimeoutMs: 10_000 });
  return { store, service: openKeyService(store), close: () => store.close() };
}

/** The i-th of the keys that are there before anything is measured; always the same. */
function recordOf(i: number): KeyRecord {
  const id = String(2 ** 47 + i);
  return {
    id,
    kind: 'ingestion',
    name: `team-${String(i % TEAMS).padStart(3, '0')}/service-${i}`,
    description: 'What it is for, and whom to ask about it',
    digest: digestOf(id),
    state: 'active',
    createdAt: CREATED_AT,
    createdBy: 'bench',
    revision: 1,
  };
}

async function fill(into: KeyStore, from: number, to: number): Promise<void> {
  let next = from;
  async function lane(): Promise<void> {
    while (next < to) {
      const record = recordOf(next++);
      const { kind, id, name } = record;
      const entry = { at: CREATED_AT, actor: 'bench', via: 'cli', action: 'created', kind, id, name } as const;
      expect((await into.insert(record, CREATED_AT, { ...entry, before: {}, after: {} })) === 'inserted');
    }
  }
  await Promise.all(Array.from({ length: INSERTS_AT_ONCE }, lane));
}

/** The cells of a row, with so many keys in the store. */
async function measureAll(size: number, { store, service }: Omit<Place, 'close'>): Promise<string[]> {
  const created: string[] = [];
  const create = await measure(async (round) => {
    const { record } = await service.create({ kind: 'ingestion', name: `new ${size} ${round}` }, ACTOR);
    created.push(record.id);
  });
  const firstPage = await measure(async () => {
    expect((await service.list('ingestion', { limit: PAGE })).length === PAGE);
  });
  const middlePage = await measure(async () => {
    const { name, id } = recordOf(randomInt(size / TEAMS) * TEAMS + randomInt(TEAMS * 0.9)); // a page before the end
    expect((await store.page('ingestion', { after: { name, id }, limit: PAGE })).records.length === PAGE);
  });
  const lookup = await measure(async () => {
    const { digest, id } = recordOf(randomInt(size));
    expect((await store.find([digest]))?.id === id);
  });
  const rotate = await measure(async (round) => {
    await service.rotate('ingestion', created[round] ?? '', {}, ACTOR);
  });
  return [create, firstPage, middlePage, lookup, rotate];
}

async function measure(operation: (round: number) => Promise<void>): Promise<string> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now();
    await operation(round);
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? Number.NaN).toFixed(2);
  return `${at(0.5)} / ${at(0.99)}`;
}

/** A benchmark of wrong answers says nothing. */
function expect(holds: boolean): void {
  if (!holds) throw new Error('the store did not do what it was asked');
}

async function infoOf(section: string, field: string): Promise<string> {
  const info = String(await redis.command('INFO', section));
  return new RegExp(`^${field}:(.*)$`, 'm').exec(info)?.[1]?.trim() ?? 'unknown';
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(bytes < 100 * 2 ** 20 ? 1 : 0);
}

function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(0);
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
