import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type * as http from 'node:http';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { startCollector } from '../support/collector.ts';
import type { Arrival, Collector, CollectorOptions } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callHttp } from '../support/http-client.ts';
import type { HttpAnswer, HttpCall } from '../support/http-client.ts';

interface Setup {
  readonly gateway: Gateway;
  readonly collector: Collector;
  send(call?: HttpCall): Promise<HttpAnswer>;
}

async function setUp(t: TestContext, options: CollectorOptions = {}): Promise<Setup> {
  const collector = await startCollector(t, options);
  const gateway = await startGateway(t, { upstream: { http: collector.httpUrl } });
  const { text: key } = await gateway.createKey();
  return {
    gateway,
    collector,
    send: (call = {}) => callHttp(gateway.httpUrl, { ...call, headers: { 'x-api-key': key, ...call.headers } }),
  };
}

async function deliver({ send, collector }: Setup, call: HttpCall): Promise<Arrival> {
  const answer = await send(call);
  assert.equal(answer.status, 200);
  const arrival = collector.arrivals.at(-1);
  assert.ok(arrival);
  return arrival;
}

describe('an OTLP/HTTP request on its way to the collector', () => {
  const payload = randomBytes(50_000);
  const encodings: Record<string, Buffer> = {
    gzip: gzipSync(payload),
    zstd: zstdCompressSync(payload),
    'x-snappy-framed': payload,
    'gzip, gzip': gzipSync(gzipSync(payload)),
    identity: payload,
  };
  for (const [encoding, body] of Object.entries(encodings)) {
    it(`passes byte for byte with Content-Encoding ${encoding}, in one piece or in chunks`, async (t) => {
      const setup = await setUp(t);
      const whole = await deliver(setup, { body, headers: { 'content-encoding': encoding } });
      const chunked = await deliver(setup, {
        body: [body.subarray(0, 1), body.subarray(1, 20_000), body.subarray(20_000)],
        headers: { 'content-encoding': encoding },
      });
      assert.deepEqual(
        [whole, chunked].map(({ headers, body: arrived }) => [headers['content-encoding'], arrived.equals(body)]),
        [
          [[encoding], true],
          [[encoding], true],
        ],
      );
      assert.deepEqual(
        [whole.headers['content-length'], whole.headers['transfer-encoding']],
        [[String(body.length)], undefined],
      );
      assert.deepEqual(
        [chunked.headers['content-length'], chunked.headers['transfer-encoding']],
        [undefined, ['chunked']],
      );
    });
  }

  it('reaches each of the four routes under its own path, without a query', async (t) => {
    const setup = await setUp(t);
    const paths = ['/v1/traces', '/v1/metrics', '/v1/logs', '/v1development/profiles'];
    for (const path of paths) await deliver(setup, { path: `${path}?api_key=secret&x=1` });
    assert.deepEqual(
      setup.collector.arrivals.map(({ method, path }) => [method, path]),
      paths.map((path) => ['POST', path]),
    );
  });

  it('keeps its own headers as they are, and none of those of its connection', async (t) => {
    const { headers } = await deliver(await setUp(t), {
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'OTel-OTLP-Exporter-Test/1.0',
        'x-scope-orgid': 'team-a',
        'accept-encoding': 'gzip',
        te: 'trailers',
        'keep-alive': 'timeout=5',
        connection: 'keep-alive, x-only-here',
        'x-only-here': '1',
        'proxy-authorization': 'Basic abc',
      },
    });
    const {
      host: _host,
      connection: _connection,
      'x-keygate-key-id': _id,
      'x-keygate-key-name': _name,
      ...rest
    } = headers;
    assert.deepEqual(rest, {
      'content-type': ['application/json; charset=utf-8'],
      'content-length': ['9'],
      'user-agent': ['OTel-OTLP-Exporter-Test/1.0'],
      'x-scope-orgid': ['team-a'],
      'accept-encoding': ['gzip'],
    });
  });

  it('passes when it has no body', async (t) => {
    const setup = await setUp(t);
    assert.equal((await deliver(setup, { body: Buffer.alloc(0) })).bodyBytes, 0);
    assert.equal((await deliver(setup, { body: [] })).bodyBytes, 0);
  });
});

