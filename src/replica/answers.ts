import { isIP } from 'node:net';
import { z } from 'zod';
import { isKeyDigest } from '../credential/digest.ts';
import type { Digests, KeyDigest } from '../credential/digest.ts';
import type { Tokens } from '../credential/token.ts';
import { STORE_TIMEOUT, STORE_UNAVAILABLE, UNKNOWN } from '../keys/answer.ts';
import type { KeyAnswer } from '../keys/answer.ts';
import { SIGNALS } from '../keys/record.ts';
import type { KeyKind, KeyRecord } from '../keys/record.ts';
import { withReceiverKeys } from '../keys/receiver-keys.ts';
import type { ReceiverKeys } from '../keys/receiver-keys.ts';
import { withOwners } from '../keys/with-owners.ts';
import { StoreError } from '../store/port.ts';
import { ALL_ROUTES, decide } from '../verdict/decide.ts';
import type { Route, Use } from '../verdict/decide.ts';
import { reasons } from '../verdict/reasons.ts';
import type { Reason } from '../verdict/reasons.ts';

/** What is asked of a gateway: what it would say to a key that is used like this. Digests only: it is no secret. */
export const questionSchema = z.object({
  digests: z.array(z.custom<KeyDigest>(isKeyDigest, 'must be the digest of a key')).min(1).max(16),
  signal: z.enum(SIGNALS).optional(),
  route: z.enum(ALL_ROUTES).optional(),
  address: z
    .string()
    .refine((text) => isIP(text) !== 0, 'must be an IP address')
    .optional(),
  origin: z.string().max(300).optional(),
  token: z
    .object({ signer: z.string().max(20), endsAtMs: z.number() })
    .optional()
    .describe('It comes as a token: by which secret that was signed, by its name, and until when it is taken.'),
});

export type Question = z.output<typeof questionSchema>;

/**
 * What answers: the configuration; memory, where a record is fresh, or aged and so checked again when it is used; what
 * memory knows not to be there; or the store, which is asked when the key comes.
 */
export const LEVELS = ['configuration', 'fresh', 'aged', 'unknown', 'store'] as const;

export const keyAnswerSchema = z.object({
  level: z.enum(LEVELS),
  ageMs: z.number().optional(),
  keyId: z.string().optional(),
  keyName: z.string().optional(),
  revision: z.number().optional(),
  /** Absent: it is let through. */
  reason: z.enum(reasons).optional(),
});

export type ReplicaAnswer = z.output<typeof keyAnswerSchema>;

/** What is in memory of a key, looked at without changing anything. */
export type Peek =
  | { readonly pool: 'known'; readonly aged: boolean; readonly ageMs: number; readonly record: KeyRecord }
  | { readonly pool: 'unknown'; readonly ageMs: number };

export interface AnswererOptions {
  readonly configured: ReceiverKeys;
  readonly peek: (digests: Digests) => Peek | undefined;
  readonly find: (digests: readonly KeyDigest[]) => Promise<KeyRecord | undefined>;
  /** Absent: no tokens are taken here. */
  readonly tokens: Pick<Tokens, 'knows'> | undefined;
  readonly now: () => number;
}

/** What a gateway would say to a key, and which level would say it; nothing is remembered, charged or counted for that. */
export function createAnswerer({ configured, peek, find, tokens, now }: AnswererOptions) {
  const read = readFrom(find);

  function look(digests: Digests): KeyAnswer | Promise<KeyAnswer> {
    const remembered = peek(digests);
    if (remembered === undefined) return read(digests);
    return remembered.pool === 'known' ? { kind: 'known', record: remembered.record } : UNKNOWN;
  }
  // As requests have it, but for the memory, which is looked at and not used.
  const lookup = withOwners(withReceiverKeys(configured, look));

  return async (question: Question): Promise<ReplicaAnswer> => {
    // Before any lookup, as the gate has it: where no tokens are taken, one is a key that nobody made.
    if (question.token !== undefined && !tokens?.knows(question.token.signer)) {
      return { level: 'configuration', reason: tokens === undefined ? 'unknown_key' : 'unknown_signer' };
    }
    const digests = digestsOf(question);
    const remembered = peek(digests);
    const answer = await lookup(digests);
    if (configured(digests) !== undefined) return toAnswer('configuration', undefined, answer, question, now());
    if (remembered === undefined) return toAnswer('store', undefined, answer, question, now());
    const inMemory = remembered.pool === 'known' ? (remembered.aged ? 'aged' : 'fresh') : 'unknown';
    return toAnswer(inMemory, remembered.ageMs, answer, question, now());
  };
}

