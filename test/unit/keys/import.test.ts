import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createDigester } from '../../../src/credential/digest.ts';
import { withoutSealed } from '../../../src/keys/record.ts';
import type { KeyRecord } from '../../../src/keys/record.ts';
import { createSealer } from '../../../src/keys/seal.ts';
import type { ImportOutcome } from '../../../src/keys/transfer.ts';
import { DAY_MS, setUpService } from '../../support/key-service.ts';
import { cidrs, digestOf, newRecord, revoked } from '../../support/stores.ts';

const ACTOR = { name: 'anna', via: 'cli' } as const;
const anyone = () => undefined;

function setUp(t: TestContext, options: Parameters<typeof setUpService>[2] = {}) {
  const { service, ...rest } = setUpService(t, undefined, options);
  return {
    ...rest,
    service,
    bring: (...lines: readonly unknown[]) => service.import({ lines, dryRun: false, refusal: anyone }, ACTOR),
    wouldBring: (...lines: readonly unknown[]) => service.import({ lines, dryRun: true, refusal: anyone }, ACTOR),
  };
}

const words = (outcomes: readonly ImportOutcome[]): string[] => outcomes.map(({ outcome }) => outcome);
const reasons = (outcomes: readonly ImportOutcome[]): string[] =>
  outcomes.map((each) => (each.outcome === 'refused' ? each.reason : each.outcome));

test('a record is imported as it is, and audited', async (t) => {
  const { bring, store, audited } = setUp(t);
  const record = newRecord({ type: 'sensor', cidrs: cidrs('10.0.0.0/8'), expiresAt: 1_800_000_000_000, revision: 7 });
  assert.deepEqual(await bring(record), [{ outcome: 'imported', id: record.id, name: record.name }]);
  assert.deepEqual(await store.get(record.id), record);
  assert.deepEqual(
    audited.map(({ action, actor, id, after }) => ({ action, actor, id, after })),
    [
      {
        action: 'imported',
        actor: 'anna',
        id: record.id,
        after: { type: 'sensor', cidrs: ['10.0.0.0/8'], state: 'active', expiresAt: 1_800_000_000_000 },
      },
    ],
  );
  assert.deepEqual(
    (await store.audit({ limit: 9 })).map(({ entry }) => entry),
    audited,
  );
});

test('importing again changes nothing, whatever became of the key since', async (t) => {
  const { bring, service, audited } = setUp(t);
  const records = [newRecord(), newRecord({ kind: 'service', roles: ['viewer'] })];
  await bring(...records);
  await service.disable('ingestion', records[0]?.id ?? '', ACTOR);
  const before = audited.length;
  assert.deepEqual(words(await bring(...records)), ['unchanged', 'unchanged']);
  assert.equal(audited.length, before);
});

test('another record under the same id, digest or name is refused, and says which is there', async (t) => {
  const { bring, store } = setUp(t);
  const there = newRecord({ name: 'there' });
  await bring(there);
  const outcomes = await bring(
    newRecord({ id: there.id, name: 'same id' }),
    newRecord({ digest: there.digest, name: 'same digest' }),
    newRecord({ digest: there.digest, name: 'there' }),
    newRecord({ name: 'there' }),
  );
  const same = `the same key is there already: "there" with the id ${there.id}`;
  assert.deepEqual(reasons(outcomes), [
    `another ingestion API key has the id ${there.id}: "there"`,
    same,
    same,
    'there already is a live ingestion API key named "there". Rename one of the two',
  ]);
  assert.deepEqual(await store.list('ingestion'), [there]);
});

test('a dry run says the same, and changes nothing', async (t) => {
  const { wouldBring, bring, store, audited } = setUp(t);
  const there = newRecord({ name: 'there' });
  await bring(there);
  const lines = [there, newRecord(), newRecord({ name: 'there' }), {}];
  const dry = await wouldBring(...lines);
  assert.deepEqual(words(dry), ['unchanged', 'imported', 'refused', 'refused']);
  assert.equal((await store.list('ingestion')).length, 1);
  assert.equal(audited.length, 1);
  assert.deepEqual(words(await bring(...lines)), words(dry));
});

test('tombstones and both keys of a rotation are imported in any order', async (t) => {
  const { bring, store, now } = setUp(t);
  const live = newRecord({ name: 'prod' });
  const retiring = newRecord({ name: 'prod', replacedBy: live.id, retireAt: now() + DAY_MS, revision: 2 });
  const dead = revoked(newRecord({ name: 'prod' }), now());
  const expired = newRecord({ name: 'prod', expiresAt: 5 });
  assert.deepEqual(new Set(words(await bring(dead, retiring, live, expired))), new Set(['imported']));
  assert.equal((await store.list('ingestion')).length, 4);
});

