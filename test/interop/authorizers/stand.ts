import { randomBytes } from 'node:crypto';
import { createDigester } from '../../../src/credential/digest.ts';
import type { NewKey } from '../../../src/keys/new-key.ts';
import { createKeyService } from '../../../src/keys/service.ts';
import { startCollector } from '../../support/collector.ts';
import type { Collector } from '../../support/collector.ts';
import { startKeygateProcess } from '../../support/keygate-process.ts';
import type { KeygateProcess } from '../../support/keygate-process.ts';
import { randomPort } from '../../support/ports.ts';
import { startRedis } from '../../support/redis.ts';
import type { Scope } from '../../support/scope.ts';
import { openRedisStore } from '../../support/stores.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import type { Link } from '../../support/tcp-proxy.ts';
import type { TlsFiles } from './over-tls.ts';
import { startProxy } from './proxies.ts';
import type { Proxy } from './proxies.ts';
import { grpcSender, httpSender } from './senders.ts';
import type { Sender } from './senders.ts';

/** A proxy before a collector, and the Keygate that it asks; with senders of both protocols. */
export interface Stand {
  readonly collector: Collector;
  readonly keygate: KeygateProcess;
  readonly senders: readonly Sender[];
  createKey(key?: Partial<NewKey>): Promise<{ readonly id: string; readonly text: string }>;
  revoke(id: string): Promise<void>;
  /** The way from Keygate to its store. */
  store(link: Link): void;
}

const ACTOR = { name: 'test:interop' };

/** With these files, Keygate is asked over TLS. */
export async function setUp(scope: Scope, proxy: Proxy, program: string, tls?: TlsFiles): Promise<Stand> {
  const redis = await startRedis();
  scope.after(() => redis.stop());
  const link = await startTcpProxy(redis.port);
  scope.after(() => link.close());
  const collector = await startCollector(scope);
  const port = { address: '127.0.0.1:0', tls: tls?.keygate ?? null };
  const keygate = await startKeygateProcess(scope, {
    // No collector behind it: it only answers.
    authz: { grpc: port, http: port, proxies: ['127.0.0.1/32'] },
    // A machine that is busy with other things is no outage.
    store: { redis: { url: `redis://127.0.0.1:${link.port}`, commandTimeout: '700ms' } },
    canary: { interval: '0s' },
    log: { level: 'debug' },
  });
  const store = openRedisStore(redis.url, { prefix: 'keygate' });
  scope.after(() => store.close());
  const keys = createKeyService({
    store,
    digester: createDigester({}),
    now: Date.now,
    random: randomBytes,
    tombstoneMs: 86_400_000,
  });
  const ports = { grpc: randomPort(), http: randomPort(), ask: randomPort() };
  const running = startProxy(scope, proxy, program, {
    ports,
    keygate: { authzGrpc: keygate.authz.grpc, authzHttp: keygate.authz.http, ops: keygate.addresses.ops },
    collector: { grpc: new URL(collector.grpcUrl).host, http: new URL(collector.httpUrl).host },
    tls: tls?.proxy,
  });
  const senders = [await grpcSender(scope, ports.grpc), httpSender(scope, ports.http)];
  let made = 0;
  const createKey: Stand['createKey'] = async (key = {}) => {
    const { record, text } = await keys.create({ kind: 'ingestion', name: `interop ${(made += 1)}`, ...key }, ACTOR);
    return { id: record.id, text };
  };
  const { text } = await createKey();
  for (const sender of senders) {
    await running.until(
      `${proxy.name} passes requests on (${sender.protocol})`,
      async () => {
        const answer = await sender.send({ headers: { 'x-api-key': text } }).catch(() => undefined);
        return answer?.fate === 'through';
      },
      20_000,
    );
  }
  return {
    collector,
    keygate,
    senders,
    createKey,
    revoke: async (id) => void (await keys.revoke('ingestion', id, ACTOR, { force: true })),
    store: link.set,
  };
}
