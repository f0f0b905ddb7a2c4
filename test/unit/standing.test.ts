import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Standing } from '../../src/standing.ts';

test('what stands is made anew when what is wanted has changed, bytes included, and the old one is given away', () => {
  const retired: string[] = [];
  let made = 0;
  const standing = new Standing(
    { port: 1, ca: Buffer.from('a') },
    ({ port, ca }) => `${(made += 1)}:${port}${ca.toString()}`,
    (old) => void retired.push(old),
  );
  standing.want({ port: 1, ca: Buffer.from('a') });
  assert.deepEqual([standing.current, retired], ['1:1a', []]);
  standing.want({ port: 1, ca: Buffer.from('b') });
  assert.deepEqual([standing.current, retired], ['2:1b', ['1:1a']]);
  standing.want({ port: 2, ca: Buffer.from('b') });
  assert.deepEqual([standing.current, retired], ['3:2b', ['1:1a', '2:1b']]);
});
