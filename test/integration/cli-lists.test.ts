import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { AuditEntry } from '../../src/keys/audit.ts';
import type { KeyRecord } from '../../src/keys/record.ts';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';
import { createCliHome, runHere } from '../support/run-cli.ts';
import { asOwner, digestOf, newOwner, newRecord } from '../support/stores.ts';

const COLUMNS = 80;
const MANY = 10_000;
const NOW = Date.now();

const LISTS = [
  ['ingestion-api-key', 'list'],
  ['ingestion-api-key', 'list', '--all'],
  ['ingestion-api-key', 'list', '--sort', 'last-used'],
  ['service-token', 'list'],
  ['service-token', 'list', '--all'],
  ['service-id', 'list'],
  ['audit', 'list', '--limit', '1000'],
];

/** A store with so many keys, and a terminal of 80 columns. */
async function setUp(t: TestContext, count: number) {
  const home = createCliHome();
  t.after(() => home.remove());
  const path = home.at('keys.db');
  const store = createSqliteStore({ path });
  const ids: string[] = [];
  const records = Array.from({ length: count }, (_, i) => i).flatMap((i) => {
    const owner = newOwner({ id: String(300_000_000_000_000 + i), name: `owner-${i}`, description: LONG });
    const about = { ...(i % 2 === 0 && { description: LONG }), ...(i % 3 === 0 && { expiresAt: NOW + 86_400_000 }) };
    const common = { createdAt: NOW - 1_000, state: 'active' } as const;
    const key = { ...common, ...about, id: String(100_000_000_000_000 + i), name: `checkout-in-production-${i}` };
    const token = {
      ...common,
      id: String(200_000_000_000_000 + i),
      name: `pipeline-of-the-team-${i}`,
      owner: asOwner(owner),
    };
    const three = [
      owner,
      newRecord({
        ...key,
        digest: digestOf(`key ${i}`),
        ...(i === 0 && { replacedBy: '100000000000001', retireAt: NOW + 1e7 }),
      }),
      newRecord({ ...token, kind: 'service', roles: ['admin', 'key-manager'], digest: digestOf(`token ${i}`) }),
    ];
    ids.push(...three.map((record) => record.id));
    return three;
  });
  const additions = records.map((record) => ({ record, entry: entryOf(record) }));
  for (let i = 0; i < additions.length; i += 1_000) {
    await store.insertAll(additions.slice(i, i + 1_000), NOW, { dryRun: false });
  }
  await store.close();
  const run = (...args: string[]) => runHere(args, { KEYGATE_STORE_SQLITE_PATH: path }, undefined, COLUMNS);
  return { run, ids };
}

const LONG = 'what is sent by the build agents of the platform team in the data centre in Frankfurt';

function entryOf({ id, kind, name }: KeyRecord): AuditEntry {
  const after = { state: 'active', expiresAt: NOW };
  return {
    at: NOW,
    actor: 'root (250558013078953)',
    via: 'cli',
    action: 'imported',
    kind,
    id,
    name,
    before: {},
    after,
  };
}

for (const count of [0, 3, MANY]) {
  test(`a list of ${count} fits into 80 columns, with every id in one piece`, async (t) => {
    const { run, ids } = await setUp(t, count);
    for (const args of LISTS) {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 0, stderr);
      const lines = plain(stdout).trimEnd().split('\n');
      const wide = lines.filter((line) => line.length > COLUMNS);
      assert.deepEqual(wide, [], args.join(' '));
      const seen = new Set(plain(stdout).match(/\b[123][0-9]{14}\b/g));
      if (count === 0) assert.match(stdout, /^No .* found\.\n$/);
      else assert.ok(seen.size >= (args[0] === 'audit' ? Math.min(ids.length, 1_000) : count), args.join(' '));
      const tellsLess = count === MANY && args[0] !== 'audit';
      assert.equal(stderr, tellsLess ? `10,000 rows: --name and --limit show less of it\n` : '');
    }
  });
}

test('while a key and its successor have one name, the list tells which one is the old one', async (t) => {
  const { run } = await setUp(t, 3);
  const { stdout } = await run('ingestion-api-key', 'list', '--name', '*-0');
  assert.match(
    plain(stdout),
    /^ID +\| NAME +\| REPLACED BY +\| EXPIRATION \| DESCRIPTION *\n100000000000000 \| .* \| 100000000000001 \| 20/,
  );
  const other = await run('ingestion-api-key', 'list', '--name', '*-1');
  assert.match(plain(other.stdout), /^ID +\| NAME +\| EXPIRATION \| DESCRIPTION *\n/);
});

/** Without colours. */
function plain(text: string): string {
  return text.replaceAll(/\u{1b}\[[0-9]*m/gu, '');
}
