import { randomUUID } from 'node:crypto';
import { KeyServiceError } from '../keys/service-error.ts';
import type { KeyServiceFault } from '../keys/service-error.ts';
import { StoreError } from '../store/port.ts';
import { row } from '../verdict/reasons.ts';
import type { Reason, Row } from '../verdict/reasons.ts';
import type { ErrorsResponse, InvalidExpiryType } from './schemas.ts';

/** What the admin API says to a request. */
export interface Answer {
  readonly status: number;
  /** Sent as JSON; absent for an empty body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** What went wrong inside, for the log only. */
  readonly cause?: unknown;
  /** The name that a fault has, where the body does not say it in a field of its own. */
  readonly trackingKey?: string;
}

export const NO_CONTENT: Answer = { status: 204 };

/** The clock, and the names that refusals get so that a complaint can be matched to a log line. */
export interface ErrorStamp {
  readonly now: () => number;
}

/** One entry of an ErrorsResponse for each fault; `type` is for programs, the message for people. */
export function errors(stamp: ErrorStamp, status: number, type: string, messages: readonly string[]): Answer {
  const body: ErrorsResponse = {
    _type: 'ErrorsResponse',
    trackingKey: randomUUID(),
    serverTimestamp: stamp.now(),
    errors: messages.map((message) => ({ _type: type, message })),
  };
  return { status, body };
}

/** The same fault as one message. */
export function asMessage(answer: Answer): Answer {
  if (!isErrors(answer.body)) return answer;
  const { trackingKey, errors: faults } = answer.body;
  const message = faults.map((fault) => fault.message).join(' ');
  // Of its own faults it says no more than where to look.
  const where = answer.status >= 500 ? ` (trackingKey ${trackingKey})` : '';
  return { ...answer, trackingKey, body: { message: `${message}${where}` } };
}

function isErrors(body: unknown): body is ErrorsResponse {
  return typeof body === 'object' && body !== null && 'trackingKey' in body && 'errors' in body;
}

const TOKEN_WANTED =
  'No service token was sent. Send it as "Authorization: ApiKey <token>" or in the header X-API-Key.';
const NOT_CHECKED = 'The key store is away, so nothing could be checked. Retry later.';
/** RFC 9110, 11.6.1: a 401 says which schemes would be taken. */
const CHALLENGE = { 'www-authenticate': 'ApiKey realm="keygate", Bearer realm="keygate"' };

/**
 * Why a caller of the admin API was not let in. It hears 401 where a sender of telemetry would hear 403: here nothing is
 * lost, and clients of StackState's API tell "who are you" from "you may not" by it. A doubt stays a 503.
 */
export function notLetIn(stamp: ErrorStamp, reason: Reason): Answer {
  const { verdict, http, retrySeconds, message }: Row = row(reason);
  const hint = retrySeconds === undefined ? {} : { headers: { 'retry-after': String(retrySeconds[0]) } };
  if (verdict === 'undecided') return { ...errors(stamp, http, 'Unavailable', [NOT_CHECKED]), ...hint };
  if (http === 429) return { ...errors(stamp, http, 'TooManyRequests', [message]), ...hint };
  if (reason === 'role_missing') return forbidden(stamp, 'This key is no service token: only those may use this API.');
  const text = reason === 'missing_credential' ? TOKEN_WANTED : message;
  return { ...errors(stamp, 401, 'Unauthorized', [text]), headers: CHALLENGE };
}

export function forbidden(stamp: ErrorStamp, message: string): Answer {
  return errors(stamp, 403, 'Forbidden', [message]);
}

/** The one door through which thrown errors become answers. What was not foreseen tells the caller nothing. */
export function answerTo(stamp: ErrorStamp, error: unknown, invalidExpiry?: InvalidExpiryType): Answer {
  if (error instanceof KeyServiceError) return answerToService(stamp, error, invalidExpiry);
  if (error instanceof StoreError && error.fault !== 'corrupt') {
    const reason = error.fault === 'timeout' ? 'store_timeout' : 'store_unavailable';
    return {
      ...errors(stamp, 503, 'Unavailable', [STORE_AWAY[reason]]),
      headers: { 'retry-after': '1' },
      cause: error,
    };
  }
  const message = 'Something went wrong inside Keygate. Its log has the cause, under this trackingKey.';
  return { ...errors(stamp, 500, 'InternalError', [message]), cause: error };
}

/** After a timeout the change may have been made all the same. */
const STORE_AWAY = {
  store_unavailable: 'The key store cannot be reached. Retry later.',
  store_timeout:
    'The key store did not answer in time. Look at the list before you retry a change: it may have been made.',
};

const SERVICE_FAULTS: Readonly<Record<KeyServiceFault, readonly [status: number, type: string]>> = {
  invalid_name: [400, 'InvalidRequest'],
  invalid_description: [400, 'InvalidRequest'],
  invalid_expiry: [400, 'InvalidRequest'],
  invalid_grace: [400, 'InvalidRequest'],
  invalid_roles: [400, 'InvalidRequest'],
  invalid_scope: [400, 'InvalidRequest'],
  invalid_owner: [400, 'InvalidRequest'],
  invalid_line: [400, 'InvalidRequest'],
  invalid_cursor: [400, 'InvalidRequest'],
  name_taken: [409, 'NameTaken'],
  wrong_state: [409, 'WrongState'],
  in_use: [409, 'InUse'],
  not_revealable: [409, 'NotRevealable'],
  encryption_key_missing: [409, 'EncryptionKeyMissing'],
  conflict: [409, 'Conflict'],
  not_found: [404, 'NotFound'],
};

function answerToService(
  stamp: ErrorStamp,
  { code, message }: KeyServiceError,
  invalidExpiry: InvalidExpiryType | undefined,
): Answer {
  const [status, type] = SERVICE_FAULTS[code];
  const isExpiry = code === 'invalid_expiry' && invalidExpiry !== undefined;
  return isExpiry ? { status, body: { _type: invalidExpiry, message } } : errors(stamp, status, type, [message]);
}
