import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';

/**
 * Request targets that name a route to one reader and something else to another, and those that end a proxy which builds a
 * URL from them. A route is matched byte for byte; nothing is decoded, normalised or looked up by host.
 */
// oxfmt-ignore
const TARGETS: Readonly<Record<string, readonly [target: string, status: number]>> = {
  'an absolute form': ['http://collector.internal/v1/traces', 404],
  'an absolute form of another scheme': ['file:///v1/traces', 404],
  'a host without a scheme': ['//collector.internal/v1/traces', 404],
  'a double slash': ['/v1//traces', 404],
  'a step up': ['/v1/x/../traces', 404],
  'an escaped step up': ['/v1/x/%2e%2e/traces', 404],
  'an escaped slash': ['/v1%2Ftraces', 404],
  'an escaped letter': ['/v1/%74races', 404],
  'an escape that is none': ['/v1/traces%zz', 404],
  'a backslash': ['/v1\\traces', 404],
  'a trailing slash': ['/v1/traces/', 404],
  'another case': ['/V1/Traces', 404],
  'a parameter of a path segment': ['/v1/traces;a=b', 404],
  'a fragment': ['/v1/traces#/v1/traces', 404],
  'only a query': ['?/v1/traces', 400],
  'an asterisk': ['*', 404],
  'nothing but a host': ['collector.internal:4318', 400],
  'bytes beyond ASCII': ['/v1/traces\x80\xff', 400],
  'a NUL': ['/v1/traces\0', 400],
  'a tab': ['/v1/tra\tces', 400],
  'a name that every object has': ['/constructor', 404],
  'a name that every object inherits': ['__proto__', 400],
};

test('a strange target is refused, is not forwarded, and ends nothing', async (t) => {
  const { upstream, key, send } = await startRawPath(t);
  const fields = ['Host: gateway', `X-API-Key: ${key}`, 'Content-Length: 0', 'Connection: close'];

  for (const [sentence, [target, status]] of Object.entries(TARGETS)) {
    await t.test(sentence, async () => {
      assert.deepEqual((await send(request(`POST ${target} HTTP/1.1`, fields))).statuses, [status]);
      assert.equal(upstream.received(), '');
    });
  }

  await t.test('OPTIONS * asks about a proxy that builds URLs, and kills it', async () => {
    assert.deepEqual((await send(request('OPTIONS * HTTP/1.1', fields))).statuses, [404]);
  });

  await t.test('CONNECT opens no tunnel', async () => {
    const { text } = await send(request('CONNECT collector.internal:4317 HTTP/1.1', ['Host: x', `X-API-Key: ${key}`]));
    assert.doesNotMatch(text, / 200 /);
  });

  await t.test('a query is no part of the route and does not go on', async () => {
    assert.deepEqual((await send(request('POST /v1/traces?a=/../../x HTTP/1.1', fields))).statuses, [200]);
    assert.deepEqual(
      upstream.requests.map(({ head }) => head.split('\r\n')[0]),
      ['POST /v1/traces HTTP/1.1'],
    );
  });
});
