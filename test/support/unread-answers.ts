import { stat } from 'node:fs';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { http2Options, serveHttp2 } from '../../src/plane/library/http2.ts';
import type { PlaneLimits } from '../../src/plane/plane.ts';
import { block, END_HEADERS, frame, FRAME, grpcHead, PREFACE, uint32 } from './h2-frames.ts';

/**
 * A program, to be run with --expose-gc: our HTTP/2 server, and clients that read no answers and stop in the middle of their
 * trailers. The server ends each connection while it still writes to it, and the garbage is collected all the time. It ends
 * with 0 if the process lives through all of them.
 */
const CONNECTIONS = 120;
const AT_ONCE = 4;
const CALLS = 3;
const ANSWER_BYTES = 4 << 20;
/** Time for the answers to fill the connection, then for its end to be noticed. */
const FILLED_MS = 15;
const ENDED_MS = 40;

const LIMITS: PlaneLimits = {
  maxConnections: 100,
  maxStreams: 100,
  maxHeaders: 100,
  maxHeaderBytes: 16_384,
  maxBodyBytes: 1 << 20,
  headersTimeoutMs: 60_000,
  bodyTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  maxHeldBytes: 64 << 20,
  upstreamTimeoutMs: 30_000,
};

const head = (id: number): Buffer => frame(FRAME.HEADERS, END_HEADERS, id, block(grpcHead()));
const OPENING = Buffer.concat([
  PREFACE,
  frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])), // answers may be as long as they like
  frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(0x7f00_0000)),
  ...Array.from({ length: CALLS }, (_, n) => head(2 * n + 1)),
  frame(FRAME.HEADERS, END_HEADERS, 1, block([['a', 'b'], ['c', 'd']])).subarray(0, 14), // oxfmt-ignore
]);

const server = http2.createServer(http2Options(LIMITS));
serveHttp2(server, LIMITS, {
  onGrpc(stream) {
    stream.respond({ ':status': 200 });
    stream.end(Buffer.alloc(ANSWER_BYTES));
    const { session } = stream;
    setTimeout(() => session?.destroy(), FILLED_MS);
  },
  onHttp: () => undefined,
});

function collectNowAndThen(): void {
  // What the file system answers comes between what sockets tell and the immediates after it, as V8's own collections do.
  stat('.', () => {
    globalThis.gc?.({ type: 'minor' });
    setTimeout(collectNowAndThen, 3 * Math.random());
  });
}

async function connect(port: number): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => void socket.once('close', resolve));
  socket.write(OPENING);
  await Promise.race([closed, delay(ENDED_MS)]);
  socket.destroy();
}

await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as net.AddressInfo;
for (let n = 0; n < 2; n++) collectNowAndThen();
for (let n = 0; n < CONNECTIONS; n += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, () => connect(port)));
process.exit(0);
