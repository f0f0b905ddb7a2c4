import type { ChildProcess } from 'node:child_process';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { App, AppAddresses } from './app.ts';
import { beforeDrain, fixedState, levelFor, servingFields } from './app.ts';
import { authzAddresses } from './authz-options.ts';
import { createBack } from './back.ts';
import { SYSTEM_CLOCK } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/schema.ts';
import type { KeyDigest } from './credential/digest.ts';
import { createKnownKeys } from './known-keys.ts';
import type { LevelSetting } from './log-levels.ts';
import { createReloader, readOnce, reload } from './reload.ts';
import { addUp, figuresText, readFigures } from './telemetry/figures.ts';
import type { Figures } from './telemetry/figures.ts';
import { createGatewayState } from './telemetry/gateway-state.ts';
import { createKeyMetrics } from './telemetry/key-metrics.ts';
import type { AdjustableLog } from './telemetry/log.ts';
import { createLogLevelControl } from './telemetry/log-level.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { turnedAwayObserver } from './telemetry/observers.ts';
import { createRepeatedLog } from './telemetry/observing.ts';
import { reloadObserver } from './telemetry/reload-metrics.ts';
import { mergeTraffic, persistentIn } from './traffic/merged.ts';
import { VERSION } from './version.ts';
import { createDoors } from './workers/doors.ts';
import { shareOf } from './workers/share.ts';
import { createTeam } from './workers/team.ts';

export interface OfficeOptions {
  readonly workers: number;
  readonly startProcess: (worker: number) => ChildProcess;
  readonly clock?: Clock;
}

/** At the end, for what the workers have found last. */
const LEARN_WITHIN_MS = 2_000;

/**
 * The composition root of a gateway of several processes. This one, the office, takes connections and hands them to the workers, and
 * is what operators meet: the admin API, one sum of all metrics, health. Senders are served by the workers alone.
 */
export function createOffice(config: Config, log: AdjustableLog, options: OfficeOptions): App {
  const { workers, startProcess, clock = SYSTEM_CLOCK } = options;
  const { now } = clock;
  const name = config.replica.name ?? `${hostname()}:${process.pid}`;
  const metrics = createMetrics({
    version: VERSION,
    cacheSizes: () => known.cache.sizes(),
    refusedSources: () => persistentIn(trafficNow(), config.ops.refusedSources),
    heldBytes: () => 0, // it serves nobody
  });
  // It knows tokens, and each key that a worker knows if there is a snapshot to be written.
  const known = createKnownKeys({ config, log, metrics, clock, name, writesSnapshot: true });
  const keyMetrics = createKeyMetrics({ maxKeys: config.ops.keySeries, now });
  const turnedAway = turnedAwayObserver(metrics, createRepeatedLog(log, metrics));

  const team = createTeam({
    size: workers,
    assign: (worker) => ({
      worker,
      workers,
      name: `${name}/${worker}`,
      config: shareOf(reloader.current(), workers),
    }),
    startProcess,
    maxConnections: () => reloader.current().limits.maxConnections,
    observe: {
      ...metrics.workers,
      turnedAway: (port, peer) => turnedAway(port, 'limit', peer),
      keys: keyMetrics.add,
      found: (digests) => void (learning = learning.then(() => learn(digests))),
    },
    log,
    welcome: () => ({ kind: 'level', level: log.level() }),
    drainTimeoutMs: () => reloader.current().limits.drainTimeout,
    isEnding: () => state === 'draining',
  });
  const doors = createDoors(team.arrived);

  let learning: Promise<void> = Promise.resolve();
  /** One after the other, so that the store does not notice; and no further when it does not answer. */
  async function learn(digests: readonly KeyDigest[]): Promise<void> {
    for (const digest of digests) {
      const key = { digest, alternates: [] };
      if (known.cache.peek(key) !== undefined) continue;
      if ((await known.cache.lookup(key)).kind === 'unavailable') return;
    }
  }

  /** Of all processes. */
  async function figures(): Promise<Figures> {
    await team.tell();
    return addUp([await readFigures(metrics.registry), ...team.figures()]);
  }

  function trafficNow() {
    return mergeTraffic(team.traffic(), now());
  }

  /** Whoever changes the level here changes that of all. */
  const logOfAll: AdjustableLog = Object.assign((...line: Parameters<AdjustableLog>) => log(...line), {
    isEnabled: log.isEnabled,
    level: log.level,
    setLevel(level: LevelSetting) {
      log.setLevel(level);
      team.say({ kind: 'level', level });
    },
  });
  const logLevel = createLogLevelControl(logOfAll, now);
  const reloads = reloadObserver(metrics.reloads, log);
  const reloader = createReloader({ config, read: readOnce(), parts: [known.prepare, levelFor(logLevel)] });

  let state: 'starting' | 'serving' | 'draining' = 'starting';
  const back = createBack({
    config,
    log,
    clock,
    known,
    gateway: name,
    logLevel,
    overview: createGatewayState(figures, fixedState(config, workers)),
    traffic: {
      async look(mostSources) {
        await team.tell();
        const view = trafficNow();
        return { ...view, refusedSources: view.refusedSources.slice(0, mostSources) };
      },
    },
    async *metrics() {
      yield figuresText(await figures());
      yield* keyMetrics.text();
    },
    notReady() {
      if (state !== 'serving') return state;
      if (team.serving() === 0) return 'no worker is running';
      return known.notReady();
    },
  });

  async function close(): Promise<void> {
    doors.shut();
    await team.close();
    await back.close();
    await known.close();
    logLevel.close();
  }

  return {
    keys: back.keys,
    async start() {
      try {
        await known.open();
        await team.start();
        const backAddresses = await back.listen();
        const { grpc, http } = config.listen;
        const doorAddresses = await doors.listen({
          grpc: grpc.address,
          http: http.address,
          ...authzAddresses(config),
        });
        const addresses: AppAddresses = { ...doorAddresses, ...backAddresses };
        known.join();
        state = 'serving';
        log('info', 'keygate is serving', { ...servingFields(config, addresses), workers });
        return addresses;
      } catch (error) {
        await close();
        throw error;
      }
    },
    async drain() {
      state = 'draining';
      metrics.draining.set(1);
      team.say({ kind: 'leave' });
      await beforeDrain(reloader.current(), log);
      doors.shut();
      await team.drain();
      await Promise.race([learning, delay(LEARN_WITHIN_MS, undefined, { ref: false })]);
      await known.flush();
      await close();
      log('info', 'drained');
    },
    close,
    reload: (next) =>
      reload(next, reloader, reloads, { ...team, prepare: (config) => team.prepare(shareOf(config, workers)) }),
    refuseReload: reloads.refused,
  };
}
