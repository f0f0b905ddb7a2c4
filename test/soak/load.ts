import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createKeyText } from '../../src/credential/key-text.ts';
import { frame, TRACES_PATH } from '../support/grpc-client.ts';

/** A process of its own: `load <gRPC port> <HTTP port> <TLS port>`, and what is to be sent, line by line, on standard input. */

interface Order {
  /** Requests in a second. */
  readonly rate: number;
  readonly key: string;
  /** While the collector is away, failures are none. */
  readonly mayFail: boolean;
  readonly isLast: boolean;
}

const [grpcPort, httpPort, tlsPort] = process.argv.slice(2);
const TICK_MS = 20;
const GRPC_SESSIONS = 6;
const MAX_UNDER_WAY = 1_000;
const CALL_TIMEOUT_MS = 20_000;

let order: Order = { rate: 0, key: '', mayFail: true, isLast: false };
let sent = 0;
let ok = 0;
let refused = 0;
let failed = 0;
let excused = 0;
let underWay = 0;
const times: number[] = [];
const reasons = new Map<string, number>();

const BODIES = [200, 200, 200, 1_000, 10_000].map((bytes) => frame(Buffer.alloc(bytes, 'telemetry')));
const LARGE = frame(Buffer.alloc(1 << 20, 'telemetry'));
const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
const tlsAgent = new https.Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });

function session(url: string): () => http2.ClientHttp2Session {
  let current: http2.ClientHttp2Session | undefined;
  return () => {
    if (current === undefined || current.closed || current.destroyed) {
      current = http2.connect(url, { rejectUnauthorized: false });
      current.on('error', () => {});
      current.on('goaway', () => current?.close());
      const ending = setTimeout(
        (mine: http2.ClientHttp2Session) => mine.close(),
        10_000 + Math.random() * 30_000,
        current,
      );
      ending.unref();
    }
    return current;
  };
}
const grpcSessions = Array.from({ length: GRPC_SESSIONS }, () => session(`http://127.0.0.1:${grpcPort}`));
const webSession = session(`http://127.0.0.1:${httpPort}`);
const tlsSession = session(`https://127.0.0.1:${tlsPort}`);

/** "ok", "refused", or what went wrong. */
type Verdict = string;

function overHttp2(
  open: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body: Buffer,
  readsSlowly = false,
): Promise<Verdict> {
  return new Promise((resolve) => {
    const stream = open.request(headers);
    let status = '';
    let code: string | undefined;
    const see = (fields: http2.IncomingHttpHeaders): void => void (code = fields['grpc-status']?.toString() ?? code);
    stream.on('response', (fields) => {
      status = String(fields[':status']);
      see(fields);
    });
    stream.on('trailers', see);
    stream.on('error', () => {});
    stream.setTimeout(CALL_TIMEOUT_MS, () => stream.close(8));
    stream.on('close', () => {
      const isRefused = code === '7' || status === '403';
      const isOk = headers['content-type'] === 'application/grpc' ? code === '0' : status === '200';
      resolve(isOk ? 'ok' : isRefused ? 'refused' : `h2 ${status || `reset ${stream.rstCode}`} ${code ?? ''}`);
    });
    if (readsSlowly) setTimeout(() => stream.resume(), 200);
    else stream.resume();
    stream.end(body);
  });
}

function overHttp1(isTls: boolean, headers: http.OutgoingHttpHeaders, body: Buffer): Promise<Verdict> {
  return new Promise((resolve) => {
    const options = {
      host: '127.0.0.1',
      port: isTls ? tlsPort : httpPort,
      method: 'POST',
      path: '/v1/traces',
      headers,
      agent: isTls ? tlsAgent : agent,
      timeout: CALL_TIMEOUT_MS,
    };
    const send = (isAgain: boolean): void => {
      const request = (isTls ? https : http).request(options, (response) => {
        response.resume();
        response.on('error', () => resolve('h1 cut'));
        response.on('end', () =>
          resolve(
            response.statusCode === 200 ? 'ok' : response.statusCode === 403 ? 'refused' : `h1 ${response.statusCode}`,
          ),
        );
      });
      request.on('timeout', () => request.destroy(new Error('timeout')));
      // A kept connection may end while a request is put on it; clients send it again (RFC 9112 section 9.3.1).
      request.on('error', (error: NodeJS.ErrnoException) =>
        request.reusedSocket && !isAgain ? send(true) : resolve(`h1 ${error.code ?? error.message}`),
      );
      request.end(body);
    };
    send(false);
  });
}

