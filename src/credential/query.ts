import { unescape } from 'node:querystring';

/** The query of a request, divided. */
export interface DividedQuery {
  /** The values of `api_key`, in their order; an empty one is none. */
  readonly keys: readonly string[];
  /** What may go on: the other parameters as they were, without a question mark. */
  readonly rest: string;
}

const KEY_PARAMETER = 'api_key';
/** Nobody further on decodes a parameter more often than this; what is still encoded then does not pass. */
const MAX_DECODINGS = 4;

/**
 * Takes the keys out of a query, for the routes of agents that know no other place for one. A URL is written to access logs, to
 * error messages and to the Referer of others (RFC 6750 section 5.3, CWE-598), so nothing of a key may be left in what goes on.
 *
 * Readers differ on what a parameter is: some end one at ";" as well (CVE-2021-23336), some decode twice, some take "API-KEY" or
 * "api_key[]" for the same. So only what all read as `api_key` is a key; but whatever anybody could read as one stays here, and so
 * does a value that holds one of ours or another URL with one, and what no number of decodings makes plain.
 */
export function takeKeysFromQuery(query: string): DividedQuery {
  const keys: string[] = [];
  let rest = '';
  for (const [, separator = '', parameter = ''] of query.matchAll(/([&;]?)([^&;]*)/g)) {
    const equals = parameter.indexOf('=');
    const name = decode(equals === -1 ? parameter : parameter.slice(0, equals));
    const value = equals === -1 ? '' : decode(parameter.slice(equals + 1));
    if (name === KEY_PARAMETER && value !== '') keys.push(value);
    if (parameter !== '' && !speaksOfKey(parameter)) rest += (rest === '' ? '' : separator) + parameter;
  }
  return { keys, rest };
}

/** However often it is decoded. */
function speaksOfKey(parameter: string): boolean {
  let text = parameter;
  for (let i = 0; i < MAX_DECODINGS; i++) {
    if (/apikey/i.test(text.replaceAll(/[^A-Za-z0-9]/g, ''))) return true;
    const decoded = decode(text);
    if (decoded === text) return false;
    text = decoded;
  }
  return true;
}

/** Never throws; what is no UTF-8 becomes characters that are in no key. */
function decode(text: string): string {
  return unescape(text.replaceAll('+', ' '));
}
