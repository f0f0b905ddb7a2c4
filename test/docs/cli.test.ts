import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CLI_PAGE, renderCliPage } from '../../src/cli/generate-docs.ts';

const page = readFileSync(CLI_PAGE, 'utf8');

test('docs/cli.md is what the commands make of it now', () => {
  assert.equal(page, renderCliPage(), 'run node src/cli/generate-docs.ts');
});

test('docs/cli.md has a section for every command', () => {
  const sections = [...page.matchAll(/^## (keygate.*)$/gm)].map(([, name]) => name);
  assert.deepEqual(sections, [
    'keygate',
    'keygate serve',
    'keygate check-config',
    'keygate health',
    'keygate version',
    'keygate ingestion-api-key',
    'keygate ingestion-api-key create',
    'keygate ingestion-api-key list',
    'keygate ingestion-api-key update',
    'keygate ingestion-api-key describe',
    'keygate ingestion-api-key disable',
    'keygate ingestion-api-key enable',
    'keygate ingestion-api-key rotate',
    'keygate ingestion-api-key reveal',
    'keygate ingestion-api-key delete',
    'keygate get-ingestion-key',
    'keygate service-token',
    'keygate service-token create',
    'keygate service-token list',
    'keygate service-token update',
    'keygate service-token describe',
    'keygate service-token disable',
    'keygate service-token enable',
    'keygate service-token rotate',
    'keygate service-token delete',
    ...['service-id', 'user'].flatMap((group) => [
      `keygate ${group}`,
      ...['create', 'list', 'describe', 'update', 'lock', 'unlock', 'delete'].map((verb) => `keygate ${group} ${verb}`),
    ]),
    'keygate iam',
    'keygate iam service-id-create',
    'keygate iam service-policy-create',
    'keygate iam user-policy-create',
    'keygate iam service-api-key-create',
    'keygate iam api-key-create',
    'keygate keys',
    'keygate keys import',
    'keygate keys export',
    'keygate audit',
    'keygate audit list',
    'keygate explain',
    'keygate top',
    'keygate log-level',
    'keygate context',
    ...['save', 'list', 'show', 'set', 'validate', 'delete'].map((verb) => `keygate context ${verb}`),
  ]);
});
