import { VERSION } from '../version.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand } from './command.ts';
import { CliError, EXIT } from './errors.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';

// Each command loads what it needs when it runs: listing keys must not wait for the gateway's modules.

interface DevFlags {
  readonly dev?: boolean;
}

const DEV_FLAG = '--dev';

/** keygate serve | check-config | health | version */
export function addGatewayCommands(program: CliCommand, runtime: Runtime): void {
  addServe(program, runtime);
  addCheckConfig(program, runtime);
  addHealth(program, runtime);
  addVersion(program, runtime);
}

function addServe(program: CliCommand, runtime: Runtime): void {
  const command = addCommand(program, {
    name: 'serve',
    summary: 'Run the gateway',
    description:
      'Run the gateway until it is told to stop: SIGTERM or SIGINT lets requests in flight finish first. SIGHUP has it read its ' +
      'configuration anew, as a changed file does; connections stay open.',
    examples: [
      { about: 'try it out, without any configuration', line: 'keygate serve --dev' },
      { about: 'run it', line: 'keygate serve --config /etc/keygate/keygate.yaml' },
    ],
  }).option(DEV_FLAG, 'For trying out: listens on loopback only, needs no collector, and prints a key to start with');

  does<DevFlags>(command, runtime, async ({ flags: { config, dev = false } }) => {
    const { serve } = await import('./serve.ts');
    return serve({ ...(config !== undefined && { config }), dev });
  });
}

function addCheckConfig(program: CliCommand, runtime: Runtime): void {
  const command = addCommand(program, {
    name: 'check-config',
    summary: 'Check the configuration, and name all its faults',
    description:
      'Check the configuration file and environment, name all faults at once, and start nothing. Exit code 1 if there are any.',
    examples: [
      {
        about: 'check a file before it is rolled out',
        line: 'keygate check-config --config /etc/keygate/keygate.yaml',
      },
    ],
  }).option(DEV_FLAG, 'Check it as serve --dev would take it');

  does<DevFlags>(command, runtime, async ({ flags: { config, dev = false }, env }) => {
    const { checkConfig } = await import('./check-config.ts');
    return checkConfig({ file: config, env, dev, write: (text) => runtime.terminal.stdout.write(text) });
  });
}

function addHealth(program: CliCommand, runtime: Runtime): void {
  const command = addCommand(program, {
    name: 'health',
    summary: 'Ask a running gateway whether it is alive',
    description:
      'Ask the gateway of this machine whether it is alive. Exit code 0 if it is, 1 if not: for container health checks.',
    examples: [
      { about: 'ask where the configuration says that it listens (ops.address)', line: 'keygate health' },
      { about: 'ask elsewhere', line: 'keygate health http://127.0.0.1:9464/livez' },
    ],
  }).argument('[URL]');

  does(command, runtime, async ({ flags: { config: file }, operands: [url], env, say }) => {
    const { health, livezUrl } = await import('./health.ts');
    if (url !== undefined) return health(url, say);
    const [{ loadConfig }, { formatFaults }] = await Promise.all([
      import('../config/load.ts'),
      import('../config/faults.ts'),
    ]);
    // `dev` asks for no collector, which does not matter here.
    const loaded = loadConfig({ file, env, dev: true });
    if (!loaded.ok) throw new CliError(formatFaults(loaded.faults), { exitCode: EXIT.refused });
    return health(livezUrl(loaded.config.ops.address), say);
  });
}

function addVersion(program: CliCommand, runtime: Runtime): void {
  const command = addCommand(program, {
    name: 'version',
    summary: 'Show the version',
    description: 'Show the version of Keygate.',
  });
  does(command, runtime, ({ printer }) => {
    if (printer.json) printer.printJson({ version: VERSION });
    else printer.line(VERSION);
  });
}
