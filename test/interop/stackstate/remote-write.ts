import assert from 'node:assert/strict';
import { debianProgram } from '../../conformance/toolchain.ts';
import { startPrometheus } from '../../prometheus/prometheus.ts';
import type { TestPrometheus } from '../../prometheus/prometheus.ts';
import { startCollector } from '../../support/collector.ts';
import { Cleanups } from '../../support/scope.ts';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/wait.ts';
import { rowsWithout, seen } from '../neighbour.ts';
import type { Cell, Row } from '../neighbour.ts';
import { countsOf } from '../prometheus/counts.ts';
import { assertIdentified, startPlace, UNKNOWN_KEY } from './place.ts';
import type { Place } from './place.ts';

export const WRITE_SITUATIONS = ['good key', 'unknown key', 'store away for 8 s, key not seen before'] as const;

/** As StackState documents it. */
const WAYS: Readonly<Record<string, (key: string) => object>> = {
  'headers: { sts-api-key: KEY }': (key) => ({ headers: { 'sts-api-key': key } }),
  'basic_auth: { username: apikey, password: KEY }': (key) => ({ basic_auth: { username: 'apikey', password: key } }),
};

const PATH = '/receiver/prometheus/api/v1/write';
const PATIENCE_MS = 40_000;
const OUTAGE_MS = 8_000;

/** A real Prometheus that scrapes the gateway and writes it on. */
export async function remoteWriteRows(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, auth] of Object.entries(WAYS)) {
    if (name.startsWith('headers') && !(await sendsHeaders())) {
      rows.push(...rowsWithout([name], WRITE_SITUATIONS, NO_HEADERS));
      continue;
    }
    const cells: Record<string, Cell> = {
      'good key': await seen(async (scope) => {
        const { place, key, prometheus } = await start(scope, auth);
        await until('five batches arrived', () => place.receiver.arrivals.length >= 5, PATIENCE_MS);
        assertIdentified(place.receiver.arrivals, key);
        assert.deepEqual(
          new Set(place.receiver.arrivals.map(({ path }) => path)),
          new Set(['/prometheus/api/v1/write']),
        );
        assert.deepEqual(await countsOf(prometheus), { failed: 0, retried: 0 });
        return `${place.receiver.arrivals.length} batches arrived, with the key's name and without the key; it counts none as failed`;
      }),
      'unknown key': await seen(async (scope) => {
        const { place, prometheus } = await start(scope, auth, UNKNOWN_KEY);
        await until('it gives samples up', async () => (await countsOf(prometheus)).failed > 0, PATIENCE_MS);
        const said = prometheus.log();
        assert.match(said, /403 Forbidden: .*The key is not known here/);
        assert.equal(place.receiver.begun(), 0);
        return 'it drops the samples and logs "403 Forbidden: The key is not known here ..."; nothing went on';
      }),
      'store away for 8 s, key not seen before': await seen(async (scope) => {
        const { place, key, prometheus } = await start(scope, auth, undefined, (redis) => redis.freeze());
        await until('it tries again', async () => (await countsOf(prometheus)).retried > 0, PATIENCE_MS);
        assert.equal(place.receiver.begun(), 0);
        setTimeout(() => place.redis.thaw(), OUTAGE_MS);
        await until('batches arrived', () => place.receiver.arrivals.length >= 3, PATIENCE_MS);
        const { failed, retried } = await countsOf(prometheus);
        assertIdentified(place.receiver.arrivals, key);
        assert.equal(failed, 0);
        assert.doesNotMatch(prometheus.log(), /status 403/);
        return `it kept the samples and tried ${retried} of them again; ${place.receiver.arrivals.length} batches arrived, none failed`;
      }),
    };
    rows.push({ name, cells });
  }
  return rows;
}

const NO_HEADERS =
  'this Prometheus sends nothing of what `headers` says, whoever is at the other end (2.42 of Debian); use `basic_auth`';

/** Whether what its section `headers` says arrives at a plain server. */
async function sendsHeaders(): Promise<boolean> {
  const scope = new Cleanups();
  try {
    const server = await startCollector(scope);
    const config = { remote_write: [{ url: `${server.httpUrl}/`, headers: { 'x-probe': 'yes' } }] };
    const program = debianProgram('prometheus');
    await startPrometheus(scope, { program, jobs: { nobody: ['127.0.0.1:9'] }, config });
    await until('something arrived', () => server.arrivals.length > 0, PATIENCE_MS);
    return 'x-probe' in (server.arrivals[0]?.headers ?? {});
  } finally {
    await scope.run();
  }
}

async function start(
  scope: Scope,
  auth: (key: string) => object,
  givenKey?: string,
  before: (redis: Place['redis']) => void = () => {},
): Promise<{ place: Place; key: string; prometheus: TestPrometheus }> {
  const program = debianProgram('prometheus');
  const place = await startPlace(scope);
  const made = await place.createKey();
  const key = givenKey ?? made;
  before(place.redis);
  const prometheus = await startPrometheus(scope, {
    program,
    jobs: { keygate: [place.keygate.addresses.ops] },
    config: { remote_write: [{ url: `${place.url}${PATH}`, ...auth(key) }] },
  });
  return { place, key, prometheus };
}
