import type { CliCommand } from './cli-command.ts';
import { Done } from './command.ts';
import { CliError, EXIT, UsageError } from './errors.ts';
import { formatUsage } from './help.ts';
import { createProgram, textPrinter, printerFor } from './program.ts';
import type { GlobalFlags } from './session.ts';
import type { Terminal } from './terminal.ts';

/** Runs one command line and returns its exit code. Never rejects: what goes wrong is told on standard error. */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = createProgram(terminal, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof Done) return EXIT.ok;
    return report(error, program, terminal);
  }
  return exitCode;
}

function report(error: unknown, program: CliCommand, terminal: Terminal): number {
  const flags = program.opts<GlobalFlags>();
  const fault = toCliError(error, flags.verbose === true);
  const isUsage = fault instanceof UsageError;
  // As in StackState's CLI: a fault in the flags themselves is told in text, since -o may be the flag at fault.
  const printer = isUsage && fault.duringParse ? textPrinter(terminal, flags) : printerFor(terminal, flags);
  printer.error(fault);
  if (isUsage && !printer.json) terminal.stdout.write(`${formatUsage(fault.command ?? program)}\n`);
  return fault.exitCode;
}

function toCliError(error: unknown, verbose: boolean): CliError {
  if (error instanceof CliError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  const details = verbose ? stack : 'This was not foreseen. With --verbose, it is said where it happened.';
  return new CliError(`unexpected error: ${message}`, { exitCode: EXIT.execution, details, cause: error });
}
