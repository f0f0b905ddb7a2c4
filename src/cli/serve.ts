import { availableParallelism } from 'node:os';
import { createApp } from '../app.ts';
import type { App, AppAddresses } from '../app.ts';
import { formatFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import type { LoadResult } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { ReadFile } from '../config/yaml-file.ts';
import { createOffice } from '../office.ts';
import { createLog } from '../telemetry/log.ts';
import type { Log } from '../telemetry/log.ts';
import { workersOf } from '../workers/share.ts';
import { ConfigFiles } from './config-files.ts';
import { yieldToRequests } from './helper-threads.ts';
import { watchConfig } from './watch-config.ts';
import { startWorkerProcess } from './worker.ts';

export interface ServeOptions {
  readonly config?: string | undefined;
  readonly dev: boolean;
}

/** Runs the gateway until a signal ends it; returns the process's exit code. */
export async function serve({ config: file, dev }: ServeOptions): Promise<number> {
  const load = (readFile: ReadFile): LoadResult => loadConfig({ file, env: process.env, dev, readFile });
  const files = new ConfigFiles();
  const loaded = load(files.read);
  if (!loaded.ok) {
    process.stderr.write(`${formatFaults(loaded.faults)}\n`);
    return 1;
  }
  const log = createLog({ ...loaded.config.log, output: process.stdout });
  const stopped = untilSignal(log);
  const hangUps = hearHangUps();
  const devMode = dev
    ? await (await import('../dev/dev-mode.ts')).prepareDev(loaded.config, (text) => process.stdout.write(text))
    : undefined;
  const complete = (config: Config): Config => devMode?.complete(config) ?? config;

  let app: App;
  let addresses: AppAddresses;
  try {
    yieldToRequests();
    const config = complete(loaded.config);
    const workers = workersOf(config, availableParallelism());
    app =
      workers === 1
        ? await createApp(config, log)
        : createOffice(config, log, { workers, startProcess: startWorkerProcess });
    addresses = await app.start();
  } catch (error) {
    log('fatal', 'keygate cannot start', { cause: describeStartFault(error) });
    await devMode?.close();
    return 1;
  }
  await devMode?.welcome(app.keys, addresses);
  const watch = watchConfig({
    files,
    load,
    async loaded(result) {
      if (result.ok) await app.reload(complete(result.config));
      else app.refuseReload(result.faults);
    },
  });
  hangUps.answerWith(watch.reload);

  await stopped;
  watch.stop();
  await app.drain();
  await devMode?.close();
  return 0;
}

/** SIGHUP would end a process that does not listen for it: one that comes too early is remembered. */
function hearHangUps(): { answerWith(reload: () => void): void } {
  let hasCome = false;
  let act = (): void => void (hasCome = true);
  process.on('SIGHUP', () => act());
  return {
    answerWith(reload) {
      act = reload;
      if (hasCome) reload();
    },
  };
}

/** The first signal drains; a second one ends the process at once, for whoever will not wait. */
function untilSignal(log: Log): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals): void => {
      signals += 1;
      if (signals > 1) {
        log('warn', 'stopped without waiting for requests in flight');
        process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
      }
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

function describeStartFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return `${error.message}: another program has this port. Stop it, or set another address (listen.*, admin.address, ops.address).`;
  }
  return error.message;
}
