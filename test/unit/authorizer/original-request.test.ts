import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { originalRequest, senderOf } from '../../../src/authorizer/original-request.ts';

const PROXY = '127.0.0.1';
const nobody = (): boolean => false;

function asked(fields: readonly string[], url = '/authz', method = 'GET') {
  const original = originalRequest({ method, url, fields, peer: PROXY }, nobody);
  return original && { target: original.target, method: original.method, peer: original.peer };
}

describe('the request that a proxy asks about', () => {
  it('is what its fields say, wherever they say it', () => {
    const request = { target: '/v1/logs?a=b', method: 'POST', peer: '192.0.2.1' };
    const from = ['X-Forwarded-For', '192.0.2.1'];
    assert.deepEqual(asked(['X-Forwarded-Uri', '/v1/logs?a=b', 'X-Forwarded-Method', 'POST', ...from]), request);
    assert.deepEqual(asked(['X-Original-URI', '/v1/logs?a=b', 'X-Original-Method', 'POST', ...from]), request);
    const url = ['x-original-url', 'https://otlp.example.com:443/v1/logs?a=b'];
    assert.deepEqual(asked([...url, 'x-original-method', 'POST', ...from]), request);
    assert.deepEqual(asked(from, '/authz/v1/logs?a=b', 'POST'), request);
  });

  it('is unclear where nothing is said, or two things are', () => {
    assert.equal(asked([])?.target, undefined);
    assert.equal(asked([], '/authz?uri=/v1/logs')?.target, undefined);
    assert.equal(asked(['x-forwarded-uri', '/a', 'x-original-uri', '/b'])?.target, undefined);
    assert.equal(asked(['x-forwarded-uri', '/a', 'x-forwarded-uri', '/b'])?.target, undefined);
    assert.equal(asked(['x-forwarded-uri', '/a'], '/authz/b')?.target, undefined);
    const methods = ['x-forwarded-method', 'GET', 'x-original-method', 'POST'];
    assert.equal(asked(['x-forwarded-uri', '/a', ...methods])?.target, undefined);
  });

  it('has no method where none is said, and that of the question where Envoy asks', () => {
    assert.equal(asked(['x-forwarded-uri', '/a'])?.method, undefined);
    assert.equal(asked([], '/authz/a', 'PUT')?.method, 'PUT');
  });

  it('is none at any other path', () => {
    for (const url of ['/', '/authzed', '/api/authz', '//authz', '/authz%2fa', '*', 'http://keygate/authz'])
      assert.equal(asked(['x-forwarded-uri', '/a'], url), undefined, url);
  });
});

describe('who sent it', () => {
  const isProxy = (address: string): boolean => address.startsWith('10.') || address === '2001:db8::1';

  it('is the last one that is no proxy, as those that were told of say', () => {
    assert.equal(senderOf(['192.0.2.1'], PROXY, nobody), '192.0.2.1');
    assert.equal(senderOf(['203.0.113.1, 192.0.2.1'], PROXY, nobody), '192.0.2.1');
    assert.equal(senderOf(['203.0.113.1, 192.0.2.1, 10.0.0.2', '10.0.0.1'], PROXY, isProxy), '192.0.2.1');
    assert.equal(senderOf(['203.0.113.1:5000', '[2001:db8::1]:443'], PROXY, isProxy), '203.0.113.1');
    assert.equal(senderOf(['2001:db8::7'], PROXY, isProxy), '2001:db8::7');
  });

  it('is whoever said last where the rest is no address, and the proxy where nothing is said', () => {
    assert.equal(senderOf(['192.0.2.1, unknown, 10.0.0.1'], PROXY, isProxy), '10.0.0.1');
    assert.equal(senderOf(['10.0.0.2, 10.0.0.1'], PROXY, isProxy), '10.0.0.2');
    assert.equal(senderOf([], PROXY, isProxy), PROXY);
    assert.equal(senderOf(['', ' , '], PROXY, isProxy), PROXY);
  });
});
