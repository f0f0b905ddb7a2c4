import { z } from 'zod';
import { isKeyDigest } from '../credential/digest.ts';
import type { KeyKind } from '../keys/record.ts';
import type { KeyStore } from '../store/port.ts';
import { keyAnswerSchema, questionSchema } from '../replica/answers.ts';
import type { ReplicaAnswer } from '../replica/answers.ts';
import { explain } from '../replica/explain.ts';
import type { Explanation } from '../replica/explain.ts';
import { row } from '../verdict/reasons.ts';
import { errors } from './answer.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import { permissionsOf } from './roles.ts';
import type { Permission } from './roles.ts';
import type { Call } from './route.ts';

/** Either the digests of a key, or the id of one. */
export const explainRequestSchema = questionSchema.extend({
  digests: z
    .array(z.string().refine(isKeyDigest, 'must be sha256: or hmac-<id of a pepper>: and 64 hexadecimal digits'))
    .min(1)
    .max(16)
    .optional()
    .describe('Of the key, under each pepper.'),
  id: z
    .int()
    .nonnegative()
    .meta({ format: 'int64' })
    .optional()
    .describe('Of the key or token, instead of its digests.'),
});

const answerSchema = keyAnswerSchema.extend({
  verdict: z.enum(['allow', 'deny', 'undecided']),
  httpStatus: z.int().optional(),
  grpcCode: z.int().optional(),
  message: z.string().optional(),
});

export const explanationSchema = z.object({
  store: answerSchema,
  replicas: z.array(z.object({ name: z.string(), version: z.string(), answer: answerSchema.optional() })),
});

export type ExplainRequest = z.output<typeof explainRequestSchema>;
export type ShownAnswer = z.output<typeof answerSchema>;
export type ShownExplanation = z.output<typeof explanationSchema>;

export interface ExplainDeps {
  readonly store: KeyStore;
  readonly now: () => number;
}

/** What it takes to hear of a key by its id. Owners and canaries open nothing by themselves: there is nothing to explain. */
const PERMISSION_TO_SEE: Readonly<Partial<Record<KeyKind, Permission>>> = {
  ingestion: 'get-ingestion-api-keys',
  service: 'get-service-tokens',
};

/**
 * A key whose id is given is explained to those who may see it in a list, by `may`; to others it is not there. Whoever has
 * its digest knows it already.
 */
export async function explainKey(
  request: ExplainRequest,
  { store, now, may }: ExplainDeps & { readonly may: (permission: Permission) => boolean },
): Promise<ShownExplanation | 'no such key' | 'one of both'> {
  const { id, digests, ...use } = request;
  if ((id === undefined) === (digests === undefined)) return 'one of both';
  const record = id === undefined ? undefined : await store.get(String(id));
  const toSee = record && PERMISSION_TO_SEE[record.kind];
  if (id !== undefined && (toSee === undefined || !may(toSee))) return 'no such key';
  const question = questionSchema.safeParse({ ...use, digests: record === undefined ? digests : [record.digest] });
  if (!question.success) return 'one of both';
  return toShown(await explain(question.data, { store, now }));
}

export function createExplainOperation({ store, now }: ExplainDeps) {
  const stamp = { now };
  return async ({ request, caller }: Call): Promise<Answer> => {
    const parsed = await readBody(stamp, request, explainRequestSchema);
    if ('refused' in parsed) return parsed.refused;
    const permissions = permissionsOf(caller?.roles ?? []);
    const explanation = await explainKey(parsed.value, { store, now, may: (each) => permissions.has(each) });
    if (explanation === 'one of both') {
      return errors(stamp, 400, 'InvalidRequest', ['Send either the id of a key or its digests.']);
    }
    if (explanation === 'no such key') {
      return errors(stamp, 404, 'NotFound', ['There is no key or token with this id. List them to see their ids.']);
    }
    return { status: 200, body: explanation };
  };
}

function toShown({ store, replicas }: Explanation): ShownExplanation {
  return {
    store: toShownAnswer(store),
    replicas: replicas.map(({ answer, ...replica }) => ({
      ...replica,
      ...(answer && { answer: toShownAnswer(answer) }),
    })),
  };
}

export function toShownAnswer(answer: ReplicaAnswer): ShownAnswer {
  if (answer.reason === undefined) return { ...answer, verdict: 'allow' };
  const { verdict, http, grpc, message } = row(answer.reason);
  return { ...answer, verdict, httpStatus: http, grpcCode: grpc, message };
}
