import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { KeyStore } from '../../src/store/port.ts';
import type { KeyRecord } from '../../src/keys/record.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { reasonOf } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { digestOf, ENTRY, newRecord, openRedisStore, revoked } from '../support/stores.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { Link, TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/wait.ts';

/**
 * The table of docs/architecture.md, "What the cache answers", cell by cell: two gateways on one Redis, one that reaches it
 * and one that is cut off, are asked the same. A cell says what three senders at once are answered, and how many lookups
 * that took which found something out.
 */
interface Row {
  /** The row of the page. */
  readonly row: string;
  /** What is special in this case of it. */
  readonly case?: string;
  /** When the gateway is asked; what came before is its beginning, except for a restarted one. */
  readonly when: 'at once' | 'aged' | 'stale' | 'restarted';
  readonly key: 'good' | 'expiring' | 'of nobody';
  /** Whether it was sent before the store went away. */
  readonly wasSent: boolean;
  /** What another process does to it after that. */
  readonly meanwhile?: 'revoked' | 'created';
  readonly answers: string;
  readonly away: string;
}

const FRESH = 'known, fresh';
const AGED = 'known, aged (not confirmed by the feed for `cache.freshFor`)';
const DEAD = 'known, but expired or revoked';
const UNKNOWN = 'unknown, remembered (`cache.unknownFor`)';
const RESTARTED = 'process restarted, with `cache.snapshot`';
const UNSEEN = 'never seen';

// oxfmt-ignore
const TABLE: readonly Row[] = [
  { row: FRESH, when: 'at once', key: 'good', wasSent: true, answers: '200 from memory', away: '200 from memory' },
  { row: AGED, when: 'aged', key: 'good', wasSent: true, answers: '200 by 1 lookup', away: '200 from memory' },
  { row: AGED, case: 'revoked, unheard', when: 'aged', key: 'good', wasSent: true, meanwhile: 'revoked', answers: '403 revoked_key by 1 lookup', away: '200 from memory' },
  { row: AGED, case: 'for `cache.staleFor`', when: 'stale', key: 'good', wasSent: true, answers: '200 by 1 lookup', away: '503' },
  { row: AGED, case: 'for `cache.staleFor`, revoked', when: 'stale', key: 'good', wasSent: true, meanwhile: 'revoked', answers: '403 revoked_key by 1 lookup', away: '503' },
  { row: DEAD, case: 'expired', when: 'at once', key: 'expiring', wasSent: true, answers: '403 expired_key from memory', away: '403 expired_key from memory' },
  { row: DEAD, case: 'expired, aged', when: 'aged', key: 'expiring', wasSent: true, answers: '403 expired_key by 1 lookup', away: '403 expired_key from memory' },
  { row: DEAD, case: 'revoked, unheard where the store is away', when: 'at once', key: 'good', wasSent: true, meanwhile: 'revoked', answers: '403 revoked_key by 1 lookup', away: '200 from memory' },
  { row: UNKNOWN, when: 'at once', key: 'of nobody', wasSent: true, answers: '403 unknown_key from memory', away: '403 unknown_key from memory' },
  { row: UNKNOWN, case: 'created', when: 'at once', key: 'of nobody', wasSent: true, meanwhile: 'created', answers: '200 by 1 lookup', away: '403 unknown_key from memory' },
  { row: UNKNOWN, case: 'and its seconds are over', when: 'stale', key: 'of nobody', wasSent: true, answers: '403 unknown_key by 1 lookup', away: '503' },
  { row: RESTARTED, when: 'restarted', key: 'good', wasSent: true, answers: '200 from memory', away: '200 from memory' },
  { row: RESTARTED, case: 'revoked meanwhile', when: 'restarted', key: 'good', wasSent: true, meanwhile: 'revoked', answers: '403 revoked_key by 1 lookup', away: '200 from memory' },
  { row: RESTARTED, case: 'expired meanwhile', when: 'restarted', key: 'expiring', wasSent: true, answers: '403 expired_key from memory', away: '403 expired_key from memory' },
  { row: RESTARTED, case: 'never seen', when: 'restarted', key: 'good', wasSent: false, answers: '200 by 1 lookup', away: '503' },
  { row: UNSEEN, when: 'at once', key: 'good', wasSent: false, answers: '200 by 1 lookup', away: '503' },
  { row: UNSEEN, case: 'and of nobody', when: 'at once', key: 'of nobody', wasSent: false, answers: '403 unknown_key by 1 lookup', away: '503' },
];

const CACHE = configSchema.parse({}).cache;
/** Of an expiring key: nothing else is old by then. */
const LIFE_MS = 4_000;
const SENDERS = 3;
/** Long enough for a machine that is busy with other tests. */
const PATIENCE = { commandTimeout: '5s', socketTimeout: '10s' };
const PATIENCE_MS = 20_000;

type Column = 'answers' | 'away';

interface Case {
  readonly row: Row;
  readonly text: string;
  readonly record: KeyRecord;
}

interface Place {
  readonly store: KeyStore;
  readonly link: TcpProxy;
  readonly cases: readonly Case[];
  readonly clock: TestClock;
  start(): Promise<Gateway>;
  /** The number of the last change in the store. */
  lastChange(): Promise<number>;
}

test('what the cache answers', { timeout: 60_000 }, async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const collector = await startCollector(t);
  const directory = mkdtempSync(join(tmpdir(), 'keygate-truth-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const store = openRedisStore(redis.url, { prefix: 'keygate', commandTimeoutMs: 5_000 });
  t.after(() => store.close());
  await store.insert(newRecord(), Date.now(), ENTRY); // makes the store

  const place = async (name: string, rows: readonly Row[]): Promise<Place> => {
    const link = await startTcpProxy(redis.port);
    t.after(() => link.close());
    const clock = createTestClock();
    return {
      store,
      link,
      clock,
      cases: rows.map((row) => toCase(row, clock)),
      start: () =>
        startGateway(
          t,
          {
            store: { redis: { url: `redis://127.0.0.1:${link.port}`, ...PATIENCE } },
            upstream: { http: collector.httpUrl },
            cache: { snapshot: { path: join(directory, name), secret: 'a-secret-of-at-least-16-characters' } },
            canary: { interval: '0s' },
          },
          clock,
        ),
      lastChange: async () => Number(await redis.command('HGET', '{keygate}:digests', 'changes')),
    };
  };
  const isRestarted = ({ when }: Row): boolean => when === 'restarted';
  const column = async (name: Column): Promise<ReadonlyMap<Row, string>> => {
    const running = await place(
      name,
      TABLE.filter((row) => !isRestarted(row)),
    );
    const restarted = await place(`${name}-restarted`, TABLE.filter(isRestarted));
    const cells = await Promise.all([askRunning(running, name), askRestarted(restarted, name)]);
    return new Map(cells.flat());
  };
  const [answers, away] = await Promise.all([column('answers'), column('away')]);

  for (const row of TABLE) {
    await t.test(`${row.row}${row.case === undefined ? '' : `: ${row.case}`}`, () => {
      assert.deepEqual({ answers: answers.get(row), away: away.get(row) }, { answers: row.answers, away: row.away });
    });
  }

  await t.test('is what the page says: each of its rows is tried here', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/architecture.md'), 'utf8');
    const section = page.split('## What the cache answers')[1]?.split('## ')[0] ?? '';
    const rows = [...section.matchAll(/^\| ([^|]+) \|/gm)].map(([, first]) => first);
    assert.deepEqual(new Set(rows), new Set(TABLE.map(({ row }) => row)));
  });
});

/** Stands still unless it is told to go on. */
interface TestClock extends Clock {
  advance(ms: number): void;
}

function createTestClock(): TestClock {
  let [now, elapsed] = [Date.now(), 0];
  return {
    now: () => now,
    elapsed: () => elapsed,
    advance(ms) {
      now += ms;
      elapsed += ms;
    },
  };
}

function toCase(row: Row, { now }: Clock): Case {
  const text = `a-key-of-another-system-${randomUUID()}`;
  const digest = digestOf(text);
  const life = row.key === 'expiring' ? { expiresAt: now() + LIFE_MS } : {};
  return { row, text, record: newRecord({ digest, ...life }) };
}

async function askRunning(place: Place, column: Column): Promise<[Row, string][]> {
  const gateway = await place.start();
  await prepare(place, gateway);
  const { cases, clock } = place;
  const at = (when: Row['when']): Case[] => cases.filter(({ row }) => row.when === when);

  // Feed and store are away together; where the store answers, the feed is cut later, so that keys age at all.
  if (column === 'away') await cut(place, gateway, 'cut');
  await change(place, at('at once'));
  if (column === 'answers') await hasHeard(place, gateway);
  clock.advance(LIFE_MS);
  const cells = await ask(gateway, at('at once'));

  if (column === 'answers') await cut(place, gateway, 'no-feed');
  await change(place, [...at('aged'), ...at('stale')]);
  clock.advance(CACHE.freshFor);
  cells.push(...(await ask(gateway, at('aged'))));
  clock.advance(CACHE.staleFor);
  cells.push(...(await ask(gateway, at('stale'))));
  return cells;
}

async function askRestarted(place: Place, column: Column): Promise<[Row, string][]> {
  const first = await place.start();
  await prepare(place, first);
  await first.app.drain();
  await change(place, place.cases);
  if (column === 'away') place.link.set('cut');
  place.clock.advance(LIFE_MS);
  return ask(await place.start(), place.cases);
}

async function cut({ link }: Place, gateway: Gateway, state: Link): Promise<void> {
  link.set(state);
  await until('the feed is missed', async () => (await gateway.metric('keygate_feed_up')) === 0, PATIENCE_MS);
}

/** Makes the keys, and sends those that are to be known. */
async function prepare(place: Place, gateway: Gateway): Promise<void> {
  const { store, cases, clock } = place;
  for (const { row, record } of cases) {
    if (row.key !== 'of nobody') assert.equal(await store.insert(record, clock.now(), ENTRY), 'inserted');
  }
  await hasHeard(place, gateway);
  await Promise.all(cases.filter(({ row }) => row.wasSent).map(({ text }) => send(gateway, text)));
}

/** By another process, straight on the store. */
async function change({ store, clock }: Place, cases: readonly Case[]): Promise<void> {
  for (const { row, record } of cases) {
    if (row.meanwhile === 'created') assert.equal(await store.insert(record, clock.now(), ENTRY), 'inserted');
    if (row.meanwhile === 'revoked') {
      assert.equal(await store.replace(revoked(record, clock.now()), ENTRY), 'replaced');
    }
  }
}

async function hasHeard({ lastChange }: Place, gateway: Gateway): Promise<void> {
  const number = await lastChange();
  await until(
    'all changes are heard',
    async () => (await gateway.metric('keygate_feed_position')) >= number,
    PATIENCE_MS,
  );
}

/** One case after the other, so that its lookups can be told from those of the others. */
async function ask(gateway: Gateway, cases: readonly Case[]): Promise<[Row, string][]> {
  const cells: [Row, string][] = [];
  for (const { row, text } of cases) {
    const before = await findings(gateway);
    const answers = await Promise.all(Array.from({ length: SENDERS }, () => send(gateway, text)));
    const lookups = (await findings(gateway)) - before;
    const [answer = '', ...others] = [...new Set(answers)];
    const how = lookups === 0 ? 'from memory' : `by ${lookups} lookup${lookups === 1 ? '' : 's'}`;
    cells.push([row, others.length > 0 ? answers.join(', ') : answer === '503' ? answer : `${answer} ${how}`]);
  }
  return cells;
}

/** How many lookups have told something. */
async function findings(gateway: Gateway): Promise<number> {
  const name = 'keygate_store_lookup_seconds_count';
  return (await gateway.metric(name, { outcome: 'found' })) + (await gateway.metric(name, { outcome: 'absent' }));
}

async function send({ httpUrl }: Gateway, text: string): Promise<string> {
  const { status, headers, body } = await callHttp(httpUrl, { headers: { 'x-api-key': text } });
  if (status === 200) return '200';
  const reason = reasonOf(decodeStatus(body)) ?? '';
  // Let through, and not heard: a connection that was kept may end just then, on a machine that is busy.
  if (reason === 'upstream_unavailable') return '200';
  if (status !== 503) return `${status} ${reason}`;
  const isDoubt = /^store_(?:unavailable|timeout)$/.test(reason) && Number(headers['retry-after']) >= 1;
  return isDoubt ? '503' : `503 ${reason}`;
}
