import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { HpackDecoder, type DecodedBlock } from '../../../../../src/plane/wire/http2/hpack/decoder.ts';
import { encodeFields, TABLE_SIZE_ZERO } from '../../../../../src/plane/wire/http2/hpack/encoder.ts';
import { encodeHuffman } from '../../../../../src/plane/wire/http2/hpack/huffman.ts';

const LIMITS = { maxHeaders: 100, maxHeaderBytes: 16_384 };

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const decodeAll = (...blocks: readonly string[]): DecodedBlock[] => {
  const decoder = new HpackDecoder(LIMITS);
  return blocks.map((block) => decoder.decode(hex(block)));
};
const fields = (...lines: readonly string[]): string[] =>
  lines.flatMap((line) => [line.slice(0, line.indexOf(':', 1)), line.slice(line.indexOf(':', 1) + 2)]);

describe('the examples of RFC 7541 appendix C', () => {
  it('C.2: representations of one field', () => {
    assert.deepEqual(decodeAll('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'), [
      ['custom-key', 'custom-header'],
    ]);
    assert.deepEqual(decodeAll('040c 2f73 616d 706c 652f 7061 7468'), [[':path', '/sample/path']]);
    assert.deepEqual(decodeAll('1008 7061 7373 776f 7264 0673 6563 7265 74'), [['password', 'secret']]);
    assert.deepEqual(decodeAll('82'), [[':method', 'GET']]);
  });

  const base = [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'];
  const requests = [
    fields(...base),
    fields(...base, 'cache-control: no-cache'),
    fields(
      ':method: GET',
      ':scheme: https',
      ':path: /index.html',
      ':authority: www.example.com',
      'custom-key: custom-value',
    ),
  ];

  it('C.3: requests without Huffman coding', () => {
    const decoded = decodeAll(
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    );
    assert.deepEqual(decoded, requests);
  });

  it('C.4: requests with Huffman coding', () => {
    const decoded = decodeAll(
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    );
    assert.deepEqual(decoded, requests);
  });

  // The examples have a table of 256 bytes, which is told here in front of the first block: 3fe101.
  const base1 = ['cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', 'location: https://www.example.com'];
  const responses = [
    fields(':status: 302', ...base1),
    fields(':status: 307', ...base1),
    fields(
      ':status: 200',
      'cache-control: private',
      'date: Mon, 21 Oct 2013 20:13:22 GMT',
      'location: https://www.example.com',
      'content-encoding: gzip',
      'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
    ),
  ];

  it('C.5: responses without Huffman coding, with evictions', () => {
    const decoded = decodeAll(
      `3fe101 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
       546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`.replaceAll('\n', ''),
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d
       4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572
       7369 6f6e 3d31`.replaceAll('\n', ''),
    );
    assert.deepEqual(decoded, responses);
  });

  it('C.6: responses with Huffman coding, with evictions', () => {
    const decoded = decodeAll(
      `3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
       8f0b 97c8 e9ae 82ae 43d3`.replaceAll('\n', ''),
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf
       cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`.replaceAll('\n', ''),
    );
    assert.deepEqual(decoded, responses);
  });
});

const literal = (...parts: readonly (string | number)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part, 'latin1'))));

describe('a header block', () => {
  const assertBroken = (...blocks: readonly string[]): void => {
    for (const block of blocks) assert.deepEqual(decodeAll(block), ['compression_error'], block);
  };

  it('is an error where an index names nothing', () => {
    assertBroken('80', 'be', '7e 00', 'ff ff ff 00');
  });

  it('is an error where an integer or a string goes on beyond it', () => {
    assertBroken(
      'ff',
      'ff 80',
      '00',
      '00 01',
      '00 01 61',
      '00 01 61 05 61',
      '00 7f',
      '00 01 61 7f ff ff ff ff 07',
      '41',
    );
  });

  it('is an error where an integer overflows', () => {
    assertBroken('ff 80 80 80 80 80 01', '00 7f ff ff ff ff ff ff ff 7f', '3f ff ff ff ff ff ff 01');
  });

  it('is an error where Huffman coding is padded with more than seven bits, or not with ones, or says EOS', () => {
    assertBroken('00 81 ff 00', '00 82 1f ff 00', '00 81 18 00', '00 84 ff ff ff ff 00', '00 85 1f ff ff ff ff 00');
  });

  it('may change the size of the table where it begins, more than once, and nowhere else', () => {
    assert.deepEqual(decodeAll('20 3f e1 01 82'), [[':method', 'GET']]);
    assertBroken('82 20');
  });

  it('may not make the table larger than we announced', () => {
    assert.deepEqual(decodeAll('3f e1 1f 82'), [[':method', 'GET']]); // 4,096
    assertBroken('3f e2 1f 82');
  });

  it('empties the table with an entry larger than it', () => {
    const decoded = decodeAll('40 01 61 01 62', '3f 01 40 01 61 01 62', 'be');
    assert.deepEqual(decoded, [['a', 'b'], ['a', 'b'], 'compression_error']);
  });

  it('may name an entry that its own field evicts', () => {
    // A table of 64 bytes has room for one of these.
    assert.deepEqual(decodeAll('3f 21 40 02 61 61 1e' + '62'.repeat(30), '7e 1e' + '63'.repeat(30), 'be'), [
      ['aa', 'b'.repeat(30)],
      ['aa', 'c'.repeat(30)],
      ['aa', 'c'.repeat(30)],
    ]);
  });

  it('may not refer to the table once the peer knows that there is none', () => {
    const decoder = new HpackDecoder(LIMITS);
    assert.deepEqual(decoder.decode(hex('40 01 61 01 62')), ['a', 'b']);
    assert.equal(decoder.isStateless, false);
    decoder.dropTable();
    assert.equal(decoder.isStateless, true);
    assert.deepEqual(decoder.decode(Buffer.concat([TABLE_SIZE_ZERO, hex('40 01 61 01 62')])), ['a', 'b']);
    assert.equal(decoder.decode(hex('be')), 'compression_error');
    assert.equal(decoder.decode(hex('21 82')), 'compression_error');
    assert.deepEqual(decoder.decode(hex('82')), [':method', 'GET']);
  });

  it('tells whether a field of it came never to be indexed', () => {
    const decoder = new HpackDecoder(LIMITS);
    decoder.decode(hex('82 10 01 61 01 62'));
    assert.equal(decoder.sawNeverIndexed, true);
    decoder.decode(hex('82 00 01 61 01 62'));
    assert.equal(decoder.sawNeverIndexed, false);
  });
});

