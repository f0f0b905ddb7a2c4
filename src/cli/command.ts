import type { CliCommand, Example } from './cli-command.ts';
import { CliError, EXIT, UsageError } from './errors.ts';
import { formatHelp } from './help.ts';

export interface CommandDefinition {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly examples?: readonly Example[];
  readonly requiredFlags?: readonly string[];
}

/** Adds a command below another one. Faults in its flags are thrown as usage errors that know the command. */
export function addCommand(parent: CliCommand, definition: CommandDefinition): CliCommand {
  const command = parent.createCommand(definition.name);
  parent.addCommand(command);
  command.copyInheritedSettings(parent);
  return describe(command, definition);
}

export function describe(command: CliCommand, definition: CommandDefinition): CliCommand {
  const { name, summary, description, examples = [], requiredFlags = [] } = definition;
  command.examples = examples;
  command.requiredFlags = requiredFlags;
  return command
    .name(name)
    .summary(summary)
    .description(description)
    .helpOption('-h, --help', `help for ${name}`)
    .helpCommand(false)
    .configureHelp({ formatHelp })
    .exitOverride(({ code, message }) => {
      if (code === 'commander.help' || code === 'commander.helpDisplayed' || code === 'commander.version')
        throw new Done();
      throw new UsageError(message.replace(/^error: /, ''), { duringParse: true, command });
    });
}

/** Thrown when help or the version was asked for and has been printed. */
export class Done extends CliError {
  constructor() {
    super('', { exitCode: EXIT.ok });
  }
}

/** Refuses a call that lacks flags, naming all of them. An operand of the same name stands for its flag. */
export function requireFlags(command: CliCommand): void {
  const operands = command.registeredArguments
    .slice(0, command.args.length)
    .map((operand) => operand.name().toLowerCase());
  const missing = command.requiredFlags.filter(
    (name) => command.getOptionValue(name) === undefined && !operands.includes(name),
  );
  if (missing.length === 0) return;
  const names = missing.map((name) => `"${name}"`).join(', ');
  throw new UsageError(`required flag(s) ${names} not set`, { duringParse: false, command });
}

/** The value of a flag is not what it must be. `names` is how the help writes the flag, such as "-i, --id". */
export function invalidArgument(value: string, names: string, why: string): UsageError {
  return new UsageError(`invalid argument ${JSON.stringify(value)} for "${names}" flag: ${why}`, { duringParse: true });
}
