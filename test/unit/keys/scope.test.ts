import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isCidr, isOrigin, limitsProblem, parseCidr, parseOrigin } from '../../../src/keys/scope.ts';
import type { KeyLimits } from '../../../src/keys/scope.ts';
import { isInside } from '../../../src/verdict/address.ts';
import { cidrs } from '../../support/stores.ts';

const NO_NETWORK = 'must be a network such as 10.0.0.0/8 or 2001:db8::/32, or a single address';

describe('a network', () => {
  it('is kept in one form, however it is written', () => {
    const written: Record<string, string> = {
      '10.0.0.0/8': '10.0.0.0/8',
      '0.0.0.0/0': '0.0.0.0/0',
      '192.0.2.7': '192.0.2.7/32',
      '2001:DB8:0:0::/32': '2001:db8::/32',
      '::/0': '::/0',
      '::1': '::1/128',
      '2001:db8::192.0.2.1': '2001:db8::c000:201/128',
      '::ffff:10.0.0.0/104': '10.0.0.0/8',
      '::ffff:c000:201': '192.0.2.1/32',
    };
    for (const [text, value] of Object.entries(written)) assert.deepEqual(parseCidr(text), { value }, text);
  });

  it('is refused with what is right, or with what is wrong', () => {
    const refused: Record<string, string> = {
      '10.1.2.3/8': 'must be a whole network: write 10.0.0.0/8',
      '2001:db8::1/32': 'must be a whole network: write 2001:db8::/32',
      '::ffff:10.1.0.0/104': 'must be a whole network: write 10.0.0.0/8',
      '10.0.0.0/33': 'must have a prefix of at most /32',
      '::/129': 'must have a prefix of at most /128',
      '': NO_NETWORK,
      '10.0.0': NO_NETWORK,
      '10.0.0.0/': NO_NETWORK,
      '10.0.0.0/08': NO_NETWORK,
      '10.0.0.0/-1': NO_NETWORK,
      '10.0.0.0/255.0.0.0': NO_NETWORK,
      ' 10.0.0.0/8': NO_NETWORK,
      '010.0.0.0/8': NO_NETWORK,
      'fe80::1%eth0': NO_NETWORK,
      localhost: NO_NETWORK,
    };
    for (const [text, problem] of Object.entries(refused)) assert.deepEqual(parseCidr(text), { problem }, text);
  });

  it('is one in a record only in that one form', () => {
    assert.deepEqual(['10.0.0.0/8', '10.0.0.1', '10.0.0.1/8', 7, null].map(isCidr), [true, false, false, false, false]);
  });

  it('is never thrown at, whatever the text', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV4Extended(), fc.ipV6()), (text) => void parseCidr(text)));
  });

  const families = fc.constantFrom(32, 128);
  const networks = families.chain((width) =>
    fc.record({
      width: fc.constant(width),
      bits: fc.bigInt({ min: 0n, max: (1n << BigInt(width)) - 1n }),
      prefix: fc.nat({ max: width }),
      flip: fc.option(fc.nat({ max: width - 1 }), { nil: undefined }),
    }),
  );

  it('has exactly the addresses that share its prefix', () => {
    fc.assert(
      fc.property(networks, ({ width, bits, prefix, flip }) => {
        const host = BigInt(width - prefix);
        const network = cidrs(`${toText((bits >> host) << host, width)}/${prefix}`);
        const address = flip === undefined ? bits : bits ^ (1n << BigInt(width - 1 - flip));
        assert.equal(isInside(network, toText(address, width)), flip === undefined || flip >= prefix);
        if (width === 32)
          assert.equal(isInside(network, `::ffff:${toText(address, 32)}`), flip === undefined || flip >= prefix);
      }),
      { numRuns: 500 },
    );
  });

  it('has the same addresses when those of several senders are asked for in turn', () => {
    const network = cidrs('192.0.2.0/24');
    for (let i = 0; i < 3; i++) {
      assert.equal(isInside(network, '192.0.2.7'), true);
      assert.equal(isInside(network, '198.51.100.7'), false);
      assert.equal(isInside(network, '198.51.100.7'), false);
      assert.equal(isInside(network, 'no address'), false);
    }
  });

  it('can be read back from the form it is kept in', () => {
    fc.assert(
      fc.property(networks, ({ width, bits, prefix }) => {
        const host = BigInt(width - prefix);
        const [network = ''] = cidrs(`${toText((bits >> host) << host, width)}/${prefix}`);
        assert.deepEqual(parseCidr(network), { value: network });
      }),
    );
  });

  function toText(bits: bigint, width: number): string {
    const size = width === 32 ? 8n : 16n;
    const parts = Array.from(
      { length: width / Number(size) },
      (_, index) => (bits >> (BigInt(width) - size * BigInt(index + 1))) & ((1n << size) - 1n),
    );
    return width === 32 ? parts.join('.') : parts.map((part) => part.toString(16)).join(':');
  }
});

