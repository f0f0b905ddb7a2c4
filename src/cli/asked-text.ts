import { toShownAnswer } from '../admin/explain.ts';
import type { ExplainRequest, ShownAnswer } from '../admin/explain.ts';
import { checkKeyText } from '../credential/key-text.ts';
import { isPlainKey } from '../credential/read.ts';
import { tokenClaims } from '../credential/token.ts';
import type { TokenClaims } from '../credential/token.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { KeyAdmin } from './key-admin.ts';

/** What every gateway says to this text without asking anybody; undefined if it is looked up. */
export function answerToText(text: string): ShownAnswer | undefined {
  if (!isPlainKey(text)) return refusal('malformed_credential');
  if (checkKeyText(text) === 'bad') return refusal('bad_checksum');
  const claims = tokenClaims(text);
  return claims !== undefined && 'problem' in claims ? refusal(claims.problem) : undefined;
}

/** How gateways are asked about a text, without sending it. */
export interface AskedText {
  readonly request: Pick<ExplainRequest, 'id' | 'digests' | 'token'>;
  /** If it is a token: what it says of itself, and whether a secret that is known here has signed that. */
  readonly token?: TokenClaims & { readonly isVerified: boolean };
}

/** Of a token whose secret is not known here, the key is looked for by the id that the token says. */
export function askAbout(
  text: string,
  { digestsOf, readToken }: Pick<KeyAdmin, 'digestsOf' | 'readToken'>,
): AskedText | { readonly refused: ShownAnswer } {
  const claims = tokenClaims(text);
  if (claims === undefined || 'problem' in claims) {
    const { digest, alternates } = digestsOf(text);
    return { request: { digests: [digest, ...alternates] } };
  }
  const { signer, keyId, endsAtMs } = claims;
  const reading = readToken(text);
  if (reading !== undefined && 'digest' in reading) {
    const request = { digests: [reading.digest], token: { signer, endsAtMs } };
    return { request, token: { ...claims, isVerified: true } };
  }
  if (reading?.problem === 'bad_checksum') return { refused: refusal(reading.problem) };
  return { request: { id: Number(keyId), token: { signer, endsAtMs } }, token: { ...claims, isVerified: false } };
}

function refusal(reason: Reason): ShownAnswer {
  return toShownAnswer({ level: 'configuration', reason });
}
