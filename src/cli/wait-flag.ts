import type { Propagation } from '../admin/propagation.ts';
import { DEFAULT_WAIT_MS, MAX_WAIT_MS } from '../replica/progress.ts';
import type { CliCommand } from './cli-command.ts';
import { invalidArgument } from './command.ts';
import { CliError, EXIT, UsageError } from './errors.ts';
import type { Wait } from './key-admin.ts';
import type { Printer } from './printer.ts';
import { parseDuration } from './values.ts';

export interface WaitFlags {
  /** true without a time. */
  readonly wait?: true | string;
}

const NAMES = '--wait';

export function addWaitFlag(command: CliCommand): CliCommand {
  const about = `Return when every live gateway has applied it, and say how fast; --wait=30s: in 30 s at most (default ${DEFAULT_WAIT_MS / 1_000}s)`;
  return command.option('--wait [duration]', about);
}

export function readWait(command: CliCommand, { wait }: WaitFlags): Wait {
  if (wait === undefined) return undefined;
  if (wait === true) return DEFAULT_WAIT_MS;
  if (/^[0-9]+$/.test(wait)) {
    const message = `--wait took ${wait} for its time: put the ID before it, or write --wait=10s`;
    throw new UsageError(message, { duringParse: true, command });
  }
  const waitMs = parseDuration(wait, NAMES);
  if (waitMs <= MAX_WAIT_MS) return waitMs;
  throw invalidArgument(wait, NAMES, `it must be at most ${MAX_WAIT_MS / 1_000}s`);
}

/** Nothing if it was not waited for; in JSON it is in the result already. */
export function tellPropagation(printer: Printer, propagation: Propagation | undefined): void {
  if (propagation === undefined || printer.json || isNotKnown(propagation)) return;
  const rows = propagation.replicas.map(({ name, version, state, milliseconds, silentForMs }) => [
    name,
    version,
    silentForMs === undefined
      ? state
      : `${state === 'waiting' ? 'waiting, silent' : state} for ${Math.round(silentForMs / 1_000)} s`,
    milliseconds?.toFixed(1) ?? '-',
  ]);
  printer.table({ header: ['gateway', 'version', 'state', 'ms'], rows, wraps: ['gateway', 'state'] }, NOBODY);
  const silent = propagation.replicas.some(({ state }) => state === 'silent');
  if (silent) printer.line(SILENT);
}

const NOBODY = 'No gateway is live: it holds for each that starts from now on.';
const SILENT =
  'Silent gateways were not waited for: one that ended without a word answers nobody, but one that is cut off from the\n' +
  'key store goes on with the keys it knows, for up to cache.staleFor.';

/** Throws, when the rest has been told, if somebody has not confirmed in time. */
export function confirmPropagation(propagation: Propagation | undefined, wait: Wait): void {
  if (propagation === undefined || propagation.complete) return;
  if (isNotKnown(propagation)) {
    const message =
      'the change is made, but the key store went away before it could say which gateways have applied it';
    throw new CliError(message, { exitCode: EXIT.unconfirmed });
  }
  const waiting = propagation.replicas.filter(({ state }) => state === 'waiting').map(({ name }) => name);
  const message =
    `the change is made, but ${waiting.length} of ${propagation.replicas.length} gateways have not confirmed it within ` +
    `${(wait ?? 0) / 1_000} s: ${waiting.join(', ')}. One whose change feed is cut goes on with what it knows for up to ` +
    'cache.freshFor; one that cannot reach the key store at all, for up to cache.staleFor';
  throw new CliError(message, { exitCode: EXIT.unconfirmed });
}

function isNotKnown({ complete, replicas }: Propagation): boolean {
  return !complete && replicas.length === 0;
}
