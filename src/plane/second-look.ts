import type { Credential, Gate, Judgement } from '../gate.ts';
import type { Refusal, Sending } from '../verdict/decide.ts';
import { row } from '../verdict/reasons.ts';

/** How often a request is judged again that is still coming, or is still being answered. */
export const LOOK_AGAIN_MS = 1_000;

/**
 * A verdict holds for a moment, and streams for minutes: meanwhile the key may have been revoked, have run out, or its owner
 * been locked. A positive "no" ends the stream, as it would have kept it from beginning; a doubt does not, for it was let through.
 */
export function lookAgain(
  gate: Gate,
  { credential, use }: { readonly credential: Credential; readonly use: Sending },
  refuse: (refusal: Refusal) => void,
): void {
  const conclude = ({ decision }: Judgement): void => {
    if (decision.verdict === 'refuse' && row(decision.reason).verdict === 'deny') refuse(decision);
  };
  const judgement = gate.judgeAgain(credential, use);
  if (judgement instanceof Promise) void judgement.then(conclude);
  else conclude(judgement);
}
