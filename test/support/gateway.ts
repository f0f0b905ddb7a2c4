import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { z } from 'zod';
import { createApp } from '../../src/app.ts';
import type { App, AppAddresses } from '../../src/app.ts';
import type { Clock } from '../../src/clock.ts';
import { configSchema } from '../../src/config/schema.ts';
import type { Config } from '../../src/config/schema.ts';
import type { NewKey } from '../../src/keys/new-key.ts';
import type { Reloaded } from '../../src/reload.ts';
import { createLog } from '../../src/telemetry/log.ts';

/** As it would be written in keygate.yaml. */
type ConfigInput = z.input<typeof configSchema>;

export interface Gateway {
  readonly app: App;
  readonly addresses: AppAddresses;
  readonly httpUrl: string;
  readonly grpcAddress: string;
  /** The lines logged so far, as written. */
  readonly log: readonly string[];
  /** Has it take this configuration instead of the one that it was started with, as far as that goes. */
  reload(config: ConfigInput): Promise<Reloaded>;
  /** Makes a key and returns its text and id. */
  createKey(key?: Partial<NewKey>): Promise<{ text: string; id: string }>;
  /** The text of /metrics. */
  metrics(): Promise<string>;
  /** The sum of the series of a metric whose labels contain these. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

const LOOPBACK = { address: '127.0.0.1:0' };

/** The data path that gateways of this run use, where a test asks for none: the whole suite runs on each. */
const PLANE = configSchema.shape.plane
  .unwrap()
  .optional()
  .parse(process.env['KEYGATE_PLANE'] || undefined);

/**
 * A whole gateway on free ports of the loopback address, with a SQLite store of its own unless the configuration says
 * otherwise. It is closed when the test ends.
 */
export async function startGateway(t: TestContext, config: ConfigInput, clock?: Clock): Promise<Gateway> {
  const directory = join(tmpdir(), `keygate-test-${randomUUID()}`); // the store makes it
  const log: string[] = [];
  const complete = (given: ConfigInput): Config =>
    configSchema.parse({
      admin: LOOPBACK,
      ops: LOOPBACK,
      ...(PLANE && { plane: PLANE }),
      ...given,
      limits: { drainDelay: '0s', ...given.limits },
      listen: withLoopback(given.listen),
      store: { sqlite: { path: join(directory, 'keygate.db') }, ...given.store },
    });
  const parsed = complete(config);
  const app = await createApp(
    parsed,
    createLog({ level: 'debug', format: 'json', output: { write: (line) => log.push(line) } }),
    clock,
  );
  t.after(async () => {
    await app.close();
    await rm(directory, { recursive: true, force: true });
  });
  const addresses = await app.start();
  const metricsUrl = `http://127.0.0.1:${addresses.ops.port}/metrics`;
  const metrics = async (): Promise<string> => (await fetch(metricsUrl)).text();
  let created = 0;

  return {
    app,
    addresses,
    httpUrl: `http${parsed.listen.http.tls ? 's' : ''}://127.0.0.1:${addresses.http.port}`,
    grpcAddress: `127.0.0.1:${addresses.grpc.port}`,
    log,
    reload: (next) => app.reload(complete(next)),
    async createKey(key = {}) {
      created += 1;
      const { record, text } = await app.keys.create(
        { kind: 'ingestion', name: `test-${created}`, ...key },
        { name: 'test' },
      );
      return { text, id: record.id };
    },
    metrics,
    async metric(name, labels = {}) {
      const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
      return (await metrics())
        .split('\n')
        .filter(
          (line) =>
            (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && wanted.every((part) => line.includes(part)),
        )
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
  };
}

function withLoopback(listen: ConfigInput['listen'] = {}): ConfigInput['listen'] {
  return { grpc: { ...LOOPBACK, ...listen.grpc }, http: { ...LOOPBACK, ...listen.http } };
}
