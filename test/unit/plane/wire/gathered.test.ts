import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Gathered } from '../../../../src/plane/wire/gathered.ts';

test('bytes that wait are there in one piece, and those handed out stay as they were', () => {
  const step = fc.record({ add: fc.string({ maxLength: 700, unit: 'binary-ascii' }), drop: fc.nat(900) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const gathered = new Gathered();
      const handedOut: [bytes: Buffer, text: string][] = [];
      let text = '';
      for (const { add, drop } of steps) {
        gathered.add(Buffer.from(add, 'latin1'));
        text += add;
        handedOut.push([gathered.bytes, text]);
        const count = Math.min(drop, text.length);
        gathered.drop(count);
        text = text.slice(count);
        assert.equal(gathered.bytes.toString('latin1'), text);
        assert.equal(gathered.length, text.length);
      }
      for (const [bytes, expected] of handedOut) assert.equal(bytes.toString('latin1'), expected);
    }),
  );
});
