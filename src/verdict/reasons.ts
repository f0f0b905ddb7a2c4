/**
 * The reason table. Every answer Keygate gives that is not the collector's own is one row of it: the verdict, the HTTP
 * status, the gRPC code, the retry hint, the words. Replies, metrics, logs and docs/errors.md derive from these rows.
 *
 * The rule behind the columns: OTLP clients delete a batch for good on 403 / PERMISSION_DENIED, 500 and UNKNOWN, and keep
 * it only on 429, 502, 503, 504 and UNAVAILABLE (OTLP specification, "Failures"). So a `deny` is a positive answer of the
 * key store or of the request itself; a doubt is `undecided`, always retryable, and never cached.
 */

/** Why a request was refused is either the sender's business, the operator's, or the collector's. */
export type Fault = 'sender' | 'gateway' | 'upstream';

export interface Row {
  readonly verdict: 'deny' | 'undecided';
  readonly http: number;
  /** A google.rpc.Code. */
  readonly grpc: number;
  /** Bounds of the retry hint in whole seconds; a row without them tells the sender that retrying is useless. */
  readonly retrySeconds?: readonly [min: number, max: number];
  readonly fault: Fault;
  /** What the sender reads. Never contains anything the sender sent. */
  readonly message: string;
}

const RETRY = [1, 5] as const;

// oxfmt-ignore
export const REASONS = {
  missing_credential: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'No ingestion key was sent. Send it as "Authorization: ApiKey <key>" or in the header X-API-Key.',
  },
  malformed_credential: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The credential is malformed: a header holds no single, plain key under a known scheme.',
  },
  conflicting_credentials: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The request carries two different keys. Send exactly one.',
  },
  bad_checksum: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key is mistyped or cut short: its checksum does not match. Copy it again.',
  },
  expired_token: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The token has expired. Exchange the API key for a new one.',
  },
  unknown_key: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key is not known here. Check that it was created for this gateway.',
  },
  expired_key: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key has expired. Create a new one and update the sender.',
  },
  revoked_key: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key was revoked. Create a new one and update the sender.',
  },
  disabled_key: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key is disabled. Ask the operator of this gateway to enable it.',
  },
  owner_locked: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The owner of the key is locked or was deleted. Ask the operator of this gateway to unlock it, or use a key of another owner.',
  },
  signal_not_allowed: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key may not send this kind of telemetry.',
  },
  route_not_allowed: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key may not be used on this route. RUM keys may only be used against RUM endpoints, and only sensor keys have read permissions.',
  },
  address_not_allowed: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key may not be used from this address.',
  },
  origin_not_allowed: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The key may not be used from this web origin.',
  },
  role_missing: {
    verdict: 'deny', http: 403, grpc: 7, fault: 'sender',
    message: 'The credential is valid but may not do this: its owner lacks the role that is needed.',
  },
  rate_limited: {
    verdict: 'deny', http: 429, grpc: 8, retrySeconds: RETRY, fault: 'sender',
    message: 'The key is over its rate limit. Retry after the delay given.',
  },
  quota_exceeded: {
    verdict: 'deny', http: 429, grpc: 8, retrySeconds: RETRY, fault: 'sender',
    message: 'The key is over its quota. Retry after the delay given.',
  },
  store_unavailable: {
    verdict: 'undecided', http: 503, grpc: 14, retrySeconds: RETRY, fault: 'gateway',
    message: 'The key store cannot be reached, so the key could not be checked. Keep the data and retry.',
  },
  store_timeout: {
    verdict: 'undecided', http: 503, grpc: 14, retrySeconds: RETRY, fault: 'gateway',
    message: 'The key store did not answer in time, so the key could not be checked. Keep the data and retry.',
  },
  unknown_signer: {
    verdict: 'undecided', http: 503, grpc: 14, retrySeconds: RETRY, fault: 'gateway',
    message: 'The token was signed with a secret that this gateway does not have. Keep the data, and exchange the API key for a new token.',
  },
  upstream_unavailable: {
    verdict: 'undecided', http: 503, grpc: 14, retrySeconds: RETRY, fault: 'upstream',
    message: 'The collector cannot be reached. Keep the data and retry.',
  },
  upstream_overloaded: {
    verdict: 'undecided', http: 503, grpc: 14, retrySeconds: RETRY, fault: 'upstream',
    message: 'The gateway or the collector is at its limit. Keep the data and retry.',
  },
  draining: {
    verdict: 'undecided', http: 503, grpc: 14, retrySeconds: RETRY, fault: 'gateway',
    message: 'This gateway is shutting down. Retry: another one will answer.',
  },
  unclear_question: {
    verdict: 'undecided', http: 503, grpc: 14, retrySeconds: RETRY, fault: 'gateway',
    message: 'The proxy in front did not say, or said in two ways, which request it asks about. Keep the data and retry.',
  },
  upstream_timeout: {
    verdict: 'undecided', http: 504, grpc: 4, fault: 'upstream',
    message: 'The collector did not answer in time.',
  },
  body_too_large: {
    verdict: 'deny', http: 413, grpc: 8, fault: 'sender',
    message: 'The request is larger than this gateway accepts. Send smaller batches.',
  },
  not_found: {
    verdict: 'deny', http: 404, grpc: 12, fault: 'sender',
    message: 'There is no such ingestion route here.',
  },
  grpc_only: {
    verdict: 'deny', http: 415, grpc: 12, fault: 'sender',
    message: 'This is a method of gRPC, and was not called by gRPC; gRPC-Web is not spoken here. Over HTTP, send to /v1/traces, /v1/metrics or /v1/logs.',
  },
  method_not_allowed: {
    verdict: 'deny', http: 405, grpc: 12, fault: 'sender',
    message: 'This route does not take this method. Telemetry is sent with POST; settings are read with GET.',
  },
  bad_request: {
    verdict: 'deny', http: 400, grpc: 3, fault: 'sender',
    message: 'The request is not well-formed.',
  },
  header_limits: {
    verdict: 'deny', http: 431, grpc: 3, fault: 'sender',
    message: 'The request has too many header fields, or they are too large.',
  },
} as const satisfies Record<string, Row>;

export type Reason = keyof typeof REASONS;

export const reasons = Object.keys(REASONS) as Reason[];

/** The row of a reason, with its optional columns typed as optional. */
export function row(reason: Reason): Row {
  return REASONS[reason];
}
