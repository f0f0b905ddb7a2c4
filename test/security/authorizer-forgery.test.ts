import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { NewKey } from '../../src/keys/new-key.ts';
import { askHttp, forwarded } from '../support/authz-client.ts';
import { startGateway } from '../support/gateway.ts';
import { cidrs } from '../support/stores.ts';

/**
 * What a sender may put into its request and the proxy passes on, because it uses other names itself: none of it may have Keygate judge
 * another request than the one that is relayed (as X-Original-URL did in CVE-2018-14773).
 */

async function setUp(t: TestContext, key: Partial<NewKey>) {
  const gateway = await startGateway(t, { authz: { http: { address: '127.0.0.1:0' } } });
  const { text } = await gateway.createKey(key);
  const port = gateway.addresses.authz_http?.port ?? 0;
  const ask = async (headers: Readonly<Record<string, string | readonly string[]>>, path?: string) => {
    const { status, headers: answered } = await askHttp(port, { 'x-api-key': text, ...headers }, path);
    return `${status} ${/\((\w+)/.exec(answered['x-keygate-message'] ?? '')?.[1] ?? ''}`.trim();
  };
  return { ask };
}

describe('a sender that says itself what it asks for', () => {
  it('is not believed on the path, by whatever name', async (t) => {
    const { ask } = await setUp(t, { signals: ['traces'] });
    const logs = forwarded('/v1/logs');
    assert.equal(await ask(logs), '403 signal_not_allowed');
    for (const name of ['x-original-uri', 'x-original-url']) {
      assert.equal(await ask({ ...logs, [name]: '/v1/traces' }), '503 unclear_question', name);
    }
    assert.equal(await ask({ ...logs, 'x-forwarded-uri': ['/v1/traces', '/v1/logs'] }), '503 unclear_question');
    assert.equal(await ask({ 'x-forwarded-uri': '/v1/traces' }, '/authz/v1/logs'), '503 unclear_question');
    assert.equal(await ask({ ...logs, 'x-original-url': 'http://a/v1/traces#/v1/logs' }), '503 unclear_question');
  });

  it('is not believed on the method', async (t) => {
    const { ask } = await setUp(t, {});
    assert.equal(await ask(forwarded(undefined, undefined, 'GET')), '405 method_not_allowed');
    assert.equal(
      await ask({ ...forwarded(undefined, undefined, 'GET'), 'x-original-method': 'POST' }),
      '503 unclear_question',
    );
  });

  it('is not believed on the address, however much it writes before what the proxy adds', async (t) => {
    const { ask } = await setUp(t, { cidrs: cidrs('10.1.0.0/16') });
    assert.equal(await ask(forwarded(undefined, '10.1.2.3, 203.0.113.9')), '403 address_not_allowed');
    assert.equal(
      await ask({ ...forwarded(), 'x-forwarded-for': ['10.1.2.3', '203.0.113.9'] }),
      '403 address_not_allowed',
    );
    assert.equal(await ask(forwarded(undefined, '10.1.2.3, unknown')), '403 address_not_allowed');
    assert.equal(
      await ask({ ...forwarded(), 'x-real-ip': '10.1.2.3', forwarded: 'for=10.1.2.3' }),
      '403 address_not_allowed',
    );
  });

  it('is not served another path by a different way of writing it', async (t) => {
    const { ask } = await setUp(t, {});
    for (const path of [
      '//v1/traces',
      '/v1/traces/',
      '/v1/./traces',
      '/v1/%74races',
      '/V1/traces',
      '/v1/traces#',
      '/v1/traces;a',
    ]) {
      assert.equal(await ask(forwarded(path)), '404 not_found', path);
    }
    assert.equal(await ask({}), '503 unclear_question');
  });
});
