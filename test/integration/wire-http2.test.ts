import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { Upstream } from '../../src/plane/wire/upstream-call.ts';
import { callGrpc, connectGrpc, frame, openGrpc, readGrpc, readRefusal } from '../support/grpc-client.ts';
import { callHttpOverH2 } from '../support/http-client.ts';
import { newRecord } from '../support/stores.ts';
import { until } from '../support/wait.ts';
import { answerHead, startWireServer } from '../support/wire-server.ts';

describe('a gRPC call over the wire plane', () => {
  it('reaches the collector and gets its answer', async (t) => {
    const server = await startWireServer(t);
    const session = await connectGrpc(t, server.url);
    const body = frame(Buffer.from('telemetry'));
    const answer = await callGrpc(session, {
      headers: { 'x-api-key': server.key, 'grpc-timeout': '5S', traceparent: '00-1-2-3', 'x-more': 'yes' },
      body,
    });
    assert.deepEqual([answer.code, answer.httpStatus, answer.resetCode, answer.body], [0, 200, 0, body]);
    const [call] = server.calls;
    assert.ok(call);
    assert.deepEqual(
      [call.request.head.protocol, call.request.head.method, call.request.bodyLength, call.releasedBytes],
      ['grpc', 'POST', undefined, body.length],
    );
    assert.deepEqual(call.request.varying, ['grpc-timeout', '5S', 'traceparent', '00-1-2-3']);
    assert.deepEqual(
      server.reports.map(({ outcome, receivedBytes, sentBytes, upstreamStatus }) => [
        outcome,
        receivedBytes,
        sentBytes,
        upstreamStatus,
      ]),
      [['accepted', body.length, body.length, 0]],
    );
  });

  it('without a key is refused with trailers only', async (t) => {
    const server = await startWireServer(t);
    const session = await connectGrpc(t, server.url);
    const answer = await callGrpc(session);
    assert.deepEqual(readRefusal(answer), {
      code: 7,
      trailersOnly: true,
      reason: 'missing_credential',
      retrySeconds: undefined,
    });
    assert.equal(server.calls.length, 0);
  });

  it('of 4 MiB passes both ways', async (t) => {
    const server = await startWireServer(t);
    const session = await connectGrpc(t, server.url);
    const body = Buffer.alloc(4 << 20, 'telemetry');
    const answer = await callGrpc(session, { headers: { 'x-api-key': server.key }, body });
    assert.deepEqual([answer.code, answer.body.equals(body)], [0, true]);
  });

  it('whose answer breaks off ends with a status', async (t) => {
    const server = await startWireServer(t, {
      onCall: ({ caller }) => {
        caller.answered(answerHead(200, ['content-type', 'application/grpc']), [], false);
        caller.answerBytes(Buffer.from('half'), false);
        caller.failed('upstream_unavailable');
      },
    });
    const session = await connectGrpc(t, server.url);
    const answer = await callGrpc(session, { headers: { 'x-api-key': server.key } });
    assert.deepEqual([answer.code, readRefusal(answer).trailersOnly], [14, false]);
  });

  it('that its sender resets is cancelled at the collector', async (t) => {
    const server = await startWireServer(t, { onCall: () => {} });
    const session = await connectGrpc(t, server.url);
    const stream = openGrpc(session, { headers: { 'x-api-key': server.key } });
    stream.write(frame(Buffer.from('telemetry')));
    await until('the collector has it', () => server.calls.length === 1);
    stream.close(8);
    await until('it is cancelled', () => server.calls[0]?.isCancelled === true);
    assert.deepEqual(
      server.reports.map(({ outcome }) => outcome),
      ['cancelled'],
    );
  });
});

