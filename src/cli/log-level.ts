import { MAX_LEVEL_MS } from '../admin/log-level.ts';
import type { ShownLogLevel } from '../admin/log-level.ts';
import { LOG_LEVELS } from '../log-levels.ts';
import type { LevelSetting } from '../log-levels.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand, invalidArgument } from './command.ts';
import { UsageError } from './errors.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import { printable } from './table.ts';
import { formatTime, parseDuration } from './values.ts';

interface LogLevelFlags {
  readonly for?: string;
}

/** keygate log-level */
export function addLogLevel(program: CliCommand, runtime: Runtime): void {
  const command = addCommand(program, {
    name: 'log-level',
    summary: 'Show, or change, how much a gateway writes to its log',
    description:
      'Show how much the gateway that --url leads to writes to its log, or change it while it runs: to one of\n' +
      `${LOG_LEVELS.join(', ')}. With --for it goes back to what the configuration says by itself;\n` +
      'without, it stays until it is changed again or the gateway restarts. Who changed it is in the log.',
    examples: [
      { about: 'see each request of the next ten minutes', line: 'keygate log-level debug --for 10m' },
      { about: 'what does it write now?', line: 'keygate log-level --url http://gateway:7070 --service-token $TOKEN' },
    ],
  })
    .argument('[LEVEL]')
    .option('--for <duration>', `How long, such as 10m; at most ${MAX_LEVEL_MS / 3_600_000}h`);

  does<LogLevelFlags>(command, runtime, async ({ flags, operands: [wanted], printer, withKeyAdmin }) => {
    const duration = readDuration(command, flags, wanted);
    const level = wanted === undefined ? undefined : parseLevel(wanted);
    await withKeyAdmin(async (admin) => {
      const shown =
        level === undefined
          ? await admin.logLevel()
          : await admin.setLogLevel({ level, ...(duration !== undefined && { duration }) });
      if (printer.json) printer.printJson({ 'log-level': shown });
      else printer.line(printable(sentenceOf(shown)));
    });
  });
}

function readDuration(command: CliCommand, flags: LogLevelFlags, wanted: string | undefined): number | undefined {
  if (flags.for === undefined) return undefined;
  if (wanted === undefined) throw new UsageError('--for needs a LEVEL to set', { duringParse: true, command });
  const ms = parseDuration(flags.for, '--for');
  if (ms >= 1_000 && ms <= MAX_LEVEL_MS) return ms;
  throw invalidArgument(flags.for, '--for', `it must be from 1s to ${MAX_LEVEL_MS / 3_600_000}h`);
}

function parseLevel(text: string): LevelSetting {
  const level = LOG_LEVELS.find((each) => each === text);
  if (level !== undefined) return level;
  throw invalidArgument(text, 'LEVEL', `it must be one of ${LOG_LEVELS.join(', ')}`);
}

function sentenceOf({ gateway, level, configured, until }: ShownLogLevel): string {
  if (until !== undefined) return `${gateway}: ${level} until ${formatTime(until)}, then ${configured}`;
  if (level === configured) return `${gateway}: ${level}, as configured`;
  return `${gateway}: ${level} until it is changed or restarted; ${configured} is configured`;
}
