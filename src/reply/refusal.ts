import type { Refusal } from '../verdict/decide.ts';
import { row } from '../verdict/reasons.ts';
import type { Row } from '../verdict/reasons.ts';
import type { StatusContent } from './status.ts';

/** Who says the reason, in ErrorInfo: reasons are unique within a domain. */
const ERROR_DOMAIN = 'keygate';

/** A refusal with everything that its reply says, whatever the protocol. */
export interface Reply {
  readonly row: Row;
  readonly status: StatusContent;
  readonly requestId: string;
}

/**
 * Puts a refusal into words: the row's message, the reason, the id of the key (told only to whoever sent its exact text),
 * and the request id that the gateway's log has too. The delay is spread so that refused senders do not return together; it
 * is never shorter than the refusal itself says, unless that is more than senders put up with.
 */
export function explain(refusal: Refusal, requestId: string, random: () => number = Math.random): Reply {
  const { reason, key, retryAfterMs = 0, option } = refusal;
  const reasonRow = row(reason);
  const aboutKey = key ? `, key ${key.id}` : '';
  const whatToSet = option === undefined ? '' : ` For there to be one, ${option} must be set.`;
  return {
    row: reasonRow,
    requestId,
    status: {
      code: reasonRow.grpc,
      message: `${reasonRow.message}${whatToSet} (${reason}${aboutKey}, request ${requestId})`,
      errorInfo: {
        reason,
        domain: ERROR_DOMAIN,
        metadata: key ? { request_id: requestId, key_id: key.id } : { request_id: requestId },
      },
      retryDelaySeconds: retryDelay(reasonRow, retryAfterMs, random),
    },
  };
}

function retryDelay({ retrySeconds }: Row, afterMs: number, random: () => number): number | undefined {
  if (retrySeconds === undefined) return undefined;
  const [lowest, max] = retrySeconds;
  const min = Math.min(max, Math.max(lowest, Math.ceil(afterMs / 1_000)));
  return min + Math.floor(random() * (max - min + 1));
}
