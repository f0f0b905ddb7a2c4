import type { Digester, Digests } from './credential/digest.ts';
import { checkKeyText } from './credential/key-text.ts';
import type { CredentialReader, RawFields } from './credential/read.ts';
import type { KeyAnswer, KeyLookup } from './keys/answer.ts';
import { decide } from './verdict/decide.ts';
import type { Allow, Decision, Refusal, Use } from './verdict/decide.ts';
import type { Reason } from './verdict/reasons.ts';

/** A decision, and how to speak of the credential that it is about without giving it away. */
export interface Judgement {
  readonly decision: Decision;
  /** The first characters of the credential's digest; absent when there was no single credential. */
  readonly fingerprint?: string;
}

export interface Gate {
  /** Judges a request by its header fields; at once when the key's record is in memory. Never rejects. */
  judge(fields: RawFields, use: Use): Judgement | Promise<Judgement>;
  /** Judges a key that came some other way than in a header field. */
  judgeKey(keyText: string, use: Use): Judgement | Promise<Judgement>;
}

export interface GateOptions {
  readonly readCredential: CredentialReader;
  readonly digest: Digester;
  readonly lookup: KeyLookup;
  /** Takes a request off what its key may send, or says that this is used up. Without it, no key has limits. */
  readonly charge?: (allowed: Allow) => Allow | Refusal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The sentence: credential -> key -> verdict -> charge. */
export function createGate({ readCredential, digest, lookup, charge, now }: GateOptions): Gate {
  function judge(fields: RawFields, use: Use): Judgement | Promise<Judgement> {
    const credential = readCredential(fields);
    return 'problem' in credential ? refuse(credential.problem) : judgeKey(credential.key, use);
  }

  function judgeKey(keyText: string, use: Use): Judgement | Promise<Judgement> {
    if (checkKeyText(keyText) === 'bad') return refuse('bad_checksum');
    const digests = digest(keyText); // the secret dies here: from now on only its digest is known
    const answer = lookup(digests, use.to === 'send' ? use.peer : undefined);
    return answer instanceof Promise
      ? answer.then((late) => conclude(digests, late, use))
      : conclude(digests, answer, use);
  }

  function conclude(digests: Digests, answer: KeyAnswer, use: Use): Judgement {
    const decision = decide(answer, use, now());
    const isSending = decision.verdict === 'allow' && use.to === 'send';
    return { decision: isSending && charge ? charge(decision) : decision, fingerprint: fingerprintOf(digests) };
  }

  return { judge, judgeKey };
}

function refuse(reason: Reason): Judgement {
  return { decision: { verdict: 'refuse', reason } };
}

const FINGERPRINT_LENGTH = 12;

function fingerprintOf({ digest }: Digests): string {
  const start = digest.indexOf(':') + 1;
  return digest.slice(start, start + FINGERPRINT_LENGTH);
}
