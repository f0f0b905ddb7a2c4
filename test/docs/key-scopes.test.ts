import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newIngestionKeySchema } from '../../src/admin/schemas.ts';
import { CliCommand } from '../../src/cli/cli-command.ts';
import { addScopeFlags } from '../../src/cli/scope-flags.ts';
import { KEY_TYPES } from '../../src/keys/scope.ts';
import { ALL_ROUTES, decide } from '../../src/verdict/decide.ts';
import { reasons } from '../../src/verdict/reasons.ts';
import { newRecord } from '../support/stores.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/key-scopes.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `--'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('docs/key-scopes.md has a row for every flag that limits a key', () => {
  const flags = addScopeFlags(new CliCommand()).options.map(({ long }) => long ?? '');
  assert.deepEqual(rows.map(([, flag = '']) => /--[a-z-]+/.exec(flag)?.[0] ?? '').toSorted(), flags.toSorted());
});

test('docs/key-scopes.md names the fields of the admin API, and reasons that there are', () => {
  const { type, signals, cidrs, origins, tenant, tags, limits } = newIngestionKeySchema.shape;
  const fields = [
    ...Object.keys({ type, signals, cidrs, origins, tenant, tags }),
    ...Object.keys(limits.unwrap().shape).map((name) => `limits.${name}`),
  ];
  const named = rows.flatMap(([, , field = '']) => [...field.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
  assert.deepEqual(named.toSorted(), fields.toSorted());
  const refusals = rows.flatMap(([, , , , reason = '']) => (reason === '' ? [] : [reason.replaceAll('`', '')]));
  assert.deepEqual(
    refusals.filter((reason) => !(reasons as string[]).includes(reason)),
    [],
  );
  assert.equal(refusals.length, 6);
});

test('docs/key-scopes.md tells the routes of each type as the verdict does', () => {
  for (const type of [...KEY_TYPES, undefined]) {
    const label = type === undefined ? 'none' : `\`${type}\``;
    const row = page.split('\n').find((line) => line.startsWith(`| ${label} |`));
    const cells = row?.split('|').slice(3, -1) ?? [];
    const told = cells.map((cell) => cell.trim() !== '');
    const record = newRecord({ type });
    const held = ALL_ROUTES.map((route) => {
      const use = { to: 'send', signal: undefined, route, peer: '192.0.2.1', origin: undefined } as const;
      return decide({ kind: 'known', record }, use, 0).verdict === 'allow';
    });
    assert.deepEqual(told, held, label);
  }
});
