import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { ChannelCredentials, Client, Metadata } from '@grpc/grpc-js';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import {
  callGrpc,
  connectGrpc,
  frame,
  openGrpc,
  readGrpc,
  readRefusal,
  reasonOf,
  TRACES_PATH,
} from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2, openHttp } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

interface Setup {
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly key: string;
}

/** A collector that takes everything and never says anything. */
async function setUp(t: TestContext, upstreamTimeout: string): Promise<Setup> {
  const collector = await startCollector(t, { onGrpc: () => {}, onHttp: () => {} });
  const gateway = await startGateway(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl, timeout: upstreamTimeout },
  });
  const { text: key } = await gateway.createKey();
  return { gateway, collector, key };
}

async function timed<T>(promise: Promise<T>): Promise<[result: T, ms: number]> {
  const startedAt = performance.now();
  const result = await promise;
  return [result, performance.now() - startedAt];
}

function assertBetween(ms: number, min: number, max: number): void {
  assert.ok(ms >= min && ms <= max, `took ${ms} ms, not ${min} to ${max}`);
}

async function assertAllCancelled({ collector, gateway }: Setup): Promise<void> {
  await until('the collector is left alone', () => collector.open() === 0, 1_000);
  assert.equal(await gateway.metric('keygate_requests_in_flight'), 0);
}

describe('the deadline of a gRPC client', () => {
  it('ends a call with 4, and ends it at the collector too', async (t) => {
    const setup = await setUp(t, '30s');
    const session = await connectGrpc(t, setup.gateway.grpcAddress);
    const [answer, ms] = await timed(
      callGrpc(session, { headers: { 'x-api-key': setup.key, 'grpc-timeout': '200m' } }),
    );
    assert.deepEqual(readRefusal(answer), {
      code: 4,
      trailersOnly: true,
      reason: 'upstream_timeout',
      retrySeconds: undefined,
    });
    assertBetween(ms, 190, 1_200);
    await assertAllCancelled(setup);
  });

  it('is passed on to the collector as what remains of it', async (t) => {
    const setup = await setUp(t, '30s');
    const session = await connectGrpc(t, setup.gateway.grpcAddress);
    const stream = openGrpc(session, { headers: { 'x-api-key': setup.key, 'grpc-timeout': '5S' } });
    stream.end(frame(Buffer.alloc(10)));
    await until('the collector has the request', () => setup.collector.arrivals.length === 1);
    const remainingMs = parseTimeoutMs(setup.collector.arrivals[0]?.headers['grpc-timeout']?.[0]);
    assertBetween(remainingMs, 3_500, 5_000);
    stream.close();
  });

  it('in every unit is understood, and the shorter of it and the gateway’s own wins', async (t) => {
    const setup = await setUp(t, '20s');
    const session = await connectGrpc(t, setup.gateway.grpcAddress);
    const cases: readonly (readonly [sent: string | undefined, passedOnMs: number])[] = [
      ['99999999H', 20_000],
      ['2M', 20_000],
      ['9S', 9_000],
      ['9000m', 9_000],
      ['9000000u', 9_000],
      [undefined, 20_000],
    ];
    for (const [sent, passedOnMs] of cases) {
      const before = setup.collector.arrivals.length;
      const stream = openGrpc(session, { headers: { 'x-api-key': setup.key, 'grpc-timeout': sent } });
      stream.end(frame(Buffer.alloc(10)));
      await until('the collector has the request', () => setup.collector.arrivals.length > before);
      const ms = parseTimeoutMs(setup.collector.arrivals.at(-1)?.headers['grpc-timeout']?.[0]);
      assertBetween(ms, passedOnMs - 1_500, passedOnMs);
      stream.close();
    }
    await assertAllCancelled(setup);
  });

  it('that has passed already ends the call at once', async (t) => {
    const { gateway, key } = await setUp(t, '30s');
    const session = await connectGrpc(t, gateway.grpcAddress);
    const [answer, ms] = await timed(callGrpc(session, { headers: { 'x-api-key': key, 'grpc-timeout': '1n' } }));
    assert.deepEqual([readRefusal(answer).code, readRefusal(answer).reason], [4, 'upstream_timeout']);
    assertBetween(ms, 0, 1_000);
  });

  it('is seen by grpc-js as DEADLINE_EXCEEDED, and nothing is left at the collector', async (t) => {
    const setup = await setUp(t, '30s');
    const client = new Client(setup.gateway.grpcAddress, ChannelCredentials.createInsecure());
    t.after(() => client.close());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${setup.key}`);
    const same = (bytes: Buffer): Buffer => bytes;
    const code = await new Promise((resolve) => {
      client.makeUnaryRequest(
        TRACES_PATH,
        same,
        same,
        Buffer.alloc(10),
        metadata,
        { deadline: Date.now() + 200 },
        (error) => resolve(error?.code),
      );
    });
    assert.equal(code, 4);
    await assertAllCancelled(setup);
  });
});

describe('the time that the collector may take', () => {
  it('is upstream.timeout for gRPC clients without a deadline: 4', async (t) => {
    const setup = await setUp(t, '200ms');
    const session = await connectGrpc(t, setup.gateway.grpcAddress);
    const [answer, ms] = await timed(callGrpc(session, { headers: { 'x-api-key': setup.key } }));
    assert.deepEqual(readRefusal(answer), {
      code: 4,
      trailersOnly: true,
      reason: 'upstream_timeout',
      retrySeconds: undefined,
    });
    assertBetween(ms, 190, 1_200);
    await assertAllCancelled(setup);
  });

  it('is upstream.timeout for HTTP clients: 504 with a Status, over both versions', async (t) => {
    const setup = await setUp(t, '200ms');
    const session = await connectGrpc(t, setup.gateway.httpUrl);
    const headers = { 'x-api-key': setup.key };
    for (const send of [
      () => callHttp(setup.gateway.httpUrl, { headers }),
      () => callHttpOverH2(session, { headers }),
    ]) {
      const [answer, ms] = await timed(send());
      const status = decodeStatus(answer.body);
      assert.deepEqual(
        [answer.status, answer.headers['content-type'], answer.headers['retry-after'], status.code, reasonOf(status)],
        [504, 'application/x-protobuf', undefined, 4, 'upstream_timeout'],
      );
      assertBetween(ms, 190, 1_200);
    }
    await assertAllCancelled(setup);
  });

  it('does not run out for HTTP while the body is coming', async (t) => {
    const collector = await startCollector(t);
    const gateway = await startGateway(t, { upstream: { http: collector.httpUrl, timeout: '300ms' } });
    const { text: key } = await gateway.createKey();
    const { request, answer } = openHttp(gateway.httpUrl, { body: [], headers: { 'x-api-key': key } });
    for (let i = 0; i < 6; i++) {
      request.write('some of it');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    request.end();
    assert.equal((await answer).status, 200);
  });

  it('holds for a gRPC client that stops in the middle of its request, too', async (t) => {
    const setup = await setUp(t, '200ms');
    const stream = openGrpc(await connectGrpc(t, setup.gateway.grpcAddress), { headers: { 'x-api-key': setup.key } });
    stream.write(frame(Buffer.alloc(100)).subarray(0, 50));
    stream.on('response', () => stream.close());
    assert.equal((await readGrpc(stream)).code, 4);
    await assertAllCancelled(setup);
  });
});

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

function parseTimeoutMs(value: string | undefined): number {
  return Number(value?.slice(0, -1)) * (UNIT_MS[value?.at(-1) ?? ''] ?? Number.NaN);
}
