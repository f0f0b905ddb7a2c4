import type { Command, Help, Option } from 'commander';
import { CliCommand } from './cli-command.ts';

/**
 * Help in the layout of StackState's CLI (that of Go's cobra), which the guides of its users show: what it is, usage,
 * examples, commands, flags.
 */
export function formatHelp(command: Command, helper: Help): string {
  return `${command.description()}\n\n${formatUsage(command, helper)}`;
}

/** The part of the help that is shown after a usage error. */
export function formatUsage(command: Command, helper: Help = command.createHelp()): string {
  const path = pathOf(command);
  const commands = helper.visibleCommands(command).toSorted(byName);
  const own = helper.visibleOptions(command);
  const global = ancestorsOf(command).flatMap((ancestor) => ancestor.options);
  const examples = command instanceof CliCommand ? command.examples : [];
  const isRoot = command.parent === null;

  const sections = [
    `Usage:\n  ${path}${commands.length > 0 ? ' [command]' : `${requiredText(command)} [flags]`}`,
    examples.length > 0 && `Examples:\n${examples.map(({ about, line }) => `  # ${about}\n  ${line}`).join('\n\n')}`,
    commands.length > 0 &&
      `Available Commands:\n${listOf(commands.map((each) => [each.name(), each.summary() || each.description()]))}`,
    `Flags:\n${flagsOf(own)}`,
    !isRoot && global.length > 0 && `Global Flags:\n${flagsOf(global.filter((option) => option.long !== '--version'))}`,
    commands.length > 0 && `Use "${path} [command] --help" for more information about a command.`,
  ];
  return `${sections.filter(Boolean).join('\n\n')}\n`;
}

const MIN_NAME_WIDTH = 11;

function listOf(rows: readonly (readonly [name: string, about: string])[]): string {
  const width = Math.max(MIN_NAME_WIDTH, ...rows.map(([name]) => name.length));
  return rows.map(([name, about]) => `  ${name.padEnd(width)} ${about}`).join('\n');
}

function flagsOf(options: readonly Option[]): string {
  const rows = options
    .toSorted((a, b) => (a.long ?? '').localeCompare(b.long ?? ''))
    .map((option): [string, string] => [
      `${option.short ? `${option.short}, ` : '    '}${longOf(option)}`,
      option.description,
    ]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, about]) => `  ${name.padEnd(width)}   ${about}`).join('\n');
}

/** `--name string`: the long name and, for a flag with a value, the word in angle brackets. */
function longOf(option: Option): string {
  const type = /<([^>]+)>/.exec(option.flags)?.[1];
  return type === undefined ? (option.long ?? '') : `${option.long} ${type}`;
}

function requiredText(command: Command): string {
  const required = command instanceof CliCommand ? command.requiredFlags : [];
  return required.map((name) => ` --${name} ${name.toUpperCase()}`).join('');
}

function ancestorsOf(command: Command): Command[] {
  return command.parent === null ? [] : [...ancestorsOf(command.parent), command.parent];
}

/** The words that call a command: `keygate ingestion-api-key create`. */
export function pathOf(command: Command): string {
  return [...ancestorsOf(command), command].map((each) => each.name()).join(' ');
}

function byName(a: Command, b: Command): number {
  return a.name().localeCompare(b.name());
}