describe('the answer of the collector on its way to an HTTP client', () => {
  const PROTOBUF = 'application/x-protobuf';
  const answers: readonly (readonly [
    what: string,
    status: number,
    headers: Readonly<Record<string, string>>,
    body: Buffer,
  ])[] = [
    ['200 without a body', 200, { 'content-type': PROTOBUF }, Buffer.alloc(0)],
    ['200 with a partial success', 200, { 'content-type': PROTOBUF }, Buffer.from('0a06080312026e6f', 'hex')],
    ['200 compressed', 200, { 'content-type': PROTOBUF, 'content-encoding': 'gzip' }, gzipSync(Buffer.from('partial'))],
    ['400 with a Status', 400, { 'content-type': PROTOBUF }, Buffer.from('0803120362616', 'hex')],
    [
      '404 as text',
      404,
      { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
      Buffer.from('404 page not found\n'),
    ],
    ['415 as text', 415, { 'content-type': 'text/plain' }, Buffer.from('415 unsupported media type')],
    ['429 with Retry-After', 429, { 'content-type': PROTOBUF, 'retry-after': '17' }, Buffer.from('080812', 'hex')],
    ['500 with HTML', 500, { 'content-type': 'text/html' }, Buffer.from('<h1>oops</h1>')],
    [
      '503 with Retry-After as a date',
      503,
      { 'content-type': 'application/json', 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' },
      Buffer.from('{"code":14}'),
    ],
    ['502 without a body', 502, {}, Buffer.alloc(0)],
  ];

  it('passes untouched, whatever it is', async (t) => {
    let answer = answers[0];
    const { send } = await setUp(t, {
      onHttp(response: http.ServerResponse) {
        const [, status, headers, body] = answer ?? ['', 0, {}, Buffer.alloc(0)];
        response.writeHead(status, {
          ...headers,
          'content-length': body.length,
          'x-custom': 'kept',
          'set-cookie': ['a=1', 'b=2'],
        });
        response.end(body);
      },
    });
    for (answer of answers) {
      const [what, status, headers, body] = answer;
      const got = await send();
      assert.deepEqual(
        got,
        {
          status,
          headers: { ...headers, 'content-length': String(body.length), 'x-custom': 'kept', 'set-cookie': 'a=1, b=2' },
          body,
          continued: false,
        },
        what,
      );
    }
  });

  it('passes chunk by chunk when its length is not known', async (t) => {
    const { send } = await setUp(t, {
      onHttp(response: http.ServerResponse) {
        response.writeHead(200, {
          'content-type': PROTOBUF,
          trailer: 'x-late',
          connection: 'close, x-hop',
          'x-hop': '1',
        });
        response.write('one ');
        response.end('two');
      },
    });
    const { status, headers, body } = await send();
    assert.deepEqual(
      [status, headers, body.toString()],
      [200, { 'content-type': PROTOBUF, 'transfer-encoding': 'chunked' }, 'one two'],
    );
  });

  it('comes while the request is still being sent, when the collector has heard enough', async (t) => {
    const { send, gateway } = await setUp(t, {
      onHttpHead(_request: http.IncomingMessage, response: http.ServerResponse) {
        response.writeHead(413, { 'content-type': PROTOBUF, connection: 'close' });
        response.end('too large');
      },
    });
    const { status, body } = await send({ body: Array.from({ length: 32 }, () => Buffer.alloc(4_096)) });
    assert.deepEqual([status, body.toString()], [413, 'too large']);
    assert.equal(await gateway.metric('keygate_requests_in_flight'), 0);
  });
});
