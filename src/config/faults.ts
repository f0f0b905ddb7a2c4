/** What is wrong with a configuration, said so that whoever wrote it can put it right. */

export interface ConfigFault {
  /** The option, as `limits.maxBody`, or the environment variable; empty if the fault is of the whole file. */
  readonly path: string;
  /** What is allowed: "must be …". */
  readonly message: string;
  /** The value that is at fault, fit to be shown: quoted and cut, and never a secret. */
  readonly value?: string | undefined;
  /** Where it was set: `keygate.yaml:12:3` or `KEYGATE_LIMITS_MAX_BODY`. */
  readonly where?: string | undefined;
}

const MAX_SHOWN_LENGTH = 60;

/** A value as it may be shown. A URL loses its user and password, whether or not it should have had them. */
export function showValue(value: unknown): string {
  const text = JSON.stringify(typeof value === 'bigint' ? String(value) : value) ?? String(value);
  const masked = text.replace(/:\/\/.*@/, '://***@');
  return masked.length <= MAX_SHOWN_LENGTH ? masked : `${masked.slice(0, MAX_SHOWN_LENGTH)}…`;
}

export const HIDDEN_VALUE = '(not shown: secret)';

/** The order of the file, then the environment, then what is nowhere to be seen. */
export function inOrder(faults: readonly ConfigFault[]): ConfigFault[] {
  const rank = ({ where }: ConfigFault) => (where === undefined ? 2 : where.startsWith('KEYGATE_') ? 1 : 0);
  return faults.toSorted(
    (a, b) => rank(a) - rank(b) || (a.where ?? '').localeCompare(b.where ?? '', 'en', { numeric: true }),
  );
}

/** All faults, one block each, headed by how many there are. */
export function formatFaults(faults: readonly ConfigFault[]): string {
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  return [`The configuration has ${count}:`, ...faults.map(formatFault)].join('\n\n');
}

function formatFault({ path, message, value, where }: ConfigFault): string {
  const subject = [path, value].filter(Boolean).join(' = ');
  const origin = where?.startsWith('KEYGATE_') ? `set by ${where}` : where && `at ${where}`;
  const lines = [subject, message, origin].filter(Boolean);
  return lines.map((line, index) => (index === 0 ? `  ${line}` : `    ${line}`)).join('\n');
}
