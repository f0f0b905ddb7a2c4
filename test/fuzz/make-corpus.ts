import { mkdirSync, writeFileSync } from 'node:fs';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { encodeFields } from '../../src/plane/wire/http2/hpack/encoder.ts';
import { answerGrpc, listenOnLoopback, startCollector } from '../support/collector.ts';
import { http1Case, writeHttp1 } from '../support/differential/http1-cases.ts';
import { http2Case } from '../support/differential/http2-cases.ts';
import { writeHttp2 } from '../support/differential/http2-writer.ts';
import { grpcHead } from '../support/h2-frames.ts';
import { Cleanups } from '../support/scope.ts';
import { KEY_IN_INPUTS } from './target.ts';

/** Writes the seeds of the corpus anew: a few generated conversations, and answers as Node's servers give them. */
const CORPUS = fileURLToPath(new URL('corpus/', import.meta.url));
const KEYS = { good: KEY_IN_INPUTS, unknown: `iapikeyok-${'u'.repeat(38)}`, mistyped: `iapikeyok-${'m'.repeat(38)}` };
const COUNT = 12;

function save(target: string, name: string, bytes: Buffer): void {
  mkdirSync(`${CORPUS}${target}`, { recursive: true });
  writeFileSync(`${CORPUS}${target}/${name}`, bytes);
}

for (const [i, one] of fc.sample(http1Case, { seed: 4, numRuns: COUNT }).entries()) {
  save('heads', `seed-${i}`, Buffer.concat(writeHttp1(one, `f${i}`, KEYS).map(({ bytes }) => bytes)));
}
for (const [i, one] of fc.sample(http2Case, { seed: 4, numRuns: COUNT }).entries()) {
  save(
    'frames',
    `seed-${i}`,
    Buffer.concat(writeHttp2(one, `f${i}`, KEYS).map(({ bytes }) => bytes)).subarray(0, 8_192),
  );
}

const varying = [
  [],
  ['grpc-timeout', '5S'],
  ['grpc-timeout', '4999m'],
  ['traceparent', '00-1-2-3'],
  ['content-length', '5', 'grpc-timeout', '1S'],
];
const blocks = [...varying, ...varying].map((fields) =>
  encodeFields([...grpcHead(['x-api-key', KEY_IN_INPUTS], ['user-agent', 'a']).flat(), ...fields]),
);
save(
  'blocks',
  'seed-grpc',
  Buffer.concat(blocks.map((block) => Buffer.concat([Buffer.from([block.length >> 8, block.length & 0xff]), block]))),
);
const http = varying.map((fields) =>
  encodeFields(
    [
      ':method',
      'POST',
      ':scheme',
      'https',
      ':path',
      '/v1/traces',
      ...fields,
      ':authority',
      'a',
      'cookie',
      'a=1',
      'cookie',
      'b=2',
    ].toSorted((a, b) => Number(b.startsWith(':')) - Number(a.startsWith(':'))),
  ),
);
save(
  'blocks',
  'seed-http',
  Buffer.concat(
    [...http, ...http].map((block) => Buffer.concat([Buffer.from([block.length >> 8, block.length & 0xff]), block])),
  ),
);

const cleanups = new Cleanups();
const collector = await startCollector(cleanups, {
  onGrpc: (stream, arrival) =>
    arrival.bodyBytes === 1
      ? stream.respond({ 'grpc-status': 12, 'content-type': 'application/grpc' }, { endStream: true })
      : answerGrpc(stream),
});

/** All that a server says to these bytes. */
async function answersOf(port: number, bytes: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const socket = net.connect(port, '127.0.0.1');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(bytes);
  await new Promise((resolve) => setTimeout(resolve, 300));
  socket.destroy();
  return Buffer.concat(chunks);
}

const post = 'POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';
save('answers-http1', 'seed-node', await answersOf(Number(new URL(collector.httpUrl).port), Buffer.from(post)));
save(
  'answers-http1',
  'seed-length',
  Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 4\r\ndate: Sat, 21 Nov 2026 15:00:00 GMT\r\nx-a: b\r\n\r\nbody'),
);
save(
  'answers-http1',
  'seed-interim',
  Buffer.from(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 503 Busy\r\nretry-after: 1\r\ntransfer-encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nx-late: a\r\n\r\n',
  ),
);
save('answers-http1', 'seed-close', Buffer.from('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbody until the end'));

/** What Node's server says to three calls of a client of Node's. */
async function recordHttp2(status: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const target = Number(new URL(collector.grpcUrl).port);
  const proxy = net.createServer((near) => {
    const far = net.connect(target, '127.0.0.1');
    near.pipe(far).pipe(near);
    far.on('data', (chunk: Buffer) => chunks.push(chunk));
    for (const socket of [near, far]) socket.on('error', () => {});
  });
  const session = http2.connect(`http://127.0.0.1:${await listenOnLoopback(proxy)}`);
  const streams = [0, 1, 2].map(() =>
    session.request({ ':method': 'POST', ':path': '/a', 'content-type': 'application/grpc' }),
  );
  for (const stream of streams) stream.resume().end(Buffer.alloc(status === 0 ? 5 : 1));
  await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('close', resolve))));
  session.destroy();
  proxy.close();
  return Buffer.concat(chunks);
}
save('answers-http2', 'seed-node', await recordHttp2(0));
save('answers-http2', 'seed-trailers-only', await recordHttp2(12));
await cleanups.run();
process.exit();
