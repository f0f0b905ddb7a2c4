import { setTimeout as delay } from 'node:timers/promises';
import type { NewKey } from '../../../src/keys/new-key.ts';
import type { KeyService } from '../../../src/keys/service.ts';
import { startCollector } from '../../support/collector.ts';
import type { Collector } from '../../support/collector.ts';
import { startKeygateProcess } from '../../support/keygate-process.ts';
import type { KeygateProcess } from '../../support/keygate-process.ts';
import { findPort } from '../../support/ports.ts';
import { startRedisKeys } from '../../support/redis-keys.ts';
import type { TestRedis } from '../../support/redis.ts';
import type { Scope } from '../../support/scope.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { createSignedCertificate } from '../../support/tls.ts';
import { until } from '../../support/wait.ts';
import type { Protocol } from './order.ts';

/** A gateway with TLS on both ports, a Redis, and a collector that tells what has arrived. */
export interface Place {
  readonly collector: Collector;
  readonly redis: TestRedis;
  readonly keys: KeyService;
  /** PEM file of whoever signed the gateway's certificate. */
  readonly ca: string;
  endpoint(protocol: Protocol): string;
  /** A key that no gateway has looked up yet. */
  createKey(key: Omit<NewKey, 'kind'>): Promise<string>;
  /** How many answers of the gateways had this in their labels, as in /metrics. */
  answered(labels: string): Promise<number>;
  /** It is asked to end, and started again at its ports when it has; for how many milliseconds nobody listened, at most. */
  restart(): Promise<number>;
  /** Another one is started, new connections go there, and the first is asked to end. */
  replace(): Promise<void>;
}

export const ACTOR = { name: 'test:interop' };
export const UNKNOWN_KEY = 'no-such-key';

interface Ports {
  readonly grpc: number;
  readonly http: number;
}

/** While it drains, a gateway that was replaced still serves the connections that it has. */
const DRAIN_DELAY = '2s';
const START_ATTEMPTS = 3;

export interface PlaceOptions {
  /** Of the gateway, besides where it listens, its store and its collector. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Senders know the address of something that passes bytes on, rather than the gateway's. */
  readonly behindOneAddress?: boolean;
}

export async function openPlace(
  scope: Scope,
  { config = {}, behindOneAddress = false }: PlaceOptions = {},
): Promise<Place> {
  const collector = await startCollector(scope);
  const { certPath: cert, keyPath: key, authorityPath } = await createSignedCertificate(scope);
  const { redis, keys } = await startRedisKeys(scope);
  const findPorts = async (): Promise<Ports> => ({ grpc: await findPort(), http: await findPort() });

  const at = (port: number) => ({ address: `127.0.0.1:${port}`, tls: { cert, key } });
  const start = (ports: Ports): Promise<KeygateProcess> =>
    startKeygateProcess(scope, {
      ...config,
      listen: { grpc: at(ports.grpc), http: at(ports.http) },
      upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
      routes: { remoteWrite: { target: collector.httpUrl }, logs: { target: collector.httpUrl } },
      store: { redis: { url: redis.url, commandTimeout: '1s' } },
      ...(behindOneAddress && { limits: { drainDelay: DRAIN_DELAY } }),
    });
  /** Ports that were free a moment ago are not always free. */
  const startSomewhere = async (attempt = 1): Promise<{ ports: Ports; gateway: KeygateProcess }> => {
    const ports = await findPorts();
    try {
      return { ports, gateway: await start(ports) };
    } catch (error) {
      if (attempt === START_ATTEMPTS || !String(error).includes('EADDRINUSE')) throw error;
      return startSomewhere(attempt + 1);
    }
  };
  const stop = async (gateway: KeygateProcess): Promise<void> => {
    gateway.signal('SIGTERM');
    const { code, stderr } = await gateway.exited;
    if (code !== 0) throw new Error(`the gateway ended with ${code}: ${stderr}`);
  };

  const { ports, gateway: first } = await startSomewhere();
  let gateway = first;
  const fronts = behindOneAddress
    ? { grpc: await startTcpProxy(ports.grpc), http: await startTcpProxy(ports.http) }
    : undefined;
  scope.after(() => Promise.all([fronts?.grpc.close(), fronts?.http.close()]));

  return {
    collector,
    redis,
    keys,
    ca: authorityPath,
    endpoint(protocol) {
      const part = protocol === 'grpc' ? 'grpc' : 'http';
      return `https://localhost:${fronts?.[part].port ?? ports[part]}`;
    },
    async createKey(wanted) {
      return (await keys.create({ kind: 'ingestion', ...wanted }, ACTOR)).text;
    },
    answered: (labels) => gateway.metric('keygate_requests_total', labels),
    async restart() {
      const from = performance.now();
      await stop(gateway);
      gateway = await start(ports);
      return performance.now() - from;
    },
    async replace() {
      const old = gateway;
      const next = await startSomewhere();
      gateway = next.gateway;
      fronts?.grpc.leadTo(next.ports.grpc);
      fronts?.http.leadTo(next.ports.http);
      await stop(old);
    },
  };
}

/** The labels of answers with which nobody loses anything. */
export const UNDECIDED = 'verdict="undecided"';
const NOTICED_WITHIN_MS = 60_000;

/** The store, which was frozen, comes back this long after senders were told that it is away. */
export async function endOutage(place: Place, seconds: number): Promise<void> {
  const isNoticed = async (): Promise<boolean> => (await place.answered(UNDECIDED)) > 0;
  await until('the outage was noticed', isNoticed, NOTICED_WITHIN_MS);
  await delay(seconds * 1_000);
  place.redis.thaw();
}

export async function mustHaveAnswered(place: Place, labels: string): Promise<void> {
  if ((await place.answered(labels)) === 0) throw new Error(`the gateway never answered with ${labels}`);
}

export async function mustNotHaveAnswered(place: Place, labels: string): Promise<void> {
  const times = await place.answered(labels);
  if (times > 0) throw new Error(`the gateway answered with ${labels} ${times} times`);
}
