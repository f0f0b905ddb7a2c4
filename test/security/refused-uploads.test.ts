import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { block, connectFrames, END_HEADERS, frame, FRAME, grpcHead } from '../support/h2-frames.ts';
import { connectRaw } from '../support/http-client.ts';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';

/** A sender without a key may not make us take what it sends: 1 GiB is offered, and so much at most is taken. */
const OFFERED_BYTES = 1 << 30;
/** What is thrown away so that the sender can read its answer, and what the buffers of two kernels hold. */
const TAKEN_BYTES = 24 << 20;
const PIECE = Buffer.alloc(64 << 10, 0x61);
const CHUNK = Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')]);

const LENGTH = `Content-Length: ${OFFERED_BYTES}`;
const CHUNKED = 'Transfer-Encoding: chunked';

for (const [sentence, framing, piece, hasKey, status] of [
  ['without a key, with a length', LENGTH, PIECE, false, 403],
  ['without a key, in chunks', CHUNKED, CHUNK, false, 403],
  ['with a key, and a length beyond the limit', LENGTH, PIECE, true, 413],
  ['with a key, and chunks without end', CHUNKED, CHUNK, true, 413],
] as const) {
  test(`an upload of 1 GiB over HTTP/1.1 ${sentence} is answered and then cut`, async (t) => {
    const { gateway, upstream, key } = await startRawPath(t, { limits: { maxBody: hasKey ? '1MiB' : '1GiB' } });
    const socket = await connectRaw(t, gateway.addresses.http.port);
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));

    socket.write(request('POST /v1/traces HTTP/1.1', ['Host: x', framing, ...(hasKey ? [`X-API-Key: ${key}`] : [])]));
    await writeUntilClosed(socket, piece);

    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.ok(socket.bytesWritten < TAKEN_BYTES, `${socket.bytesWritten} bytes were taken`);
    assert.deepEqual(upstream.requests, []);
  });
}

for (const [sentence, fields] of [
  ['gRPC', grpcHead()],
  [
    'HTTP',
    grpcHead().map(
      ([name, value]) =>
        [name, name === ':path' ? '/v1/traces' : name === 'content-type' ? 'application/json' : value] as const,
    ),
  ],
] as const) {
  test(`an upload of 1 GiB over HTTP/2, as ${sentence}, is answered and the sender told to stop`, async (t) => {
    const gateway = await startGateway(t, {});
    const connection = await connectFrames(t, gateway.addresses.grpc.port);
    await connection.send(frame(FRAME.HEADERS, END_HEADERS, 1, block(fields)));
    // As a client that ignores flow control would: what exceeds the window must not be taken either.
    const data = frame(FRAME.DATA, 0, 1, PIECE.subarray(0, 16 << 10));
    let stopped = false;
    for (let sent = 0; sent < OFFERED_BYTES && !stopped; sent += data.length) {
      stopped = !(await connection.send(data)) || connection.of(FRAME.RST_STREAM).length > 0;
      await new Promise(setImmediate);
    }
    assert.ok(connection.of(FRAME.HEADERS).length === 1, 'there was no answer');
    assert.ok(connection.socket.bytesWritten < TAKEN_BYTES, `${connection.socket.bytesWritten} bytes were taken`);
  });
}

async function writeUntilClosed(socket: Awaited<ReturnType<typeof connectRaw>>, piece: Buffer): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve));
  while (!socket.destroyed && socket.bytesWritten < OFFERED_BYTES) {
    if (!socket.write(piece)) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
    await new Promise(setImmediate);
  }
  await closed;
}
