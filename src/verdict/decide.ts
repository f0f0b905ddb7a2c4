import type { KeyAnswer } from '../keys/answer.ts';
import { isExpired } from '../keys/record.ts';
import type { KeyKind, KeyRecord, OwnerRole, Signal } from '../keys/record.ts';
import { isAmong } from '../keys/scope.ts';
import type { KeyType } from '../keys/scope.ts';
import { isInside } from './address.ts';
import type { Reason } from './reasons.ts';

export interface Allow {
  readonly verdict: 'allow';
  readonly key: KeyRecord;
}

export interface Refusal {
  readonly verdict: 'refuse';
  readonly reason: Reason;
  /** The key that was refused, when the sender holds its exact text; nobody else learns that it exists. */
  readonly key?: KeyRecord;
  /** When it would be let through, if that is known better than the reason table does. */
  readonly retryAfterMs?: number;
  /** The option that has to be set for it to be let through. */
  readonly option?: string;
}

export type Decision = Allow | Refusal;

/**
 * The ways on the data ports. All take telemetry but `remote-config`, where agents read their settings, `token`, where a key
 * is exchanged for a token, and `grpc`, whose methods are whatever the operator named. `agent` is what StackState's agents
 * send, and others to the same receiver.
 */
export const ALL_ROUTES = [
  'otlp-grpc',
  'otlp-http',
  'logs',
  'remote-write',
  'rum',
  'remote-config',
  'agent',
  'token',
  'grpc',
] as const;
export type Route = (typeof ALL_ROUTES)[number];

/** What the credential is to be used for. */
export type Use = Sending | Asking | { readonly to: 'manage' };

/** Nothing yet: it is asked whether it could send anything at all. */
export interface Asking {
  readonly to: 'ask';
  /** The address of whoever asks, where that may be anybody. */
  readonly peer?: string;
}

export interface Sending {
  readonly to: 'send';
  /** Absent where none of the four is sent: events of pages are none, and nor is a question for settings. */
  readonly signal: Signal | undefined;
  readonly route: Route;
  /** Pages of other origins have no business there. */
  readonly isNotForPages?: boolean | undefined;
  /** The address of whoever opened the connection. */
  readonly peer: string;
  /** The web page that it comes from, as the browser says. */
  readonly origin: string | undefined;
}

type KnownKey = Extract<KeyAnswer, { readonly kind: 'known' }>;

/** The verdict, from what is known of the key and what it is to be used for. Pure: the same arguments, the same answer. */
export function decide(answer: KeyAnswer, use: Use, nowMs: number): Decision {
  switch (answer.kind) {
    case 'unavailable':
      return { verdict: 'refuse', reason: answer.reason };
    case 'unknown':
      return { verdict: 'refuse', reason: 'unknown_key' };
    case 'known': {
      const key = answer.record;
      const reason =
        objectionToLife(key, nowMs) ??
        objectionToKind(key, use) ??
        objectionToOwner(answer, use) ??
        objectionToUse(key, use);
      return reason === undefined ? { verdict: 'allow', key } : { verdict: 'refuse', reason, key };
    }
  }
}

function objectionToLife(key: KeyRecord, nowMs: number): Reason | undefined {
  switch (key.state) {
    case 'revoked':
      return 'revoked_key';
    case 'disabled':
      return 'disabled_key';
    case 'active':
      // On every request, from memory or not: no cache may outlive the key.
      return isExpired(key, nowMs) ? 'expired_key' : undefined;
  }
}

/** Service tokens manage and never send; ingestion and receiver keys send and never manage; canaries and owners do neither. */
function objectionToKind({ kind }: KeyRecord, { to }: Use): Reason | undefined {
  return KINDS[to].includes(kind) ? undefined : 'role_missing';
}

const SENDERS: readonly KeyKind[] = ['ingestion', 'receiver'];
const KINDS: Readonly<Record<Use['to'], readonly KeyKind[]>> = {
  send: SENDERS,
  ask: [...SENDERS, 'canary'],
  manage: ['service'],
};

const SENDER: OwnerRole = 'Sender';

/** A key is worth what its owner is. Whoever cannot be asked about is a doubt, as a key is. */
function objectionToOwner({ record, owner }: KnownKey, { to }: Use): Reason | undefined {
  if (record.owner === undefined) return undefined;
  if (owner === undefined) return 'store_unavailable';
  switch (owner.kind) {
    case 'unavailable':
      return owner.reason;
    case 'unknown':
      return 'owner_locked'; // deleted long ago, and forgotten
    case 'known':
      if (owner.record.state !== 'active') return 'owner_locked';
      return to === 'manage' || owner.record.roles?.includes(SENDER) ? undefined : 'role_missing';
  }
}

function objectionToUse(key: KeyRecord, use: Use): Reason | undefined {
  return use.to === 'send' ? objectionToSending(key, use) : undefined;
}

/** A key with origins is for web pages: a request that names none is from none of them. */
function objectionToSending(key: KeyRecord, use: Sending): Reason | undefined {
  const { route, origin, peer, signal } = use;
  if (!ROUTES[key.type ?? 'untyped'].includes(route)) return 'route_not_allowed';
  if (key.type === 'rum' && use.isNotForPages === true) return 'route_not_allowed';
  if (key.origins !== undefined && !isAmong(key.origins, origin)) return 'origin_not_allowed';
  if (key.cidrs !== undefined && !isInside(key.cidrs, peer)) return 'address_not_allowed';
  // What is none of a key's signals is not among them; but who reads, or exchanges a key, sends nothing.
  const maySend = key.signals === undefined || (signal !== undefined && key.signals.includes(signal));
  return maySend || route === 'remote-config' || route === 'token' ? undefined : 'signal_not_allowed';
}

/**
 * Browsers speak no gRPC, and whoever took a key out of a page is to gain nothing by it. Settings of agents are for keys
 * that were made for agents; a key of no type sends whatever there is to send, and reads nothing. What the methods of `grpc`
 * do is not known here, so that no key which was made for one purpose is good for them.
 */
const ROUTES: Readonly<Record<KeyType | 'untyped', readonly Route[]>> = {
  sensor: ['otlp-grpc', 'otlp-http', 'logs', 'remote-write', 'remote-config', 'agent', 'token'],
  thirdParty: ['otlp-grpc', 'otlp-http', 'logs', 'remote-write', 'agent', 'token'],
  rum: ['otlp-http', 'rum'],
  untyped: ['otlp-grpc', 'otlp-http', 'logs', 'remote-write', 'rum', 'agent', 'token', 'grpc'],
};
