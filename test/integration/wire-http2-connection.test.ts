import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { createToUpstream } from '../../src/headers.ts';
import { ClientConnection } from '../../src/plane/wire/http2/client-connection.ts';
import type { ConnectionOwner } from '../../src/plane/wire/http2/client-connection.ts';
import { ClientStream } from '../../src/plane/wire/http2/client-stream.ts';
import { createHeadBlocks } from '../../src/plane/wire/http2/onward-head.ts';
import { Endpoint } from '../../src/upstream/endpoint.ts';
import { parseTarget } from '../../src/upstream/target.ts';
import { startFrameServer } from '../support/frame-server.ts';
import { FRAME } from '../support/h2-frames.ts';
import { newRecord } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { HEAD, RecordedCall } from '../support/wire-upstream.ts';

/** One connection alone, and what it told. */
async function connect(t: TestContext, url: string) {
  const target = parseTarget(url);
  const told: string[] = [];
  const owner: ConnectionOwner = {
    ready: () => void told.push('ready'),
    roomFreed: () => {},
    answered: () => void told.push('answered'),
    leaving: () => void told.push('leaving'),
    closed: (_connection, streams, why) => void told.push(`closed with ${streams} streams: ${why}`),
  };
  const connection = new ClientConnection({
    endpoint: new Endpoint({
      address: target.host,
      port: target.port,
      random: Math.random,
      probe: undefined,
      canBeSpared: () => true,
      changed: () => {},
    }),
    tls: undefined,
    connectTimeoutMs: 5_000,
    nowMs: 0,
    owner,
    headBlocks: createHeadBlocks(target, createToUpstream({ carriers: [], tenantHeader: undefined })),
  });
  t.after(() => connection.leave());
  await until('it is ready', () => connection.state === 'ready');

  function begin(): RecordedCall {
    const call = new RecordedCall();
    const request = { head: HEAD, key: newRecord(), varying: [], bodyLength: undefined };
    const stream = new ClientStream(request, call, { placeAgain: () => {}, withdraw: () => {} });
    call.call = stream;
    connection.begin(stream);
    stream.write(Buffer.from('body'), true);
    return call;
  }
  return { connection, told, begin };
}

describe('a connection to a collector', () => {
  it('announces a window that calls whose answers nobody reads cannot use up, and fills it up by halves', async (t) => {
    const server = await startFrameServer(t);
    const { connection } = await connect(t, server.url);
    const updates = (): number[] => server.of(FRAME.WINDOW_UPDATE).map(({ payload }) => payload.readUInt32BE());
    await until('it is announced', () => updates().length === 1);
    assert.equal(updates()[0], (1 << 30) - 65_535);
    connection.released((1 << 29) - 1);
    connection.released(1);
    await until('it is filled up', () => updates().length === 2);
    assert.equal(updates()[1], 1 << 29);
  });

  it('takes no more streams when their numbers are used up, and ends with the last of them', async (t) => {
    const server = await startFrameServer(t);
    const { connection, told, begin } = await connect(t, server.url);
    Reflect.set(connection, 'nextId', 2 ** 31 - 3);
    const first = begin();
    assert.equal(connection.hasRoom, true);
    const last = begin();
    assert.deepEqual([connection.hasRoom, connection.state], [false, 'leaving']);
    assert.deepEqual([(await first.ended).grpcStatus, (await last.ended).grpcStatus], [0, 0]);
    assert.deepEqual(told, ['ready', 'leaving', 'answered', 'answered', 'closed with 0 streams: it is done']);
    assert.deepEqual(
      server.of(FRAME.HEADERS).map(({ streamId }) => streamId),
      [2 ** 31 - 3, 2 ** 31 - 1],
    );
  });

  it('that is not asked to do anything asks nothing', async (t) => {
    const server = await startFrameServer(t);
    const { connection } = await connect(t, server.url);
    for (let nowMs = 0; nowMs < 3_600_000; nowMs += 5_000) connection.check(nowMs);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(server.of(FRAME.PING).length, 0);
  });
});
