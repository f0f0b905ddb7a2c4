import assert from 'node:assert/strict';
import type * as net from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import * as tls from 'node:tls';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { block, END_HEADERS, END_STREAM, frame, FRAME, grpcHead, PREFACE, uint32 } from '../support/h2-frames.ts';
import { callHttp, connectRaw } from '../support/http-client.ts';
import { createCertificate } from '../support/tls.ts';
import type { TestCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';

/**
 * A client that asks for more than its connection can hold, reads nothing, and never closes. What the gateway still has to
 * write can then never be written; its connection must be given up all the same, or each such client takes one of
 * `limits.maxConnections` for ever.
 */
const ANSWER_BYTES = 16 << 20;
const CALLS = 3;
/** The idle limit, the second after which we look, and slack for a busy machine. */
const PATIENCE_MS = 6_000;

const OPENING = Buffer.concat([
  PREFACE,
  frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff])), // answers may be as long as they like
  frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(0x7f00_0000)),
]);

/** What each of them says last. */
const ENDINGS: readonly Buffer[] = [
  Buffer.alloc(0), // nothing more: it is idle
  frame(FRAME.DATA, 0, 0, Buffer.alloc(1)), // what Node ends a session for
  Buffer.concat([101, 103, 105, 107, 109].map(tooLargeHead)), // what we end one for
];

function tooLargeHead(id: number): Buffer {
  const fields = Array.from({ length: 120 }, () => ['a', 'b'] as const);
  return frame(FRAME.HEADERS, END_HEADERS, id, block(grpcHead(...fields)));
}

test('a connection whose answers are not read is given up', { timeout: 40_000, concurrency: true }, async (t) => {
  await Promise.all([
    t.test('in plaintext', (t) => isGivenUp(t)),
    t.test('under TLS', async (t) => isGivenUp(t, await createCertificate(t))),
  ]);
});

async function isGivenUp(t: TestContext, certificate?: TestCertificate): Promise<void> {
  const collector = await startCollector(t, {
    onHttp: (response) => void response.writeHead(200).end(Buffer.alloc(ANSWER_BYTES)),
  });
  const gateway = await startGateway(t, {
    upstream: { http: collector.httpUrl },
    limits: { idleTimeout: '1s', maxConnections: ENDINGS.length },
    listen: certificate ? { http: { tls: { cert: certificate.certPath, key: certificate.keyPath } } } : {},
  });
  const { text: key } = await gateway.createKey();
  const sockets = await Promise.all(ENDINGS.map(() => connect(t, gateway, certificate)));
  for (const socket of sockets) {
    socket.pause();
    socket.write(OPENING);
    for (let n = 0; n < CALLS; n++) socket.write(call(2 * n + 1, key));
  }
  await until('the answers are under way', () => collector.arrivals.length === sockets.length * CALLS);
  await delay(200); // fills what there is between us
  for (const [index, last] of ENDINGS.entries()) sockets[index]?.write(last);
  const connections = (): Promise<number> => gateway.metric('keygate_connections');
  assert.ok((await connections()) > 0, 'they are open');
  await until('no connection is open', async () => (await connections()) === 0, PATIENCE_MS);
  const answer = await callHttp(gateway.httpUrl, { method: 'GET', ...(certificate && { ca: certificate.cert }) });
  assert.equal(answer.status, 405, 'others have their place');
}

function call(id: number, key: string): Buffer {
  const fields = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'gateway'],
    [':path', '/v1/traces'],
    ['x-api-key', key],
  ] as const;
  return frame(FRAME.HEADERS, END_HEADERS | END_STREAM, id, block(fields));
}

async function connect(
  t: TestContext,
  { addresses }: Gateway,
  certificate: TestCertificate | undefined,
): Promise<net.Socket> {
  const socket = await connectRaw(t, addresses.http.port);
  if (certificate === undefined) return socket;
  const secured = tls.connect({
    socket,
    servername: 'localhost',
    ca: certificate.cert,
    ALPNProtocols: ['h2'],
  });
  secured.on('error', () => {});
  await new Promise((resolve) => secured.once('secureConnect', resolve));
  return secured;
}
