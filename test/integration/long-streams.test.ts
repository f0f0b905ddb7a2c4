import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SYSTEM_CLOCK } from '../../src/clock.ts';
import type { NewKey } from '../../src/keys/new-key.ts';
import { LOOK_AGAIN_MS } from '../../src/plane/second-look.ts';
import { answerGrpc, answerHttp, startCollector } from '../support/collector.ts';
import type { CollectorOptions } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { connectGrpc, frame, openGrpc, readGrpc, readRefusal } from '../support/grpc-client.ts';
import { openHttp } from '../support/http-client.ts';
import { until } from '../support/wait.ts';

/** A method whose calls last, as those of OTel-Arrow do. */
const STREAM = '/opentelemetry.proto.experimental.arrow.v1.ArrowTracesService/ArrowTraces';
const TEST = { name: 'test' };
/** A request that began before a change is looked at no later than this, on a machine that is busy with other tests, too. */
const NOTICED_MS = 5 * LOOK_AGAIN_MS;

interface Setup {
  readonly key?: Partial<NewKey>;
  readonly collector?: CollectorOptions;
}

async function setUp(t: TestContext, { key, collector: options }: Setup = {}) {
  let aheadMs = 0;
  const clock = { ...SYSTEM_CLOCK, now: () => Date.now() + aheadMs };
  const collector = await startCollector(t, {
    onGrpcHead(stream) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
    },
    ...options,
  });
  const gateway = await startGateway(
    t,
    {
      upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
      routes: { grpc: { paths: [STREAM] } },
      canary: { interval: '0s' },
    },
    clock,
  );
  await gateway.app.keys.createOwner({ kind: 'serviceId', name: 'checkout' }, TEST);
  const { text, id } = await gateway.createKey(key);
  return { collector, gateway, text, id, advance: (ms: number) => void (aheadMs += ms) };
}

/** A stream on which messages go to the collector and back. */
async function openStream(t: TestContext, gateway: Gateway, key: string) {
  const stream = openGrpc(await connectGrpc(t, gateway.grpcAddress), { path: STREAM, headers: { 'x-api-key': key } });
  const answer = readGrpc(stream);
  let echoed = 0;
  let sent = 0;
  stream.on('data', (chunk: Buffer) => (echoed += chunk.length));
  stream.on('trailers', () => stream.close()); // as clients of gRPC do, who have then heard all there is
  const exchange = async (): Promise<void> => {
    const message = frame(Buffer.alloc(1_000));
    sent += message.length;
    stream.write(message);
    await until('the message comes back', () => echoed === sent);
  };
  await exchange();
  return { stream, answer, exchange };
}

const ENDS: readonly (readonly [
  what: string,
  reason: string,
  key: Partial<NewKey>,
  how: (setup: Awaited<ReturnType<typeof setUp>>) => unknown,
])[] = [
  ['is revoked', 'revoked_key', {}, ({ gateway, id }) => revoke(gateway, id)],
  ['is disabled', 'disabled_key', {}, ({ gateway, id }) => gateway.app.keys.disable('ingestion', id, TEST)],
  ['has run out', 'expired_key', { expiresAt: Date.now() + 3_600_000 }, ({ advance }) => advance(3_600_000)],
  ['has a locked owner', 'owner_locked', { owner: 'checkout' }, ({ gateway }) => lockOwner(gateway)],
];

async function revoke(gateway: Gateway, id: string): Promise<void> {
  await gateway.app.keys.revoke('ingestion', id, TEST, { force: true });
}

async function lockOwner({ app }: Gateway): Promise<void> {
  const [owner] = await app.keys.list('serviceId');
  assert.ok(owner);
  await app.keys.disable('serviceId', owner.id, TEST);
}

describe('a stream', () => {
  for (const [what, reason, key, how] of ENDS) {
    it(`ends with 7, and at the collector too, when its key ${what}`, async (t) => {
      const setup = await setUp(t, { key });
      const { answer } = await openStream(t, setup.gateway, setup.text);
      await how(setup);
      const ended = await Promise.race([answer, delay(NOTICED_MS, undefined, { ref: false })]);
      assert.ok(ended, 'the stream goes on');
      assert.deepEqual(readRefusal(ended), { code: 7, trailersOnly: false, reason, retrySeconds: undefined });
      await until('the collector is left alone', () => setup.collector.open() === 0);
      assert.equal(await setup.gateway.metric('keygate_requests_total', { reason }), 1);
      assert.equal(await setup.gateway.metric('keygate_requests_in_flight'), 0);
    });
  }

  it('goes on as long as its key is good, and is one request to its limits', async (t) => {
    const { gateway, text } = await setUp(t, { key: { limits: { requestsPerSecond: 1, requestBurst: 1 } } });
    const { stream, answer, exchange } = await openStream(t, gateway, text);
    for (const startedAt = performance.now(); performance.now() - startedAt < 2.5 * LOOK_AGAIN_MS;) {
      await exchange();
      await delay(100);
    }
    stream.end();
    assert.equal((await answer).code, 0);
    assert.equal(await gateway.metric('keygate_requests_total'), 1);
  });
});

describe('a request that the collector has got whole', () => {
  it('is answered by it, even if its key is revoked meanwhile: a "no" would come too late', async (t) => {
    const held: (() => void)[] = [];
    const { collector, gateway, text, id } = await setUp(t, {
      collector: {
        onGrpcHead: (stream) => {
          stream.resume();
          stream.on('end', () => held.push(() => answerGrpc(stream)));
        },
        onHttp: (response, arrival) => void held.push(() => answerHttp(response, arrival)),
      },
    });
    const stream = openGrpc(await connectGrpc(t, gateway.grpcAddress), { headers: { 'x-api-key': text } });
    const overGrpc = readGrpc(stream);
    stream.end(frame(Buffer.alloc(10)));
    const { request, answer: overHttp } = openHttp(gateway.httpUrl, { headers: { 'x-api-key': text }, body: 'all' });
    request.end('all');
    await until('the collector has both', () => held.length === 2);
    await revoke(gateway, id);
    await delay(2.5 * LOOK_AGAIN_MS);
    for (const answer of held) answer();
    assert.deepEqual([(await overGrpc).code, (await overHttp).status], [0, 200]);
    await until('nothing is left there', () => collector.open() === 0);
  });
});

describe('an upload whose key is revoked while it comes', () => {
  it('is refused over HTTP, and cut off at the collector', async (t) => {
    const { collector, gateway, text, id } = await setUp(t);
    const { request, answer } = openHttp(gateway.httpUrl, { headers: { 'x-api-key': text }, body: [] });
    request.write('the beginning');
    await until('it has begun at the collector', () => collector.begun() === 1);
    await revoke(gateway, id);
    const { status } = await answer;
    assert.equal(status, 403);
    assert.equal(await gateway.metric('keygate_requests_total', { reason: 'revoked_key' }), 1);
    await until('the collector is left alone', () => collector.open() === 0);
    assert.deepEqual(collector.arrivals, []);
    request.destroy();
  });
});
