import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openExporter } from '../../../bench/exporter.ts';
import { createField } from '../../../bench/go-hpack.ts';
import { answerGrpc } from '../../support/collector.ts';

const CALLS = 300; // enough that a table of 4 KiB forgets everything again and again

for (const headerTableSize of [4_096, 0]) {
  test(`calls arrive as they were meant, with a header table of ${headerTableSize} bytes`, async (t) => {
    const arrived: http2.IncomingHttpHeaders[] = [];
    const { port } = await listen(t, { headerTableSize }, (stream, headers) => {
      arrived.push(headers);
      stream.resume();
      stream.on('end', () => answerGrpc(stream));
    });
    const outcome = await callAll(t, port);
    assert.deepEqual(outcome, { done: CALLS, failures: [] });
    const keys = arrived.map(({ authorization }) => authorization);
    assert.deepEqual(new Set(keys), new Set(Array.from({ length: CALLS }, (_, i) => `Bearer iapikeyok-Key${i}`)));
    assert.ok(arrived.every((headers) => headers.te === 'trailers' && headers[':authority'] === `127.0.0.1:${port}`));
    assert.ok(arrived.every((headers) => /^99\d{5}u$/.test(String(headers['grpc-timeout']))));
    assert.equal(new Set(arrived.map((headers) => headers['grpc-timeout'])).size, CALLS);
  });
}

test('an answer is what grpc-status says, whatever its HTTP status', async (t) => {
  const { port } = await listen(t, {}, (stream) => {
    stream.resume();
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14', 'grpc-message': 'not%20now' },
      { endStream: true },
    );
  });
  const { done, failures } = await callAll(t, port);
  assert.equal(done, 0);
  assert.equal(failures[0], 'a call was answered with 14: not%20now');
});

type OnStream = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

async function listen(t: TestContext, settings: http2.Settings, onStream: OnStream): Promise<{ port: number }> {
  const server = http2.createServer({ settings });
  const sessions: http2.ServerHttp2Session[] = [];
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream as http2.ServerHttp2Stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return server.address() as AddressInfo;
}

/** Each call with a key of its own, until all were answered or one failed. */
async function callAll(t: TestContext, port: number): Promise<{ done: number; failures: readonly string[] }> {
  const failures: string[] = [];
  let begun = 0;
  let done = 0;
  await new Promise<void>((resolve) => {
    const exporter = openExporter({
      port,
      streams: 16,
      bodyBytes: 200,
      next: () => (begun < CALLS ? createField('authorization', `Bearer iapikeyok-Key${begun++}`) : undefined),
      done: () => void (++done === CALLS && resolve()),
      failed: (why) => (failures.push(why), resolve()),
    });
    t.after(exporter.close);
  });
  return { done, failures };
}
