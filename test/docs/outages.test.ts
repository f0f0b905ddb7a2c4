import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { documentedAclRule } from '../support/store-kinds.ts';

const folder = join(import.meta.dirname, '../../src/store/redis');
const source = readdirSync(folder)
  .map((file) => readFileSync(join(folder, file), 'utf8'))
  .join('\n');

/** What ioredis sends of itself, what runs the scripts, and what is called by a name that a variable has. */
const OTHERS = ['auth', 'select', 'info', 'client|setname', 'eval', 'evalsha', 'cluster|slots'];

test('the ACL rule of docs/outages.md grants each command that the store uses, and no other', () => {
  const inScripts = [...source.matchAll(/redis\.call\(\s*'([A-Z]+)'/g)].map(([, name = '']) => name.toLowerCase());
  const direct = [...source.matchAll(/\bredis\.([a-z]+)\(/g)]
    .map(([, name = '']) => name)
    .filter(
      (name) => name !== 'call' && name !== 'connect' && name !== 'disconnect' && name !== 'on' && name !== 'once',
    );
  const granted = documentedAclRule('p').flatMap((word) => (word.startsWith('+') ? [word.slice(1)] : []));
  assert.deepEqual(granted.toSorted(), [...new Set([...inScripts, ...direct, ...OTHERS])].toSorted());
});
