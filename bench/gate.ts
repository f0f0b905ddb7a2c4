import { randomBytes } from 'node:crypto';
import { createBudgets } from '../src/budget/budgets.ts';
import { createKeyCache } from '../src/cache/key-cache.ts';
import { configSchema } from '../src/config/schema.ts';
import { createDigester, ownerDigest } from '../src/credential/digest.ts';
import { createKeyText } from '../src/credential/key-text.ts';
import { createCredentialReader } from '../src/credential/read.ts';
import { createGate } from '../src/gate.ts';
import type { KeyRecord } from '../src/keys/record.ts';
import { withOwners } from '../src/keys/with-owners.ts';
import { createUsageRecorder } from '../src/usage/usage.ts';
import type { Sending } from '../src/verdict/decide.ts';
import { cidrs } from '../test/support/stores.ts';

/**
 * `npm run bench:gate [keys]`: what the gate costs for a key in memory, from the header fields to the verdict and the note
 * of its use, on one core and without any I/O. Anything but an allowed key, at once, fails it.
 */
const keyCount = Number(process.argv[2] ?? 1_000);
const ROUNDS = 100_000;
const REPEATS = 3;
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
for (const [what, extra, isNoted] of KINDS) print(`| ${what} | ${(await measure(extra, isNoted)).toFixed(2)} |`);
process.exit(0);

async function measure(extra: Extra, isNoted: boolean): Promise<number> {
  const texts = Array.from({ length: keyCount }, () => createKeyText('ingestion', randomBytes));
  const records = new Map<string, KeyRecord>(texts.map((text, i) => [digester(text).digest, record(text, i, extra)]));
  const ownerRecord: KeyRecord = { ...record('', 1, {}), ...OWNER, digest: ownerDigest(OWNER.id), roles: ['Sender'] };
  records.set(ownerRecord.digest, ownerRecord);
  const cache = createKeyCache({
    ...config.cache,
    freshForMs: config.cache.freshFor,
    staleForMs: config.cache.staleFor,
    unknownForMs: config.cache.unknownFor,
    lookupTimeoutMs: 1_000,
    now: () => performance.now(),
    find: async ([digest]) => records.get(digest ?? ''),
  });
  const gate = createGate({
    readCredential: createCredentialReader(config.keys),
    digest: digester,
    lookup: withOwners(cache.lookup),
    charge: createBudgets({ now: () => performance.now(), maxKeys: config.cache.maxKeys }).charge,
    now: Date.now,
  });
  const usage = createUsageRecorder({
    record: async () => undefined,
    now: Date.now,
    intervalMs: 3_600_000,
    maxKeys: 2 * keyCount,
  });
  const requests = texts.map((text) => [...HEADERS, 'authorization', `Bearer ${text}`]);
  for (const fields of requests) await gate.judge(fields, USE); // into memory

  function judgeAll(): void {
    for (let i = 0; i < ROUNDS; i++) {
      const answer = gate.judge(requests[i % requests.length] ?? [], USE);
      if (answer instanceof Promise || answer.decision.verdict !== 'allow')
        throw new Error('a known key was not allowed');
      if (isNoted) usage.used(answer.decision.key, USE.peer, 200);
    }
  }
  judgeAll(); // warms up
  const times = Array.from({ length: REPEATS }, () => {
    const before = process.cpuUsage();
    cache.current?.(0);
    judgeAll();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / ROUNDS;
  });
  return times.toSorted((a, b) => a - b)[Math.floor(REPEATS / 2)] ?? Number.NaN;
}

function record(text: string, i: number, extra: Extra): KeyRecord {
  return {
    id: String(2 ** 40 + i),
    kind: 'ingestion',
    name: `key ${i}`,
    digest: digester(text).digest,
    state: 'active',
    createdAt: 0,
    createdBy: 'bench',
    revision: 1,
    ...extra,
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
