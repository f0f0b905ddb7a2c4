import { KEY_PREFIXES } from '../credential/key-text.ts';

/**
 * What may stand in a log line. A name that is not listed does not compile, and is written as "[redacted]" if it comes all the
 * same: forgetting to list a field costs a value in a log, forgetting to hide one would cost a key.
 */
const NAMES = [
  'actor',
  'address',
  'address_admin',
  'address_authz_grpc',
  'address_authz_http',
  'address_grpc',
  'address_http',
  'address_ops',
  'after',
  'attempt',
  'before',
  'bytes',
  'cause',
  'change',
  'component',
  'config',
  'count',
  'dropped',
  'duration_ms',
  'error',
  'fault',
  'fingerprint',
  'key_id',
  'key_kind',
  'key_name',
  'line',
  'method',
  'option',
  'option_value',
  'options',
  'outcome',
  'path',
  'peer',
  'permission',
  'pause_ms',
  'pid',
  'port',
  'protocol',
  'reason',
  'request_id',
  'requests',
  'route',
  'signal',
  'state',
  'status',
  'store',
  'trace_id',
  'tracking_key',
  'until',
  'upstream_ms',
  'upstream_status',
  'user_agent',
  'version',
  'via',
  'where',
  'worked',
  'worker',
  'workers',
] as const;
const LOGGABLE: ReadonlySet<string> = new Set(NAMES);

const REDACTED = '[redacted]';
const KEY_TEXT = new RegExp(`(?:${Object.values(KEY_PREFIXES).join('|')})[0-9A-Za-z]*`, 'g');
const CREDENTIALS_IN_URL = /\/\/[^\s/@]*@/g;

type Loggable = string | number | boolean | undefined;
export type LogFields = Readonly<Partial<Record<(typeof NAMES)[number], Loggable>>>;

export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) safe[name] = LOGGABLE.has(name) ? redactValue(value) : REDACTED;
  }
  return safe;
}

/** Keys of ours and passwords in URLs are cut out even of text that may be logged, such as an error's message. */
export function redactText(text: string): string {
  return text.replaceAll(KEY_TEXT, REDACTED).replaceAll(CREDENTIALS_IN_URL, `//${REDACTED}@`);
}

function redactValue(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value);
    case 'number':
    case 'boolean':
      return value;
    default:
      return REDACTED; // nothing nested: its names would escape the list
  }
}
