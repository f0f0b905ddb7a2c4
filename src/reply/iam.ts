import type { Token } from '../credential/token.ts';
import type { Reason, Row } from '../verdict/reasons.ts';
import type { Reply } from './refusal.ts';

/** The shapes of IBM's IAM, which its SDKs and scripts look into. */

/** The answer to a key that was exchanged. Keys stay good for more tokens, so there is nothing to refresh with. */
export function toTokenBody({ text, issuedAt, expiresAt }: Token): Buffer {
  return toJson({
    access_token: text,
    refresh_token: 'not_supported',
    token_type: 'Bearer',
    expires_in: expiresAt - issuedAt,
    expiration: expiresAt,
    scope: 'ibm openid',
  });
}

/** A key that is not good is a fault of the request there, and has nothing to do with a permission. */
export function iamStatus({ http }: Row): number {
  return http === 403 ? 400 : http;
}

const FORM_WANTED =
  'Send one grant_type, urn:ibm:params:oauth:grant-type:apikey, and one apikey, in application/x-www-form-urlencoded.';

/** IAM's own words, for those who look for them; everything else is said in ours. */
const WORDS: { readonly [reason in Reason]?: readonly [code: string, message: string, details?: string] } = {
  missing_credential: ['BXNIM0109E', 'Property missing or empty.', FORM_WANTED],
  malformed_credential: ['BXNIM0106E', 'Validation of a property failed.', FORM_WANTED],
  bad_checksum: ['BXNIM0415E', 'Provided API key could not be found.'],
  unknown_key: ['BXNIM0415E', 'Provided API key could not be found.'],
};

export function toIamError({ row, status, requestId }: Reply): Buffer {
  const { reason } = status.errorInfo;
  const [code, message, details] = WORDS[reason as Reason] ?? [`KEYGATE_${reason.toUpperCase()}`, row.message];
  return toJson({
    errorCode: code,
    errorMessage: message,
    errorDetails: details ?? status.message,
    context: { requestId, requestType: 'incoming.Identity_Token' },
  });
}

function toJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