/** What a gateway with nothing in memory would say. */
export async function answerFromStore(
  question: Question,
  find: AnswererOptions['find'],
  nowMs: number,
): Promise<ReplicaAnswer> {
  return toAnswer('store', undefined, await withOwners(readFrom(find))(digestsOf(question)), question, nowMs);
}

function readFrom(find: AnswererOptions['find']) {
  return async ({ digest, alternates }: Digests): Promise<KeyAnswer> => {
    try {
      const record = await find([digest, ...alternates]);
      return record === undefined ? UNKNOWN : { kind: 'known', record };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return error.fault === 'timeout' ? STORE_TIMEOUT : STORE_UNAVAILABLE;
    }
  };
}

function digestsOf({ digests: [digest, ...alternates] }: Question): Digests {
  if (digest === undefined) throw new TypeError('a question is about at least one digest');
  return { digest, alternates };
}

function toAnswer(
  level: ReplicaAnswer['level'],
  ageMs: number | undefined,
  answer: KeyAnswer,
  question: Question,
  nowMs: number,
): ReplicaAnswer {
  const record = answer.kind === 'known' ? answer.record : undefined;
  const reason = reasonOf(answer, question, nowMs);
  return {
    level,
    ...(ageMs !== undefined && { ageMs: Math.round(ageMs) }),
    ...(record && { keyId: record.id, keyName: record.name, revision: record.revision }),
    ...(reason !== undefined && { reason }),
  };
}

/** Of a token that is over, its key is told all the same. */
function reasonOf(answer: KeyAnswer, question: Question, nowMs: number): Reason | undefined {
  if (question.token !== undefined && nowMs >= question.token.endsAtMs) return 'expired_token';
  const kind = answer.kind === 'known' ? answer.record.kind : undefined;
  const decision = decide(asAsked(answer, question), useOf(question, kind), nowMs);
  return decision.verdict === 'refuse' ? decision.reason : undefined;
}

const OTLP: readonly Route[] = ['otlp-grpc', 'otlp-http'];

/** Without any of them it is asked whether the key could be used at all: a service token to manage, others to send. */
function useOf({ signal, route, address, origin }: Question, kind: KeyKind | undefined): Use {
  if (signal === undefined && route === undefined && address === undefined && origin === undefined) {
    return { to: kind === 'service' ? 'manage' : 'ask' };
  }
  return {
    to: 'send',
    signal: signal ?? (route === undefined || OTLP.includes(route) ? 'traces' : undefined),
    route: route ?? (origin === undefined ? 'otlp-grpc' : 'otlp-http'),
    peer: address ?? '127.0.0.1',
    origin,
  };
}

/** What is not asked about stands in nobody's way: that a key is for one network says nothing of the signals it may send. */
function asAsked(answer: KeyAnswer, { signal, route, address, origin }: Question): KeyAnswer {
  if (answer.kind !== 'known') return answer;
  const { type, signals, cidrs, origins, ...rest } = answer.record;
  const record = {
    ...rest,
    ...(route !== undefined && { type }),
    // What is sent elsewhere is none of the signals, which is what a list of signals says of those routes.
    ...((signal !== undefined || (route !== undefined && !OTLP.includes(route))) && { signals }),
    ...(address !== undefined && { cidrs }),
    ...(origin !== undefined && { origins }),
  };
  return { ...answer, record };
}
