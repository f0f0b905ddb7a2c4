import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Gathered } from '../../../../src/plane/wire/gathered.ts';

test('bytes that wait are there in one piece until they are all dropped, whoever else gathers some', () => {
  const step = fc.record({ who: fc.nat(1), add: fc.nat(70_000), drop: fc.nat(90_000), clear: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const all = [0, 1].map(() => ({ gathered: new Gathered(), expected: Buffer.from('') }));
      steps.forEach(({ who, add, drop, clear }, i) => {
        const one = all[who] as (typeof all)[number];
        const chunk = Buffer.alloc(add, i + 1);
        one.gathered.add(chunk);
        one.expected = Buffer.concat([one.expected, chunk]);
        const first = one.gathered.bytes;
        assert.ok(first.equals(one.expected));
        if (clear === 0) {
          one.gathered.clear();
          one.expected = Buffer.alloc(0);
        } else {
          one.gathered.drop(drop);
          // What was handed out stays as it was until the last byte is dropped.
          if (drop < one.expected.length) assert.ok(first.equals(one.expected));
          one.expected = one.expected.subarray(drop);
        }
        for (const { gathered, expected } of all) {
          assert.equal(gathered.length, expected.length);
          assert.ok(gathered.bytes.equals(expected));
        }
      });
    }),
    { numRuns: 50 },
  );
});
