import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { StoreError } from '../../src/store/port.ts';
import type { KeyStore, StoreFault } from '../../src/store/port.ts';
import { NOW, startAdmin } from '../support/admin-server.ts';
import type { TestAdmin } from '../support/admin-server.ts';

const KEYS = '/api/security/ingestion/api_keys';

/** A store that stops answering: for looking keys up, or for managing them. */
interface Outage {
  find?: Error;
  list?: Error;
}

async function withFaultyStore(work: (admin: TestAdmin, outage: Outage) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-admin-'));
  const outage: Outage = {};
  const wrapStore = (store: KeyStore): KeyStore => ({
    ...store,
    find: async (digests) => (outage.find === undefined ? store.find(digests) : Promise.reject(outage.find)),
    list: async (kind) => (outage.list === undefined ? store.list(kind) : Promise.reject(outage.list)),
  });
  const admin = await startAdmin({ path: join(directory, 'keys.db'), wrapStore });
  try {
    await work(admin, outage);
  } finally {
    await admin.close();
    rmSync(directory, { recursive: true });
  }
}

const away = (fault: StoreFault) => new StoreError(fault, 'connect ECONNREFUSED');

test('a caller who cannot be checked hears 503 and when to retry, never 401 or 403', () =>
  withFaultyStore(async (admin, outage) => {
    const token = await admin.tokenFor(['admin']);
    outage.find = away('unavailable');
    const { status, headers, json } = await admin.request('GET', KEYS, { token });
    const { errors } = json as { errors: unknown };
    assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
    const message = 'The key store is away, so nothing could be checked. Retry later.';
    assert.deepEqual(errors, [{ _type: 'Unavailable', message }]);
  }));

test('authorize answers 503 for a key that cannot be checked, never 403', () =>
  withFaultyStore(async (admin, outage) => {
    const token = await admin.tokenFor(['validator']);
    const { text: apiKey } = await admin.service.create({ kind: 'ingestion', name: 'k' }, { name: 'a test' });
    const ask = () => admin.request('POST', '/api/security/ingestion/authorize', { token, body: { apiKey } });
    assert.equal((await ask()).status, 204);
    outage.find = away('unavailable');
    const { status, headers } = await ask();
    assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
  }));

test('a store that is lost after the caller was let in is 503, and the log hears why', () =>
  withFaultyStore(async (admin, outage) => {
    const token = await admin.tokenFor(['admin']);
    for (const fault of ['unavailable', 'timeout', 'foreign'] as const) {
      outage.list = away(fault);
      const { status, headers } = await admin.request('GET', KEYS, { token });
      assert.deepEqual([status, headers.get('retry-after')], [503, '1']);
      assert.equal(admin.requests.at(-1)?.cause, outage.list);
    }
  }));

test('an unforeseen fault is 500 with a tracking key and no details; the log has both', () =>
  withFaultyStore(async (admin, outage) => {
    const token = await admin.tokenFor(['admin']);
    outage.list = new Error('a secret detail');
    const { status, json } = await admin.request('GET', KEYS, { token });
    const { trackingKey, ...body } = json as { trackingKey: string };
    assert.equal(status, 500);
    assert.deepEqual(body, {
      _type: 'ErrorsResponse',
      serverTimestamp: NOW,
      errors: [
        {
          _type: 'InternalError',
          message: 'Something went wrong inside Keygate. Its log has the cause, under this trackingKey.',
        },
      ],
    });
    const seen = admin.requests.at(-1);
    assert.deepEqual([seen?.trackingKey, seen?.cause], [trackingKey, outage.list]);
  }));
