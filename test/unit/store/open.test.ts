import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openStore } from '../../../src/store/open.ts';
import { StoreError } from '../../../src/store/port.ts';
import { retryDelayMs } from '../../../src/store/redis/connection.ts';

const redis = {
  // Port 1 of this machine: nobody listens there.
  url: 'redis://127.0.0.1:1',
  sentinels: [],
  master: null,
  nodes: [],
  user: null,
  password: null,
  sentinelUser: null,
  sentinelPassword: null,
  database: 0,
  tls: false,
  ca: null,
  cert: null,
  key: null,
  minReplicas: 0,
  prefix: 'keygate',
  connectTimeout: 50,
  commandTimeout: 50,
  socketTimeout: 100,
};

describe('opening the configured store', () => {
  it('opens Redis when it is configured, without touching the file', async (t) => {
    const path = join(mkdtempSync(join(tmpdir(), 'keygate-open-')), 'keygate.db');
    t.after(() => rmSync(join(path, '..'), { recursive: true }));
    const store = openStore({ redis, sqlite: { path } });
    t.after(() => store.close());
    await assert.rejects(store.ping(), {
      fault: 'unavailable',
      message: 'The key store (Redis) cannot be reached: connect ECONNREFUSED 127.0.0.1:1',
    });
    assert.equal(existsSync(path), false);
  });

  it('opens the file otherwise', async (t) => {
    const path = join(mkdtempSync(join(tmpdir(), 'keygate-open-')), 'keygate.db');
    t.after(() => rmSync(join(path, '..'), { recursive: true }));
    const store = openStore({ redis: null, sqlite: { path } });
    t.after(() => store.close());
    await store.ping();
    assert.equal(existsSync(path), true);
  });

  it('says which file of authorities cannot be read', () => {
    assert.throws(() => openStore({ redis: { ...redis, ca: '/nowhere/ca.pem' }, sqlite: { path: 'unused' } }), {
      name: 'StoreError',
      message: 'The file of store.redis.ca cannot be read: /nowhere/ca.pem. Set it to a PEM file.',
    });
  });
});

describe('the URL of a Redis store', () => {
  for (const url of [
    'redis://user:hush@host:99999',
    'redis://user:hush@host/first',
    'redis://user:%hush@host',
    'http://hush@host',
  ]) {
    it(`is not repeated when it cannot be used: ${url}`, () => {
      assert.throws(
        () => openStore({ redis: { ...redis, url }, sqlite: { path: 'unused' } }),
        (error) => {
          assert.ok(error instanceof StoreError);
          assert.equal(
            error.message,
            'store.redis.url must be redis://[user:password@]host:port[/db], or rediss://… for TLS.',
          );
          assert.equal(error.cause, undefined);
          return true;
        },
      );
    });
  }

  it('may name an address of IPv6, and options in it are not heeded', async (t) => {
    const url = 'redis://[::1]:1/3?enableOfflineQueue=true';
    const store = openStore({ redis: { ...redis, url }, sqlite: { path: 'unused' } });
    t.after(() => store.close());
    await assert.rejects(store.ping(), { fault: 'unavailable', message: /cannot be reached: connect E\w+ ::1:1/ });
  });
});

describe('the wait before Redis is tried again', () => {
  it('grows from 50 to 500 ms, and is shortened by chance to as little as half', () => {
    const bounds = [1, 2, 3, 4, 5, 1_000].map((attempt) => [0, 1].map((chance) => retryDelayMs(attempt, () => chance)));
    assert.deepEqual(bounds, [
      [25, 50],
      [50, 100],
      [100, 200],
      [200, 400],
      [250, 500],
      [250, 500],
    ]);
  });
});
