import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../support/collector.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp, keepAliveAgent } from '../support/http-client.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { createCliHome } from '../support/run-cli.ts';
import type { CliHome } from '../support/run-cli.ts';
import { until } from '../support/wait.ts';
import { assertUnharmed, PLANE, startSubject } from './subject.ts';
import type { Subject } from './subject.ts';
import { debianProgram } from './toolchain.ts';

/**
 * slowhttptest: senders that are so slow that they occupy a server with next to no effort. Each must be gone at the gateway
 * when the limit that is meant for it has passed, and nobody else may notice anything.
 */

const slowhttptest = debianProgram('slowhttptest');

const ATTACKERS = 200;
/** At least as many at once are an attack; on a busy machine the first are gone before the last have come. */
const MANY = ATTACKERS / 2;
const LIMITS = { headersTimeout: '2s', bodyTimeout: '4s', idleTimeout: '5s' };
/** Limits are looked at a few times a second, here on a machine that may be busy. */
const SLACK_SECONDS = 6;

interface Attack {
  readonly sentence: string;
  readonly args: readonly string[];
  readonly path: string;
  /** After the last one has begun. */
  readonly goneAfterSeconds: number;
}

const ATTACKS: readonly Attack[] = [
  {
    sentence: 'request heads that never end (-H)',
    args: ['-H', '-t', 'POST', '-i', '1'],
    path: '/v1/traces',
    goneAfterSeconds: 2,
  },
  {
    sentence: 'bodies that trickle in (-B)',
    args: ['-B', '-i', '1', '-s', '65536'],
    path: '/v1/traces',
    goneAfterSeconds: 4 + 2, // the limit of the body, and before it that of the head
  },
  {
    sentence: 'answers that are read byte by byte (-X)',
    args: ['-X', '-n', '1', '-z', '5', '-w', '10', '-y', '20'],
    path: '/remote-config', // what it asks for, it asks for with GET
    goneAfterSeconds: 5 + 5, // upstream.timeout, in which some of the answer must pass, and limits.idleTimeout
  },
];

/** So large that it cannot all leave while nobody reads it. */
const SETTINGS = Buffer.alloc(1 << 20);

describe(`${ATTACKERS} attackers of slowhttptest, plane: ${PLANE}`, () => {
  for (const { sentence, args, path, goneAfterSeconds } of ATTACKS) {
    it(sentence, async (t) => {
      const home = createCliHome();
      t.after(() => home.remove());
      const attackersKey = await createKey(home);
      const settings = await startCollector(t, { onHttp: (response) => response.end(SETTINGS) });
      const subject = await startSubject(t, {
        limits: LIMITS,
        upstream: { timeout: '5s' },
        store: { sqlite: { path: home.at('keys.db') } },
        routes: { remoteConfig: { target: settings.httpUrl } },
      });
      const { gateway } = subject;
      const traffic = startTraffic(t, subject);
      const attack = startAttack(t, args, `http://${gateway.addresses.http}${path}`, attackersKey);
      const { peak, lastedSeconds } = await watchConnections(gateway, goneAfterSeconds + SLACK_SECONDS);
      const report = await attack.end();
      const { served, faults } = await traffic.end();
      console.log(
        `  ${peak} connections at once, gone after ${lastedSeconds.toFixed(1)} s; ${served} others served; ` +
          `${gateway.peakMegabytes().toFixed(0)} MB at most`,
      );
      assert.deepEqual(faults, []);
      assert.ok(peak >= MANY, `${peak} connections were open at most: the attack did not take place`);
      assert.ok(lastedSeconds <= goneAfterSeconds + SLACK_SECONDS, `attackers after ${lastedSeconds.toFixed(1)} s`);
      assert.match(report, /service available:\s+YES/);
      assert.doesNotMatch(report, /service available:\s+NO/);
      if (path === '/remote-config') assert.ok(settings.begun() >= MANY, `${settings.begun()} answers were asked for`);
      await until('no answer is held any more', () => settings.open() === 0);
      await assertUnharmed(t, subject);
    });
  }
});

/** One that may also read. */
async function createKey(home: CliHome): Promise<string> {
  const create = ['ingestion-api-key', 'create', '--name', 'attacker', '--type', 'sensor', '-o', 'json'];
  const { stdout } = await home.run(create);
  return (JSON.parse(stdout) as { 'ingestion-api-key': { apiKey: string } })['ingestion-api-key'].apiKey;
}

/** Its own connection of valid traffic, and the one with which slowhttptest looks whether the service is there. */
const OTHERS = 2;
const SAMPLE_MS = 100;

/** How many connections there were at most, and how long after that it took until they were gone. */
async function watchConnections(gateway: KeygateProcess, patienceSeconds: number) {
  let peak = 0;
  let peakAt = performance.now();
  const lasted = (): number => (performance.now() - peakAt) / 1_000;
  for (;;) {
    const open = await gateway.metric('keygate_connections', 'port="http"');
    if (open > peak) [peak, peakAt] = [open, performance.now()];
    const isOver = open <= OTHERS && peak > OTHERS;
    if (isOver || lasted() > patienceSeconds + 1) return { peak, lastedSeconds: lasted() };
    await delay(SAMPLE_MS);
  }
}

function startAttack(t: TestContext, args: readonly string[], url: string, key: string) {
  const count = ['-c', String(ATTACKERS), '-r', String(ATTACKERS), '-l', '60', '-p', '10'];
  // It has no option for fields of one's own, but puts the path into the head as it is.
  const target = ['-u', `${url} HTTP/1.1\r\nX-API-Key: ${key}\r\nX-Rest-Of-The-Line:`];
  const child = spawn(slowhttptest, [...args, ...count, ...target], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => void child.kill());
  let report = '';
  for (const output of [child.stdout, child.stderr]) output.on('data', (chunk: Buffer) => (report += chunk.toString()));
  const closed = new Promise((resolve) => child.once('close', resolve));
  return {
    /** Ends it, if it has not ended by itself, and tells all that it wrote, without colours. */
    async end(): Promise<string> {
      child.kill('SIGINT');
      await closed;
      return report.replaceAll(/\u001B\[[0-9;]*[A-Za-z]/g, '');
    },
  };
}

const PAUSE_MS = 20;

/** Senders as they should be, over both protocols, one after the other. */
function startTraffic(t: TestContext, { gateway }: Subject) {
  const headers = { 'x-api-key': gateway.key };
  const agent = keepAliveAgent(t);
  const faults: string[] = [];
  let served = 0;
  const ending = new AbortController();
  const send = async (): Promise<void> => {
    const session = await connectGrpc(t, gateway.addresses.grpc);
    while (!ending.signal.aborted) {
      const overHttp = await callHttp(`http://${gateway.addresses.http}`, { headers, agent }).catch(String);
      const overGrpc = await callGrpc(session, { headers });
      if (typeof overHttp === 'string' || overHttp.status !== 200)
        faults.push(`HTTP: ${typeof overHttp === 'string' ? overHttp : overHttp.status}`);
      if (overGrpc.code !== 0) faults.push(`gRPC: ${overGrpc.code} ${overGrpc.message}`);
      served += 2;
      await delay(PAUSE_MS);
    }
    session.destroy();
    agent.destroy();
  };
  const done = send();
  return {
    async end(): Promise<{ served: number; faults: readonly string[] }> {
      ending.abort();
      await done;
      return { served, faults };
    },
  };
}
