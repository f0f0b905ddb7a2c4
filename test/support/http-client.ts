import * as http from 'node:http';
import type * as http2 from 'node:http2';
import * as https from 'node:https';
import * as net from 'node:net';
import type { Scope } from './scope.ts';

export interface HttpCall {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Sent with Content-Length, or chunked (one chunk each) if it is a list. */
  readonly body?: Buffer | string | readonly Buffer[];
  readonly agent?: http.Agent;
  readonly ca?: string;
}

export interface HttpAnswer {
  readonly status: number;
  /** Without `date`, `connection` and `keep-alive`; each name with all its values joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Whether `100 Continue` came first. */
  readonly continued: boolean;
}

const BODY = Buffer.from('telemetry');

export async function callHttp(origin: string, call: HttpCall = {}): Promise<HttpAnswer> {
  const { request, answer } = openHttp(origin, call);
  const { body = BODY } = call;
  if (request.getHeader('expect') !== undefined) {
    request.flushHeaders();
    // As a careful client: the body only if it is asked for.
    request.once('continue', () => writeBody(request, body));
  } else {
    writeBody(request, body);
  }
  return answer;
}

/** The request with its head ready to go, and what will come of it. */
export function openHttp(
  origin: string,
  call: HttpCall = {},
): { request: http.ClientRequest; answer: Promise<HttpAnswer> } {
  const { method = 'POST', path = '/v1/traces', headers = {}, body = BODY, agent, ca } = call;
  const secure = origin.startsWith('https:');
  const request = (secure ? https : http).request(new URL(path, origin), {
    method,
    agent: agent ?? false,
    headers: {
      'content-type': 'application/x-protobuf',
      ...(Array.isArray(body) || method === 'GET' || method === 'HEAD'
        ? {}
        : { 'content-length': Buffer.byteLength(body as Buffer) }),
      ...headers,
    },
    ...(ca === undefined ? {} : { ca }),
  });
  let continued = false;
  request.on('continue', () => (continued = true));
  const answer = new Promise<HttpAnswer>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: plain(response), body: Buffer.concat(chunks), continued }),
      );
    });
  });
  answer.catch(() => {}); // whoever waits for it hears it
  return { request, answer };
}

function writeBody(request: http.ClientRequest, body: HttpCall['body'] & {}): void {
  for (const part of Array.isArray(body) ? (body as readonly Buffer[]) : [body as Buffer])
    if (part.length > 0) request.write(part);
  request.end();
}

function plain({ headers }: http.IncomingMessage): Record<string, string> {
  const { date: _date, connection: _connection, 'keep-alive': _keepAlive, ...rest } = headers;
  return Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, [value].flat().join(', ')]));
}

/** The same over HTTP/2, which is OTLP/HTTP all the same. */
export async function callHttpOverH2(session: http2.ClientHttp2Session, call: HttpCall = {}): Promise<HttpAnswer> {
  const { method = 'POST', path = '/v1/traces', headers = {}, body = BODY } = call;
  const stream = session.request({
    ':method': method,
    ':path': path,
    'content-type': 'application/x-protobuf',
    ...headers,
  });
  const chunks: Buffer[] = [];
  let received: http2.IncomingHttpHeaders = {};
  let continued = false;
  stream.on('continue', () => (continued = true));
  stream.on('response', (fields) => (received = fields));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const part of Array.isArray(body) ? (body as readonly Buffer[]) : [body as Buffer])
    if (part.length > 0) stream.write(part);
  stream.end();
  await new Promise((resolve, reject) => {
    stream.on('end', resolve);
    stream.on('error', reject);
    stream.on('aborted', () => reject(new Error('the stream was reset')));
  });
  const { ':status': status, date: _date, ...rest } = received;
  return {
    status: Number(status ?? 0),
    headers: Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, String(value)])),
    body: Buffer.concat(chunks),
    continued,
  };
}

/** An agent whose connections are kept, and end with the test. */
export function keepAliveAgent(t: Scope, options: https.AgentOptions = {}): https.Agent | http.Agent {
  const agent =
    options.ca === undefined
      ? new http.Agent({ keepAlive: true, ...options })
      : new https.Agent({ keepAlive: true, ...options });
  t.after(() => agent.destroy());
  return agent;
}

/** A bare connection, for what no HTTP client would send. */
export async function connectRaw(t: Scope, port: number): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', port });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  return socket;
}
