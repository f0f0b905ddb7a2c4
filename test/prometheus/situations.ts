import assert from 'node:assert/strict';
import { mkdir, rm } from 'node:fs/promises';
import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createKeyText } from '../../src/credential/key-text.ts';
import { attacks } from '../abuse/attacks.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import type { Scope } from '../support/scope.ts';
import { until } from '../support/wait.ts';
import { repeat } from './gateways.ts';
import type { Stage } from './gateways.ts';
import type { TestPrometheus } from './prometheus.ts';
import type { Runbooks } from './runbooks.ts';
import type { Watch } from './watch.ts';

// Each situation is made, is seen, is met as docs/operations.md says, is ended, and is seen no more.

const DAY = 24 * 3_600_000;
const dayIn = (days: number): string => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);
/** A sender is told of for 150 seconds after it was refused last. */
const REFUSED_LATELY_MS = 150_000;

/** A key that is in use is deleted; its sender goes on for a while. */
export async function withSenderThatWorked(stage: Stage, watch: Watch, runbooks: Runbooks): Promise<void> {
  const { id, key } = await stage.createKey('payments');
  const sender = await stage.send(() => key, 5, 'payments/2.0');
  await delay(3_000);
  assert.ok(sender.codes.length > 0 && sender.codes.every((code) => code === 0));
  await stage.cli('ingestion-api-key', 'delete', '--id', id, '--force');
  const labels = { reason: 'revoked_key', peer: '127.0.0.1', key_id: id, user_agent: 'payments/2.0', worked: 'true' };
  await Promise.all([
    watch.fires('KeygateWorkingSenderRefused', labels),
    watch.fires('KeygateRefusalSpike', { reason: 'revoked_key' }),
  ]);
  assert.match(await runbooks.follow('Operations'), /revoked_key[\s\S]*payments/);
  assert.match(await runbooks.follow('KeygateRefusalSpike'), /revoked[\s\S]*payments/);
  assert.match(await runbooks.follow('KeygateWorkingSenderRefused', { id }), /payments[\s\S]*revoked_key/);
  await sender.stop();
  await watch.clears('KeygateRefusalSpike', { reason: 'revoked_key' });
  await watch.clears('KeygateWorkingSenderRefused', labels, REFUSED_LATELY_MS + 30_000);
}

/** A key that ends; then somebody who tries keys, and one who begins and resets requests. */
export async function withKeys(scope: Scope, stage: Stage, watch: Watch, runbooks: Runbooks): Promise<void> {
  const { id, key } = await stage.createKey('ends soon', '--expiration', dayIn(4));
  const sender = await stage.send(() => key, 5);
  await watch.fires('KeygateKeyExpiresSoon', { key_id: id, key_name: 'ends soon' });
  assert.match(await runbooks.follow('KeygateKeyExpiresSoon', { id, block: 0 }), /ends soon/);
  await runbooks.follow('KeygateKeyExpiresSoon', { id, block: 1 });
  await watch.clears('KeygateKeyExpiresSoon', { key_id: id });
  assert.match(await runbooks.follow('KeygateKeyExpiresSoon', { id, block: 2 }), /iapikeyok-/);
  await sender.stop();

  const spray = await stage.send(() => createKeyText('ingestion'), 80, 'spray/1.0');
  await watch.fires('KeygateKeySpray');
  assert.match(await runbooks.follow('KeygateKeySpray'), /unknown_key +\| 127\.0\.0\.1 +\| unknown various/);
  await spray.stop();

  const attacker = resetRapidly(scope, stage.keygate);
  await watch.fires('KeygateBudgetsSpent', { how: 'ended' });
  assert.match(await runbooks.follow('KeygateBudgetsSpent'), /budget="resets",how="ended"/);
  await attacker.stop();
  await Promise.all([watch.clears('KeygateKeySpray'), watch.clears('KeygateBudgetsSpent')]);
}