describe('the limits of a header block', () => {
  it('count 32 bytes for each field beside its name and value', () => {
    const decoder = new HpackDecoder({ maxHeaders: 100, maxHeaderBytes: 3 * (32 + 2) });
    assert.equal(decoder.decode(encodeFields(['a', '1', 'b', '2', 'c', '3'])).length, 6);
    assert.equal(decoder.decode(encodeFields(['a', '1', 'b', '2', 'c', '33'])), 'too_large');
  });

  it('count fields, with room for the pseudo-header fields', () => {
    const decoder = new HpackDecoder({ maxHeaders: 3, maxHeaderBytes: 16_384 });
    const seven = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].flatMap((name) => [name, '']);
    assert.equal(decoder.decode(encodeFields(seven)).length, 14);
    assert.equal(decoder.decode(encodeFields([...seven, 'h', ''])), 'too_large');
  });

  it('leave the table as the peer has it', () => {
    const decoder = new HpackDecoder({ maxHeaders: 100, maxHeaderBytes: 100 });
    const large = literal(0x40, 1, 'x', 0x7f, 300 - 127 - 128 + 0x80, 1, 'v'.repeat(300), 0x40, 1, 'a', 1, 'b');
    assert.equal(decoder.decode(large), 'too_large');
    assert.deepEqual(decoder.decode(Buffer.from([0xbe])), ['a', 'b']);
    assert.equal(decoder.decode(Buffer.from([0xbf])), 'too_large');
    assert.equal(decoder.decode(Buffer.from([0xc0])), 'compression_error');
  });

  it('hold for a block that refers to one large entry again and again (HPACK bomb, CVE-2016-6581)', () => {
    const decoder = new HpackDecoder(LIMITS);
    const value = 'v'.repeat(4_000);
    const entry = literal(0x40, 1, 'x', 0x7f, ((4_000 - 127) % 128) | 0x80, Math.floor((4_000 - 127) / 128), value);
    assert.deepEqual(decoder.decode(entry), ['x', value]);
    const bomb = Buffer.alloc(16_384, 0xbe);
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 20; i++) assert.equal(decoder.decode(bomb), 'too_large');
    assert.ok(process.memoryUsage().heapUsed - before < 10_000_000);
    assert.deepEqual(decoder.decode(Buffer.from([0xbe])), ['x', value]);
  });
});

describe('any header block', () => {
  const text = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: 300,
  });
  const someFields = fc.array(fc.oneof(text, fc.constantFrom(':method', 'POST', ':path', '/', 'content-type', 'te')), {
    maxLength: 40,
  });

  it('is decoded to what was encoded', () => {
    fc.assert(
      fc.property(someFields, fc.boolean(), (list, neverIndexed) => {
        const even = list.slice(0, list.length - (list.length % 2));
        const decoder = new HpackDecoder(LIMITS);
        assert.deepEqual(decoder.decode(encodeFields(even, { neverIndexed })), even);
      }),
    );
  });

  it('may have its strings Huffman-coded', () => {
    fc.assert(
      fc.property(text, text, (name, value) => {
        const coded = [name, value].flatMap((one) => {
          const bytes = encodeHuffman(one);
          const rest = bytes.length - 127;
          return [
            rest < 0 ? Buffer.from([0x80 | bytes.length]) : Buffer.from([0xff, (rest % 128) | 0x80, rest >> 7]),
            bytes,
          ];
        });
        const block = Buffer.concat([Buffer.from([0]), ...coded]);
        assert.deepEqual(new HpackDecoder(LIMITS).decode(block), [name, value]);
      }),
    );
  });

  it('made of random bytes is decoded, too large or an error, and never more than the limits', () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const blocks = fc.array(
      fc.oneof(
        bytes,
        bytes.map((some) => some.map((byte) => (byte % 7 === 0 ? 0x40 : byte))),
      ),
      {
        maxLength: 5,
      },
    );
    fc.assert(
      fc.property(blocks, (list) => {
        const decoder = new HpackDecoder({ maxHeaders: 10, maxHeaderBytes: 1_000 });
        for (const block of list) {
          const decoded = decoder.decode(Buffer.from(block));
          if (decoded === 'compression_error') return;
          if (decoded === 'too_large') continue;
          assert.ok(decoded.length <= 2 * 14);
          assert.ok(decoded.join('').length + 16 * decoded.length <= 1_000);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
