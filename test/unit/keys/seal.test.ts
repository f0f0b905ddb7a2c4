import assert from 'node:assert/strict';
import { createDecipheriv, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { KeyRecord, Sealed } from '../../../src/keys/record.ts';
import { createSealer, parseEncryptionKey, withSealed } from '../../../src/keys/seal.ts';
import type { SealerOptions } from '../../../src/keys/seal.ts';
import { digestOf, newRecord } from '../../support/stores.ts';

const TEXT = 'iapikeyok-the-text-of-a-key';
const newKey = (id: string) => ({ id, secret: randomBytes(32).toString('base64') });
const KEY = newKey('2026');

const sealerWith = (options: Partial<SealerOptions> = {}) =>
  createSealer({ types: ['sensor'], key: KEY, random: randomBytes, ...options });
const sensorKey = (fields: Partial<KeyRecord> = {}): KeyRecord => newRecord({ type: 'sensor', ...fields });

/** A record with a sealed copy, which is given as it is stored. */
function sealed(): { record: KeyRecord; copy: Sealed } {
  const record = withSealed(sensorKey(), TEXT, sealerWith());
  assert.ok(record.sealed);
  return { record, copy: record.sealed };
}

function flipBit(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return bytes.toString('base64');
}

test('a text is sealed with the id of the encryption key beside it, and opened again', () => {
  const { record, copy } = sealed();
  assert.equal(copy.by, '2026');
  assert.ok(!JSON.stringify(record).includes(TEXT));
  assert.deepEqual(sealerWith().open(record), { text: TEXT });
});

test('only keys of the declared types have a copy, and service tokens never', () => {
  const sealer = sealerWith({ types: ['sensor', 'none'] });
  assert.ok(sealer.seal(sensorKey(), TEXT));
  assert.ok(sealer.seal(newRecord(), TEXT));
  assert.equal(sealer.seal(newRecord({ type: 'rum' }), TEXT), undefined);
  assert.equal(sealer.seal(newRecord({ kind: 'service' }), TEXT), undefined);
  assert.equal(sealerWith().seal(newRecord(), TEXT), undefined);
  assert.equal(sealerWith({ key: undefined }).seal(sensorKey(), TEXT), undefined);
});

test('what is no longer declared revealable does not open, though the copy is there', () => {
  const { record } = sealed();
  assert.deepEqual(sealerWith({ types: [] }).open(record), { problem: 'type' });
  assert.deepEqual(sealerWith().open(sensorKey()), { problem: 'none' });
});

test('encryption keys are rotated: the former ones open, the new one seals', () => {
  const { record } = sealed();
  const rotated = sealerWith({ key: newKey('2027'), previousKeys: [KEY] });
  assert.deepEqual(rotated.open(record), { text: TEXT });
  assert.equal(rotated.seal(sensorKey(), TEXT)?.by, '2027');
  assert.deepEqual(sealerWith({ key: newKey('2027') }).open(record), { problem: 'no_encryption_key' });
});

test('a copy that was moved to another record does not open', () => {
  const { record, copy } = sealed();
  const otherId = { ...record, id: '4711' };
  const otherDigest = { ...record, digest: digestOf('another key') };
  for (const moved of [otherId, otherDigest, sensorKey({ sealed: copy })]) {
    assert.deepEqual(sealerWith().open(moved), { problem: 'not_authentic' });
  }
});

test('a copy that was changed, or sealed with another key of the same id, does not open', () => {
  const { record, copy } = sealed();
  for (const part of ['nonce', 'text', 'tag'] as const) {
    const changed = { ...record, sealed: { ...copy, [part]: flipBit(copy[part]) } };
    assert.deepEqual(sealerWith().open(changed), { problem: 'not_authentic' }, part);
  }
  assert.deepEqual(sealerWith({ key: newKey('2026') }).open(record), { problem: 'not_authentic' });
});

test('a tag that was cut short does not open, though Node itself would take it', () => {
  const { record, copy } = sealed();
  const tag = Buffer.from(copy.tag, 'base64');
  for (const length of [0, 1, 4, 8, 12, 15]) {
    const cut = { ...record, sealed: { ...copy, tag: tag.subarray(0, length).toString('base64') } };
    assert.deepEqual(sealerWith().open(cut), { problem: 'not_authentic' }, `${length} bytes`);
  }
  const naive = createDecipheriv('aes-256-gcm', Buffer.from(KEY.secret, 'base64'), Buffer.from(copy.nonce, 'base64'), {
    authTagLength: 4,
  });
  naive.setAAD(Buffer.from(`keygate-sealed-key\n${record.id}\n${record.digest}`)).setAuthTag(tag.subarray(0, 4));
  const text = naive.update(Buffer.from(copy.text, 'base64')).toString() + naive.final().toString();
  assert.equal(text, TEXT, 'the exploit itself no longer works: this test shows nothing');
});

test('parts that are not what they must be are refused, never thrown over', () => {
  const { record, copy } = sealed();
  for (const part of ['nonce', 'text', 'tag'] as const) {
    for (const value of ['', '!', 'A', 'AAAA'.repeat(100)]) {
      const changed = { ...record, sealed: { ...copy, [part]: value } };
      assert.deepEqual(sealerWith().open(changed), { problem: 'not_authentic' }, `${part} ${value}`);
    }
  }
});

test('no nonce is used twice', () => {
  const record = sensorKey();
  const nonces = new Set(Array.from({ length: 1_000 }, () => sealerWith().seal(record, TEXT)?.nonce));
  assert.equal(nonces.size, 1_000);
});

test('an encryption key is exactly 32 bytes in base64', () => {
  assert.equal(parseEncryptionKey(KEY.secret)?.length, 32);
  for (const text of [
    '',
    'x',
    KEY.secret.slice(1),
    `${KEY.secret} `,
    randomBytes(31).toString('base64'),
    'ä'.repeat(32),
  ])
    assert.equal(parseEncryptionKey(text), undefined, text);
  assert.throws(() => sealerWith({ key: { id: 'short', secret: 'c2hvcnQ=' } }), /"short" must be 32 bytes in base64/);
});
