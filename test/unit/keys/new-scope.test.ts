import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NewScope } from '../../../src/keys/new-scope.ts';
import type { Signal } from '../../../src/keys/record.ts';
import type { KeyType } from '../../../src/keys/scope.ts';
import { readRecord } from '../../../src/store/record-json.ts';
import { failsWith, setUpService } from '../../support/key-service.ts';

const ALICE = { name: 'alice' };
const KEY = { kind: 'ingestion', name: 'prod' } as const;

describe('a new key', () => {
  it('has the limits that were asked for, in one form and each once, and is stored with them', async (t) => {
    const { service, store, audited } = setUpService(t);
    const { record } = await service.create(
      {
        ...KEY,
        type: 'rum',
        signals: ['logs', 'traces', 'logs'],
        cidrs: ['192.0.2.1', '2001:DB8::/32', '192.0.2.1/32'],
        origins: ['https://shop.example.com', 'https://shop.example.com'],
        tenant: 'acme',
        tags: ['eu', 'team a', 'eu'],
        limits: { requestsPerSecond: 10, requestBurst: 20, byteBurst: undefined },
      },
      ALICE,
    );
    const scope = {
      type: 'rum',
      signals: ['logs', 'traces'],
      cidrs: ['192.0.2.1/32', '2001:db8::/32'],
      origins: ['https://shop.example.com'],
      tenant: 'acme',
      tags: ['eu', 'team a'],
      limits: { requestsPerSecond: 10, requestBurst: 20 },
    };
    const { type, signals, cidrs, origins, tenant, tags, limits } = record;
    assert.deepEqual({ type, signals, cidrs, origins, tenant, tags, limits }, scope);
    assert.deepEqual(await store.get(record.id), record);
    const [entry] = audited;
    assert.deepEqual({ ...entry?.after, ...scope }, entry?.after);
  });

  it('has none of them when none was asked for', async (t) => {
    const { service } = setUpService(t);
    const { record } = await service.create({ ...KEY, limits: {} }, ALICE);
    const names = ['type', 'signals', 'cidrs', 'origins', 'tenant', 'tags', 'limits'];
    assert.deepEqual(
      names.filter((name) => name in record),
      [],
    );
  });

  it('keeps its limits when it is rotated', async (t) => {
    const { service } = setUpService(t);
    const scope = { type: 'rum', cidrs: ['10.0.0.0/8'], origins: ['*'], limits: { bytesPerSecond: 1 } } as const;
    const { record: old } = await service.create({ ...KEY, ...scope }, ALICE);
    const { record } = await service.rotate('ingestion', old.id, {}, ALICE);
    const { type, cidrs, origins, limits } = record;
    assert.deepEqual({ type, cidrs, origins, limits }, scope);
  });

  const FAULTS: readonly (readonly [NewScope, RegExp])[] = [
    [{ type: 'RUM' as KeyType }, /^The type "RUM" must be one of sensor, rum, thirdParty\.$/],
    [{ signals: ['spans' as Signal] }, /^The signal "spans" must be one of traces, metrics, logs, profiles\.$/],
    [{ signals: [] }, /^The list of signals must have 1 to 100 entries\. Leave it out to limit nothing\.$/],
    [{ cidrs: [] }, /^The list of cidrs must have 1 to 100 entries\./],
    [
      { cidrs: ['10.0.0.1/8'] },
      /^The entry "10\.0\.0\.1\/8" of cidrs must be a whole network: write 10\.0\.0\.0\/8\.$/,
    ],
    [{ origins: ['*', 'shop'] }, /^The entry "shop" of origins must be scheme:\/\/host or .*, or \*\.$/],
    [
      { origins: Array.from({ length: 101 }, (_, index) => `https://${index}.example`) },
      /^The list of origins must have/,
    ],
    [{ tenant: '' }, /^The tenant must have 1 to 100 characters, /],
    [{ tenant: 'a\nb' }, /^The tenant must have .* no control characters/],
    [{ tags: [] }, /^The list of tags must have 1 to 20 entries, each of 1 to 100 characters/],
    [{ tags: Array.from({ length: 21 }, String) }, /^The list of tags must have 1 to 20 entries/],
    [{ tags: ['a', 'x'.repeat(101)] }, /^The list of tags must have .* of 1 to 100 characters/],
    [{ tags: ['a\u001b[31m'] }, /^The list of tags must have .* without control characters/],
    [{ limits: { requestBurst: 5 } }, /^The limits cannot be kept: requestBurst needs requestsPerSecond beside it\.$/],
    [
      { limits: { bytesPerSecond: 0.5 } },
      /^The limits cannot be kept: bytesPerSecond must be a whole number from 1 to /,
    ],
  ];

  it('is refused with what is allowed, when it is to be limited to what cannot be', async (t) => {
    const { service, store } = setUpService(t);
    for (const [scope, message] of FAULTS) {
      await assert.rejects(service.create({ ...KEY, ...scope }, ALICE), failsWith('invalid_scope', message));
    }
    assert.deepEqual(await store.list('ingestion'), []);
  });

  it('is refused as a service token, which sends nothing that could be limited', async (t) => {
    const { service } = setUpService(t);
    const token = { kind: 'service', name: 'ci', roles: ['admin'] } as const;
    const scopes: NewScope[] = [
      { type: 'rum' },
      { signals: ['logs'] },
      { cidrs: ['::1'] },
      { origins: ['*'] },
      { tags: ['a'] },
      { limits: {} },
    ];
    for (const scope of scopes) {
      await assert.rejects(
        service.create({ ...token, ...scope }, ALICE),
        failsWith('invalid_scope', /^A service token has no/),
      );
    }
  });
});

describe('a stored key', () => {
  it('that is limited to what cannot be is refused as unreadable, and not let through unlimited', async (t) => {
    const { service } = setUpService(t);
    const { record } = await service.create(KEY, ALICE);
    const faulty: Record<string, unknown>[] = [
      { type: 'other' },
      { cidrs: ['10.0.0.1/8'] },
      { origins: ['https://shop.example.com/'] },
      { limits: { byteBurst: 1 } },
    ];
    for (const scope of faulty) {
      const json = JSON.stringify({ ...record, ...scope });
      assert.throws(() => readRecord(record.id, json), /cannot be read: at fault: (type|cidrs\.0|origins\.0|limits)\./);
    }
  });
});
