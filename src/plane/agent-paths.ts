import { takeKeysFromQuery } from '../credential/query.ts';
import { QUERY_CARRIER } from '../credential/read.ts';
import type { RawFields } from '../credential/read.ts';
import { HTTP_ROUTES } from './otlp-paths.ts';

/** What an agent of StackState, or another sender to its receiver, asks for. */
export interface AgentTarget {
  /** `otlp`: a path of OTLP/HTTP. `question`: whether its key is good. `receiver`: what is behind the gateway. */
  readonly leadsTo: 'otlp' | 'question' | 'receiver';
  /** As it is called there: without what StackState's router takes away, and without keys. */
  readonly target: string;
  /** The keys of its query, as fields that belong to those of the request. */
  readonly keys: RawFields;
}

/** What begins with this is the same without, as StackState's router has it. */
const RECEIVER = '/receiver';
const OTLP = '/stsAgent/otel';
const QUESTION = '/stsAgent/api/v1/validate';

/**
 * Dots between slashes, doubled slashes and escapes are left out, because servers disagree on what they are the same as: what
 * is below a path here must be below it there.
 */
const PLAIN_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)+\/?$/;

/** Undefined if it is no path of agents. Each of `paths` stands for itself and for all below it. */
export function readAgentTarget(path: string, query: string, paths: readonly string[]): AgentTarget | undefined {
  const { keys, rest } = takeKeysFromQuery(query);
  const read = (leadsTo: AgentTarget['leadsTo'], target: string): AgentTarget => ({
    leadsTo,
    target,
    keys: keys.flatMap((key) => [QUERY_CARRIER, key]),
  });

  const inner = path.startsWith(`${RECEIVER}/`) ? path.slice(RECEIVER.length) : path;
  if (inner.startsWith(`${OTLP}/`)) {
    const otlpPath = inner.slice(OTLP.length);
    return HTTP_ROUTES.has(otlpPath) ? read('otlp', otlpPath) : undefined;
  }
  if (inner === QUESTION) return read('question', inner);
  const isOfReceiver = paths.some((each) => inner === each || inner.startsWith(`${each}/`));
  return isOfReceiver && PLAIN_PATH.test(inner)
    ? read('receiver', rest === '' ? inner : `${inner}?${rest}`)
    : undefined;
}