describe('a request of OTLP/HTTP over HTTP/2', () => {
  it('reaches the collector and gets its answer', async (t) => {
    const server = await startWireServer(t);
    const session = await connectGrpc(t, server.url);
    const answer = await callHttpOverH2(session, { headers: { 'x-api-key': server.key, 'content-length': 9 } });
    assert.deepEqual([answer.status, answer.body.toString()], [200, 'telemetry']);
    assert.equal(server.calls[0]?.request.bodyLength, 9);
  });

  it('is refused in its own words', async (t) => {
    const server = await startWireServer(t);
    const session = await connectGrpc(t, server.url);
    for (const [call, status] of [
      [{}, 403],
      [{ path: '/nowhere' }, 404],
      [{ method: 'PUT' }, 405],
    ] as const) {
      const answer = await callHttpOverH2(session, call);
      assert.equal(answer.status, status);
      assert.equal(answer.headers['content-length'], String(answer.body.length));
    }
  });

  it('whose answer breaks off is reset, so that it is repeated', async (t) => {
    const server = await startWireServer(t, {
      onCall: ({ caller }) => {
        caller.answered(answerHead(200, []), [], false);
        caller.answerBytes(Buffer.from('half'), false);
        caller.failed('upstream_unavailable');
      },
    });
    const session = await connectGrpc(t, server.url);
    const stream = openGrpc(session, {
      path: '/v1/traces',
      headers: { 'content-type': 'x/y', 'x-api-key': server.key },
    });
    stream.end();
    const { resetCode, httpStatus } = await readGrpc(stream);
    assert.deepEqual([resetCode, httpStatus], [2, 200]);
  });

  it('gets an answer with a date, and with the fields that differ from answer to answer', async (t) => {
    const server = await startWireServer(t, {
      onCall: ({ caller }) => {
        caller.answered(answerHead(200, ['content-type', 'a/b']), ['content-length', '4'], false);
        caller.answerBytes(Buffer.from('body'), true);
      },
    });
    const session = await connectGrpc(t, server.url);
    const stream = openGrpc(session, {
      path: '/v1/traces',
      headers: { 'content-type': 'a/b', 'x-api-key': server.key },
    });
    const [head] = await Promise.all([once(stream.end(), 'response'), readGrpc(stream)]);
    const { date, 'content-length': length, 'content-type': type } = head[0] as Record<string, string>;
    assert.deepEqual([type, length, Math.abs(Date.now() - Date.parse(date ?? '')) < 5_000], ['a/b', '4', true]);
  });

  it('to be read, or only looked at, gets no body where none may be', async (t) => {
    const upstream: Upstream = {
      open: ({ head }, caller) => {
        setImmediate(() => {
          caller.answered(answerHead(200, ['content-type', 'a/b']), [], head.method === 'HEAD');
          if (head.method === 'GET') caller.answerBytes(Buffer.from('settings'), true);
        });
        return { write() {}, release() {}, cancel() {} };
      },
      close() {},
    };
    const server = await startWireServer(t, {
      remoteConfig: upstream,
      lookup: () => ({ kind: 'known', record: newRecord({ type: 'sensor' }) }),
    });
    const session = await connectGrpc(t, server.url);
    const seen = [];
    for (const [method, headers] of [
      ['GET', { 'x-api-key': server.key }],
      ['HEAD', { 'x-api-key': server.key }],
      ['HEAD', {}],
    ] as const) {
      const answer = await callHttpOverH2(session, { method, path: '/remote-config', headers, body: '' });
      seen.push([method, answer.status, answer.body.length]);
    }
    assert.deepEqual(seen, [
      ['GET', 200, 8],
      ['HEAD', 200, 0],
      ['HEAD', 403, 0],
    ]);
  });
});

describe('a page over HTTP/2', () => {
  const SHOP = 'https://shop.example.com';
  const ASKING = { origin: SHOP, 'access-control-request-method': 'POST' };

  it('is told that it may send, without a key', async (t) => {
    const server = await startWireServer(t, { origins: [SHOP] });
    const session = await connectGrpc(t, server.url);
    const { status, headers } = await callHttpOverH2(session, { method: 'OPTIONS', headers: ASKING, body: '' });
    assert.deepEqual(
      [
        status,
        headers['access-control-allow-origin'],
        headers['access-control-allow-methods'],
        headers['access-control-max-age'],
      ],
      [204, SHOP, 'POST', '600'],
    );
    // A body means nothing there, and is no reason to wait for its end.
    assert.equal((await callHttpOverH2(session, { method: 'OPTIONS', headers: ASKING, body: 'x' })).status, 204);
    const elsewhere = { ...ASKING, origin: 'https://elsewhere.example' };
    assert.equal((await callHttpOverH2(session, { method: 'OPTIONS', headers: elsewhere, body: '' })).status, 405);
    assert.equal((await callHttpOverH2(session, { headers: { 'x-api-key': server.key } })).status, 200);
  });

  it('may read answers and refusals; what the collector says of origins is not heard', async (t) => {
    const server = await startWireServer(t, {
      origins: [SHOP],
      onCall: ({ caller }) =>
        caller.answered(answerHead(200, ['access-control-allow-origin', '*', 'vary', 'Accept-Encoding']), [], true),
    });
    const session = await connectGrpc(t, server.url);
    for (const [headers, status, vary] of [
      [{ origin: SHOP, 'x-api-key': server.key }, 200, 'Accept-Encoding, Origin'],
      [{ origin: SHOP }, 403, 'Origin'],
    ] as const) {
      const answer = await callHttpOverH2(session, { headers });
      assert.deepEqual(
        [answer.status, answer.headers['access-control-allow-origin'], answer.headers['vary']],
        [status, SHOP, vary],
      );
    }
  });
});
