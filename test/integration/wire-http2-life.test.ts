import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { UNKNOWN } from '../../src/keys/answer.ts';
import type { KeyAnswer } from '../../src/keys/answer.ts';
import { MAX_DISCARD_MS } from '../../src/plane/discarding.ts';
import { callGrpc, connectGrpc, frame as message, openGrpc, readGrpc, readRefusal } from '../support/grpc-client.ts';
import {
  block,
  connectFrames,
  END_HEADERS,
  END_STREAM,
  frame,
  FRAME,
  grpcHead,
  PREFACE,
  uint32,
} from '../support/h2-frames.ts';
import type { FrameConnection, FrameConnectionOptions } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';
import { startWireServer } from '../support/wire-server.ts';
import type { WireServer, WireServerOptions } from '../support/wire-server.ts';

const NO_ERROR = 0;
const SETTINGS_TIMEOUT = 4;
const REFUSED_STREAM = 7;
const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;
const LARGEST = 2 ** 31 - 1;

const PING = frame(FRAME.PING, 0, 0, Buffer.alloc(8));
/** Answers may not begin. */
const NO_WINDOW = frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]));

interface Setup {
  readonly server: WireServer;
  readonly connection: FrameConnection;
  /** Begins a call with the key; it ends with its head unless it is told not to. */
  readonly call: (id: number, flags?: number) => Promise<boolean>;
}

async function setUp(
  t: TestContext,
  options: WireServerOptions = {},
  connectionOptions: FrameConnectionOptions = {},
): Promise<Setup> {
  const server = await startWireServer(t, options);
  const connection = await connectFrames(t, server.port, connectionOptions);
  const fields = block(grpcHead(['x-api-key', server.key]));
  return {
    server,
    connection,
    call: (id, flags = END_HEADERS | END_STREAM) => connection.send(frame(FRAME.HEADERS, flags, id, fields)),
  };
}

const number = (payload: Buffer, at = 0): number => payload.readUInt32BE(at);
const goodbyes = ({ of }: FrameConnection) =>
  of(FRAME.GOAWAY).map(({ payload }) => [number(payload), number(payload, 4)]);
const resets = ({ of }: FrameConnection) =>
  of(FRAME.RST_STREAM).map(({ streamId, payload }) => [streamId, number(payload)]);
const dataBytes = ({ of }: FrameConnection, id: number): number =>
  of(FRAME.DATA).reduce((sum, { streamId, payload }) => sum + (streamId === id ? payload.length : 0), 0);
const hasEnded = ({ received }: FrameConnection, id: number): boolean =>
  received.some(({ type, streamId, flags }) => type <= FRAME.HEADERS && streamId === id && (flags & END_STREAM) !== 0);
const data = (id: number, bytes: number, flags = 0): Buffer => frame(FRAME.DATA, flags, id, Buffer.alloc(bytes));
const update = (id: number, bytes: number): Buffer => frame(FRAME.WINDOW_UPDATE, 0, id, uint32(bytes));