function grpcHeaders(key: string): http2.OutgoingHttpHeaders {
  return {
    ':method': 'POST',
    ':path': TRACES_PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    'x-api-key': key,
    'grpc-timeout': `${9_000 + Math.floor(Math.random() * 999)}m`,
  };
}

function webHeaders(key: string): http.OutgoingHttpHeaders {
  return { 'content-type': 'application/x-protobuf', 'x-api-key': key };
}

/** One good or bad request of the mix; aborts and idle connections are not waited for. */
async function one(): Promise<void> {
  const { key } = order;
  const kind = Math.random() * 1_000;
  const body = BODIES[Math.floor(Math.random() * BODIES.length)] as Buffer;
  const grpc = (grpcSessions[Math.floor(Math.random() * GRPC_SESSIONS)] as () => http2.ClientHttp2Session)();
  if (kind < 3) return abort(grpc, key);
  if (kind < 4) return comeAndGo();
  if (kind < 24) return judge('refused', overHttp2(grpc, grpcHeaders(createKeyText('ingestion')), body));
  if (kind < 34) return judge('refused', overHttp1(false, webHeaders(`${key.slice(0, -1)}#`), body));
  const startedAt = performance.now();
  const isLarge = kind < 36;
  if (kind < 600) await judge('ok', overHttp2(grpc, grpcHeaders(key), isLarge ? LARGE : body, kind > 595));
  else if (kind < 800) await judge('ok', overHttp1(false, { ...webHeaders(key), 'content-length': body.length }, body));
  else if (kind < 850)
    await judge('ok', overHttp1(false, { ...webHeaders(key), 'transfer-encoding': 'chunked' }, body));
  else if (kind < 900)
    await judge('ok', overHttp2(webSession(), { ':method': 'POST', ':path': '/v1/traces', ...webHeaders(key) }, body));
  else if (kind < 960) await judge('ok', overHttp1(true, webHeaders(key), body));
  else
    await judge('ok', overHttp2(tlsSession(), { ':method': 'POST', ':path': '/v1/traces', ...webHeaders(key) }, body));
  if (!isLarge) times.push(performance.now() - startedAt);
}

async function judge(expected: 'ok' | 'refused', call: Promise<Verdict>): Promise<void> {
  const mightFail = order.mayFail;
  const verdict = await call;
  if (verdict === expected) {
    if (expected === 'ok') ok += 1;
    else refused += 1;
  } else if (mightFail || order.mayFail) excused += 1;
  else {
    failed += 1;
    reasons.set(`${expected}: ${verdict}`, (reasons.get(`${expected}: ${verdict}`) ?? 0) + 1);
  }
}

function abort(open: http2.ClientHttp2Session, key: string): void {
  const stream = open.request(grpcHeaders(key));
  stream.on('error', () => {});
  stream.write(Buffer.alloc(5_000));
  setTimeout(() => stream.close(8), Math.random() * 20);
}

function comeAndGo(): void {
  const socket = net.connect(Number(Math.random() < 0.5 ? grpcPort : httpPort), '127.0.0.1');
  socket.on('error', () => {});
  if (Math.random() < 0.5) socket.write('POST /v1/tra');
  setTimeout(() => socket.destroy(), Math.random() * 2_000);
}

process.stdin.on('data', (chunk: Buffer) => {
  const line = chunk.toString().trim().split('\n').at(-1);
  if (line !== undefined) order = JSON.parse(line) as Order;
});
process.stdin.on('end', () => {
  if (!order.isLast) process.exit(); // whoever gives the orders has gone
});

setInterval(() => {
  console.log(
    JSON.stringify({ sent, ok, refused, failed, excused, underWay, times: times.splice(0), reasons: [...reasons] }),
  );
}, 1_000);

let due = 0;
while (!order.isLast || underWay > 0) {
  await delay(TICK_MS);
  due = Math.min(order.rate, due + (order.rate * TICK_MS) / 1_000);
  for (; due >= 1 && underWay < MAX_UNDER_WAY; due--) {
    sent += 1;
    underWay += 1;
    void one().finally(() => (underWay -= 1));
  }
}
console.log(JSON.stringify({ sent, ok, refused, failed, excused, underWay, times, reasons: [...reasons] }));
process.exit();
