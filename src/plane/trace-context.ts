import type { RawFields } from '../credential/read.ts';

const TRACEPARENT = 'traceparent';
const NO_TRACE = '0'.repeat(32);
const NO_PARENT = '0'.repeat(16);
const UNKNOWABLE_VERSION = 'ff';

/** Version, trace id, parent id, flags; later versions may say more behind another dash. */
const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/**
 * The trace that a request says it is a part of: W3C Trace Context, section 3.2 ("traceparent Header"). Whatever is not of that
 * grammar, or is said twice, is no trace; what it is relayed as does not change for that. Of later versions what the first one has
 * is read, as section 4.1 ("Versioning of traceparent") wants it.
 */
export function traceIdIn(fields: RawFields): string | undefined {
  let value: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() !== TRACEPARENT) continue;
    if (value !== undefined) return undefined;
    value = fields[i + 1] ?? '';
  }
  const [, version, traceId, parentId, more] = FORM.exec(value ?? '') ?? [];
  if (version === undefined || version === UNKNOWABLE_VERSION || (version === '00' && more !== undefined))
    return undefined;
  return traceId === NO_TRACE || parentId === NO_PARENT ? undefined : traceId;
}
