import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownOriginOf } from '../../../src/console/own-host.ts';

const PUBLIC = 'https://keygate.example.com';

test('addresses and localhost are ours, with any port', () => {
  const hosts = [
    '127.0.0.1:7070',
    '10.1.2.3',
    '[::1]:7070',
    '[2001:db8::1]',
    'localhost',
    'localhost:7070',
    'a.localhost:1',
  ];
  assert.deepEqual(
    hosts.map((host) => ownOriginOf(host, undefined)),
    hosts.map((host) => ({ origin: `http://${host}`, isSecure: false })),
  );
  assert.deepEqual(ownOriginOf('LocalHost:80', undefined), { origin: 'http://localhost', isSecure: false });
});

test('a name that a stranger can own is not ours', () => {
  const hosts = [
    undefined,
    '',
    'evil.example',
    'evil.example:7070',
    'localhost.evil.example',
    'localhost.',
    'notlocalhost',
    '127.0.0.1.evil.example',
    '127.0.0.1@evil.example',
    '127.1',
    '0x7f000001',
    '[::1].evil.example',
    '[evil]',
    'localhost:7070:1',
    'localhost/evil',
    'a b',
    'keygate.example.com',
  ];
  assert.deepEqual(
    hosts.filter((host) => ownOriginOf(host, undefined) !== undefined),
    [],
  );
});

test('the name that the operator set is ours, as it stands in the browser and no other', () => {
  assert.deepEqual(ownOriginOf('keygate.example.com', PUBLIC), { origin: PUBLIC, isSecure: true });
  assert.deepEqual(ownOriginOf('KEYGATE.example.com', `${PUBLIC}/`), { origin: PUBLIC, isSecure: true });
  assert.equal(ownOriginOf('keygate.example.com:8443', PUBLIC), undefined);
  assert.equal(ownOriginOf('other.example.com', PUBLIC), undefined);
  const plain = 'http://keygate.internal:7070';
  assert.deepEqual(ownOriginOf('keygate.internal:7070', plain), { origin: plain, isSecure: false });
});
