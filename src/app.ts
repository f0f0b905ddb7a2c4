import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { AuthzAddresses } from './authorizer/authorizer.ts';
import { createBack } from './back.ts';
import { SYSTEM_CLOCK } from './clock.ts';
import type { Clock } from './clock.ts';
import type { ConfigFault } from './config/faults.ts';
import type { Config } from './config/schema.ts';
import { createFront } from './front.ts';
import type { KeyService } from './keys/service.ts';
import { createKnownKeys } from './known-keys.ts';
import type { KnownKeys } from './known-keys.ts';
import { formatAddress } from './listening.ts';
import { dataPorts } from './plane-options.ts';
import type { BoundAddress } from './plane/plane.ts';
import { createReloader, readOnce, reload } from './reload.ts';
import type { Prepare, Reloaded } from './reload.ts';
import { readFigures } from './telemetry/figures.ts';
import { createGatewayState } from './telemetry/gateway-state.ts';
import type { FixedState } from './telemetry/gateway-state.ts';
import { createKeyMetrics } from './telemetry/key-metrics.ts';
import type { AdjustableLog, Log } from './telemetry/log.ts';
import { createLogLevelControl } from './telemetry/log-level.ts';
import type { LogLevelControl } from './telemetry/log-level.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { createObserving } from './telemetry/observing.ts';
import { reloadObserver } from './telemetry/reload-metrics.ts';
import { VERSION } from './version.ts';

export interface AppAddresses extends AuthzAddresses {
  readonly grpc: BoundAddress;
  readonly http: BoundAddress;
  readonly admin: BoundAddress;
  readonly ops: BoundAddress;
}

export interface App {
  /** The keys it checks, for whoever runs in the same process. */
  readonly keys: KeyService;
  /** Opens every port, or none: rejects if one cannot be opened. */
  start(): Promise<AppAddresses>;
  /**
   * Readiness goes red, and nothing else for a while, so that load balancers see it; then senders are told to go elsewhere and
   * requests in flight finish; then everything closes.
   */
  drain(): Promise<void>;
  close(): Promise<void>;
  /**
   * Has a configuration that was loaded without faults take the place of the one that holds, as far as that goes without a
   * restart: all of it or nothing. No connection is closed.
   */
  reload(config: Config): Promise<Reloaded>;
  /** Says, and counts, that another configuration has these faults; the one that holds stays. */
  refuseReload(faults: readonly ConfigFault[]): void;
}

/**
 * The composition root, from one completed configuration: what this process knows of keys, what senders meet, and what operators
 * meet. Only these parts create clients and servers. `observe` is for whoever measures what observing costs.
 */
export async function createApp(
  config: Config,
  log: AdjustableLog,
  clock: Clock = SYSTEM_CLOCK,
  observe = createObserving,
): Promise<App> {
  const read = readOnce();
  const name = config.replica.name ?? `${hostname()}:${process.pid}`;
  const metrics = createMetrics({
    version: VERSION,
    cacheSizes: () => known.cache.sizes(),
    refusedSources: () => front.traffic.persistent(config.ops.refusedSources),
    heldBytes: () => front.plane.heldBytes(),
  });
  const known: KnownKeys = createKnownKeys({
    config,
    log,
    metrics,
    clock,
    name,
    writesSnapshot: true,
    judge: async (text) => (await front.gate.judgeKey(text, { to: 'ask' })).decision,
  });
  const keyMetrics = createKeyMetrics({ maxKeys: config.ops.keySeries, now: clock.now });
  const front = await createFront({
    config,
    read,
    log,
    metrics,
    clock,
    known,
    noteKey: keyMetrics.note,
    observe,
    notReady,
  });
  const logLevel = createLogLevelControl(log, clock.now);
  const reloader = createReloader({ config, read, parts: [known.prepare, front.prepare, levelFor(logLevel)] });
  const reloads = reloadObserver(metrics.reloads, log);
  let state: 'starting' | 'serving' | 'draining' = 'starting';
  function notReady(): string | undefined {
    return state === 'serving' ? known.notReady() : state;
  }
  const back = createBack({
    config,
    log,
    clock,
    known,
    gateway: name,
    traffic: front.traffic,
    overview: createGatewayState(() => readFigures(metrics.registry), fixedState(config, 1)),
    logLevel,
    async *metrics() {
      yield `${await metrics.registry.metrics()}\n`;
      yield* keyMetrics.text();
    },
    notReady,
  });

  async function close(): Promise<void> {
    await front.close();
    await back.close();
    await known.close();
    logLevel.close();
  }

  return {
    keys: back.keys,
    async start() {
      try {
        await known.open();
        const backAddresses = await back.listen();
        const addresses: AppAddresses = {
          ...(await front.plane.listen()),
          ...(await front.authorizer.listen()),
          ...backAddresses,
        };
        known.join();
        metrics.workers.running(1);
        state = 'serving';
        log('info', 'keygate is serving', servingFields(config, addresses));
        return addresses;
      } catch (error) {
        await close();
        throw error;
      }
    },
    async drain() {
      state = 'draining';
      metrics.draining.set(1);
      await beforeDrain(reloader.current(), log);
      await front.drain(reloader.current().limits.drainTimeout);
      await known.flush();
      await close();
      log('info', 'drained');
    },
    close,
    reload: (next) => reload(next, reloader, reloads),
    refuseReload: reloads.refused,
  };
}

/** Who has set another level meanwhile keeps it until the configuration says something new. */
export function levelFor(control: LogLevelControl): Prepare {
  return (next, _read, before) => () => next.log.level !== before.log.level && control.configure(next.log.level);
}

/** Not ready any more, and nothing else for a while: load balancers are to notice before a connection is refused. */
export async function beforeDrain({ limits }: Config, log: Log): Promise<void> {
  log('info', 'draining: not ready any more, so that load balancers send elsewhere; what comes is still served', {
    duration_ms: limits.drainDelay,
  });
  await delay(limits.drainDelay);
  log('info', 'draining: no new connections, requests in flight are finished');
}

/** For the console: what it shows of a gateway that does not change while it runs. */
export function fixedState(config: Config, workers: number): FixedState {
  return {
    workers,
    store: config.store.redis === null ? 'sqlite' : 'redis',
    cache: config.cache,
    ports: dataPorts(config),
  };
}

/** Where everything is, for the line of log that says so. */
export function servingFields({ store }: Config, addresses: AppAddresses) {
  return {
    version: VERSION,
    address_grpc: formatAddress(addresses.grpc),
    address_http: formatAddress(addresses.http),
    address_authz_grpc: addresses.authz_grpc && formatAddress(addresses.authz_grpc),
    address_authz_http: addresses.authz_http && formatAddress(addresses.authz_http),
    address_admin: formatAddress(addresses.admin),
    address_ops: formatAddress(addresses.ops),
    store: store.redis === null ? `sqlite ${store.sqlite.path}` : 'redis',
  };
}
