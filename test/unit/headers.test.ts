import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  createNamesToRemove,
  createRequestFilter,
  createToUpstream,
  filterResponseFields,
  identityFields,
  IDENTITY,
  toFieldValue,
} from '../../src/headers.ts';
import { newRecord } from '../support/stores.ts';

const filterRequest = createRequestFilter(['x-api-key', 'x-acme-key']);

describe('the fields of a request that go on to the collector', () => {
  it('are those of the telemetry, in their order, with names in lower case and values untouched', () => {
    const fields = ['Content-Type', 'application/json', 'X-Two', ' a', 'Content-Encoding', 'gzip', 'X-Two', 'b'];
    assert.deepEqual(filterRequest(fields), [
      ['content-type', 'application/json'],
      ['x-two', ' a'],
      ['content-encoding', 'gzip'],
      ['x-two', 'b'],
    ]);
  });

  it('have no credential among them, in any carrier', () => {
    assert.deepEqual(
      filterRequest(['Authorization', 'a', 'X-API-Key', 'b', 'X-ACME-KEY', 'c', 'Proxy-Authorization', 'd']),
      [],
    );
  });

  it('have none among them that belongs to the connection', () => {
    const fields =
      'Connection Keep-Alive Proxy-Connection Proxy-Authenticate TE Trailer Transfer-Encoding Upgrade HTTP2-Settings Expect Host';
    assert.deepEqual(filterRequest(fields.split(' ').flatMap((name) => [name, 'x'])), []);
  });

  it('have no pseudo-header field among them', () => {
    assert.deepEqual(filterRequest([':path', '/', ':authority', 'x', 'x-kept', '1']), [['x-kept', '1']]);
  });

  it('have none among them that Connection names, wherever it stands and however it is written', () => {
    const fields = ['X-One', '1', 'connection', 'close, X-ONE', 'X-Two', '2', 'Connection', ' x-two ', 'X-Three', '3'];
    assert.deepEqual(filterRequest(fields), [['x-three', '3']]);
  });

  it('have none among them that a reader might fold into one of ours', () => {
    const spellings = [
      'X-Keygate-Key-Id',
      'x_keygate_key_id',
      'x.keygate.key.id',
      'X-Keygate_Tenant',
      'x!keygate~anything',
    ];
    assert.deepEqual(filterRequest(spellings.flatMap((name) => [name, 'forged'])), []);
  });

  it('have none among them that a reader might fold into a credential, or into one that says where the body ends', () => {
    const spellings = ['X_API_KEY', 'Transfer_Encoding', 'transfer.encoding', 'Content_Length', 'Proxy_Authorization'];
    assert.deepEqual(filterRequest(spellings.flatMap((name) => [name, 'x'])), []);
  });

  it('have the real length of the body among them', () => {
    assert.deepEqual(filterRequest(['Content-Length', '3']), [['content-length', '3']]);
  });

  it('may have names that only resemble ours', () => {
    const names = ['keygate-key-id', 'x-keygateway', 'my-x-keygate-key-id'];
    assert.deepEqual(
      filterRequest(names.flatMap((name) => [name, '1'])),
      names.map((name) => [name, '1']),
    );
  });

  it('never contain ours, whatever was sent', () => {
    const separators = fc.constantFrom('-', '_', '.', '~', '!', '*');
    const spelled = fc
      .tuple(fc.constantFrom(...Object.values(IDENTITY)), separators)
      .chain(([name, separator]) => fc.mixedCase(fc.constant(name.replaceAll('-', separator))));
    const names = fc.oneof(spelled, fc.constantFrom('connection', 'x-kept'), fc.string());
    const requests = fc.array(fc.tuple(names, fc.string())).map((fields) => fields.flat());
    fc.assert(
      fc.property(requests, (fields) => {
        const kept = filterRequest(fields).map(([name]) => name);
        assert.deepEqual(
          kept.filter((name) => /^x.keygate./.test(name)),
          [],
        );
      }),
    );
  });
});

describe('the fields of a response that go back to the sender', () => {
  it('are all but those of the collector’s connection', () => {
    const fields = [
      'Content-Type',
      'text/plain',
      'Connection',
      'close, x-named',
      'X-Named',
      '1',
      'Retry-After',
      '3',
      'Transfer-Encoding',
      'chunked',
      'Set-Cookie',
      'a',
      'Set-Cookie',
      'b',
    ];
    assert.deepEqual(filterResponseFields(fields), [
      ['content-type', 'text/plain'],
      ['retry-after', '3'],
      ['set-cookie', 'a'],
      ['set-cookie', 'b'],
    ]);
  });
});

