import type { AuditLogEntry } from '../admin/life-schemas.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand, invalidArgument } from './command.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import { formatTime, parseCount, parseId } from './values.ts';

interface AuditFlags {
  readonly limit?: string;
  readonly key?: string;
  readonly before?: string;
}

const DEFAULT_LIMIT = 20;

/** keygate audit list */
export function addAudit(program: CliCommand, runtime: Runtime): void {
  const group = addCommand(program, {
    name: 'audit',
    summary: 'See who changed which key',
    description: 'See who changed which key or token, when, from where, and how.',
  });
  const command = addCommand(group, {
    name: 'list',
    summary: 'List the changes, newest first',
    description: 'List the changes of keys and tokens, newest first. The latest 100,000 are remembered.',
    examples: [
      { about: 'see the latest changes, times in UTC', line: 'keygate audit list' },
      { about: 'see what became of one key', line: 'keygate audit list --key 250558013078953 --limit 100' },
    ],
  })
    .option('--key <int>', 'Show the changes of the key or token with this ID only')
    .option('--limit <int>', `Show so many at most (default ${DEFAULT_LIMIT}, at most 1000)`)
    .option('--before <string>', 'Go on after the entry with this cursor, which -o json shows');

  does<AuditFlags>(command, runtime, async ({ flags, printer, withKeyAdmin }) => {
    const query = {
      limit: Math.min(flags.limit === undefined ? DEFAULT_LIMIT : parseCount(flags.limit, '--limit'), 1_000),
      before: flags.before === undefined ? undefined : parseCursor(flags.before),
      keyId: flags.key === undefined ? undefined : parseId(flags.key, '--key'),
    };
    const entries = await withKeyAdmin((admin) => admin.audit(query));
    if (printer.json) return printer.printJson({ audit: entries });
    printer.table(
      {
        header: ['time', 'change', 'id', 'name', 'actor', 'from', 'details'],
        rows: entries.map(toRow),
        wraps: ['change', 'name'],
        below: ['actor', 'from', 'details'],
      },
      'No changes found.',
    );
  });
}

function parseCursor(text: string): string {
  if (/^[0-9]{1,19}(-[0-9]{1,19})?$/.test(text)) return text;
  throw invalidArgument(text, '--before', 'it must be the cursor of an entry, which -o json shows');
}

function toRow({ timestamp, actor, via, address, action, what, id, name, before, after }: AuditLogEntry): string[] {
  const details = [...new Set([...Object.keys(before), ...Object.keys(after)])].map(
    (field) => `${field}: ${text(field, before[field])} -> ${text(field, after[field])}`,
  );
  const from = address === undefined ? via : `${via} ${address}`;
  return [formatTime(timestamp), `${what} ${action}`, String(id), name, actor, from, details.join(', ')];
}

/** A value in one word; nothing is a hyphen, as in the other tables. */
function text(field: string, value: unknown): string {
  if (value === undefined) return '-';
  if (typeof value === 'number' && field.endsWith('At')) return formatTime(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}
