import type { Command } from 'commander';

/** The exit codes of StackState's CLI, so that scripts written for it go on working. */
export const EXIT = {
  ok: 0,
  /** A faulty argument, a faulty configuration, or a refusal by the admin API or the key service. */
  refused: 3,
  /** The admin API or the key store cannot be reached, or does not accept the service token. */
  connect: 4,
  readFile: 5,
  writeFile: 6,
  notFound: 8,
  /** The change was made, but with --wait not every gateway has confirmed it in time. */
  unconfirmed: 10,
  /** Something that was not foreseen. */
  execution: 9,
} as const;

export interface CliErrorOptions {
  readonly exitCode: number;
  /** What the server said, whole: shown below the message in text mode. */
  readonly details?: string | undefined;
  /** What the server said, in a sentence: shown behind the message in JSON mode. */
  readonly reason?: string | undefined;
  readonly cause?: unknown;
}

/** Ends a command: the message goes to standard error, the code becomes the exit code. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly exitCode: number;
  readonly details: string | undefined;
  readonly reason: string | undefined;

  constructor(message: string, { exitCode, details, reason, cause }: CliErrorOptions) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
    this.details = details;
    this.reason = reason;
  }
}

/** The command line is wrong: the usage of the command is shown as well, on standard output. */
export class UsageError extends CliError {
  override readonly name = 'UsageError';
  /**
   * Whether the fault was found while the flags were being read. As in StackState's CLI, `-o json` does not hold then.
   */
  readonly duringParse: boolean;
  /** The command whose usage helps; set by whoever runs it. */
  command: Command | undefined;

  constructor(message: string, { duringParse, command }: { duringParse: boolean; command?: Command | undefined }) {
    super(message, { exitCode: EXIT.refused });
    this.duringParse = duringParse;
    this.command = command;
  }
}
