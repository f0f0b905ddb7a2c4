import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { placeByRename } from '../support/place-file.ts';
import type { Scope } from '../support/scope.ts';
import { createCertificate, identityAt, identityOf } from '../support/tls.ts';
import type { TestCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';
import type { RestartableCollector, Site } from './site.ts';

/** A gateway that senders reach directly and by TLS: nobody between them hides what a reload does to a connection. */
export interface ReloadedGateway {
  readonly grpcUrl: string;
  readonly httpUrl: string;
  /** A file with whom its senders trust. */
  readonly authorities: string;
  /** A changed option, another certificate, another collector, a fault, and everything back: each by SIGHUP. */
  reloadAll(): Promise<void>;
  /** SIGTERM to each of its workers, one after the other. */
  replaceWorkers(): Promise<void>;
  stop(): Promise<void>;
}

/** Between two changes, so that each of them meets thousands of requests. */
const PAUSE_MS = 1_000;
const NOTICED_MS = 20_000;
/** What is in flight, and the start of another one. */
const REPLACED_MS = 40_000;

interface State {
  readonly maxBody: string;
  readonly certificate: TestCertificate;
  readonly collector: RestartableCollector;
}

export async function startReloadedGateway(
  t: Scope,
  { store }: Site,
  [first, second]: readonly [RestartableCollector, RestartableCollector],
  workers: number,
): Promise<ReloadedGateway> {
  const certificates = [
    await createCertificate(t, undefined, 'first'),
    await createCertificate(t, undefined, 'second'),
  ] as const;
  // What the gateway is told of are the files of a third one; what is in them changes.
  const { certPath: cert, keyPath: key } = await createCertificate(t);
  const authorities = `${cert}.authorities`;
  await writeFile(authorities, certificates.map((each) => each.cert).join('\n'));
  const original: State = { maxBody: '64MiB', certificate: certificates[0], collector: first };

  const configOf = ({ maxBody, collector: { upstream } }: State) => ({
    workers,
    listen: {
      grpc: { address: '127.0.0.1:0', tls: { cert, key } },
      http: { address: '127.0.0.1:0', tls: { cert, key } },
    },
    limits: { maxBody },
    upstream,
    store,
  });
  const place = async ({ certificate }: State): Promise<void> => {
    await placeByRename(cert, certificate.cert);
    await placeByRename(key, certificate.key);
  };

  await place(original);
  const keygate = await startKeygateProcess(t, configOf(original));
  const urlOf = (address: string): string => `https://localhost:${address.slice(address.lastIndexOf(':') + 1)}`;
  const grpcUrl = urlOf(keygate.addresses.grpc);
  const results = (result: string): Promise<number> =>
    keygate.metric('keygate_config_reloads_total', `result="${result}"`);

  async function change(what: string, next: State): Promise<void> {
    const before = await results('applied');
    await place(next);
    await keygate.configure(configOf(next));
    keygate.signal('SIGHUP');
    await until(`${what} holds`, async () => (await results('applied')) > before, NOTICED_MS);
    await until(
      `the certificate is shown after ${what}`,
      async () => (await identityAt(keygate.addresses.grpc)) === identityOf(next.certificate),
      NOTICED_MS,
    );
    const got = next.collector.count();
    await until(`the collector gets batches after ${what}`, () => next.collector.count() > got, NOTICED_MS);
    console.log(`  reloaded: ${what}`);
    await delay(PAUSE_MS);
  }

  return {
    grpcUrl,
    httpUrl: urlOf(keygate.addresses.http),
    authorities,
    async reloadAll() {
      const option = { ...original, maxBody: '32MiB' };
      await change('another limits.maxBody', option);
      const certificate = { ...option, certificate: certificates[1] };
      await change('another certificate', certificate);
      const collector = { ...certificate, collector: second };
      await change('another collector', collector);

      await keygate.configure({ ...configOf(collector), upstream: { ...second.upstream, timeout: 'long' } });
      keygate.signal('SIGHUP');
      await until('the fault is refused', async () => (await results('refused')) > 0, NOTICED_MS);
      console.log('  refused: a configuration with a fault');
      await delay(PAUSE_MS);
      await change('everything back', original);
    },
    async stop() {
      keygate.signal('SIGTERM');
      await keygate.exited;
    },
    async replaceWorkers() {
      for (const pid of keygate.workers()) {
        process.kill(pid, 'SIGTERM');
        await until(
          'a worker that was told to end is replaced',
          async () => !keygate.workers().includes(pid) && (await keygate.metric('keygate_workers')) === workers,
          REPLACED_MS,
        );
        console.log('  replaced: a worker');
        await delay(PAUSE_MS);
      }
      const crashes = await keygate.metric('keygate_worker_restarts_total');
      if (crashes > 0) throw new Error(`${crashes} workers have ended though nobody had told them to`);
    },
  };
}
