import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StreamTable } from '../../../../src/plane/wire/http2/stream-table.ts';
import { Roster } from '../../../../src/plane/wire/roster.ts';

test('a roster holds what a set would hold, whatever comes and goes', () => {
  const items = Array.from({ length: 12 }, (_, id) => ({ id, seat: -1 }));
  fc.assert(
    fc.property(fc.array(fc.nat(11), { maxLength: 200 }), (toggles) => {
      const roster = new Roster<(typeof items)[number]>();
      const set = new Set<(typeof items)[number]>();
      for (const toggle of toggles) {
        const item = items[toggle];
        assert.ok(item);
        assert.equal(roster.delete(item), set.delete(item) || (roster.add(item), set.add(item), false));
        assert.equal(roster.size, set.size);
      }
      assert.deepEqual(new Set(roster), set);
      for (const item of roster) roster.delete(item); // each is told once, though all leave meanwhile
      assert.equal(roster.size, 0);
    }),
  );
});

test('a table of streams holds what a map would hold: streams that are short, long, and never over', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 400 }), (ages) => {
      const table = new StreamTable<string>();
      const map = new Map<number, string>();
      let id = 1;
      for (const age of ages) {
        table.set(id, `stream ${id}`);
        map.set(id, `stream ${id}`);
        const over = id - 2 * age; // the oldest of these are the last to end, or do not
        if (age < 35) assert.equal(table.delete(over), map.delete(over));
        assert.equal(table.get(over), map.get(over));
        assert.equal(table.size, map.size);
        id += 2;
      }
      for (let i = 1; i < id; i += 2) assert.equal(table.get(i), map.get(i));
      assert.deepEqual(table.values().toSorted(), [...map.values()].toSorted());
      table.clear();
      assert.deepEqual([table.size, table.values(), table.get(1)], [0, [], undefined]);
    }),
  );
});
