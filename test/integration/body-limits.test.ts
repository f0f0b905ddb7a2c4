import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, frame, readRefusal, reasonOf } from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import type { HttpAnswer } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

const LIMIT = 65_536;

async function setUp(t: TestContext) {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    limits: { maxBody: `${LIMIT}B` },
  });
  const headers = { 'x-api-key': (await gateway.createKey()).text };
  return { collector, gateway, headers };
}

function chunks(bytes: number, size = 1_000): Buffer[] {
  return Array.from({ length: Math.ceil(bytes / size) }, (_, index) =>
    Buffer.alloc(Math.min(size, bytes - index * size)),
  );
}

function assertTooLarge({ status, headers, body }: HttpAnswer): void {
  const decoded = decodeStatus(body);
  assert.deepEqual(
    [status, headers['retry-after'], decoded.code, reasonOf(decoded)],
    [413, undefined, 8, 'body_too_large'],
  );
}

describe('a body as large as it may be', () => {
  it('passes: by its length, in chunks, and over gRPC with its prefix', async (t) => {
    const { gateway, collector, headers } = await setUp(t);
    assert.equal((await callHttp(gateway.httpUrl, { headers, body: Buffer.alloc(LIMIT) })).status, 200);
    assert.equal((await callHttp(gateway.httpUrl, { headers, body: chunks(LIMIT) })).status, 200);
    const session = await connectGrpc(t, gateway.grpcAddress);
    assert.equal((await callGrpc(session, { headers, body: frame(Buffer.alloc(LIMIT - 5)) })).code, 0);
    assert.equal((await callHttpOverH2(session, { headers, body: chunks(LIMIT) })).status, 200);
    assert.deepEqual(
      collector.arrivals.map(({ bodyBytes }) => bodyBytes),
      [LIMIT, LIMIT, LIMIT, LIMIT],
    );
  });
});

describe('a body that is larger is refused without a retry hint', () => {
  it('at once when its length says so', async (t) => {
    const { gateway, collector, headers } = await setUp(t);
    assertTooLarge(await callHttp(gateway.httpUrl, { headers, body: Buffer.alloc(LIMIT + 1) }));
    const session = await connectGrpc(t, gateway.httpUrl);
    assertTooLarge(
      await callHttpOverH2(session, {
        headers: { ...headers, 'content-length': LIMIT + 1 },
        body: Buffer.alloc(LIMIT + 1),
      }),
    );
    assert.equal(collector.begun(), 0);
  });

  it('with the first byte too many when it comes in chunks, over both versions of HTTP', async (t) => {
    const { gateway, collector, headers } = await setUp(t);
    assertTooLarge(await callHttp(gateway.httpUrl, { headers, body: chunks(LIMIT + 1) }));
    const session = await connectGrpc(t, gateway.httpUrl);
    assertTooLarge(await callHttpOverH2(session, { headers, body: chunks(LIMIT + 1) }));
    await until('the collector is left alone', () => collector.open() === 0);
    assert.deepEqual(collector.arrivals, []);
  });

  it('with the first byte too many over gRPC: 8 without RetryInfo, which is not retried', async (t) => {
    const { gateway, collector, headers } = await setUp(t);
    const session = await connectGrpc(t, gateway.grpcAddress);
    const answer = await callGrpc(session, { headers, body: [frame(Buffer.alloc(LIMIT - 4))] });
    assert.deepEqual(readRefusal(answer), {
      code: 8,
      trailersOnly: true,
      reason: 'body_too_large',
      retrySeconds: undefined,
    });
    await until('the collector is left alone', () => collector.open() === 0);
    assert.deepEqual(
      collector.arrivals.filter(({ bodyBytes }) => bodyBytes > LIMIT),
      [],
    );
    assert.equal((await callGrpc(session, { headers })).code, 0, 'the connection stays usable');
  });

  it('though it never ends: the sender is cut off, and nothing stays in flight', async (t) => {
    const { gateway, headers } = await setUp(t);
    const answer = await callHttp(gateway.httpUrl, { headers, body: chunks(LIMIT * 4, 16_000) });
    assertTooLarge(answer);
    assert.equal(await gateway.metric('keygate_requests_in_flight'), 0);
    assert.equal(await gateway.metric('keygate_requests_total', { reason: 'body_too_large' }), 1);
  });
});
