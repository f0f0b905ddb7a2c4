import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { checkKeyText, createKeyText, KEY_PREFIXES } from '../../../src/credential/key-text.ts';

const zeros = (size: number) => Buffer.alloc(size);
const generatedKey = fc
  .record({
    kind: fc.constantFrom('ingestion', 'service'),
    seed: fc.uint8Array({ minLength: 32, maxLength: 32, max: 247 }),
  })
  .map(({ kind, seed }) => createKeyText(kind, () => Buffer.from(seed)));

describe('the text of a key', () => {
  it('is the prefix, the random part and the checksum over both', () => {
    const zero = '0'.repeat(32);
    assert.equal(createKeyText('ingestion', zeros), `iapikeyok-${zero}2sLUsP`);
    assert.equal(createKeyText('service', zeros), `svctok-${zero}2KNW9D`);
  });

  it('uses each letter for the same number of byte values, and throws the others away', () => {
    const bytes = Buffer.from([248, 255, 0, 61, 62, 247, ...Array<number>(26).fill(1)]);
    const text = createKeyText('ingestion', () => bytes);
    assert.equal(text.slice(0, 'iapikeyok-'.length + 32), `iapikeyok-0z0z${'1'.repeat(26)}0z`);
  });

  it('is different each time', () => {
    assert.notEqual(createKeyText('ingestion'), createKeyText('ingestion'));
    assert.match(createKeyText('ingestion'), /^iapikeyok-[0-9A-Za-z]{38}$/);
    assert.match(createKeyText('service'), /^svctok-[0-9A-Za-z]{38}$/);
  });

  it('passes its own check, whatever the random part', () => {
    fc.assert(fc.property(generatedKey, (text) => checkKeyText(text) === 'ok'));
  });

  it('is bad when any one character after the prefix is another one', () => {
    const change = fc.record({
      text: generatedKey,
      at: fc.nat(),
      to: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }),
    });
    fc.assert(
      fc.property(change, ({ text, at, to }) => {
        const start = text.indexOf('-') + 1;
        const index = start + (at % (text.length - start));
        fc.pre(text[index] !== to);
        return checkKeyText(text.slice(0, index) + to + text.slice(index + 1)) === 'bad';
      }),
    );
  });

  it('is bad when it is cut short or something follows it', () => {
    fc.assert(
      fc.property(generatedKey, fc.nat(), fc.string({ minLength: 1 }), (text, cut, more) => {
        const start = text.indexOf('-') + 1;
        const short = text.slice(0, start + (cut % (text.length - start)));
        return checkKeyText(short) === 'bad' && checkKeyText(text + more) === 'bad';
      }),
    );
  });

  it('is foreign without one of our prefixes, and never judged', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!Object.values(KEY_PREFIXES).some((prefix) => text.startsWith(prefix)));
        return checkKeyText(text) === 'foreign';
      }),
    );
    assert.equal(checkKeyText('IAPIKEYOK-1'), 'foreign');
  });
});
