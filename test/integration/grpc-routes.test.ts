import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { NewKey } from '../../src/keys/new-key.ts';
import { startCollector } from '../support/collector.ts';
import type { CollectorOptions } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, frame, openGrpc, readGrpc, readRefusal } from '../support/grpc-client.ts';
import { until } from '../support/wait.ts';

const ARROW = '/opentelemetry.proto.experimental.arrow.v1.ArrowTracesService/ArrowTraces';

async function setUp(t: TestContext, key: Partial<NewKey> = {}, options: CollectorOptions = {}, paths = [ARROW]) {
  const collector = await startCollector(t, options);
  const gateway = await startGateway(t, { upstream: { grpc: collector.grpcUrl }, routes: { grpc: { paths } } });
  const session = await connectGrpc(t, gateway.grpcAddress);
  const { text, id } = await gateway.createKey(key);
  const call = (path: string) => callGrpc(session, { path, headers: { 'x-api-key': text } });
  return { collector, gateway, session, call, text, id };
}

describe('gRPC methods besides those of OTLP', () => {
  it('are relayed once they are configured, to the letter, with the identity of the key', async (t) => {
    const { collector, gateway, call, id } = await setUp(t);
    const codes = [];
    for (const path of [ARROW, `${ARROW}/`, ARROW.toLowerCase(), ARROW.replace('ArrowTraces', 'Other')])
      codes.push((await call(path)).code);
    assert.deepEqual(codes, [0, 12, 12, 12]);
    assert.deepEqual(
      collector.arrivals.map(({ path, headers }) => [path, headers['x-keygate-key-id'], headers['x-api-key']]),
      [[ARROW, [id], undefined]],
    );
    assert.equal(await gateway.metric('keygate_requests_total', { signal: 'grpc', verdict: 'allow' }), 1);
    assert.equal(await gateway.metric('keygate_requests_total', { signal: 'none', reason: 'not_found' }), 3);
  });

  it('do not exist until then', async (t) => {
    const { collector, call } = await setUp(t, {}, {}, []);
    assert.equal(readRefusal(await call(ARROW)).reason, 'not_found');
    assert.equal(collector.arrivals.length, 0);
  });

  for (const type of ['sensor', 'thirdParty', 'rum'] as const) {
    it(`are not for keys of the type ${type}`, async (t) => {
      const { collector, call } = await setUp(t, { type });
      const { code, reason } = readRefusal(await call(ARROW));
      assert.deepEqual([code, reason], [7, 'route_not_allowed']);
      assert.equal(collector.arrivals.length, 0);
    });
  }

  it('are not for keys that are limited to signals, because nobody knows which of them comes in', async (t) => {
    const { call } = await setUp(t, { signals: ['traces'] });
    assert.equal(readRefusal(await call(ARROW)).reason, 'signal_not_allowed');
  });

  it('may stream both ways, each message answered before the next is sent', async (t) => {
    const { session, text } = await setUp(
      t,
      {},
      {
        onGrpcHead(stream) {
          stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
          stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
          stream.pipe(stream);
        },
      },
    );
    const stream = openGrpc(session, { path: ARROW, headers: { 'x-api-key': text } });
    const answer = readGrpc(stream);
    let echoed = 0;
    stream.on('data', (chunk: Buffer) => (echoed += chunk.length));
    for (let sent = 0, round = 0; round < 3; round += 1) {
      const message = frame(Buffer.alloc(10_000, round));
      sent += message.length;
      stream.write(message);
      await until('the message is answered', () => echoed === sent);
    }
    stream.end();
    assert.equal((await answer).code, 0);
  });
});
