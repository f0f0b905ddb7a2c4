import { z } from 'zod';
import type { KeyDigest } from '../credential/digest.ts';
import { DEFAULT_WAIT_MS, MAX_WAIT_MS, waitForChange } from '../replica/progress.ts';
import type { Progress } from '../replica/progress.ts';
import type { ReplicaStore } from '../store/replica-port.ts';
import type { ErrorStamp } from './answer.ts';
import { check } from './body.ts';
import type { Parsed } from './body.ts';
import type { QueryParameter } from './route.ts';

/** Who has applied a change of a key: where a change was asked for with `wait`. */
export const propagationSchema = z.object({
  complete: z.boolean().describe('Whether every live replica has told that it applied the change.'),
  replicas: z
    .array(
      z.object({
        name: z.string(),
        version: z.string(),
        state: z
          .enum(['applied', 'waiting', 'silent'])
          .describe('waiting: live, and did not tell in time; silent: not heard of since before, and not waited for.'),
        milliseconds: z.number().optional().describe('From the change until it was known to be applied there.'),
        silentForMs: z.number().optional(),
      }),
    )
    .readonly()
    .describe('Empty where none is live; or, if it is not complete, where the store went away after the change.'),
});

export type Propagation = z.output<typeof propagationSchema>;

const FORM = `must be true, or a time up to ${MAX_WAIT_MS / 1_000}s such as 10s or 500ms`;

const waitSchema = z.object({
  wait: z
    .string()
    .transform((text, context) => {
      if (text === 'true') return DEFAULT_WAIT_MS;
      if (text === 'false') return undefined;
      const [, amount, unit] = /^([0-9]{1,6})(ms|s)$/.exec(text) ?? [];
      const ms = Number(amount) * (unit === 's' ? 1_000 : 1);
      if (ms <= MAX_WAIT_MS) return ms;
      context.addIssue({ code: 'custom', message: FORM });
      return z.NEVER;
    })
    .optional(),
});

/** How long to wait until a change is applied everywhere, in milliseconds; undefined for not at all. */
export function readWait(stamp: ErrorStamp, query: URLSearchParams): Parsed<number | undefined> {
  const parsed = check(stamp, waitSchema, { wait: query.get('wait') ?? undefined });
  return 'refused' in parsed ? parsed : { value: parsed.value.wait };
}

export const WAIT_QUERY: QueryParameter = {
  name: 'wait',
  description:
    'Answer when every live replica has applied the change, or after this time (true: 10s, at most 60s), and say which have.',
  schema: z.string().regex(/^(true|false|[0-9]{1,6}(ms|s))$/),
};

/** What to say of a change that was made: nothing unless it was to be waited for. */
export async function propagationOf(
  digest: KeyDigest,
  waitMs: number | undefined,
  store: ReplicaStore,
): Promise<Progress | undefined> {
  return waitMs === undefined ? undefined : waitForChange(digest, { store, timeoutMs: waitMs });
}
