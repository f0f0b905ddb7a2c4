import { z } from 'zod';
import type { KeyStore } from '../store/port.ts';
import { keyAnswerSchema, questionSchema } from '../replica/answers.ts';
import type { ReplicaAnswer } from '../replica/answers.ts';
import { explain } from '../replica/explain.ts';
import type { Explanation } from '../replica/explain.ts';
import { row } from '../verdict/reasons.ts';
import { errors } from './answer.ts';
import type { Answer } from './answer.ts';
import { readBody } from './body.ts';
import type { Call } from './route.ts';

/** Either the digests of a key, or the id of one. */
export const explainRequestSchema = questionSchema.extend({
  digests: z.array(z.string().max(200)).min(1).max(16).optional().describe('Of the key, under each pepper.'),
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

/** Undefined if there is no key with this id; a problem if the request says neither or both. */
export async function explainKey(
  request: ExplainRequest,
  { store, now }: ExplainDeps,
): Promise<ShownExplanation | 'no such key' | 'one of both'> {
  const { id, digests, ...use } = request;
  if ((id === undefined) === (digests === undefined)) return 'one of both';
  const record = id === undefined ? undefined : await store.get(String(id));
  if (id !== undefined && record === undefined) return 'no such key';
  const question = questionSchema.safeParse({ ...use, digests: record === undefined ? digests : [record.digest] });
  if (!question.success) return 'one of both';
  return toShown(await explain(question.data, { store, now }));
}

export function createExplainOperation({ store, now }: ExplainDeps) {
  const stamp = { now };
  return async ({ request }: Call): Promise<Answer> => {
    const parsed = await readBody(stamp, request, explainRequestSchema);
    if ('refused' in parsed) return parsed.refused;
    const explanation = await explainKey(parsed.value, { store, now });
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
