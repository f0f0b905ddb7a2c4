import type { RawFields } from './credential/read.ts';
import type { KeyRecord } from './keys/record.ts';

/** The one list of header fields that do not pass: both protocols and both directions use it. */

/**
 * Fields that belong to one connection (RFC 9110 section 7.6.1, RFC 9113 section 8.2.2). `trailer` and `expect` are among
 * them because the next hop is asked for neither, and `host` because the upstream has its own.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What the collector is told of the key; only Keygate may say it. */
export const IDENTITY = {
  keyId: 'x-keygate-key-id',
  keyName: 'x-keygate-key-name',
  tenant: 'x-keygate-tenant',
} as const;
const IDENTITY_PREFIX = 'x-keygate-';

/**
 * How CGI-like readers further on see a name: every character that is not a letter or digit becomes the same one, so that
 * "X_Keygate_Key_Id" is "x-keygate-key-id" to them and "Transfer_Encoding" is "transfer-encoding".
 */
function fold(lowerCaseName: string): string {
  return lowerCaseName.replaceAll(/[^a-z0-9]/g, '-');
}

export type HeaderFilter = (fields: RawFields) => [name: string, value: string][];

/**
 * Builds the filter for requests: drops hop-by-hop fields, those that `Connection` names (before ours are set, so that it
 * cannot name them), the credential in every carrier, client copies of our identity fields, and pseudo-header fields; all
 * of them in every spelling that could be read as one of them. Names come out in lower case.
 */
export function createRequestFilter(credentialCarriers: readonly string[], tenantHeader?: string): HeaderFilter {
  const ours = tenantHeader === undefined ? [] : [tenantHeader];
  const dropped = new Set([...HOP_BY_HOP, 'authorization', ...credentialCarriers, ...ours].map(fold));
  return (fields) =>
    filter(fields, (name) => {
      const folded = fold(name);
      if (folded === 'content-length') return name !== folded; // the real one passes
      return dropped.has(folded) || folded.startsWith(IDENTITY_PREFIX);
    });
}

/** The filter for responses: the collector's fields pass, those of its connection do not. */
export const filterResponseFields: HeaderFilter = (fields) => filter(fields, (name) => HOP_BY_HOP.has(name));

/** What the collector is sent of a request's head: what may pass of it, and whose key it came with. */
export type ToUpstream = (fields: RawFields, key: KeyRecord) => [name: string, value: string][];

export interface UpstreamHead {
  readonly carriers: readonly string[];
  /** Also says the tenant, for a collector that knows it by this name. */
  readonly tenantHeader: string | undefined;
}

export function createToUpstream({ carriers, tenantHeader }: UpstreamHead): ToUpstream {
  const filterRequest = createRequestFilter(carriers, tenantHeader);
  return (fields, key) => [...filterRequest(fields), ...identityFields(key, tenantHeader)];
}

/**
 * For a proxy that relays the request itself: which of these fields it is to take out, beside those that it never lets pass. All that
 * may hold a key or pass for a word of ours, by its usual name and by each that this request has; but not what it is to set.
 */
export function createNamesToRemove({ carriers, tenantHeader }: UpstreamHead) {
  const ours = tenantHeader === undefined ? [] : [tenantHeader];
  const usual = ['authorization', ...carriers, ...Object.values(IDENTITY), ...ours];
  const folded = new Set(usual.map(fold));
  return (fields: RawFields, set: readonly (readonly [name: string, value: string])[]): string[] => {
    const names = new Set(usual);
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = (fields[i] ?? '').toLowerCase();
      const seenAs = fold(name);
      if (folded.has(seenAs) || seenAs.startsWith(IDENTITY_PREFIX)) names.add(name);
    }
    for (const [name] of set) names.delete(name);
    return [...names];
  };
}

function filter(fields: RawFields, isDropped: (name: string) => boolean): [string, string][] {
  const named = connectionNamed(fields);
  const kept: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = (fields[i] ?? '').toLowerCase();
    if (name.startsWith(':') || isDropped(name) || named?.has(name)) continue;
    kept.push([name, fields[i + 1] ?? '']);
  }
  return kept;
}

function connectionNamed(fields: RawFields): Set<string> | undefined {
  let named: Set<string> | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]?.toLowerCase() !== 'connection') continue;
    for (const token of (fields[i + 1] ?? '').split(',')) (named ??= new Set()).add(token.trim().toLowerCase());
  }
  return named;
}

/**
 * The identity fields of a key; its tenant also under the name that the collector looks for, if there is one. Names may be
 * any text, so they travel percent-encoded where they are not plain ASCII.
 */
export function identityFields(key: KeyRecord, tenantHeader?: string): [name: string, value: string][] {
  const fields: [string, string][] = [
    [IDENTITY.keyId, key.id],
    [IDENTITY.keyName, toFieldValue(key.name)],
  ];
  if (key.tenant !== undefined) {
    const tenant = toFieldValue(key.tenant);
    fields.push([IDENTITY.tenant, tenant]);
    if (tenantHeader !== undefined) fields.push([tenantHeader, tenant]);
  }
  return fields;
}

const IS_FIELD_VALUE = /^[\x20-\x24\x26-\x7e]*$/;

/** Percent-encodes what may not stand in a field value: controls, "%" itself and everything beyond ASCII. */
export function toFieldValue(text: string): string {
  if (IS_FIELD_VALUE.test(text)) return text; // nearly all there is to say; looking is cheaper than replacing nothing
  return text.replaceAll(/[^\x20-\x24\x26-\x7e]+/g, (part) =>
    Array.from(Buffer.from(part, 'utf8'), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
