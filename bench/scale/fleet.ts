import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestCertificate } from '../../test/support/tls.ts';
import { usageOf } from '../proc.ts';
import { freePort, MEASURED_CORE, startProgram } from '../processes.ts';
import type { Started } from '../processes.ts';

/** Replicas of one gateway, all on one core, as `keygate serve` starts them. */
export interface Fleet {
  readonly ports: readonly number[];
  start(which: readonly number[]): Promise<void>;
  /** At once, as a machine that is gone. */
  kill(which: readonly number[]): void;
  /** Of those that run. */
  usage(): { readonly cpuMs: number; readonly rssMib: readonly number[] };
}

export interface FleetOptions {
  readonly size: number;
  readonly directory: string;
  readonly keygate: string;
  readonly certificate: TestCertificate;
  readonly collector: number;
  readonly redisPort: number;
}

export async function createFleet(options: FleetOptions): Promise<Fleet> {
  const ports: number[] = [];
  while (ports.length < options.size) {
    const port = await freePort();
    if (!ports.includes(port)) ports.push(port);
  }
  const running = new Map<number, Started>();
  /** CPU time of those that are gone. */
  let spentMs = 0;

  async function startOne(index: number): Promise<void> {
    const config = join(options.directory, `gateway-${index}.json`);
    const free = { address: '127.0.0.1:0' };
    await writeFile(
      config,
      JSON.stringify({
        listen: {
          grpc: {
            address: `127.0.0.1:${ports[index]}`,
            tls: { cert: options.certificate.certPath, key: options.certificate.keyPath },
          },
          http: free,
        },
        admin: free,
        ops: free,
        upstream: { grpc: `http://127.0.0.1:${options.collector}` },
        store: { redis: { url: `redis://127.0.0.1:${options.redisPort}` } },
        replica: { name: `gateway-${index}` },
        log: { format: 'json' },
      }),
    );
    const started = startProgram(MEASURED_CORE, options.keygate, ['serve', '--config', config]);
    running.set(index, started);
    await started.line((line) => line.includes('address_grpc'));
  }

  return {
    ports,
    async start(which) {
      await Promise.all(which.map(startOne));
    },
    kill(which) {
      for (const index of which) {
        const started = running.get(index);
        if (started === undefined) continue;
        spentMs += usageOf(started.pid).cpuMs;
        running.delete(index);
        process.kill(started.pid, 'SIGKILL');
      }
    },
    usage() {
      const each = [...running.values()].map(({ pid }) => usageOf(pid));
      return {
        cpuMs: spentMs + each.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
        rssMib: each.map(({ rssMib }) => rssMib),
      };
    },
  };
}
