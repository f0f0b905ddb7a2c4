import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { KeyService } from '../../src/keys/service.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { reasonOf } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

const TEST = { name: 'test' };

interface Site {
  readonly redis: TestRedis;
  /** Two gateways that share a store. */
  readonly gateways: readonly [Gateway, Gateway];
  readonly keys: KeyService;
  /** What a sender with this key hears from each gateway. */
  everywhere(key: string): Promise<string[]>;
}

async function setUp(t: TestContext): Promise<Site> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const collector = await startCollector(t);
  const config = { store: { redis: { url: redis.url, commandTimeout: '1s' } }, upstream: { http: collector.httpUrl } };
  const gateways = [await startGateway(t, config), await startGateway(t, config)] as const;
  return {
    redis,
    gateways,
    keys: gateways[0].app.keys,
    everywhere: (key) => Promise.all(gateways.map((gateway) => send(gateway, key))),
  };
}

/** The status, and the reason of a refusal. */
async function send({ httpUrl }: Gateway, key: string): Promise<string> {
  const { status, body } = await callHttp(httpUrl, { headers: { 'x-api-key': key } });
  return status === 200 ? '200' : `${status} ${reasonOf(decodeStatus(body))}`;
}

const both = (answer: string): string[] => [answer, answer];

describe('keys with an owner, on two gateways that share a Redis', { timeout: 60_000 }, () => {
  async function hears({ everywhere }: Site, key: string, answer: string): Promise<void> {
    await until(`both gateways answer ${answer}`, async () => (await everywhere(key)).every((each) => each === answer));
  }

  it('stop everywhere when it is locked, work when it is unlocked, and stop for good when it is deleted', async (t) => {
    const site = await setUp(t);
    const { gateways, keys, everywhere } = site;
    const { id } = await keys.createOwner({ kind: 'serviceId', name: 'checkout' }, TEST);
    const { text: ours } = await gateways[0].createKey({ owner: 'checkout' });
    const { text: too } = await gateways[1].createKey({ name: 'by id', owner: id });
    const { text: others } = await gateways[0].createKey();
    assert.deepEqual(await everywhere(ours), both('200'));
    assert.deepEqual(await everywhere(too), both('200'));
    assert.equal((await keys.ownedBy(id))?.keys, 2);

    await keys.disable('serviceId', id, TEST);
    assert.equal(await send(gateways[0], ours), '403 owner_locked'); // the gateway that did it knows at once
    await hears(site, ours, '403 owner_locked');
    await hears(site, too, '403 owner_locked');
    assert.deepEqual(await everywhere(others), both('200'));

    await keys.enable('serviceId', id, TEST);
    await hears(site, ours, '200');
    await hears(site, too, '200');

    await keys.revoke('serviceId', id, TEST);
    await hears(site, ours, '403 owner_locked');
    await hears(site, too, '403 owner_locked');
    const namesake = await keys.createOwner({ kind: 'serviceId', name: 'checkout' }, TEST);
    assert.notEqual(namesake.id, id);
    assert.deepEqual(await everywhere(ours), both('403 owner_locked'));
    assert.deepEqual(await everywhere(others), both('200'));
  });

  it('send only while it has the role Sender, and so do those that take their place', async (t) => {
    const site = await setUp(t);
    const { gateways, keys } = site;
    const { id } = await keys.createOwner({ kind: 'user', name: 'alice', roles: [] }, TEST);
    const { text, id: keyId } = await gateways[0].createKey({ owner: 'alice' });
    assert.deepEqual(await site.everywhere(text), both('403 role_missing'));
    await keys.update('user', id, { roles: ['Sender'] }, TEST);
    await hears(site, text, '200');
    const { text: next } = await keys.rotate('ingestion', keyId, {}, TEST);
    await hears(site, next, '200');
    await keys.update('user', id, { roles: [] }, TEST);
    await hears(site, next, '403 role_missing');
    await hears(site, text, '403 role_missing');
  });

  it('are a doubt and never a 403 while the owner cannot be asked about', async (t) => {
    const { redis, gateways, keys } = await setUp(t);
    await keys.createOwner({ kind: 'serviceId', name: 'checkout' }, TEST);
    const { text: served } = await gateways[0].createKey({ owner: 'checkout' });
    const { text: unseen } = await gateways[0].createKey({ owner: 'checkout' });
    assert.equal(await send(gateways[0], served), '200');
    await redis.kill();
    assert.equal(await send(gateways[0], served), '200');
    for (let i = 0; i < 5; i++) {
      assert.match(await send(gateways[0], unseen), /^503 store_/);
      assert.match(await send(gateways[1], served), /^503 store_/);
    }
  });

  it('are a doubt when the key is in memory and its owner is not', async (t) => {
    const { redis, gateways, keys, everywhere } = await setUp(t);
    const { id } = await keys.createOwner({ kind: 'serviceId', name: 'checkout' }, TEST);
    const { text } = await gateways[0].createKey({ owner: 'checkout' });
    assert.deepEqual(await everywhere(text), both('200'));
    await keys.update('serviceId', id, { description: 'has to be looked up again' }, TEST);
    redis.freeze();
    assert.match(await send(gateways[0], text), /^503 store_/);
    redis.thaw();
    await until('the gateway knows the owner again', async () => (await send(gateways[0], text)) === '200');
  });
});

describe('a service token for somebody', { timeout: 60_000 }, () => {
  it('opens nothing while its subject is locked, and nothing any more when it is deleted', async (t) => {
    const { gateways, keys } = await setUp(t);
    const { id } = await keys.createOwner({ kind: 'user', name: 'alice', roles: [] }, TEST);
    const { text } = await keys.create({ kind: 'service', name: 'of alice', roles: ['admin'], owner: 'alice' }, TEST);
    const ask = async ({ addresses: { admin } }: Gateway): Promise<number> =>
      (await fetch(`http://127.0.0.1:${admin.port}/api/server/info`, { headers: { 'x-api-key': text } })).status;
    const hears = (status: number) =>
      until(`both admin APIs answer ${status}`, async () =>
        (await Promise.all(gateways.map(ask))).every((each) => each === status),
      );
    await hears(200);
    await keys.disable('user', id, TEST);
    await hears(401);
    await keys.enable('user', id, TEST);
    await hears(200);
    await keys.revoke('user', id, TEST);
    await hears(401);
    assert.equal(await send(gateways[0], text), '403 role_missing');
  });
});
