import { isPlainKey } from '../credential/read.ts';
import type { Tokens } from '../credential/token.ts';
import { endsAt } from '../keys/record.ts';
import { toTokenBody } from '../reply/iam.ts';
import type { Desk } from './desk.ts';

/** RFC 6749 section 4.5: IBM's grant for a key. */
export const APIKEY_GRANT = 'urn:ibm:params:oauth:grant-type:apikey';

/** A key and a few short fields. Less than any window that a sender may fill without being told to go on. */
const MAX_FORM_BYTES = 8 * 1_024;

/**
 * Exchanges a key for a token, as IBM's IAM does at /identity/token. Keys come in a form; of the declared type nothing is
 * asked, because IBM's own SDK for Python misspells it.
 */
export function createTokenDesk(tokens: Tokens, now: () => number): Desk {
  return {
    maxBodyBytes: MAX_FORM_BYTES,
    readKey(body) {
      const form = new URLSearchParams(body.toString('utf8'));
      const [grants, keys] = [form.getAll('grant_type'), form.getAll('apikey')];
      const key = keys[0] ?? '';
      if (grants.length === 0 || key === '') return { problem: 'missing_credential' };
      // Fields that come twice mean one thing here and another one further on (RFC 6749 section 3.2).
      const isOne = grants.length === 1 && keys.length === 1 && grants[0] === APIKEY_GRANT && isPlainKey(key);
      // A token that bought another one would never end.
      return isOne && tokens.read(key) === undefined ? { key } : { problem: 'malformed_credential' };
    },
    answer(key, requestId) {
      const body = toTokenBody(tokens.mint({ id: key.id, digest: key.digest, endsAtMs: endsAt(key) }, now()));
      const headers = {
        'content-type': 'application/json',
        'content-length': String(body.length),
        'cache-control': 'no-store', // RFC 6749 section 5.1
        pragma: 'no-cache',
        'x-request-id': requestId,
      };
      return { status: 200, headers, body };
    },
  };
}