describe('a connection', () => {
  it('whose client says that it will leave serves what it still begins, and then ends', async (t) => {
    const { connection, call, server } = await setUp(t);
    await connection.send(frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8)));
    await call(1);
    await until('it is with the collector', () => server.calls.length === 1);
    await connection.closed;
    assert.deepEqual([hasEnded(connection, 1), resets(connection)], [true, []]);
    assert.deepEqual(goodbyes(connection), [[1, NO_ERROR]]);
  });

  it('on which nothing is asked ends, however often it pings', async (t) => {
    const { connection, server } = await setUp(t, { limits: { idleTimeoutMs: 200 } });
    const pinging = setInterval(() => void connection.send(PING), 20);
    t.after(() => clearInterval(pinging));
    await connection.closed;
    assert.deepEqual(goodbyes(connection), [[0, NO_ERROR]]);
    assert.deepEqual(server.spent, []);
  });

  it('that is in use does not end, however long its request takes', async (t) => {
    const { connection, call, server } = await setUp(t, { limits: { idleTimeoutMs: 1_000 }, onCall: () => {} });
    await call(1);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    server.calls[0]?.answer(Buffer.from('late'));
    await until('it is answered', () => hasEnded(connection, 1));
    assert.deepEqual([goodbyes(connection), resets(connection)], [[], []]);
  });

  for (const [sentence, options] of [
    ['says no more than the beginning of its preface', { opening: PREFACE.subarray(0, 10), acknowledge: false }],
    ['says no settings', { opening: PREFACE, acknowledge: false }],
    ['does not acknowledge ours', { acknowledge: false }],
  ] as const) {
    it(`that ${sentence} ends in time`, async (t) => {
      const { connection, server } = await setUp(t, { limits: { headersTimeoutMs: 200 } }, options);
      await connection.closed;
      assert.deepEqual([goodbyes(connection), server.spent], [[[0, SETTINGS_TIMEOUT]], ['time ended']]);
    });
  }

  it('whose header block does not end, ends in time', async (t) => {
    const { connection, call, server } = await setUp(t, { limits: { headersTimeoutMs: 1_000 } });
    await until('all is settled', () => connection.of(FRAME.SETTINGS).length === 2);
    await call(1, 0);
    await connection.closed;
    assert.deepEqual([goodbyes(connection), server.spent], [[[0, ENHANCE_YOUR_CALM]], ['time ended']]);
  });

  it('that its client has ended is over, and so are its requests', async (t) => {
    const { connection, call, server } = await setUp(t, { onCall: () => {} });
    await call(1);
    await until('the collector has it', () => server.calls.length === 1);
    connection.socket.end();
    await connection.closed;
    assert.equal(server.calls[0]?.isCancelled, true);
    await until('it is forgotten', () => server.connections.size === 0);
    assert.deepEqual(
      server.reports.map(({ outcome }) => outcome),
      ['cancelled'],
    );
  });
});

describe('a gateway that is asked to go', () => {
  it('says so twice, serves what comes between, refuses what comes later, and ends when all is done', async (t) => {
    const { connection, call, server } = await setUp(t, { onCall: () => {} });
    await call(1);
    await until('the collector has the first', () => server.calls.length === 1);
    server.drain();
    await until('the first word is said', () => goodbyes(connection).length === 1);
    assert.deepEqual(goodbyes(connection), [[LARGEST, NO_ERROR]]);
    await call(3);
    await until('the collector has the second', () => server.calls.length === 2);
    const [ping] = connection.of(FRAME.PING);
    assert.ok(ping);
    await connection.send(frame(FRAME.PING, 1, 0, ping.payload));
    await until('the last word is said', () => goodbyes(connection).length === 2);
    assert.deepEqual(goodbyes(connection)[1], [3, NO_ERROR]);
    await call(5);
    await until('the third is refused', () => resets(connection).length === 1);
    assert.deepEqual(resets(connection), [[5, REFUSED_STREAM]]);
    for (const each of server.calls) each.answer(Buffer.from('done'));
    await connection.closed;
    assert.deepEqual([hasEnded(connection, 1), hasEnded(connection, 3), server.calls.length], [true, true, 2]);
  });

  it('says the last word in time to those who do not answer', async (t) => {
    const { connection, server } = await setUp(t);
    server.drain();
    await connection.closed;
    assert.deepEqual(goodbyes(connection), [
      [LARGEST, NO_ERROR],
      [0, NO_ERROR],
    ]);
  });

  it('and can wait no longer, tells senders to retry', async (t) => {
    const server = await startWireServer(t, { onCall: () => {} });
    const session = await connectGrpc(t, server.url);
    const answer = callGrpc(session, { headers: { 'x-api-key': server.key } });
    await until('the collector has it', () => server.calls.length === 1);
    server.drain();
    server.interrupt();
    assert.deepEqual([readRefusal(await answer).reason, (await answer).code], ['draining', 14]);
    assert.equal(server.calls[0]?.isCancelled, true);
    await until('the connection has ended', () => server.connections.size === 0);
  });
});

