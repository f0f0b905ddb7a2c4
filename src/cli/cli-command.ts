import { Command } from 'commander';

export interface Example {
  readonly about: string;
  readonly line: string;
}

/** A command that also knows its examples, and which flags it cannot do without. */
export class CliCommand extends Command {
  examples: readonly Example[] = [];
  requiredFlags: readonly string[] = [];

  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }
}
