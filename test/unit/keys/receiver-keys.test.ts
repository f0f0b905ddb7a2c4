import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createDigester } from '../../../src/credential/digest.ts';
import { UNKNOWN } from '../../../src/keys/answer.ts';
import { createReceiverKeys, withReceiverKeys } from '../../../src/keys/receiver-keys.ts';
import { keyRecordSchema } from '../../../src/keys/record.ts';

const digester = createDigester({ pepper: { id: 'p', secret: 'pepper' } });
const configured = [
  { name: 'first', key: 'key-1', tenant: 'acme' },
  { name: 'second', key: 'key-2', tenant: null },
];

describe('receiver keys', () => {
  it('are known by the digests of what was configured, with records like all others', () => {
    const find = createReceiverKeys(configured, digester);
    const first = find(digester('key-1'));
    assert.deepEqual(first, {
      id: '110269787946404',
      kind: 'receiver',
      name: 'first',
      digest: digester('key-1').digest,
      tenant: 'acme',
      state: 'active',
      createdAt: 0,
      createdBy: 'configuration',
      revision: 1,
    });
    assert.deepEqual(keyRecordSchema.parse(first), first);
    assert.equal(find(digester('key-2'))?.name, 'second');
    assert.equal(find(digester('key-2'))?.tenant, undefined);
    assert.equal(find(digester('key-3')), undefined);
  });

  it('keep their id when the key itself is changed', () => {
    const before = createReceiverKeys([{ name: 'a', key: 'old', tenant: null }], digester)(digester('old'));
    const after = createReceiverKeys([{ name: 'a', key: 'new', tenant: null }], digester)(digester('new'));
    assert.equal(before?.id, after?.id);
  });

  it('may not be set twice, by key or by name', () => {
    const twice = (name: string, key: string) => () =>
      createReceiverKeys([...configured, { name, key, tenant: null }], digester);
    assert.throws(twice('third', 'key-2'), {
      message: 'The receiver keys "second" and "third" are the same key. Remove one of them.',
    });
    assert.throws(twice('first', 'key-3'), { message: 'Two receiver keys are named "first". Rename one of them.' });
  });

  it('are answered without the store, and all others by it', () => {
    const asked: string[] = [];
    const lookup = withReceiverKeys(createReceiverKeys(configured, digester), ({ digest }) => {
      asked.push(digest);
      return UNKNOWN;
    });
    const answer = lookup(digester('key-1'));
    assert.ok(!(answer instanceof Promise) && answer.kind === 'known');
    assert.equal(answer.record.name, 'first');
    assert.equal(lookup(digester('key-3')), UNKNOWN);
    assert.deepEqual(asked, [digester('key-3').digest]);
  });
});