/** CVE-2023-44487, on one connection at a time, twice a second. */
function resetRapidly(scope: Scope, { key, addresses }: KeygateProcess) {
  const { opening, round } = attacks(key)['rapid reset'] ?? {};
  if (opening === undefined || round === undefined) throw new Error('this attack has another name');
  return repeat(scope, 500, async () => {
    const socket = net.connect(Number(addresses.grpc.split(':').at(-1)), '127.0.0.1');
    socket.on('error', () => {}); // that is what it is there for
    socket.resume();
    socket.write(opening);
    for (let n = 0; !socket.destroyed && n < 50; n++) {
      socket.write(round(n, key));
      await delay(5);
    }
    socket.destroy();
  });
}

/** A folder stands where the snapshot belongs, and a key is made that would be in it. */
export async function withSnapshot(stage: Stage, watch: Watch, runbooks: Runbooks): Promise<void> {
  // The gateway may write it anew between the two.
  await until('a folder is there', async () => {
    await rm(stage.snapshot, { force: true });
    return mkdir(stage.snapshot).then(
      () => true,
      () => false,
    );
  });
  await stage.createKey('not in the snapshot');
  await watch.fires('KeygateSnapshotFails', { instance: stage.keygate.addresses.ops });
  assert.match(await runbooks.follow('KeygateSnapshotFails'), /\d+ \S+snapshot: EISDIR/);
  await rm(stage.snapshot, { recursive: true });
  await watch.clears('KeygateSnapshotFails');
}

/** The collector goes away and comes back. */
export async function withUpstream({ collector }: Stage, watch: Watch, runbooks: Runbooks): Promise<void> {
  await collector.close();
  await watch.fires('KeygateUpstreamFailing', { reason: 'upstream_unavailable' });
  assert.match(await runbooks.follow('KeygateUpstreamFailing'), /upstream_unavailable/);
  await collector.restart();
  await watch.clears('KeygateUpstreamFailing');
}

/** Redis hangs, while known keys and others are sent; then somebody lets it evict keys; then it is full, and may not. */
export async function withStore(stage: Stage, watch: Watch, runbooks: Runbooks): Promise<void> {
  stage.redis.freeze();
  const strangers = await stage.send(() => createKeyText('ingestion'), 5);
  await Promise.all([
    watch.fires('KeygateStoreDown', { instance: stage.keygate.addresses.ops }),
    watch.fires('KeygateFeedDown'),
    watch.fires('KeygateUndecided'),
    watch.fires('KeygateServesAged'),
  ]);
  assert.match(await runbooks.follow('KeygateStoreDown'), /the key store does not answer[\s\S]*no answer/);
  assert.match(await runbooks.follow('KeygateFeedDown'), /the change feed is not being read/);
  assert.match(await runbooks.follow('KeygateUndecided'), /keygate_store_breaker_open 1[\s\S]*no answer/);
  stage.redis.thaw();
  await strangers.stop();
  await Promise.all([
    watch.clears('KeygateStoreDown'),
    watch.clears('KeygateFeedDown'),
    watch.clears('KeygateUndecided'),
    watch.clears('KeygateServesAged'),
  ]);

  await setEviction(stage, 'allkeys-lru');
  await watch.fires('KeygateStoreEvicts');
  assert.match(await runbooks.follow('KeygateStoreEvicts'), /allkeys-lru\nOK\nOK/);
  await watch.clears('KeygateStoreEvicts');

  await stage.redis.command('CONFIG', 'SET', 'maxmemory', '100kb');
  await watch.fires('KeygateStoreWritesFail', { instance: stage.keygate.addresses.ops });
  assert.match(await runbooks.follow('KeygateStoreWritesFail'), /OOM[\s\S]*maxmemory_human:100\.00K[\s\S]*OK/);
  await watch.clears('KeygateStoreWritesFail');
}

/** Gateways look at it when they connect. */
async function setEviction({ redis }: Stage, policy: string): Promise<void> {
  await redis.command('CONFIG', 'SET', 'maxmemory-policy', policy);
  await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}

/** Prometheus is not told any more where the gateways are. */
export async function withoutDiscovery(prometheus: TestPrometheus, watch: Watch, runbooks: Runbooks): Promise<void> {
  await prometheus.setDiscovery('broken');
  await watch.fires('KeygateAbsent');
  assert.match(await runbooks.follow('KeygateAbsent'), /ok/);
  await prometheus.setDiscovery('working');
  await watch.clears('KeygateAbsent');
}
