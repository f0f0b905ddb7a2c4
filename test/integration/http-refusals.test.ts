import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { reasonOf, retrySecondsOf } from '../support/grpc-client.ts';
import { callHttp, connectRaw, keepAliveAgent } from '../support/http-client.ts';
import { NOBODYS_PORT } from '../support/ports.ts';
import type { HttpAnswer, HttpCall } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

interface Setup {
  readonly gateway: Gateway;
  readonly collector: Collector;
  readonly key: string;
}

async function setUp(t: TestContext, upstreamIsUp = true): Promise<Setup> {
  const collector = await startCollector(t);
  const http = upstreamIsUp ? collector.httpUrl : `http://127.0.0.1:${NOBODYS_PORT}`;
  const gateway = await startGateway(t, { upstream: { http } });
  const { text: key } = await gateway.createKey();
  return { gateway, collector, key };
}

describe('a refusal over HTTP', () => {
  it('is a google.rpc.Status in protobuf for a protobuf request', async (t) => {
    const { gateway } = await setUp(t);
    const { status, headers, body } = await callHttp(gateway.httpUrl, { headers: { 'x-api-key': 'unknown' } });
    const { message, details, code } = decodeStatus(body);
    const requestId = headers['x-request-id'] ?? '';
    assert.deepEqual(
      { status, headers, code, message, details },
      {
        status: 403,
        headers: {
          'content-type': 'application/x-protobuf',
          'content-length': String(body.length),
          'x-request-id': requestId,
        },
        code: 7,
        message: `The key is not known here. Check that it was created for this gateway. (unknown_key, request ${requestId})`,
        details: [
          {
            '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
            reason: 'unknown_key',
            domain: 'keygate',
            metadata: { request_id: requestId },
          },
        ],
      },
    );
    assert.match(requestId, /^[0-9a-f-]{36}$/);
  });

  it('is the same Status in JSON for a JSON request, with or without a charset', async (t) => {
    const { gateway } = await setUp(t);
    for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON']) {
      const { status, headers, body } = await callHttp(gateway.httpUrl, { headers: { 'content-type': type } });
      const json = JSON.parse(body.toString()) as Record<string, unknown>;
      assert.deepEqual([status, headers['content-type'], json['code']], [403, 'application/json', 7]);
      assert.deepEqual(json['details'], [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'missing_credential',
          domain: 'keygate',
          metadata: { request_id: headers['x-request-id'] },
        },
      ]);
    }
  });

  it('is the words alone for anything else', async (t) => {
    const { gateway } = await setUp(t);
    const { headers, body } = await callHttp(gateway.httpUrl, { headers: { 'content-type': 'text/plain' } });
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(
      body.toString(),
      `No ingestion key was sent. Send it as "Authorization: ApiKey <key>" or in the header X-API-Key. (missing_credential, request ${headers['x-request-id']})\n`,
    );
  });

  it('gives a whole number of seconds in Retry-After, and the same in RetryInfo, if the sender should retry', async (t) => {
    const { gateway, key } = await setUp(t, false);
    for (let i = 0; i < 20; i++) {
      const { status, headers, body } = await callHttp(gateway.httpUrl, { headers: { 'x-api-key': key } });
      const decoded = decodeStatus(body);
      assert.deepEqual([status, decoded.code, reasonOf(decoded)], [503, 14, 'upstream_unavailable']);
      assert.match(headers['retry-after'] ?? '', /^[1-5]$/);
      assert.equal(retrySecondsOf(decoded), Number(headers['retry-after']));
    }
  });

  const REFUSALS: readonly (readonly [what: string, call: HttpCall, status: number, reason: string])[] = [
    ['an unknown path', { path: '/v1/unknown' }, 404, 'not_found'],
    ['a known path in another case', { path: '/V1/Traces' }, 404, 'not_found'],
    ['a known path with a slash behind it', { path: '/v1/traces/' }, 404, 'not_found'],
    ['a path that would become a known one', { path: '/v1/./traces' }, 404, 'not_found'],
    ['a gRPC path', { path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export' }, 415, 'grpc_only'],
    ['PUT', { method: 'PUT' }, 405, 'method_not_allowed'],
    ['GET', { method: 'GET', body: '' }, 405, 'method_not_allowed'],
  ];

  it('says what is wrong with a request that has no route', async (t) => {
    const { gateway, collector, key } = await setUp(t);
    for (const [what, call, status, reason] of REFUSALS) {
      const answer = await requestRaw(t, gateway, call, key);
      assert.deepEqual([answer.status, reasonOf(decodeStatus(answer.body))], [status, reason], what);
      assert.equal(answer.headers['allow'], status === 405 ? 'POST' : undefined, what);
    }
    assert.equal(collector.begun(), 0);
  });

  /** URL would normalise the path before it is sent. */
  async function requestRaw(
    t: TestContext,
    gateway: Gateway,
    { method = 'POST', path = '/v1/traces' }: HttpCall,
    key: string,
  ): Promise<HttpAnswer> {
    const socket = await connectRaw(t, gateway.addresses.http.port);
    socket.write(
      `${method} ${path} HTTP/1.1\r\nhost: x\r\nx-api-key: ${key}\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
    );
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    const all = Buffer.concat(chunks);
    const end = all.indexOf('\r\n\r\n');
    const [first = '', ...lines] = all.subarray(0, end).toString('latin1').split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
    );
    return { status: Number(first.split(' ')[1]), headers, body: all.subarray(end + 4), continued: false };
  }

  it('has no body when the method is HEAD', async (t) => {
    const { gateway, key } = await setUp(t);
    const { status, headers, body } = await callHttp(gateway.httpUrl, {
      method: 'HEAD',
      body: '',
      headers: { 'x-api-key': key },
    });
    assert.deepEqual([status, headers['allow'], body.length], [405, 'POST', 0]);
  });

  it('leaves the connection usable, though the body was still coming', async (t) => {
    const { gateway, collector, key } = await setUp(t);
    const agent = keepAliveAgent(t, { maxSockets: 1 });
    const body = [Buffer.alloc(60_000), Buffer.alloc(60_000)];
    for (let i = 0; i < 5; i++) {
      assert.equal((await callHttp(gateway.httpUrl, { agent, body, headers: { 'x-api-key': 'unknown' } })).status, 403);
      assert.equal((await callHttp(gateway.httpUrl, { agent, body, path: '/nowhere' })).status, 404);
      assert.equal((await callHttp(gateway.httpUrl, { agent, body, headers: { 'x-api-key': key } })).status, 200);
    }
    assert.equal(collector.arrivals.length, 5);
    assert.equal(await gateway.metric('keygate_connections', { port: 'http' }), 1);
  });
});

describe('a request that expects 100 Continue', () => {
  it('is told to continue once its key has been judged, and passes', async (t) => {
    const { gateway, collector, key } = await setUp(t);
    const body = Buffer.alloc(100_000, 'x');
    const { status, continued } = await callHttp(gateway.httpUrl, {
      body,
      headers: { 'x-api-key': key, expect: '100-continue' },
    });
    assert.deepEqual([status, continued], [200, true]);
    const [arrival] = collector.arrivals;
    assert.deepEqual([arrival?.bodyBytes, arrival?.headers['expect']], [100_000, undefined]);
  });

  it('is refused without having sent its body', async (t) => {
    const { gateway, collector } = await setUp(t);
    const { status, continued, body } = await callHttp(gateway.httpUrl, {
      body: Buffer.alloc(100_000),
      headers: { 'x-api-key': 'unknown', expect: '100-continue' },
    });
    assert.deepEqual(
      [status, continued, reasonOf(decodeStatus(body)), collector.begun()],
      [403, false, 'unknown_key', 0],
    );
  });

  it('is refused for its announced length before a byte of it was sent', async (t) => {
    const { gateway, key } = await setUp(t);
    const headers = { 'x-api-key': key, expect: '100-continue', 'content-length': 1_000_000_000 };
    const { status, continued, body } = await callHttp(gateway.httpUrl, { headers });
    assert.deepEqual([status, continued, reasonOf(decodeStatus(body))], [413, false, 'body_too_large']);
  });
});

describe('a connection that is not worth keeping', () => {
  it('is told what is wrong with a request that cannot be parsed, and closed', async (t) => {
    const { gateway } = await setUp(t);
    const socket = await connectRaw(t, gateway.addresses.http.port);
    socket.end('POST /v1/traces HTTP/1.1\r\nhost: x\r\nbroken header\r\n\r\n');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    assert.match(
      chunk.toString(),
      /^HTTP\/1\.1 400 Bad Request\r\n[^]*connection: close\r\n\r\nThe request is not well-formed\.[^\n]*\n$/,
    );
    await until(
      'the connection is gone',
      async () => (await gateway.metric('keygate_connections', { port: 'http' })) === 0,
    );
  });
});
