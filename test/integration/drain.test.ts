import assert from 'node:assert/strict';
import type * as net from 'node:net';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setImmediate as letOthersRun, setTimeout as delay } from 'node:timers/promises';
import { FAREWELL_MS } from '../../src/plane/wire/server-connection.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { HOST, LINE } from '../support/http1-client.ts';
import { connectRaw } from '../support/http-client.ts';
import { request } from '../support/raw-http.ts';
import { until } from '../support/wait.ts';

function keepBusy(ms: number): void {
  for (const begunAt = performance.now(); performance.now() - begunAt < ms;) {
    // nobody else runs, and nothing is read
  }
}

/** A connection, and what came on it. */
interface Sender {
  readonly socket: net.Socket;
  send(...fields: readonly string[]): void;
  /** The statuses, and what was said of the connection. */
  said(): readonly string[];
}

async function setUp(t: TestContext) {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    // Whoever waits for it waits for longer than a test may take.
    limits: { drainTimeout: '10m' },
  });
  const { text: key } = await gateway.createKey();
  return {
    collector,
    gateway,
    key,
    async connect(): Promise<Sender> {
      const socket = await connectRaw(t, gateway.addresses.http.port);
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      return {
        socket,
        send: (...fields) =>
          void socket.write(request(LINE, [HOST, `X-API-Key: ${key}`, 'Content-Length: 4', ...fields], 'data')),
        said: () => text.toLowerCase().match(/^http\/1\.1 \d+|^connection: \w+/gm) ?? [],
      };
    },
    /** Resolves when it has begun to say goodbye; the other promise when it is done. */
    async drain(): Promise<{ drained: Promise<void> }> {
      const drained = gateway.app.drain();
      await until('it says goodbye', () => gateway.log.some((line) => line.includes('no new connections')));
      return { drained };
    },
  };
}

// Node's server ends those that are idle at once, and the last stream of each connection is named without waiting.
const skip = process.env['KEYGATE_PLANE'] === 'library';

describe('a gateway that drains', { skip }, () => {
  it('serves what comes on connections that were opened before, whether or not they were used', async (t) => {
    const { gateway, key, connect, drain } = await setUp(t);
    const [used, fresh, freshGrpc] = [
      await connect(),
      await connect(),
      await connectRaw(t, gateway.addresses.grpc.port),
    ];
    used.send();
    await until('it is answered', () => used.said().length > 0);
    const { drained } = await drain();
    used.send();
    fresh.send();
    const session = await connectGrpc(t, gateway.grpcAddress, { createConnection: () => freshGrpc });
    assert.equal((await callGrpc(session, { headers: { 'x-api-key': key } })).code, 0);
    await drained;
    assert.deepEqual(used.said(), ['http/1.1 200', 'http/1.1 200', 'connection: close']);
    assert.deepEqual(fresh.said(), ['http/1.1 200', 'connection: close']);
  });

  it('serves what had come before it took the silence for an end, though it had no time to read it', async (t) => {
    const { connect, drain } = await setUp(t);
    const sender = await connect();
    sender.send();
    await until('it is answered', () => sender.said().length > 0);
    const { drained } = await drain();
    await delay(FAREWELL_MS / 2); // it has been looked at
    await letOthersRun(); // behind the reading, and before the timers
    sender.send();
    keepBusy(FAREWELL_MS);
    await drained;
    assert.deepEqual(sender.said(), ['http/1.1 200', 'http/1.1 200', 'connection: close']);
  });

  it('does not wait for connections that Node’s server took over, and serves what comes on them', async (t) => {
    const { connect, drain } = await setUp(t);
    const unusual = 'Expect: nothing';
    const [idle, busy, late] = [await connect(), await connect(), await connect()];
    for (const sender of [idle, busy]) {
      sender.send(unusual);
      await until('it is answered', () => sender.said().length > 0);
    }
    const { drained } = await drain();
    busy.send(unusual);
    late.send(unusual);
    await drained;
    await until('all are closed', () => [idle, busy, late].every(({ socket }) => socket.closed));
    assert.deepEqual(
      [idle, busy, late].map((sender) => sender.said()),
      [
        ['http/1.1 200', 'connection: keep'],
        ['http/1.1 200', 'connection: keep', 'http/1.1 200', 'connection: close'],
        ['http/1.1 200', 'connection: close'],
      ],
    );
  });
});
