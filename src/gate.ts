import type { Digester, Digests, KeyDigest } from './credential/digest.ts';
import { checkKeyText } from './credential/key-text.ts';
import type { CredentialReader, RawFields } from './credential/read.ts';
import type { Tokens } from './credential/token.ts';
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

/** What a request's header fields say of its key once the secret is gone: enough to judge it again and again. */
export type Credential = KnownCredential | { readonly problem: Reason };

interface KnownCredential {
  readonly digests: Digests;
  readonly fingerprint: string;
  /** When it stops to stand for its key: tokens do. */
  readonly endsAtMs?: number;
}

export interface Gate {
  /** Judges a request by its header fields; at once when the key's record is in memory. Never rejects. */
  judge(fields: RawFields, use: Use): Judgement | Promise<Judgement>;
  /** Judges a key that came some other way than in a header field. */
  judgeKey(keyText: string, use: Use): Judgement | Promise<Judgement>;
  /** The first half of `judge`, the same for the same fields: it may be remembered, which no judgement may be. */
  read(fields: RawFields): Credential;
  /** The second half, for each request anew. */
  judgeCredential(credential: Credential, use: Use): Judgement | Promise<Judgement>;
  /** The same of a request that was let through before and is still there: nothing is charged for it. */
  judgeAgain(credential: Credential, use: Use): Judgement | Promise<Judgement>;
}

export interface GateOptions {
  readonly readCredential: CredentialReader;
  readonly digest: Digester;
  readonly lookup: KeyLookup;
  /** Reads the tokens that keys were exchanged for. Without it there are none. */
  readonly readToken?: Tokens['read'] | undefined;
  /** Takes a request off what its key may send, or says that this is used up. Without it, no key has limits. */
  readonly charge?: (allowed: Allow) => Allow | Refusal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The sentence: credential -> key -> verdict -> charge. */
export function createGate({ readCredential, digest, lookup, readToken, charge, now }: GateOptions): Gate {
  function read(fields: RawFields): Credential {
    const credential = readCredential(fields);
    return 'problem' in credential ? credential : readKey(credential.key);
  }

  function readKey(keyText: string): Credential {
    if (checkKeyText(keyText) === 'bad') return { problem: 'bad_checksum' };
    const token = readToken?.(keyText);
    if (token !== undefined && 'problem' in token) return token;
    // The secret dies here: from now on only its digest is known.
    const digests = token === undefined ? digest(keyText) : { digest: token.digest, alternates: NONE };
    const fingerprint = fingerprintOf(digests);
    return token === undefined ? { digests, fingerprint } : { digests, fingerprint, endsAtMs: token.endsAtMs };
  }

  function judgeCredential(credential: Credential, use: Use): Judgement | Promise<Judgement> {
    const judgement = judgeUncharged(credential, use);
    if (use.to !== 'send') return judgement;
    return judgement instanceof Promise ? judgement.then(charged) : charged(judgement);
  }

  function judgeUncharged(credential: Credential, use: Use): Judgement | Promise<Judgement> {
    if ('problem' in credential) return refuse(credential.problem);
    const { fingerprint, endsAtMs } = credential;
    if (endsAtMs !== undefined && now() >= endsAtMs) return { ...refuse('expired_token'), fingerprint };
    const answer = lookup(credential.digests, 'peer' in use ? use.peer : undefined);
    return answer instanceof Promise
      ? answer.then((late) => conclude(fingerprint, late, use))
      : conclude(fingerprint, answer, use);
  }

  function conclude(fingerprint: string, answer: KeyAnswer, use: Use): Judgement {
    return { decision: decide(answer, use, now()), fingerprint };
  }

  function charged(judgement: Judgement): Judgement {
    const { decision } = judgement;
    if (decision.verdict !== 'allow' || charge === undefined) return judgement;
    const afterwards = charge(decision);
    return afterwards === decision ? judgement : { ...judgement, decision: afterwards };
  }

  return {
    judge: (fields, use) => judgeCredential(read(fields), use),
    judgeKey: (keyText, use) => judgeCredential(readKey(keyText), use),
    read,
    judgeCredential,
    judgeAgain: judgeUncharged,
  };
}

const NONE: readonly KeyDigest[] = [];

function refuse(reason: Reason): Judgement {
  return { decision: { verdict: 'refuse', reason } };
}

const FINGERPRINT_LENGTH = 12;

function fingerprintOf({ digest }: Digests): string {
  const start = digest.indexOf(':') + 1;
  return digest.slice(start, start + FINGERPRINT_LENGTH);
}
