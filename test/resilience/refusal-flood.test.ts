import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { ShownTraffic } from '../../src/admin/traffic.ts';
import { LOG_WINDOW_MS } from '../../src/telemetry/bounded-log.ts';
import { MAX_REFUSAL_LINES } from '../../src/telemetry/source-lines.ts';
import { startCollector } from '../support/collector.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { percentile } from '../support/process-usage.ts';
import { createCliHome } from '../support/run-cli.ts';
import { until } from '../support/wait.ts';

/** As many as this machine can, if it cannot do so many. */
const PER_SECOND = 10_000;
/** More than a window of the log. */
const FLOOD_S = 12;
const CALM_MS = 3_000;
const GOOD_SENDERS = 4;
const PROGRAM = 'checkout-agent/1.0';

interface Flood {
  readonly sent: number;
  readonly refused: number;
  readonly seconds: number;
}

/** One sender, in a process of its own, that is refused again and again. */
async function flood(port: string, key: string): Promise<Flood> {
  const script = join(dirname(import.meta.dirname), 'support/refused-flood.ts');
  const args = [script, port, key, PROGRAM, `${PER_SECOND}`, `${FLOOD_S}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close');
  return JSON.parse(said) as Flood;
}

async function setUp(t: TestContext) {
  const collector = await startCollector(t);
  const home = createCliHome();
  t.after(() => home.remove());
  const keygate = await startKeygateProcess(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    store: { sqlite: { path: home.at('keys.db') } },
    replica: { name: 'gateway-1' },
  });
  const make = async (...args: string[]): Promise<string> => (await home.run([...args, '-o', 'json'])).stdout;
  const token = /svctok-\w+/.exec(await make('service-token', 'create', '--name', 'sre', '--roles', 'viewer'))?.[0];
  const made = JSON.parse(await make('ingestion-api-key', 'create', '--name', 'checkout')) as Record<
    string,
    { apiKey: string; id: number }
  >;
  const { apiKey: key = '', id = 0 } = made['ingestion-api-key'] ?? {};
  const headers = { 'x-api-key': key, 'user-agent': PROGRAM };
  const worked = await callHttp(`http://${keygate.addresses.http}`, { headers });
  assert.equal(worked.status, 200);
  const removed = await home.run(['ingestion-api-key', 'delete', '--id', `${id}`, '--force', '--wait', '5s']);
  assert.equal(removed.code, 0, removed.stderr);
  const env = { KEYGATE_URL: `http://${keygate.addresses.admin}`, KEYGATE_SERVICE_TOKEN: token ?? '' };
  return { keygate, key, id, top: (...args: string[]) => home.spawn(['top', ...args], env) };
}

/** Good senders, each with one request after another, until told otherwise; how long each took, in ms. */
async function sendGood(t: TestContext, address: string, key: string, isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  const sender = async (): Promise<void> => {
    const session = await connectGrpc(t, address);
    while (!isOver()) {
      const startedAt = performance.now();
      const { code, message } = await callGrpc(session, { headers: { 'x-api-key': key } });
      assert.equal(code, 0, `a good request was refused: ${message}`);
      times.push(performance.now() - startedAt);
    }
    session.close();
  };
  await Promise.all(Array.from({ length: GOOD_SENDERS }, sender));
  return times;
}

/** How many refusals these lines tell of: each one, or how many were left out. */
function toldOf(lines: readonly Readonly<Record<string, unknown>>[]): number {
  return lines.reduce(
    (total, { message, dropped }) => total + (message === 'request refused' ? 1 : Number(dropped ?? 0)),
    0,
  );
}

describe('a flood of refusals of one sender', () => {
  it('is named by keygate top, does not fill the log, and keeps nobody else from sending', async (t) => {
    const { keygate, key, id, top } = await setUp(t);
    const { grpc, http } = keygate.addresses;
    const calmUntil = performance.now() + CALM_MS;
    const before = await sendGood(t, grpc, keygate.key, () => performance.now() > calmUntil);

    const linesBefore = keygate.log().length;
    const startedAt = performance.now();
    let isOver = false;
    const flooding = flood(http.slice(http.lastIndexOf(':') + 1), key).finally(() => (isOver = true));
    const good = sendGood(t, grpc, keygate.key, () => isOver);
    let named: ShownTraffic['refusedSources'][number] | undefined;
    await until(
      'keygate top names the sender',
      async () => {
        const { code, stdout, stderr } = await top('-o', 'json', '--sources', '1');
        assert.equal(code, 0, stderr);
        const [source] = (JSON.parse(stdout) as { traffic: ShownTraffic }).traffic.refusedSources;
        named = source;
        return source !== undefined && source.count > PER_SECOND / 10;
      },
      FLOOD_S * 1_000,
    );
    const namedAfterMs = performance.now() - startedAt;
    const screen = await top();
    const [{ sent, refused, seconds }, during] = await Promise.all([flooding, good]);

    assert.deepEqual(
      [named?.keyId, named?.keyName, named?.reason, named?.peer, named?.userAgent, named?.workedAt !== undefined],
      [id, 'checkout', 'revoked_key', '127.0.0.1', PROGRAM, true],
    );
    assert.equal(refused, sent, 'each of them is answered');

    // What was left out is told at the end of each window.
    await until(
      'the log accounts for each',
      () => toldOf(keygate.log().slice(linesBefore)) >= refused,
      2 * LOG_WINDOW_MS,
    );
    const windows = Math.ceil((performance.now() - startedAt) / LOG_WINDOW_MS) + 1;
    const lines = keygate.log().slice(linesBefore);
    assert.equal(toldOf(lines), refused);
    assert.ok(lines.length <= MAX_REFUSAL_LINES * windows, `${lines.length} lines in ${windows} windows`);
    // Five of them, and one that says how many more there were: it is one source.
    assert.ok(lines.length <= 6 * windows, `${lines.length} lines in ${windows} windows`);
    const written = lines.filter(({ message }) => message === 'request refused').length;
    assert.equal(await keygate.metric('keygate_log_lines_dropped_total', 'bound="source"'), refused - written);

    const bytes = lines.reduce((total, line) => total + JSON.stringify(line).length + 1, 0);
    const p99 = (times: readonly number[]): string => percentile(times, 99).toFixed(1);
    t.diagnostic(
      `${Math.round(refused / seconds)} refusals/s for ${seconds.toFixed(1)} s, ${during.length} good requests beside them`,
    );
    t.diagnostic(`keygate top named it after ${(namedAfterMs / 1_000).toFixed(1)} s`);
    t.diagnostic(`the log: ${lines.length} lines, ${bytes} bytes`);
    t.diagnostic(`p99 of good requests: ${p99(before)} ms before, ${p99(during)} ms meanwhile`);
    for (const line of screen.stdout.split('\n')) t.diagnostic(line);
  });
});
