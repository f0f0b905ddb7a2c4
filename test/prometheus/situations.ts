import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as tls from 'node:tls';
import { createKeyText } from '../../src/credential/key-text.ts';
import { attacks } from '../abuse/attacks.ts';
import { startCollector } from '../support/collector.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { placeAll } from '../support/place-file.ts';
import { randomPort } from '../support/redis.ts';
import type { Scope } from '../support/scope.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';
import type { DashboardWatch } from './dashboard.ts';
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
export async function withKeys(stage: Stage, watch: Watch, runbooks: Runbooks): Promise<void> {
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

  const attacker = resetRapidly(stage.keygate);
  await watch.fires('KeygateBudgetsSpent', { how: 'ended' });
  assert.match(await runbooks.follow('KeygateBudgetsSpent'), /budget="resets",how="ended"/);
  await attacker.stop();
  await Promise.all([watch.clears('KeygateKeySpray'), watch.clears('KeygateBudgetsSpent')]);
}
/** CVE-2023-44487, on one connection at a time, twice a second. */
function resetRapidly({ key, addresses }: KeygateProcess) {
  const { opening, round } = attacks(key)['rapid reset'] ?? {};
  if (opening === undefined || round === undefined) throw new Error('this attack has another name');
  const end = new AbortController();
  const attacking = (async () => {
    while (!end.signal.aborted) {
      const socket = net.connect(Number(addresses.grpc.split(':').at(-1)), '127.0.0.1');
      socket.on('error', () => {}); // that is what it is there for
      socket.resume();
      socket.write(opening);
      for (let n = 0; !socket.destroyed && n < 50; n++) {
        socket.write(round(n, key));
        await delay(5);
      }
      socket.destroy();
      await delay(500);
    }
  })();
  return {
    async stop() {
      end.abort();
      await attacking;
    },
  };
}

/** The collector goes away and comes back. */
export async function withUpstream({ collector }: Stage, watch: Watch, runbooks: Runbooks): Promise<void> {
  await collector.close();
  await watch.fires('KeygateUpstreamFailing', { reason: 'upstream_unavailable' });
  assert.match(await runbooks.follow('KeygateUpstreamFailing'), /upstream_unavailable/);
  await collector.restart();
  await watch.clears('KeygateUpstreamFailing');
}

/** Redis hangs, while known keys and others are sent; then somebody lets it evict keys. */
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
}

/** Gateways look at it when they connect. */
async function setEviction({ redis }: Stage, policy: string): Promise<void> {
  await redis.command('CONFIG', 'SET', 'maxmemory-policy', policy);
  await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
}

/** A gateway with TLS and two workers that always comes back under the same address. */
export interface SecureGateway {
  readonly ops: string;
  /** The process that there is now. */
  current(): KeygateProcess;
  /** The file of its certificate. */
  certificate(): string;
  /** As the kernel does when memory runs out. */
  killWorker(): void;
  /** Ends it, with a request to finish that is over when this is. */
  stop(whileDraining?: () => Promise<void>): Promise<void>;
  /** Starts it again with a certificate that ends in so many days. */
  start(days: number): Promise<void>;
  /** Has a certificate take the place of the one that it shows, which it notices; one without its key, if it is to be refused. */
  renew(days: number, withKey?: boolean): Promise<void>;
}

export async function openSecureGateway(scope: Scope): Promise<SecureGateway> {
  const ops = `127.0.0.1:${randomPort()}`;
  const { grpcUrl, httpUrl } = await startCollector(scope);
  const mount = await temporaryDirectory(scope);
  let current: KeygateProcess | undefined;
  async function renew(days: number, withKey = true): Promise<void> {
    const { cert, key } = await createCertificate(scope, new Date(Date.now() + days * DAY));
    const other = withKey ? key : (await createCertificate(scope)).key;
    await placeAll(mount, { 'tls.crt': cert, 'tls.key': other });
  }
  async function start(days: number): Promise<void> {
    await renew(days);
    const port = { address: '127.0.0.1:0', tls: { cert: join(mount, 'tls.crt'), key: join(mount, 'tls.key') } };
    current = await startKeygateProcess(scope, {
      listen: { grpc: port, http: port },
      ops: { address: ops },
      upstream: { grpc: grpcUrl, http: httpUrl },
      workers: 2,
    });
  }
  await start(90);
  return {
    ops,
    killWorker() {
      const [worker] = current?.workers() ?? [];
      assert.ok(worker !== undefined);
      process.kill(worker, 'SIGKILL');
    },
    current() {
      assert.ok(current !== undefined);
      return current;
    },
    certificate: () => join(mount, 'tls.crt'),
    start,
    renew,
    async stop(whileDraining) {
      if (current === undefined) return;
      const unfinished = await beginRequest(current);
      current.signal('SIGTERM');
      await whileDraining?.();
      unfinished.destroy();
      await current.exited;
    },
  };
}

/** A request whose body does not come: the gateway waits for it before it ends. */
async function beginRequest({ addresses, key, metric }: KeygateProcess): Promise<tls.TLSSocket> {
  const port = Number(addresses.http.split(':').at(-1));
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('error', () => {}); // it is cut off in the end
  socket.resume();
  await once(socket, 'secureConnect');
  const type = 'Content-Type: application/x-protobuf\r\nContent-Length: 1000';
  socket.write(`POST /v1/traces HTTP/1.1\r\nHost: keygate\r\nX-API-Key: ${key}\r\n${type}\r\n\r\n`);
  await until('the request has begun', async () => (await metric('keygate_requests_in_flight')) > 0);
  return socket;
}

/**
 * One of its workers is killed. Then it ends and comes back with a certificate that ends soon; then it gets one that it refuses, and
 * at last a good one.
 */
export async function onOtherGateway(
  { ops, current, killWorker, start, stop, renew }: SecureGateway,
  watch: Watch,
  runbooks: Runbooks,
  prometheus: TestPrometheus,
  dashboard: DashboardWatch,
): Promise<void> {
  killWorker();
  await watch.fires('KeygateWorkerCrashes', { instance: ops, why: 'killed' });
  await runbooks.follow('KeygateWorkerCrashes');
  await watch.clears('KeygateWorkerCrashes', { instance: ops });
  const isDraining = async (): Promise<boolean> => (await prometheus.query('keygate_draining == 1')).length > 0;
  await stop(async () => {
    await until('Prometheus sees it drain', isDraining, 10_000);
    await dashboard.look();
  });
  await watch.fires('KeygateDown', { instance: ops });
  await runbooks.follow('KeygateDown');
  await start(5);
  await watch.clears('KeygateDown', { instance: ops });
  await watch.fires('KeygateCertificateExpires', { instance: ops, use: 'grpc' });
  assert.match(await runbooks.follow('KeygateCertificateExpires'), /notAfter=/);
  await renew(90, false);
  await watch.fires('KeygateConfigRefused', { instance: ops });
  const faults = await runbooks.follow('KeygateConfigRefused', { gateway: current(), findsFaults: true });
  assert.match(faults, /fault[\s\S]*listen\.grpc\.tls/);
  await renew(90);
  await watch.clears('KeygateConfigRefused', { instance: ops });
  await watch.clears('KeygateCertificateExpires', { instance: ops });
  // Between two scrapes: the dashboard marks that it was started.
  await stop();
  await start(90);
}
