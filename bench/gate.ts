import { randomBytes } from 'node:crypto';
import { createBudgets } from '../src/budget/budgets.ts';
import { createKeyCache } from '../src/cache/key-cache.ts';
import { configSchema } from '../src/config/schema.ts';
import { createDigester, ownerDigest } from '../src/credential/digest.ts';
import type { Digests, KeyDigest } from '../src/credential/digest.ts';
import { createKeyText } from '../src/credential/key-text.ts';
import { createCredentialReader } from '../src/credential/read.ts';
import { createGate } from '../src/gate.ts';
import type { KeyRecord } from '../src/keys/record.ts';
import { createReceiverKeys, withReceiverKeys } from '../src/keys/receiver-keys.ts';
import { withOwners } from '../src/keys/with-owners.ts';
import type { RequestReport } from '../src/plane/plane.ts';
import { createKeyMetrics } from '../src/telemetry/key-metrics.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { cacheObserver } from '../src/telemetry/observers.ts';
import { createObserving } from '../src/telemetry/observing.ts';
import { createUsageRecorder } from '../src/usage/usage.ts';
import { decide } from '../src/verdict/decide.ts';
import type { Sending } from '../src/verdict/decide.ts';
import { newReport } from '../test/support/reports.ts';
import { cidrs } from '../test/support/stores.ts';

/**
 * `npm run bench:gate [keys]`: what the gate costs for a key in memory, from the header fields to the verdict and the note
 * of its use, on one core and without any I/O; then the same from the digest on, as on a connection that has sent the key
 * before, and what it costs to tell of a request. Anything but an allowed key, at once, fails it.
 */
const keyCount = Number(process.argv[2] ?? 1_000);
const ROUNDS = 100_000;
const REPEATS = 5;
const NOT_ALLOWED = 'a known key was not allowed';
const OWNER = { id: '1', kind: 'serviceId', name: 'checkout' } as const;
const USE: Sending = { to: 'send', signal: 'traces', route: 'otlp-grpc', peer: '10.1.2.3', origin: undefined };
const HEADERS = ['te', 'trailers', 'user-agent', 'OTel-OTLP-Exporter-Go/1.40.0', 'content-type', 'application/grpc'];

const digester = createDigester({});
const config = configSchema.parse({});

type Extra = Pick<KeyRecord, 'owner' | 'limits' | 'signals' | 'cidrs'>;
const limits = { requestsPerSecond: 1e9, bytesPerSecond: 1e12 };
const scope: Extra = { signals: ['traces', 'logs'], cidrs: cidrs('10.0.0.0/8') };

print(`| a key in memory, one of ${keyCount.toLocaleString('en')} | microseconds |`);
print('|---|---|');
const KINDS: readonly (readonly [what: string, extra: Extra, isNoted: boolean])[] = [
  ['plain', {}, false],
  ['its use noted', {}, true],
  ['with signals and networks, noted', scope, true],
  ['with limits, noted', { limits }, true],
  ['with an owner, noted', { owner: OWNER }, true],
  ['with all of that', { ...scope, limits, owner: OWNER }, true],
];
const ALL: Extra = { ...scope, limits, owner: OWNER };
for (const [what, extra, isNoted] of KINDS) row(what, (await setUp(extra)).judge(isNoted));
for (const [what, extra] of [
  ['plain', {}],
  ['with all of that', ALL],
] as const) {
  const { known, told } = await setUp(extra);
  row(`${what}, from its digest on`, known(false));
  row(`${what}, counted and logged when it has ended`, told());
  row(`${what}, from its digest on, counted and logged`, known(true));
}
process.exit(0);

