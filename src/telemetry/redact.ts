import { KEY_PREFIXES } from '../credential/key-text.ts';

/**
 * What may stand in a log line. A name that is not listed is written as "[redacted]", whatever its value: forgetting to
 * list a field costs a value in a log, forgetting to hide one would cost a key.
 */
const LOGGABLE: ReadonlySet<string> = new Set([
  'actor',
  'address',
  'address_admin',
  'address_grpc',
  'address_http',
  'address_ops',
  'attempt',
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
  'method',
  'outcome',
  'path',
  'peer',
  'permission',
  'pid',
  'protocol',
  'reason',
  'request_id',
  'route',
  'signal',
  'state',
  'status',
  'store',
  'tracking_key',
  'upstream_status',
  'user_agent',
  'version',
]);

const REDACTED = '[redacted]';
const KEY_TEXT = new RegExp(`(?:${Object.values(KEY_PREFIXES).join('|')})[0-9A-Za-z]*`, 'g');
const CREDENTIALS_IN_URL = /\/\/[^\s/@]*@/g;

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

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
