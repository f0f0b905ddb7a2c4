import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeHuffman, encodeHuffman, longestDecoded } from '../../../../../src/plane/wire/http2/hpack/huffman.ts';

function decode(bytes: Buffer): string | undefined {
  const target = Buffer.alloc(longestDecoded(bytes.length));
  const written = decodeHuffman(bytes, 0, bytes.length, target);
  return written === -1 ? undefined : target.toString('latin1', 0, written);
}

describe('Huffman coding', () => {
  it('is that of RFC 7541 appendix B', () => {
    // A short, a middle, a long and the longest code, as the table there lists them.
    assert.equal(encodeHuffman('0').toString('hex'), '07');
    assert.equal(encodeHuffman('<').toString('hex'), 'fff9');
    assert.equal(encodeHuffman('\x80').toString('hex'), 'fffe6f');
    assert.equal(encodeHuffman('\x16').toString('hex'), 'fffffffb');
  });

  it('gives back every byte, in every company', () => {
    for (let byte = 0; byte < 256; byte++) {
      const text = String.fromCharCode(byte);
      for (const company of [text, `${text}${text}`, `a${text}`, `${text}0`, `~${text}\xff`, `0${text}0`]) {
        assert.equal(decode(encodeHuffman(company)), company);
      }
    }
  });

  it('refuses each string that is cut before its last byte', () => {
    const whole = encodeHuffman('\x16'); // 30 bits
    for (let end = 1; end < whole.length; end++) assert.equal(decode(whole.subarray(0, end)), undefined);
  });

  it('has room for the most that bytes can mean', () => {
    assert.equal(decode(encodeHuffman('0'.repeat(800))), '0'.repeat(800));
    assert.equal(longestDecoded(500), 800);
  });
});