describe('a body', () => {
  it('that the collector does not take holds up its sender after one window, and nobody else', async (t) => {
    const server = await startWireServer(t, { takesNothing: true, onCall: () => {} });
    const session = await connectGrpc(t, server.url);
    const stream = openGrpc(session, { headers: { 'x-api-key': server.key } });
    stream.write(Buffer.alloc(1 << 20));
    await until('the window is used up', () => server.calls[0]?.bytes === 256 << 10);
    assert.equal((await callGrpc(session)).code, 7);
    const call = server.calls[0];
    call?.caller.taken(128 << 10);
    await until('as much more came', () => call?.bytes === 384 << 10);
    assert.equal(server.reports.length, 1);
  });

  it('that takes too long is cut, at the collector too', async (t) => {
    const { connection, call, server } = await setUp(t, { limits: { bodyTimeoutMs: 200 }, onCall: () => {} });
    await call(1, END_HEADERS);
    await connection.send(data(1, 10));
    await until('it is cut', () => resets(connection).length === 1);
    assert.deepEqual(
      [resets(connection), server.calls[0]?.isCancelled, server.calls[0]?.isWhole],
      [[[1, CANCEL]], true, false],
    );
    // What was under way is no error.
    await connection.send(data(1, 10), frame(FRAME.RST_STREAM, 0, 1, uint32(CANCEL)), PING);
    await until('the connection lives', () => connection.of(FRAME.PING).length === 1);
  });

  it('that comes after the answer is thrown away, and then told to stop', async (t) => {
    const { connection, server } = await setUp(t);
    await connection.send(frame(FRAME.HEADERS, END_HEADERS, 1, block(grpcHead())));
    await until('it is answered', () => hasEnded(connection, 1));
    let sent = 0;
    const credit = (): number =>
      connection
        .of(FRAME.WINDOW_UPDATE)
        .reduce((sum, { streamId, payload }) => sum + (streamId === 1 ? number(payload) : 0), 256 << 10);
    while (resets(connection).length === 0) {
      await until('more may be sent', () => credit() - sent >= 16_384 || resets(connection).length > 0);
      await connection.send(data(1, 16_384));
      sent += 16_384;
      await new Promise(setImmediate);
    }
    assert.deepEqual(resets(connection), [[1, NO_ERROR]]);
    assert.ok(sent > 1 << 20 && sent < 2 << 20, `${sent} bytes were taken`);
    assert.deepEqual(server.spent, []);
  });

  it('that does not end after the answer is told to stop in time', async (t) => {
    const { connection, server } = await setUp(t);
    await connection.send(frame(FRAME.HEADERS, END_HEADERS, 1, block(grpcHead())));
    await until('it is answered', () => hasEnded(connection, 1));
    const [served] = server.connections;
    served?.check(performance.now()); // from the first look on
    assert.deepEqual(resets(connection), []);
    served?.check(performance.now() + MAX_DISCARD_MS);
    await until('it is told to stop', () => resets(connection).length === 1);
    assert.deepEqual(resets(connection), [[1, NO_ERROR]]);
  });

  it('that goes on after an early answer leaves its connection in order', async (t) => {
    const { connection, call, server } = await setUp(t, { onCall: (each) => each.answer(Buffer.from('early')) });
    await call(1, END_HEADERS);
    await until('it is answered', () => hasEnded(connection, 1));
    await connection.send(data(1, 1_000), data(1, 0, END_STREAM));
    await call(3);
    await until('the next is answered', () => hasEnded(connection, 3));
    assert.deepEqual([resets(connection), server.calls[0]?.isCancelled], [[], true]);
    assert.deepEqual(
      server.reports.map(({ outcome }) => outcome),
      ['accepted', 'accepted'],
    );
  });

  it('that comes while the key is looked up reaches the collector behind its head', async (t) => {
    const { promise, resolve } = Promise.withResolvers<KeyAnswer>();
    const { connection, call, server } = await setUp(t, { lookup: () => promise });
    await call(1, END_HEADERS);
    await connection.send(data(1, 1_000), data(1, 500, END_STREAM));
    await new Promise((each) => setTimeout(each, 50));
    assert.equal(server.calls.length, 0);
    resolve(server.known);
    await until('it is answered', () => hasEnded(connection, 1));
    assert.deepEqual([dataBytes(connection, 1), server.reports[0]?.outcome], [1_500, 'accepted']);
  });

  it('whose sender leaves while the key is looked up goes nowhere', async (t) => {
    const { promise, resolve } = Promise.withResolvers<KeyAnswer>();
    const { connection, call, server } = await setUp(t, { lookup: () => promise });
    await call(1, END_HEADERS);
    await connection.send(frame(FRAME.RST_STREAM, 0, 1, uint32(CANCEL)));
    await until('it is over', () => server.reports.length === 1);
    resolve(server.known);
    await new Promise(setImmediate);
    assert.deepEqual([server.calls.length, server.reports[0]?.outcome], [0, 'cancelled']);
  });

  it('of a key that turns out to be unknown is refused', async (t) => {
    const { connection, call, server } = await setUp(t, { lookup: async () => UNKNOWN });
    await call(1);
    await until('it is answered', () => hasEnded(connection, 1));
    assert.equal(server.reports[0]?.outcome, 'unknown_key');
  });
});

