import { randomBytes } from 'node:crypto';
import { createDigester } from '../../../src/credential/digest.ts';
import { createKeyService } from '../../../src/keys/service.ts';
import type { KeyService } from '../../../src/keys/service.ts';
import { createReplica } from '../../rolling/replicas.ts';
import type { Replica } from '../../rolling/replicas.ts';
import { findPort } from '../../support/ports.ts';
import { startRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import type { Scope } from '../../support/scope.ts';
import { openRedisStore } from '../../support/stores.ts';
import { createCertificate } from '../../support/tls.ts';
import type { TestCertificate } from '../../support/tls.ts';
import { readExample } from '../example.ts';
import { startOtelcol } from './otelcol.ts';
import type { Otelcol } from './otelcol.ts';
import type { SenderRow } from './senders.ts';
import { startSink } from './sink.ts';
import type { Sink } from './sink.ts';

/** All that is between the senders and the backend: gateways on one Redis, and the Collector behind them. */
export interface Place {
  readonly redis: TestRedis;
  readonly keys: KeyService;
  readonly certificate: TestCertificate;
  /** Before the same Collector, one with TLS on both ports, and one in plaintext. */
  readonly gateways: Readonly<Record<SenderRow['over'], Replica>>;
  /** One more, with TLS, that was never started. */
  readonly fresh: () => Promise<Replica>;
  readonly behind: RestartableCollector;
  readonly sink: Sink;
}

/** The example in config/collector, with what it would tell of a key that came through. */
export interface RestartableCollector {
  readonly grpc: number;
  readonly http: number;
  current(): Otelcol;
  start(): Promise<void>;
}

export const ACTOR = { name: 'test:interop' };

/** What must not come through, as the backend would see it. */
const CREDENTIALS = ['authorization', 'x-api-key', 'apikey', 'sts-api-key'] as const;
const seenAs = (carrier: string): string => `seen-${carrier}`;
export const SEEN_CREDENTIALS: readonly string[] = CREDENTIALS.map(seenAs);

export async function openPlace(t: Scope, program: string): Promise<Place> {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const store = openRedisStore(redis.url, { prefix: 'keygate', commandTimeoutMs: 5_000 });
  t.after(() => store.close());
  const digester = createDigester({});
  const keys = createKeyService({ store, digester, now: Date.now, random: randomBytes, tombstoneMs: 86_400_000 });
  const certificate = await createCertificate(t);
  const sink = await startSink(t);
  const behind = await createBehind(t, program, sink);
  const gateway = (name: string, secure: boolean): Promise<Replica> =>
    createReplica(
      t,
      name,
      {
        store: { redis: { url: redis.url } },
        upstream: { grpc: `http://127.0.0.1:${behind.grpc}`, http: `http://127.0.0.1:${behind.http}` },
      },
      secure ? certificate : undefined,
    );
  const gateways = { TLS: await gateway('tls', true), plaintext: await gateway('plaintext', false) };
  return { redis, keys, certificate, gateways, fresh: () => gateway('fresh', true), behind, sink };
}

async function createBehind(t: Scope, program: string, sink: Sink): Promise<RestartableCollector> {
  const [grpc, http] = [await findPort(), await findPort()];
  const pipeline = (signal: string) => `    ${signal}: { receivers: [otlp], exporters: [otlp_http/backend] }\n`;
  const config = readExample('collector', 'behind-keygate.yaml', {
    '0.0.0.0:4317': `127.0.0.1:${grpc}`,
    '0.0.0.0:4318': `127.0.0.1:${http}`,
    'http://backend.example.com:4318': sink.url,
    // Profiles have to be switched on, which the example does not suppose.
    [pipeline('logs')]: `${pipeline('logs')}${pipeline('profiles')}`,
    '    headers:\n': `    headers:\n${CREDENTIALS.map((name) => `      - { key: ${seenAs(name)}, from_context: ${name} }\n`).join('')}`,
  });
  let current: Otelcol | undefined;
  return {
    grpc,
    http,
    current() {
      if (current === undefined) throw new Error('the Collector behind was not started');
      return current;
    },
    async start() {
      current = await startOtelcol(t, program, config);
    },
  };
}
