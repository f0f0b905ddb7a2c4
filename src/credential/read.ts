/**
 * Finds the key in a request's header fields. Works on the raw field list, so that a field sent twice is seen twice: Node
 * keeps only the first of two Authorization fields and joins others with commas, and both hide a second key.
 */

/** A request's header fields as they came: name, value, name, value, … Names in any case. */
export type RawFields = readonly string[];

export interface CredentialRules {
  /** The words allowed before a key in Authorization. */
  readonly schemes: readonly string[];
  readonly bareAuthorization: boolean;
  /** User names whose Basic password is a key. */
  readonly basicUsers: readonly string[];
  /** Names of the fields that hold a bare key, in lower case. */
  readonly carriers: readonly string[];
}

export type CredentialProblem = 'missing_credential' | 'malformed_credential' | 'conflicting_credentials';
export type ReadResult = { readonly key: string } | { readonly problem: CredentialProblem };

export type CredentialReader = (fields: RawFields) => ReadResult;

export const MAX_KEY_BYTES = 512;

/** Where a route takes keys from the query, they stand among the fields under this name, which no field can have. */
export const QUERY_CARRIER = '?api_key';

const MISSING: ReadResult = { problem: 'missing_credential' };
const MALFORMED: ReadResult = { problem: 'malformed_credential' };
const CONFLICTING: ReadResult = { problem: 'conflicting_credentials' };

/**
 * All carriers are read, and all must agree: picking the first that is present would let a request mean one key here and
 * another one further on. A field with an empty value counts as not sent.
 */
export function createCredentialReader(rules: CredentialRules): CredentialReader {
  const readAuthorization = createAuthorizationReader(rules);
  const carriers = new Set([...rules.carriers, QUERY_CARRIER]);

  return (fields) => {
    let found: string | undefined;
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = (fields[i] ?? '').toLowerCase();
      const isAuthorization = name === 'authorization';
      if (!isAuthorization && !carriers.has(name)) continue;
      const value = (fields[i + 1] ?? '').trim();
      if (value === '') continue;
      const key = isAuthorization ? readAuthorization(value) : value;
      if (key === undefined || !isPlainKey(key)) return MALFORMED;
      if (found !== undefined && found !== key) return CONFLICTING;
      found = key;
    }
    return found === undefined ? MISSING : { key: found };
  };
}

function createAuthorizationReader(rules: CredentialRules): (value: string) => string | undefined {
  const schemes = new Set(rules.schemes.map((scheme) => scheme.toLowerCase()));
  const basicUsers = new Set(rules.basicUsers);

  return (value) => {
    const space = value.indexOf(' ');
    if (space === -1) {
      const isSchemeAlone = schemes.has(value.toLowerCase()) || value.toLowerCase() === 'basic';
      return rules.bareAuthorization && !isSchemeAlone ? value : undefined;
    }
    const scheme = value.slice(0, space).toLowerCase();
    const rest = value.slice(space + 1).trim();
    if (schemes.has(scheme)) return scheme === 'bearer' ? withoutSecondBearer(rest) : rest;
    if (scheme === 'basic') return readBasicPassword(rest, basicUsers);
    return undefined;
  };
}

/**
 * `ibmcloud iam oauth-tokens` prints "Bearer <token>", and IBM's documentation puts another "Bearer" before it. A key has no
 * space in it, so nothing else can be meant.
 */
function withoutSecondBearer(rest: string): string {
  return rest.replace(/^bearer +/i, '');
}

/** RFC 7617: base64 of "user:password"; the user name ends at the first colon. */
function readBasicPassword(encoded: string, users: ReadonlySet<string>): string | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  return colon !== -1 && users.has(text.slice(0, colon)) ? text.slice(colon + 1) : undefined;
}

/**
 * One key and nothing else: visible ASCII without a comma, of bounded length. A comma means that two field values were
 * joined on the way, whitespace that something else is in there; guessing which part is the key would be a way around it.
 */
export function isPlainKey(text: string): boolean {
  if (text.length === 0 || text.length > MAX_KEY_BYTES) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x21 || code > 0x7e || code === 0x2c) return false;
  }
  return true;
}
