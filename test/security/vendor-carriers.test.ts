import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { createKeyText } from '../../src/credential/key-text.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';

/**
 * Each name that may hold a key is one more by which a key could go on to the collector, or by which a request could mean
 * one key here and another one there. These are all that config/groundcover.yaml has.
 */
const file = join(import.meta.dirname, '../../config/groundcover.yaml');
const { keys } = parse(readFileSync(file, 'utf8')) as {
  readonly keys: { readonly carriers: string[]; readonly bareAuthorization: boolean };
};
const { carriers, bareAuthorization } = keys;
const OTHER = createKeyText('ingestion');

test('a key passes in every header of groundcover, and never goes on, in no spelling of it', async (t) => {
  const collector = await startCollector(t);
  const upstream = { grpc: collector.grpcUrl, http: collector.httpUrl };
  const gateway = await startGateway(t, { upstream, keys: { carriers, bareAuthorization } });
  const { text: key } = await gateway.createKey();
  const session = await connectGrpc(t, gateway.grpcAddress);
  for (const carrier of [...carriers, 'authorization']) {
    const spellings = [carrier.toUpperCase(), carrier.replaceAll('-', '_'), carrier.replaceAll('_', '-')];
    for (const name of new Set([carrier, ...spellings])) {
      // What no reader here takes for a carrier goes with a key that is one: then it must not go on beside it.
      const headers = { [name]: key, ...(name.toLowerCase() !== carrier && { [carrier]: key }) };
      assert.equal((await callHttp(gateway.httpUrl, { headers })).status, 200, name);
      const inGrpc = Object.fromEntries(Object.entries(headers).map(([field, value]) => [field.toLowerCase(), value]));
      assert.equal((await callGrpc(session, { headers: inGrpc })).code, 0, name);
    }
  }
  for (const { headers } of collector.arrivals) assert.ok(!JSON.stringify(headers).includes(key));
});

test('two keys in two of them are refused, whichever comes first', async (t) => {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    upstream: { http: collector.httpUrl },
    keys: { carriers, bareAuthorization },
  });
  const { text: key } = await gateway.createKey();
  const all = [...carriers, 'authorization'];
  for (const one of all) {
    for (const two of all.filter((each) => each !== one)) {
      const headers = { [one]: key, [two]: OTHER, 'content-type': 'application/json' };
      const { status, body } = await callHttp(gateway.httpUrl, { headers });
      assert.equal(status, 403);
      assert.match(body.toString(), /conflicting_credentials/, `${one}, ${two}`);
    }
  }
  assert.equal(collector.begun(), 0);
});

test('without that configuration none of them holds a key', async (t) => {
  const gateway = await startGateway(t, { upstream: { http: 'http://127.0.0.1:1' } });
  const { text: key } = await gateway.createKey();
  for (const carrier of ['token', 'api_key', 'dd-api-key', 'x-amz-firehose-access-key']) {
    const headers = { [carrier]: key, 'content-type': 'application/json' };
    assert.match((await callHttp(gateway.httpUrl, { headers })).body.toString(), /missing_credential/);
  }
});
