import { configSchema } from '../../src/config/schema.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { findPort } from '../support/ports.ts';
import type { Scope } from '../support/scope.ts';
import type { TestCertificate } from '../support/tls.ts';
import type { Server } from './haproxy.ts';

/** A gateway that can be restarted where it is, as an operator does it. */
export interface Replica extends Server {
  readonly gateway: () => KeygateProcess;
  start(): Promise<void>;
  /** SIGTERM, and nothing else; resolves with what it has warned of in its life. */
  stop(): Promise<readonly string[]>;
}

/** What operators who change nothing have. */
const { drainDelay } = configSchema.parse({}).limits;

export async function createReplica(
  t: Scope,
  name: string,
  config: Readonly<Record<string, unknown>>,
  certificate?: TestCertificate,
): Promise<Replica> {
  const [grpc, http, ops] = [await findPort(), await findPort(), await findPort()];
  const at = (port: number) => ({ address: `127.0.0.1:${port}` });
  const tls = certificate && { tls: { cert: certificate.certPath, key: certificate.keyPath } };
  let current: KeygateProcess | undefined;
  const gateway = (): KeygateProcess => {
    if (current === undefined) throw new Error(`${name} was not started`);
    return current;
  };
  return {
    grpc,
    http,
    ops,
    gateway,
    async start() {
      current = await startKeygateProcess(t, {
        ...config,
        listen: { grpc: { ...at(grpc), ...tls }, http: { ...at(http), ...tls } },
        ops: at(ops),
        replica: { name },
        limits: { drainDelay: `${drainDelay}ms` },
      });
    },
    async stop() {
      gateway().signal('SIGTERM');
      const { code, stdout, stderr } = await gateway().exited;
      if (code !== 0) throw new Error(`${name} ended with ${code}: ${stdout}${stderr}`);
      return stdout.split('\n').filter((line) => /"level":"(?:warn|error)"/.test(line));
    },
  };
}
