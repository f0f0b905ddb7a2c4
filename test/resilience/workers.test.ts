import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { describe, it } from 'node:test';
import { LINES_OF_SOURCE } from '../../src/telemetry/source-lines.ts';
import { connectGrpc } from '../support/grpc-client.ts';
import { callHttp, connectRaw, keepAliveAgent } from '../support/http-client.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';
import { ACTOR, connectSome, send, startWorkers } from '../support/workers.ts';

describe('a gateway of two workers', { timeout: 120_000 }, () => {
  it('changes the level of the log at both, and at one that is replaced', async (t) => {
    const { keygate, createKey, connectBoth } = await startWorkers(t);
    const token = await createKey({ kind: 'service', roles: ['admin'] });
    const response = await fetch(`http://${keygate.addresses.admin}/api/log-level`, {
      method: 'PUT',
      headers: { 'x-api-key': token.text, 'content-type': 'application/json' },
      body: JSON.stringify({ level: 'debug' }),
    });
    assert.equal(response.status, 200, await response.text());
    const accepted = (): unknown[] =>
      keygate.log().flatMap(({ message, worker }) => (message === 'request accepted' ? [worker] : []));
    await connectBoth();
    await until('both have said so', () => accepted().length === 2);
    assert.deepEqual(new Set(accepted()), new Set([1, 2]));
    for (const pid of keygate.workers()) process.kill(pid, 'SIGKILL');
    await until('both are replaced', async () => (await keygate.metric('keygate_worker_restarts_total')) === 2);
    await until('both serve', async () => (await keygate.metric('keygate_workers')) === 2, 20_000);
    await connectBoth();
    await until('both have said so again', () => accepted().length === 4);
  });

  it('is one gateway: its ports, its metrics and its log', async (t) => {
    const { collector, keygate, createKey } = await startWorkers(t);
    assert.equal(keygate.workers().length, 2);
    const { text, id } = await createKey();
    const sessions = await connectSome(t, keygate, 4);
    const agent = keepAliveAgent(t);
    const before = collector.arrivals.length;
    for (let i = 0; i < 5; i++) {
      for (const session of sessions) assert.equal(await send(session, text), '0');
      const { status } = await callHttp(`http://${keygate.addresses.http}`, { headers: { 'x-api-key': text }, agent });
      assert.equal(status, 200);
    }
    assert.equal(await send(sessions[0] as ClientHttp2Session, 'nobody-has-this'), '7 unknown_key');
    assert.equal(collector.arrivals.length - before, 25);
    const { metric } = keygate;
    assert.deepEqual(
      {
        allowed: await metric('keygate_requests_total', 'verdict="allow"'),
        refused: await metric('keygate_requests_total', 'reason="unknown_key"'),
        decided: await metric('keygate_decision_seconds_count'),
        ofKey: await metric('keygate_key_requests_total', `key_id="${id}"`),
        bytesOfKey: await metric('keygate_key_request_bytes_total', `key_id="${id}"`),
        inFlight: await metric('keygate_requests_in_flight'),
        connections: await metric('keygate_connections'),
        workers: await metric('keygate_workers'),
        restarts: await metric('keygate_worker_restarts_total'),
        storeUp: await metric('keygate_store_up'),
        feedUp: await metric('keygate_feed_up'),
        builds: await metric('keygate_build_info'),
      },
      {
        allowed: before + 25,
        refused: 1,
        decided: before + 26,
        ofKey: 25,
        bytesOfKey: 20 * 14 + 5 * 9,
        inFlight: 0,
        connections: 5,
        workers: 2,
        restarts: 0,
        storeUp: 1,
        feedUp: 1,
        builds: 1,
      },
    );
    assert.equal(await metric('keygate_key_requests_total', `key_id="${id}"`), 25, 'nothing is told twice');
    assert.deepEqual(
      new Set(keygate.log().map(({ pid, worker }) => [pid, worker].join())),
      new Set([`${keygate.pid},`, ...keygate.workers().map((pid, i) => [pid, i + 1].join())]),
    );
    assert.equal((await fetch(`http://${keygate.addresses.ops}/readyz`)).status, 200);
  });

  it('refuses a revoked key at both, knows that it worked, and says so once', async (t) => {
    const { keygate, keys, createKey, connectBoth } = await startWorkers(t);
    const { text, id } = await createKey();
    const [a, b] = await connectBoth();
    assert.deepEqual([await send(a, text), await send(b, text)], ['0', '0']);
    await keys.revoke('ingestion', id, ACTOR, { force: true });
    for (const session of [a, b]) {
      await until('it is refused', async () => (await send(session, text)) === '7 revoked_key');
      assert.deepEqual([await send(session, text), await send(session, text)], ['7 revoked_key', '7 revoked_key']);
    }
    const name = 'keygate_refused_source_requests_per_second';
    const series = (await (await fetch(`http://${keygate.addresses.ops}/metrics`)).text())
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`));
    assert.equal(series.length, 1, series.join('\n'));
    assert.match(series[0] ?? '', new RegExp(`reason="revoked_key".*key_id="${id}".*worked="true"`));
  });

  it('writes no more of a flood into the log than one process would, and accounts for each refusal', async (t) => {
    const { keygate, connectBoth } = await startWorkers(t);
    for (const session of await connectBoth()) {
      for (let i = 0; i < 20; i++) assert.equal(await send(session, 'nobody-has-this'), '7 unknown_key');
    }
    keygate.signal('SIGTERM');
    await keygate.exited;
    const refused = keygate.logged('request refused');
    assert.deepEqual(new Set(refused.map(({ worker }) => worker)), new Set([1, 2]));
    assert.ok(refused.length <= LINES_OF_SOURCE, `${refused.length} lines of one source`);
    const leftOut = keygate.logged('refusals of one source were left out of the log');
    assert.equal(refused.length + leftOut.reduce((sum, { dropped }) => sum + Number(dropped), 0), 40);
  });

  it('tells the admin API the traffic of both', async (t) => {
    const { keygate, createKey, connectBoth } = await startWorkers(t);
    const token = await createKey({ kind: 'service', roles: ['viewer'] });
    const [a, b] = await connectBoth();
    for (const session of [a, b]) await send(session, 'nobody-has-this');
    const response = await fetch(`http://${keygate.addresses.admin}/api/traffic`, {
      headers: { 'x-api-key': token.text },
    });
    const { outcomes, refusedSources } = (await response.json()) as {
      outcomes: { verdict: string; count: number }[];
      refusedSources: { reason: string; count: number }[];
    };
    const counts = new Map(outcomes.map(({ verdict, count }) => [verdict, count]));
    assert.deepEqual([counts.get('allow'), counts.get('deny')], [2, 2]);
    assert.deepEqual(
      refusedSources.map(({ reason, count }) => [reason, count]),
      [['unknown_key', 2]],
    );
  });

  it('holds a key to its limits across both', async (t) => {
    const { createKey, connectBoth } = await startWorkers(t);
    const { text } = await createKey({ limits: { requestsPerSecond: 1, requestBurst: 300 } });
    const [a, b] = await connectBoth();
    const ofA = await Promise.all(Array.from({ length: 300 }, () => send(a, text)));
    assert.deepEqual(new Set(ofA), new Set(['0']), 'all of its burst, though at one worker');
    let ofB = 0;
    await until('the other one refuses', async () => {
      const outcome = await send(b, text);
      if (outcome === '0') ofB += 1;
      return outcome === '8 rate_limited';
    });
    assert.ok(ofB < 150, `the other worker let through ${ofB} more`);
  });

  it('takes no more connections than it may, at whichever worker', async (t) => {
    const { keygate } = await startWorkers(t, { limits: { maxConnections: 3 } });
    await connectSome(t, keygate, 3);
    const port = Number(keygate.addresses.grpc.slice(keygate.addresses.grpc.lastIndexOf(':') + 1));
    const fourth = await connectRaw(t, port);
    if (!fourth.closed) await once(fourth, 'close');
    assert.equal(await keygate.metric('keygate_connections', 'grpc'), 3);
  });

  it('speaks TLS on connections that were handed over, in both versions of HTTP', async (t) => {
    const { cert, certPath, keyPath } = await createCertificate(t);
    const listen = { address: '127.0.0.1:0', tls: { cert: certPath, key: keyPath } };
    const { keygate } = await startWorkers(t, { listen: { grpc: listen, http: listen } });
    const session = await connectGrpc(t, `https://${keygate.addresses.grpc}`, { ca: cert });
    assert.equal(await send(session, keygate.key), '0');
    const headers = { 'x-api-key': keygate.key };
    assert.equal((await callHttp(`https://${keygate.addresses.http}`, { headers, ca: cert })).status, 200);
  });
});