describe('an answer', () => {
  const BODY = Buffer.alloc(200_000, 'answer');

  it('waits for the windows of its sender, and the collector with it', async (t) => {
    const { connection, call, server } = await setUp(
      t,
      { onCall: (each) => each.answer(BODY) },
      { opening: Buffer.concat([PREFACE, NO_WINDOW]) },
    );
    await call(1);
    await until('its head is there', () => connection.of(FRAME.HEADERS).length === 1);
    await connection.send(PING);
    await until('all is said', () => connection.of(FRAME.PING).length === 1);
    assert.deepEqual([dataBytes(connection, 1), server.calls[0]?.releasedBytes], [0, 0]);
    await connection.send(update(1, 1_000));
    await until('as much has come', () => dataBytes(connection, 1) === 1_000);
    assert.equal(server.calls[0]?.releasedBytes, 1_000);
    await connection.send(update(1, LARGEST - 1_000));
    await until('the window of the connection is used up', () => dataBytes(connection, 1) === 65_535);
    await connection.send(update(0, 1 << 20));
    await until('it is whole', () => hasEnded(connection, 1));
    assert.deepEqual([dataBytes(connection, 1), server.calls[0]?.releasedBytes], [BODY.length, BODY.length]);
  });

  it('that is held up by its own window holds up no other', async (t) => {
    const opening = Buffer.concat([PREFACE, NO_WINDOW, update(0, 1 << 30)]);
    const { connection, call } = await setUp(t, { onCall: (each) => each.answer(BODY) }, { opening });
    await call(1);
    await call(3);
    await connection.send(update(3, 1 << 20));
    await until('the other one is whole', () => hasEnded(connection, 3));
    assert.equal(dataBytes(connection, 1), 0);
  });

  it('shares the window of the connection with the others, frame by frame', async (t) => {
    const opening = Buffer.concat([PREFACE, frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]))]);
    const { connection, call } = await setUp(t, { onCall: (each) => each.answer(BODY) }, { opening });
    await Promise.all([call(1), call(3), call(5)]);
    await until(
      'the window is used up',
      () => [1, 3, 5].reduce((sum, id) => sum + dataBytes(connection, id), 0) === 65_535,
    );
    await connection.send(update(0, 120_000));
    await until(
      'it is used up again',
      () => [1, 3, 5].reduce((sum, id) => sum + dataBytes(connection, id), 0) === 185_535,
    );
    // The first had all of the first window.
    assert.ok(Math.min(dataBytes(connection, 3), dataBytes(connection, 5)) > 30_000);
  });

  it('of several windows comes whole through the library of others', async (t) => {
    const server = await startWireServer(t, {
      onCall: (each) => void each.body.then((body) => each.answer(body, 100_000)),
    });
    const session = await connectGrpc(t, server.url);
    const body = Buffer.alloc(1 << 20, 'telemetry');
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => callGrpc(session, { headers: { 'x-api-key': server.key }, body: message(body) })),
    );
    for (const answer of answers) assert.ok(answer.body.equals(message(body)));
  });
});

describe('an upload that asks first', () => {
  it('is told to go on once its key is good', async (t) => {
    const server = await startWireServer(t);
    const session = await connectGrpc(t, server.url);
    const headers = { 'content-type': 'x/y', expect: '100-continue' };
    const stream = openGrpc(session, { path: '/v1/traces', headers: { ...headers, 'x-api-key': server.key } });
    await new Promise((resolve) => stream.once('continue', resolve));
    stream.end('telemetry');
    assert.equal((await readGrpc(stream)).body.toString(), 'telemetry');

    const refused = openGrpc(session, { path: '/v1/traces', headers });
    refused.once('continue', () => assert.fail('it may not go on'));
    refused.end();
    assert.equal((await readGrpc(refused)).httpStatus, 403);
  });
});