test('what no key can be is refused with the field at fault, and without its value', async (t) => {
  const { bring, store } = setUp(t);
  const lines: [unknown, RegExp][] = [
    [null, /the line: /],
    ['iapikeyok-secret', /the line: /],
    [{ ...newRecord(), digest: 'iapikeyok-secret' }, /^digest: is not a key digest$/],
    [{ ...newRecord(), id: '1e3' }, /^id: /],
    [{ ...newRecord(), id: '007' }, /^id: must be a whole number/],
    [{ ...newRecord(), id: '9223372036854775807' }, /^id: must be a whole number up to 9007199254740991/],
    [{ ...newRecord(), kind: 'receiver' }, /^kind: must be one of serviceId, user, ingestion, service$/],
    [{ ...newRecord(), kind: 'canary' }, /^kind: must be one of serviceId, user, ingestion, service$/],
    [{ ...newRecord(), name: ' x\n' }, /The name must have/],
    [{ ...newRecord(), name: 'ci\u{202e}dorp' }, /The name must have .* no control characters/],
    [{ ...newRecord(), createdBy: 'anna\u{9b}2J' }, /^createdBy: must have at most 200 characters, and no control/],
    [{ ...newRecord(), revokedBy: 'x'.repeat(201) }, /^revokedBy: must have at most 200 characters/],
    [{ ...newRecord(), owner: { id: '1', kind: 'user', name: 'a\nb' } }, /^owner\.name: must have/],
    [{ ...newRecord(), cidrs: ['10.0.0.1/8'] }, /^cidrs\.0: is not a network in canonical form$/],
    [{ ...newRecord(), roles: ['admin'] }, /An ingestion API key has no roles/],
    [{ ...newRecord(), kind: 'service' }, /A service token needs 1 to 50 role names/],
    [{ ...newRecord(), state: 'revoked' }, /^revokedAt: must be set/],
    [{ ...newRecord(), sealed: { by: 'a', nonce: 'b', text: 'c', tag: 'd' } }, /Unrecognized key: "sealed"/],
    [{ ...newRecord(), digest: `hmac-old:${'0'.repeat(64)}` }, /made with the pepper "old", which is not configured/],
    [{ key: 'iapikeyok-secret', name: 'x' }, /digest: .*Unrecognized key: "key"/],
    [{ name: 'x', digest: digestOf('x'), expiresAt: 5 }, /expiration must be a time in the future/],
    [{ name: 'x', digest: digestOf('x'), cidrs: ['10.0.0.1/8'] }, /must be a whole network: write 10.0.0.0\/8/],
  ];
  const outcomes = reasons(await bring(...lines.map(([line]) => line)));
  for (const [index, [, expected]] of lines.entries()) assert.match(outcomes[index] ?? '', expected);
  assert.ok(!outcomes.join('').includes('iapikeyok-secret'));
  assert.deepEqual([...(await store.list('ingestion')), ...(await store.list('service'))], []);
});

test('a key of another system gets an id here, and is known by digest and name afterwards', async (t) => {
  const { bring, service } = setUp(t);
  const line = { name: 'old agents', digest: digestOf('an-old-key'), cidrs: ['10.0.0.0/8'], type: 'sensor' };
  const [first] = await bring(line);
  assert.ok(first?.outcome === 'imported');
  const record = await service.get('ingestion', first.id);
  assert.deepEqual([record.createdBy, record.cidrs, record.digest], ['anna', ['10.0.0.0/8'], line.digest]);
  assert.deepEqual(await bring(line, line), [
    { outcome: 'unchanged', id: first.id, name: 'old agents' },
    { outcome: 'unchanged', id: first.id, name: 'old agents' },
  ]);
  assert.deepEqual(reasons(await bring({ ...line, name: 'other' })), [
    `the same key is there already: "old agents" with the id ${first.id}`,
  ]);
  await service.revoke('ingestion', first.id, ACTOR);
  assert.match(reasons(await bring(line))[0] ?? '', /which was deleted$/);
});

test('two lines with the same key of another system are one key', async (t) => {
  const { bring, store } = setUp(t);
  const line = { name: 'twice', digest: digestOf('an-old-key') };
  assert.deepEqual(words(await bring(line, line)), ['imported', 'unchanged']);
  assert.equal((await store.list('ingestion')).length, 1);
});

