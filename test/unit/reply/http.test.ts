import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toHttpReply } from '../../../src/reply/http.ts';
import type { HttpAsker } from '../../../src/reply/http.ts';
import { explain } from '../../../src/reply/refusal.ts';
import type { Reply } from '../../../src/reply/refusal.ts';
import { encodeStatus, statusToJson } from '../../../src/reply/status.ts';
import type { Reason } from '../../../src/verdict/reasons.ts';

const OTLP = { otherwise: 'text', methods: ['POST'] } as const;
const replyTo = (reply: Reply, contentType: string | undefined, route: Omit<HttpAsker, 'contentType'> = OTLP) =>
  toHttpReply(reply, { contentType, ...route });

const refusal = (reason: Reason) => explain({ verdict: 'refuse', reason }, 'r-1', () => 0.5);

describe('a refusal over HTTP', () => {
  it('is a protobuf Status to a protobuf request', () => {
    const reply = refusal('unknown_key');
    const body = encodeStatus(reply.status);
    assert.deepEqual(replyTo(reply, 'application/x-protobuf'), {
      status: 403,
      headers: {
        'content-type': 'application/x-protobuf',
        'content-length': String(body.length),
        'x-request-id': 'r-1',
      },
      body,
    });
  });

  it('is a JSON Status to a JSON request', () => {
    const reply = refusal('unknown_key');
    const body = Buffer.from(statusToJson(reply.status));
    assert.deepEqual(replyTo(reply, 'application/json'), {
      status: 403,
      headers: { 'content-type': 'application/json', 'content-length': String(body.length), 'x-request-id': 'r-1' },
      body,
    });
  });

  it('is in the request’s encoding however the type is written', () => {
    const types = ['Application/X-Protobuf', ' application/json ; charset=utf-8', 'application/json;charset=utf-8'];
    assert.deepEqual(
      types.map((type) => replyTo(refusal('unknown_key'), type).headers['content-type']),
      ['application/x-protobuf', 'application/json', 'application/json'],
    );
  });

  it('is text to any other request, or one without a type', () => {
    const reply = refusal('not_found');
    for (const type of [undefined, '', 'text/html', 'application/x-protobuffer']) {
      const { status, headers, body } = replyTo(reply, type);
      assert.equal(status, 404);
      assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
      assert.equal(body.toString(), `${reply.status.message}\n`);
    }
  });

  it('asks for the same wait in Retry-After as in the body, in whole seconds', () => {
    const reply = refusal('store_timeout');
    assert.equal(reply.status.retryDelaySeconds, 3);
    assert.equal(replyTo(reply, 'application/json').headers['retry-after'], '3');
    assert.match(replyTo(reply, 'application/json').body.toString(), /"retryDelay":"3s"/);
  });

  it('has no Retry-After where a retry is useless', () => {
    assert.equal('retry-after' in replyTo(refusal('body_too_large'), undefined).headers, false);
  });

  it('is JSON to any other request on a route that says so, and still protobuf to protobuf', () => {
    const json = { otherwise: 'json', methods: ['POST'] } as const;
    const types = [undefined, 'text/plain;charset=UTF-8', 'multipart/form-data; boundary=x', 'application/x-protobuf'];
    assert.deepEqual(
      types.map((type) => replyTo(refusal('unknown_key'), type, json).headers['content-type']),
      ['application/json', 'application/json', 'application/json', 'application/x-protobuf'],
    );
  });

  it('of a method says which ones to use', () => {
    const { headers } = replyTo(refusal('method_not_allowed'), undefined);
    assert.equal(headers['allow'], 'POST');
    const read = replyTo(refusal('method_not_allowed'), undefined, { otherwise: 'json', methods: ['GET', 'HEAD'] });
    assert.equal(read.headers['allow'], 'GET, HEAD');
  });
});