describe('a web origin', () => {
  it('is taken exactly as browsers write it', () => {
    const written = [
      'https://shop.example.com',
      'http://localhost:3000',
      'https://[2001:db8::1]:8443',
      'https://xn--mller-kva.de',
      'capacitor://localhost',
      'chrome-extension://abcdefghijklmnop',
      '*',
    ];
    for (const text of written) assert.deepEqual(parseOrigin(text), { value: text });
    assert.deepEqual(
      written.map(isOrigin),
      written.map(() => true),
    );
  });

  it('is refused with what browsers would write, or with what is allowed', () => {
    const form = 'must be scheme://host or scheme://host:port, such as https://shop.example.com, or *';
    const refused: Record<string, string> = {
      'https://shop.example.com/': 'must be as browsers write it: https://shop.example.com',
      'https://shop.example.com/cart?x#y': 'must be as browsers write it: https://shop.example.com',
      'HTTPS://Shop.Example.com': 'must be as browsers write it: https://shop.example.com',
      'https://shop.example.com:443': 'must be as browsers write it: https://shop.example.com',
      'https://müller.de': 'must be as browsers write it: https://xn--mller-kva.de',
      'https://user@shop.example.com': 'must be as browsers write it: https://shop.example.com',
      'shop.example.com': form,
      'https://*.example.com': form,
      'https://a.example, https://b.example': form,
      'https://': form,
      null: form,
      '': form,
    };
    for (const [text, problem] of Object.entries(refused)) assert.deepEqual(parseOrigin(text), { problem }, text);
  });

  it('is, whatever the text, refused or what its URL says', () => {
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (url) => {
        assert.deepEqual(parseOrigin(new URL(url).origin), { value: new URL(url).origin });
      }),
    );
  });
});

describe('limits', () => {
  const cases: readonly (readonly [string, KeyLimits, string | undefined])[] = [
    ['may be none', {}, undefined],
    ['may be a rate without a burst', { requestsPerSecond: 1, bytesPerSecond: 1 }, undefined],
    ['may be a burst below the rate', { requestsPerSecond: 100, requestBurst: 1 }, undefined],
    ['may not be a burst alone', { byteBurst: 1 }, 'byteBurst needs bytesPerSecond beside it'],
    ['may not be zero', { requestsPerSecond: 0 }, 'requestsPerSecond must be a whole number from 1 to 1000000'],
    [
      'may not be half a request',
      { requestsPerSecond: 0.5 },
      'requestsPerSecond must be a whole number from 1 to 1000000',
    ],
    [
      'may not be endless',
      { bytesPerSecond: Infinity },
      'bytesPerSecond must be a whole number from 1 to 1099511627776',
    ],
    [
      'may not be more than can be counted',
      { bytesPerSecond: 1, byteBurst: 2 ** 40 + 1 },
      'byteBurst must be a whole number from 1 to 1099511627776',
    ],
  ];
  for (const [sentence, limits, problem] of cases) {
    it(sentence, () => assert.equal(limitsProblem(limits), problem));
  }
});
