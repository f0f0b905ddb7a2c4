import type { Gate, Judgement } from '../gate.ts';
import type { KeyRecord } from '../keys/record.ts';
import type { HttpReply } from '../reply/http.ts';
import type { Use } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';

/**
 * What answers on a route of our own to which a key is sent in the body. That is read whole before it is judged, so it has a
 * bound of its own; the rest of the sentence is the same.
 */
export interface Desk {
  readonly maxBodyBytes: number;
  /** The text of the key. */
  readonly readKey: (body: Buffer) => { readonly key: string } | { readonly problem: Reason };
  /** What whoever holds an allowed key gets. */
  readonly answer: (key: KeyRecord, requestId: string) => HttpReply;
}

export function judgeAtDesk(
  gate: Pick<Gate, 'judgeKey'>,
  desk: Desk,
  body: Buffer,
  use: Use,
): Judgement | Promise<Judgement> {
  const read = desk.readKey(body);
  return 'problem' in read ? { decision: { verdict: 'refuse', reason: read.problem } } : gate.judgeKey(read.key, use);
}
