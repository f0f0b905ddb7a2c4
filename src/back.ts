import { randomBytes } from 'node:crypto';
import { createAdminServer } from './admin-server.ts';
import type { AdminServerOptions } from './admin-server.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/schema.ts';
import { sealerOf } from './key-options.ts';
import { createKeyService } from './keys/service.ts';
import type { KeyService } from './keys/service.ts';
import type { KnownKeys } from './known-keys.ts';
import { closeServer, listen } from './listening.ts';
import type { BoundAddress } from './plane/plane.ts';
import { announcing } from './store/announcing.ts';
import type { Log } from './telemetry/log.ts';
import { auditLog } from './telemetry/observers.ts';
import { createOpsServer } from './telemetry/ops-server.ts';
import type { OpsServerOptions } from './telemetry/ops-server.ts';

export interface BackOptions
  extends Pick<AdminServerOptions, 'gateway' | 'traffic' | 'overview' | 'logLevel'>, OpsServerOptions {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly known: KnownKeys;
}

/** What operators meet: the admin API and the keys that it manages, metrics and health. */
export interface Back {
  readonly keys: KeyService;
  listen(): Promise<{ readonly admin: BoundAddress; readonly ops: BoundAddress }>;
  close(): Promise<void>;
}

const PRUNE_INTERVAL_MS = 3_600_000;

export function createBack(options: BackOptions): Back {
  const { config, log, known, gateway, traffic, overview, logLevel } = options;
  const { now } = options.clock;
  const { store, cache, digest, lookup, usage } = known;
  const keys = createKeyService({
    store: announcing(store, cache),
    digester: digest,
    now,
    random: randomBytes,
    tombstoneMs: config.store.tombstones,
    sealer: sealerOf(config.keys),
    audited: auditLog(log),
  });
  const adminServer = createAdminServer({
    digest,
    lookup,
    service: keys,
    store,
    gateway,
    traffic,
    overview,
    logLevel,
    publicUrl: config.admin.publicUrl ?? undefined,
    random: randomBytes,
    used: (caller, address) => usage.used(caller, address, 0),
    now,
    log,
  });
  const opsServer = createOpsServer(options);
  let pruning: NodeJS.Timeout | undefined;

  async function prune(): Promise<void> {
    try {
      const count = await keys.prune();
      if (count > 0) log('info', 'forgot keys that died long ago', { count });
    } catch (error) {
      log('debug', 'old keys could not be pruned; this is tried again', { cause: String(error) });
    }
  }

  return {
    keys,
    async listen() {
      const [adminAddress, opsAddress] = await Promise.all([
        listen(adminServer, config.admin.address),
        listen(opsServer, config.ops.address),
      ]);
      pruning = setInterval(() => void prune(), PRUNE_INTERVAL_MS).unref();
      return { admin: adminAddress, ops: opsAddress };
    },
    async close() {
      clearInterval(pruning);
      await Promise.all([closeServer(adminServer), closeServer(opsServer)]);
    },
  };
}
