import { VERSION } from '../version.ts';
import { addAudit } from './audit.ts';
import { CliCommand } from './cli-command.ts';
import { describe, invalidArgument } from './command.ts';
import { addContext } from './context.ts';
import { addExplain } from './explain.ts';
import { addGatewayCommands } from './gateway-commands.ts';
import { addGetIngestionKey } from './get-ingestion-key.ts';
import { addIam } from './iam.ts';
import { addIngestionApiKey } from './ingestion-api-key.ts';
import { addOwners } from './owners.ts';
import { addKeys } from './keys.ts';
import { addLogLevel } from './log-level.ts';
import { createPrinter } from './printer.ts';
import type { Printer } from './printer.ts';
import { addServiceToken } from './service-token.ts';
import { addTop } from './top.ts';
import type { GlobalFlags, Runtime } from './session.ts';
import type { Terminal } from './terminal.ts';

/** All commands, ready to parse a command line. Reads and prints nothing by itself. */
export function createProgram(terminal: Terminal, exitWith: (code: number) => void): CliCommand {
  const program = describe(new CliCommand(), {
    name: 'keygate',
    summary: 'The auth gateway in front of your OpenTelemetry collector',
    description:
      'Keygate checks the ingestion keys of OTLP traffic in front of an OpenTelemetry collector.\n' +
      'This program runs the gateway and manages its keys: through the admin API, with --url and --service-token or with\n' +
      'a saved context, or, on the machine of the key store, directly.',
    examples: [
      { about: 'run a gateway to try it out', line: 'keygate serve --dev' },
      { about: 'create a key for a sender', line: 'keygate ingestion-api-key create --name my-ingestion-api-key' },
    ],
  });
  const runtime: Runtime = { terminal, exitWith, createPrinter: (flags) => printerFor(terminal, flags) };

  program
    .version(VERSION, '--version', 'version for keygate')
    .helpCommand('help [command]', 'Help about any command')
    .option('--ca-cert-path <string>', 'PEM file of the authorities that may sign the certificate of the admin API')
    .option('--config <string>', 'Path to the configuration file (KEYGATE_CONFIG)')
    .option('-c, --context <string>', 'Name of the context to use, or none (KEYGATE_CONTEXT); see keygate context')
    .option('--no-color', 'Disable color when printing to the terminal')
    .option('-o, --output <string>', 'Specify the output format (must be { json | text })', 'text')
    .option(
      '--service-token <string>',
      'Specify the service token for the admin API (KEYGATE_SERVICE_TOKEN, KEYGATE_SERVICE_TOKEN_FILE)',
    )
    .option('--skip-ssl', 'Trust any certificate of the admin API')
    .option(
      '--url <string>',
      'Specify the URL of the admin API (KEYGATE_URL); without it and a context the key store is used directly',
    )
    .option('-v, --verbose', 'Say what is being used to standard error')
    .configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      // Help without a verb is an answer, not an error; errors are printed by whoever runs the program.
      writeErr: (text) => terminal.stdout.write(text),
      outputError: () => {},
    });
  addGatewayCommands(program, runtime);
  addIngestionApiKey(program, runtime);
  addGetIngestionKey(program, runtime);
  addServiceToken(program, runtime);
  addOwners(program, runtime);
  addIam(program, runtime);
  addKeys(program, runtime);
  addAudit(program, runtime);
  addExplain(program, runtime);
  addTop(program, runtime);
  addLogLevel(program, runtime);
  addContext(program, runtime);
  return program;
}

/** The printer that the flags ask for. */
export function printerFor(terminal: Terminal, flags: GlobalFlags): Printer {
  if (flags.output === 'text') return textPrinter(terminal, flags);
  if (flags.output === 'json') return createPrinter({ ...outputsOf(terminal), json: true, colour: false });
  throw invalidArgument(flags.output, '-o, --output', 'must be { json | text }');
}

export function textPrinter(terminal: Terminal, { color }: GlobalFlags): Printer {
  const { env } = terminal;
  // https://no-color.org: the variable counts whatever its value.
  const colour = color && env['NO_COLOR'] === undefined && env['TERM']?.toLowerCase() !== 'dumb';
  return createPrinter({ ...outputsOf(terminal), json: false, colour });
}

function outputsOf({ stdout, stderr }: Terminal): Pick<Terminal, 'stdout' | 'stderr'> {
  return { stdout, stderr };
}
