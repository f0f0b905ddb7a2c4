import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { UNKNOWN, type KeyAnswer } from '../../src/keys/answer.ts';
import { HpackDecoder } from '../../src/plane/wire/http2/hpack/decoder.ts';
import { block, connectFrames, END_HEADERS, END_STREAM, frame, FRAME, grpcHead } from '../support/h2-frames.ts';
import type { Fields } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';
import { startWireServer, type WireServer, type WireServerOptions } from '../support/wire-server.ts';

/** Heads are remembered by their bytes: what that must never mean. */

interface Client {
  readonly server: WireServer;
  /** Sends a call and says its grpc-status, or "reset" and the code. */
  call(...more: Fields): Promise<string>;
  /** How many calls the collector has, and of how many heads. */
  heads(): readonly [calls: number, heads: number];
}

const BODY = Buffer.from('telemetry');

async function connect(t: TestContext, options: WireServerOptions = {}): Promise<Client> {
  const server = await startWireServer(t, options);
  const connection = await connectFrames(t, server.port);
  await until('our settings are acknowledged', () => connection.of(FRAME.SETTINGS).length === 2);
  const decoder = new HpackDecoder({ maxHeaders: 100, maxHeaderBytes: 16_384 });
  let seen = 0;
  let streamId = -1;
  return {
    server,
    heads: () => [server.calls.length, new Set(server.calls.map(({ request }) => request.head)).size],
    async call(...more) {
      const id = (streamId += 2);
      await connection.send(
        frame(FRAME.HEADERS, END_HEADERS, id, block(grpcHead(...more))),
        frame(FRAME.DATA, END_STREAM, id, BODY),
      );
      let outcome: string | undefined;
      await until(`the end of call ${id}`, () => {
        for (; seen < connection.received.length; seen++) {
          const { type, payload, streamId } = connection.received[seen] ?? { type: -1, payload: BODY };
          if (type === FRAME.RST_STREAM && streamId === id) outcome ??= `reset ${payload.readUInt32BE()}`;
          if (type !== FRAME.HEADERS) continue;
          const fields = decoder.decode(payload);
          assert.ok(Array.isArray(fields));
          const at = fields.indexOf('grpc-status');
          if (streamId === id && at !== -1) outcome ??= String(fields[at + 1]);
        }
        return outcome !== undefined;
      });
      return String(outcome);
    },
  };
}

describe('a remembered head', () => {
  it('is used for calls that differ in what varies, which goes on as each said it', async (t) => {
    const { server, call, heads } = await connect(t);
    const timeouts = ['1000000u', '999999u', '10S', '20S', '9000m'];
    for (const timeout of timeouts) {
      const head = [
        ['x-api-key', server.key],
        ['grpc-timeout', timeout],
      ] as const;
      assert.equal(await call(...head, ['traceparent', `00-${timeout}`]), '0');
    }
    assert.deepEqual(
      server.calls.map(({ request }) => request.varying),
      timeouts.map((timeout) => ['grpc-timeout', timeout, 'traceparent', `00-${timeout}`]),
    );
    assert.deepEqual(heads(), [5, 2]); // it is known when it comes for the third time
  });

  it('is judged each time: a key that is known no more is refused', async (t) => {
    const options: { lookup?: () => KeyAnswer } = {};
    const { server, call, heads } = await connect(t, options);
    for (let i = 0; i < 4; i++) assert.equal(await call(['x-api-key', server.key]), '0');
    assert.deepEqual(heads(), [4, 2]);
    options.lookup = () => UNKNOWN;
    assert.equal(await call(['x-api-key', server.key]), '7');
    assert.equal(server.calls.length, 4);
  });

  it('lets nobody in whose key differs in one character, nor without a key', async (t) => {
    const { server, call } = await connect(t);
    const { key } = server;
    for (let i = 0; i < 4; i++) assert.equal(await call(['x-api-key', key], ['grpc-timeout', '5S']), '0');
    const other = key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a');
    assert.equal(await call(['x-api-key', other], ['grpc-timeout', '5S']), '7');
    assert.equal(await call(['x-api-key', ''], ['grpc-timeout', '5S']), '7');
    assert.equal(await call(['traceparent', key]), '7');
    assert.equal(await call(['grpc-timeout', '5S'], ['x-api-key', key]), '0');
    assert.equal(await call(['x-api-key', key], ['grpc-timeout', '5S']), '0');
    assert.equal(server.calls.length, 6);
  });

  it('has its length and its time read each time', async (t) => {
    let answers = true;
    const { server, call } = await connect(t, {
      onCall: (collector) => void collector.body.then((body) => answers && collector.answer(body)),
    });
    const say = (length: string, timeout: string): Promise<string> =>
      call(['x-api-key', server.key], ['content-length', length], ['grpc-timeout', timeout]);
    for (let i = 0; i < 4; i++) assert.equal(await say(String(BODY.length), '5S'), '0');
    assert.equal(await say('8', '5S'), 'reset 1');
    assert.equal(await say('9x', '5S'), 'reset 1');
    assert.equal(await say('9', 'soon'), '3');
    answers = false;
    assert.equal(await say('9', '50m'), '4');
  });

  it('does not let through what no field may say', async (t) => {
    const { server, call } = await connect(t);
    const say = (value: string): Promise<string> => call(['x-api-key', server.key], ['traceparent', value]);
    for (let i = 0; i < 4; i++) assert.equal(await say('00-1'), '0');
    for (const value of ['00-1\r\nx-keygate-tenant: other', '00\n', '\0', 'a\x7f']) {
      assert.equal(await say(value), 'reset 1', JSON.stringify(value));
    }
    assert.equal(await say('00-2'), '0');
  });

  it('does not hide a field that comes twice', async (t) => {
    const { server, call } = await connect(t);
    const head = [
      ['x-api-key', server.key],
      ['content-length', '9'],
    ] as const;
    for (let i = 0; i < 4; i++) assert.equal(await call(...head), '0');
    for (let i = 0; i < 4; i++) assert.equal(await call(...head, ['content-length', '9']), 'reset 1');
  });
});
