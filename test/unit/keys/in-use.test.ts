import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { ago, mustNotBeInUse } from '../../../src/keys/in-use.ts';
import type { KeyUsage } from '../../../src/store/usage-port.ts';
import { failsWith, setUpService } from '../../support/key-service.ts';
import { newRecord } from '../../support/stores.ts';

const NOW = 10_000_000;
const MINUTE = 60_000;
const ALICE = { name: 'alice' };

function usageBy(count: number, lastUsedAt = NOW - 2 * MINUTE): KeyUsage {
  const sources = Array.from({ length: count }, (_, i) => ({ address: `10.0.0.${i + 1}`, lastUsedAt }));
  return { lastUsedAt, requests: 1, bytes: 1, sources };
}

function refusal(usage: KeyUsage, fields = {}): string | undefined {
  try {
    mustNotBeInUse(newRecord({ id: '123', ...fields }), usage, NOW);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const FORCE = 'or delete it all the same with --force (force=true in the admin API).';

test('a key that is in use says since when, by whom, and what to do instead', () => {
  assert.equal(
    refusal(usageBy(3)),
    `The ingestion API key 123 was used 2 minutes ago by 3 sources (10.0.0.1, 10.0.0.2, 10.0.0.3). Rotate it, ${FORCE}`,
  );
  assert.equal(
    refusal(usageBy(1, NOW), { kind: 'service' }),
    `The service token 123 was used just now by 1 source (10.0.0.1). Rotate it, ${FORCE}`,
  );
  assert.match(refusal(usageBy(8)) ?? '', /by 8 sources \(10\.0\.0\.1, .*10\.0\.0\.5 and 3 more\)\./);
  assert.match(refusal(usageBy(64)) ?? '', /by 64 sources or more \(/);
  assert.match(refusal(usageBy(0)) ?? '', /by an unknown sender\./);
  assert.match(
    refusal(usageBy(1), { replacedBy: '456', retireAt: NOW + 1 }) ?? '',
    /Move its senders to its successor 456 first, or delete/,
  );
});

test('a key that nobody has used for an hour, or that is refused already, is not in use', () => {
  assert.equal(refusal(usageBy(1, NOW - 60 * MINUTE)), undefined);
  assert.notEqual(refusal(usageBy(1, NOW - 60 * MINUTE + 1)), undefined);
  assert.equal(refusal(usageBy(1), { state: 'disabled' }), undefined);
  assert.equal(refusal(usageBy(1), { expiresAt: NOW }), undefined);
  assert.equal(refusal(usageBy(1), { replacedBy: '4', retireAt: NOW }), undefined);
});

test('a time is told in the largest unit that fits', () => {
  const cases: [number, string][] = [
    [-5, 'just now'],
    [999, 'just now'],
    [1_000, '1 second ago'],
    [59_999, '59 seconds ago'],
    [3_599_999, '59 minutes ago'],
    [7_200_000, '2 hours ago'],
    [86_400_000, '1 day ago'],
  ];
  for (const [elapsedMs, text] of cases) assert.equal(ago(elapsedMs), text);
});

describe('the key service, of keys that are used', () => {
  it('deletes one that is in use only by force, and others as ever', async (t) => {
    const { service, store, now, advance } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'shop' }, ALICE);
    const { id } = record;
    const lastUsedAt = now();
    await store.usage.record([
      { id, lastUsedAt, requests: 1, bytes: 5, sources: [{ address: '10.0.0.1', lastUsedAt }] },
    ]);
    advance(5 * MINUTE);
    await assert.rejects(service.revoke('ingestion', id, ALICE), failsWith('in_use', /5 minutes ago by 1 source/));
    assert.equal((await service.get('ingestion', id)).state, 'active');
    await service.revoke('ingestion', id, ALICE, { force: true });
    assert.equal((await service.get('ingestion', id)).state, 'revoked');
    await assert.rejects(service.revoke('ingestion', id, ALICE), failsWith('not_found', /./));
  });

  it('tells their use, with the senders of the last hour', async (t) => {
    const { service, store, now, advance } = setUpService(t);
    const { record } = await service.create({ kind: 'ingestion', name: 'shop' }, ALICE);
    const { id } = record;
    const lastUsedAt = now();
    const sources = [{ address: '10.0.0.1', lastUsedAt }];
    await store.usage.record([{ id, lastUsedAt, requests: 2, bytes: 5, sources }]);
    assert.deepEqual((await service.usage([id, '1'])).get(id), { lastUsedAt, requests: 2, bytes: 5, sources });
    advance(60 * MINUTE);
    assert.deepEqual((await service.usage([id])).get(id), { lastUsedAt, requests: 2, bytes: 5, sources: [] });
    await service.revoke('ingestion', id, ALICE);
  });
});