describe('what the collector is told of a key', () => {
  it('is its id, its name and its tenant', () => {
    assert.deepEqual(identityFields(newRecord({ id: '42', name: 'checkout', tenant: 'acme' })), [
      ['x-keygate-key-id', '42'],
      ['x-keygate-key-name', 'checkout'],
      ['x-keygate-tenant', 'acme'],
    ]);
  });

  it('has no tenant if the key has none', () => {
    assert.deepEqual(identityFields(newRecord({ id: '42', name: 'checkout' })), [
      ['x-keygate-key-id', '42'],
      ['x-keygate-key-name', 'checkout'],
    ]);
  });

  it('has the tenant a second time, under the name that the collector knows it by, if there is one', () => {
    const key = newRecord({ id: '42', name: 'checkout', tenant: 'Müller' });
    assert.deepEqual(identityFields(key, 'x-scope-orgid').slice(2), [
      ['x-keygate-tenant', 'M%C3%BCller'],
      ['x-scope-orgid', 'M%C3%BCller'],
    ]);
    assert.equal(identityFields(newRecord(), 'x-scope-orgid').length, 2);
  });

  it('is told in that name by nobody else, in whatever spelling, whether the key has a tenant or not', () => {
    const toUpstream = createToUpstream({ carriers: [], tenantHeader: 'x-scope-orgid' });
    const fields = ['X-Scope-OrgID', 'a', 'x_scope_orgid', 'b', 'X.Scope.OrgId', 'c', 'x-scope-orgid2', 'd'];
    const names = (tenant: string | undefined) =>
      toUpstream(fields, newRecord({ tenant })).filter(([name]) => name.includes('scope'));
    assert.deepEqual(names(undefined), [['x-scope-orgid2', 'd']]);
    assert.deepEqual(names('acme'), [
      ['x-scope-orgid2', 'd'],
      ['x-scope-orgid', 'acme'],
    ]);
  });

  it('cannot end the field and begin another one', () => {
    const [, [, value] = []] = identityFields(newRecord({ name: 'a\r\nx-admin: 1' }));
    assert.equal(value, 'a%0D%0Ax-admin: 1');
  });
});

describe('what a proxy that relays the request itself takes out', () => {
  const namesToRemove = createNamesToRemove({ carriers: ['x-api-key'], tenantHeader: 'x-scope-orgid' });
  const IDENTITIES = Object.values(IDENTITY);

  it('is all that may hold a key or pass for a word of ours, whether it was sent or not', () => {
    assert.deepEqual(namesToRemove([], []), ['authorization', 'x-api-key', ...IDENTITIES, 'x-scope-orgid']);
  });

  it('is that in every spelling that was sent, and nothing else', () => {
    const names = [
      'X_Api_Key',
      'Authorization',
      'x.keygate.anything',
      'X-Scope_OrgID',
      'X-Api-Keys',
      'Content-Type',
      ':path',
    ];
    const sent = names.flatMap((name) => [name, 'a']);
    const usual = new Set(namesToRemove([], []));
    assert.deepEqual(
      namesToRemove(sent, []).filter((name) => !usual.has(name)),
      ['x_api_key', 'x.keygate.anything', 'x-scope_orgid'],
    );
  });

  it('is not what it is to set', () => {
    const set = identityFields(newRecord({ tenant: 'acme' }), 'x-scope-orgid');
    assert.deepEqual(namesToRemove(['X-Keygate-Key-Id', 'forged'], set), ['authorization', 'x-api-key']);
  });
});

describe('text in a field value', () => {
  it('stays as it is where it is visible ASCII or a space', () => {
    assert.equal(toFieldValue('a name, with "quotes"; and ~'), 'a name, with "quotes"; and ~');
  });

  it('is percent-encoded as UTF-8 where it is anything else', () => {
    assert.equal(toFieldValue('100 % Müller\t🔑\x7f'), '100 %25 M%C3%BCller%09%F0%9F%94%91%7F');
  });

  it('can be read back, whatever it was', () => {
    const texts = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(texts, (text) => {
        const value = toFieldValue(text);
        assert.match(value, /^[\x20-\x7e]*$/);
        assert.equal(decodeURIComponent(value), text);
      }),
    );
  });
});
