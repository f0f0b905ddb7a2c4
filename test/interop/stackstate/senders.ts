import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { debianProgram, MissingTool } from '../../conformance/toolchain.ts';
import { createTelemetry, decodeArrival, EXPECTED } from '../../support/telemetry.ts';
import { notInstallable, seen } from '../neighbour.ts';
import type { Cell, Row } from '../neighbour.ts';
import { pythonWith } from '../python.ts';
import { assertIdentified, startPlace, UNKNOWN_KEY } from './place.ts';
import type { Place } from './place.ts';

/** What sends to the agents' paths, and is not the agent itself. */

export const SITUATIONS = ['good key', 'unknown key', 'store away, key not seen before'] as const;
const TIMEOUT_MS = 30_000;
const MAX_SAID = 90;
const ARRIVED = "all of it arrived, with the key's name and without the key";

const run = promisify(execFile);

/** Sends once with this key, and tells in the sender's own words what became of it. */
type Send = (place: Place, key: string) => Promise<string>;

interface Sender {
  readonly name: string;
  readonly send: Send;
  /** What it says for itself in each situation. */
  readonly says: Readonly<Record<(typeof SITUATIONS)[number], RegExp>>;
  /** Looks at what arrived, and tells of it. */
  readonly arrived: (place: Place, key: string) => string;
}

export async function senderRows(cache: string): Promise<Row[]> {
  const senders: Sender[] = [
    {
      name: 'curl: raw intake, key in the query',
      send: (place, key) => curl('-d', '{}', `${place.url}/receiver/stsAgent/intake?api_key=${key}`),
      says: { 'good key': /^200$/, 'unknown key': /^403$/, 'store away, key not seen before': /^503$/ },
      arrived: atReceiver('/stsAgent/intake'),
    },
    {
      name: 'curl: is the key good? (GET /receiver/stsAgent/api/v1/validate)',
      send: (place, key) => curl(`${place.url}/receiver/stsAgent/api/v1/validate?api_key=${key}`),
      says: { 'good key': /^200$/, 'unknown key': /^403$/, 'store away, key not seen before': /^503$/ },
      arrived({ receiver }) {
        assert.equal(receiver.begun(), 0);
        return 'the receiver was not asked';
      },
    },
    {
      name: 'OpenTelemetry JS, endpoint /receiver/stsAgent/otel/v1/traces',
      send: exportTraces,
      says: {
        'good key': /^accepted$/,
        'unknown key': /^Forbidden$/,
        // It repeats that for as long as it has time.
        'store away, key not seen before': /retryable/,
      },
      arrived({ collector }, key) {
        assertIdentified(collector.arrivals, key);
        assert.deepEqual(
          collector.arrivals.map(({ path }) => path),
          ['/v1/traces'],
        );
        assert.deepEqual(
          collector.arrivals.map((each) => decodeArrival('traces', each)),
          [EXPECTED.traces],
        );
        return ARRIVED;
      },
    },
  ];
  const rows: Row[] = [];
  for (const sender of senders) rows.push({ name: sender.name, cells: await cellsOf(sender) });
  rows.push({ name: PYTHON_ROW, cells: await pythonCells(cache) });
  return rows;
}

async function cellsOf({ send, says, arrived }: Omit<Sender, 'name'>): Promise<Record<string, Cell>> {
  const cells: Record<string, Cell> = {};
  for (const situation of SITUATIONS) {
    cells[situation] = await seen(async (scope) => {
      const place = await startPlace(scope);
      const made = await place.createKey();
      const key = situation === 'unknown key' ? UNKNOWN_KEY : made;
      if (situation === 'store away, key not seen before') place.redis.freeze();
      const said = await send(place, key);
      assert.match(said, says[situation]);
      if (situation === 'good key') return `it says \`${said}\`; ${arrived(place, key)}`;
      assert.equal(place.receiver.begun() + place.collector.begun(), 0);
      return `it says \`${said.slice(0, MAX_SAID)}\`; nothing went on`;
    });
  }
  return cells;
}

function atReceiver(path: string): Sender['arrived'] {
  return ({ receiver }, key) => {
    assertIdentified(receiver.arrivals, key);
    assert.deepEqual(
      receiver.arrivals.map((each) => each.path),
      [path],
    );
    return ARRIVED;
  };
}

/** The status. */
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run(
    debianProgram('curl'),
    ['--silent', '--output', '/dev/null', '--write-out', '%{http_code}', ...args],
    { timeout: TIMEOUT_MS },
  );
  return stdout;
}

async function exportTraces(place: Place, key: string): Promise<string> {
  const { traces } = await createTelemetry();
  const url = `${place.url}/receiver/stsAgent/otel/v1/traces`;
  // Less than the exporter would repeat for: what it says of one attempt is looked at.
  const exporter = new OTLPTraceExporter({ url, headers: { 'sts-api-key': key }, timeoutMillis: 900 });
  const { code, error } = await new Promise<{ code: number; error?: Error }>((resolve) =>
    exporter.export(traces, resolve),
  );
  await exporter.shutdown();
  return code === 0 ? 'accepted' : (error?.message ?? '');
}

const PYTHON_ROW =
  'datadogpy 0.39, key in the query of /receiver/stsAgent/api/v1/series (the protocol that the agent has inherited)';

async function pythonCells(cache: string): Promise<Record<string, Cell>> {
  let python: string;
  try {
    python = pythonWith(join(import.meta.dirname, 'requirements.txt'), cache);
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    return Object.fromEntries(SITUATIONS.map((situation) => [situation, notInstallable(error.message)]));
  }
  return cellsOf({
    async send(place, key) {
      const script = join(import.meta.dirname, 'series.py');
      const { stdout } = await run(python, [script, `${place.url}/receiver/stsAgent`, key], { timeout: TIMEOUT_MS });
      return stdout.trim().split('\n', 1)[0] ?? '';
    },
    says: { 'good key': /^accepted$/, 'unknown key': /unknown_key/, 'store away, key not seen before': /503/ },
    arrived: atReceiver('/stsAgent/api/v1/series'),
  });
}