async function setUp(extra: Extra) {
  const texts = Array.from({ length: keyCount }, () => createKeyText('ingestion', randomBytes));
  const digests = texts.map(digester);
  const records = digests.map(({ digest }, i) => record(digest, i, extra));
  const stored = new Map<string, KeyRecord>(records.map((each) => [each.digest, each]));
  const owner = ownerDigest(OWNER.id);
  stored.set(owner, { ...record(owner, 1, {}), ...OWNER, roles: ['Sender'] });
  const metrics = createMetrics({
    version: 'bench',
    cacheSizes: () => cache.sizes(),
    refusedSources: () => [],
    heldBytes: () => 0,
  });
  const log = createLog({ level: 'info', format: 'json', output: { write: () => {} } });
  const noteKey = createKeyMetrics({ maxKeys: config.ops.keySeries, now: Date.now }).note;
  const observing = createObserving({ metrics, noteKey, log, now: Date.now, acceptedEvery: config.log.acceptedEvery });
  const cache = createKeyCache({
    ...config.cache,
    maxKeys: keyCount + 1, // and their owner
    freshForMs: config.cache.freshFor,
    staleForMs: config.cache.staleFor,
    unknownForMs: config.cache.unknownFor,
    lookupTimeoutMs: 1_000,
    now: () => performance.now(),
    find: async ([digest]) => stored.get(digest ?? ''),
    observe: cacheObserver(metrics, log),
  });
  const lookup = withOwners(withReceiverKeys(createReceiverKeys([], digester), cache.lookup));
  const { charge } = createBudgets({ now: () => performance.now(), maxKeys: config.cache.maxKeys });
  const gate = createGate({
    readCredential: createCredentialReader(config.keys),
    digest: digester,
    lookup,
    charge,
    now: Date.now,
  });
  const usage = createUsageRecorder({
    record: async () => undefined,
    now: Date.now,
    intervalMs: 3_600_000,
    maxKeys: 2 * keyCount,
  });
  const requests = texts.map((text) => [...HEADERS, 'authorization', `Bearer ${text}`]);
  const reports = records.map((key) => newReport({ key, peer: USE.peer, fingerprint: key.digest.slice(7, 19) }));
  for (const fields of requests) await gate.judge(fields, USE); // into memory

  function tell(i: number): void {
    const report = reports[i] as RequestReport;
    observing.plane.started('grpc');
    if (report.key) usage.used(report.key, report.peer, report.receivedBytes);
    observing.plane.ended(report);
  }

  const measure = (one: (i: number) => void): number =>
    measured(
      () => cache.current?.(0), // nothing is looked up again
      (i) => one(i % keyCount),
    );
  return {
    judge: (isNoted: boolean) =>
      measure((i) => {
        const answer = gate.judge(requests[i] ?? [], USE);
        if (answer instanceof Promise || answer.decision.verdict !== 'allow') throw new Error(NOT_ALLOWED);
        if (isNoted) usage.used(answer.decision.key, USE.peer, 200);
      }),
    known: (isTold: boolean) =>
      measure((i) => {
        const answer = lookup(digests[i] as Digests, USE.peer);
        if (answer instanceof Promise) throw new Error(NOT_ALLOWED);
        const decision = decide(answer, USE, Date.now());
        if (decision.verdict !== 'allow' || charge(decision).verdict !== 'allow') throw new Error(NOT_ALLOWED);
        if (isTold) tell(i);
      }),
    told: () => measure(tell),
  };
}

/** Microseconds of CPU time for one, as the median of some repeats. */
function measured(prepare: () => void, one: (i: number) => void): number {
  const times: number[] = [];
  for (let repeat = 0; repeat < 1 + REPEATS; repeat++) {
    prepare();
    const before = process.cpuUsage();
    for (let i = 0; i < ROUNDS; i++) one(i);
    const { user, system } = process.cpuUsage(before);
    if (repeat > 0) times.push((user + system) / ROUNDS); // the first one warms up
  }
  return times.toSorted((a, b) => a - b)[Math.floor(REPEATS / 2)] ?? Number.NaN;
}

function record(digest: KeyDigest, i: number, extra: Extra): KeyRecord {
  return {
    id: String(2 ** 40 + i),
    kind: 'ingestion',
    name: `key ${i}`,
    digest,
    state: 'active',
    createdAt: 0,
    createdBy: 'bench',
    revision: 1,
    ...extra,
  };
}

function row(what: string, microseconds: number): void {
  print(`| ${what} | ${microseconds.toFixed(2)} |`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
