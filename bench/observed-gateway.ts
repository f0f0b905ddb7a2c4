import { createApp } from '../src/app.ts';
import { yieldToRequests } from '../src/cli/helper-threads.ts';
import { formatFaults } from '../src/config/faults.ts';
import { loadConfig } from '../src/config/load.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createObserving } from '../src/telemetry/observing.ts';
import type { Observing, ObservingOptions } from '../src/telemetry/observing.ts';

/** `observed-gateway.ts on|off serve --config <file>`: the gateway as it is, or one that tells nothing of its requests. */
const [mode, , , file] = process.argv.slice(2);
const nothing = (): void => {};

function unobserved(options: ObservingOptions): Observing {
  return {
    ...createObserving(options),
    plane: { started: nothing, ended: nothing, connections: nothing, turnedAway: nothing },
  };
}

const loaded = loadConfig({ file, env: {}, dev: false });
if (!loaded.ok) throw new Error(formatFaults(loaded.faults));
yieldToRequests();
const log = createLog({ ...loaded.config.log, output: process.stdout });
const app = await createApp(loaded.config, log, undefined, mode === 'off' ? unobserved : createObserving);
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
await app.start();