test('a key that was stored before the pepper changed is found by its former digest', async (t) => {
  const old = createDigester({ pepper: { id: 'a', secret: 'the first pepper' } });
  const digester = createDigester({
    pepper: { id: 'b', secret: 'the second pepper' },
    previousPeppers: [{ id: 'a', secret: 'the first pepper' }],
  });
  const { bring } = setUp(t, { digester });
  await bring({ name: 'agents', digest: old('an-old-key').digest });
  const { digest, alternates } = digester('an-old-key');
  assert.deepEqual(words(await bring({ name: 'agents', digest, alternates })), ['unchanged']);
});

test('whoever may not have a record cannot import it; the others go in', async (t) => {
  const { service, store } = setUp(t);
  const records = [newRecord(), newRecord({ kind: 'service', roles: ['admin'] })];
  const refusal = ({ kind }: KeyRecord) => (kind === 'service' ? 'not for you' : undefined);
  const outcomes = await service.import({ lines: records, dryRun: false, refusal }, ACTOR);
  assert.deepEqual(reasons(outcomes), ['imported', 'not for you']);
  assert.deepEqual(await store.list('service'), []);
});

test('an export gives live keys and tokens page by page, dead ones when asked, and never a sealed copy', async (t) => {
  const encryption = { id: '2026', secret: randomBytes(32).toString('base64') };
  const sealer = createSealer({ types: ['none'], key: encryption, random: randomBytes });
  const { service, store } = setUp(t, { sealer });
  for (const name of ['a', 'b', 'c', 'd', 'e']) await service.create({ kind: 'ingestion', name }, ACTOR);
  await service.create({ kind: 'service', name: 'ops', roles: ['admin'] }, ACTOR);
  const [first] = await service.list('ingestion');
  await service.revoke('ingestion', first?.id ?? '', ACTOR);
  await store.insert(newRecord({ kind: 'canary', name: 'canary' }), 1, undefined);

  async function all(query: { all?: boolean; limit: number }): Promise<string[]> {
    const names: string[] = [];
    let after: string | undefined;
    do {
      const page = await service.export({ ...query, after });
      assert.ok(page.keys.length <= query.limit);
      for (const key of page.keys) {
        const record = await store.get(key.id);
        assert.ok(record);
        assert.deepEqual(key, withoutSealed(record));
        names.push(key.name);
      }
      after = page.next;
    } while (after !== undefined);
    return names;
  }
  assert.deepEqual(await all({ limit: 2 }), ['b', 'c', 'd', 'e', 'ops']);
  assert.deepEqual(await all({ limit: 1, all: true }), ['a', 'b', 'c', 'd', 'e', 'ops']);
  assert.deepEqual(await all({ limit: 1_000, all: true }), ['a', 'b', 'c', 'd', 'e', 'ops']);
  for (const after of ['x', '', btoa('["canary"]'), btoa('{}')]) {
    await assert.rejects(service.export({ after, limit: 1 }), { code: 'invalid_cursor' });
  }
});

test('owners come before what they own, and the relation is kept', async (t) => {
  const { service, store } = setUp(t);
  const owner = await service.createOwner({ kind: 'serviceId', name: 'checkout', roles: ['Sender'] }, ACTOR);
  const { record } = await service.create({ kind: 'ingestion', name: 'shop', owner: owner.id }, ACTOR);
  const lines: unknown[] = [];
  for (let after: string | undefined, more = true; more;) {
    const page = await service.export({ limit: 10, after });
    lines.push(...page.keys);
    after = page.next;
    more = after !== undefined;
  }
  assert.deepEqual(lines, [owner, withoutSealed(record)]);
  const other = setUp(t);
  assert.deepEqual(words(await other.bring(...lines)), ['imported', 'imported']);
  assert.deepEqual((await other.store.get(record.id))?.owner, record.owner);
  assert.deepEqual(words(await other.bring(...lines)), ['unchanged', 'unchanged']);
  assert.deepEqual(await other.store.get(owner.id), await store.get(owner.id));
  const [disguised, foreign] = reasons(
    await other.bring({ ...newRecord(), digest: owner.digest }, { ...owner, id: '5', name: 'another' }),
  );
  assert.match(disguised ?? '', /^digest: is that of an owner/);
  assert.match(foreign ?? '', /^digest: must be owner:5$/);
});
