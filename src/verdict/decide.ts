import type { KeyAnswer } from '../keys/answer.ts';
import { isExpired } from '../keys/record.ts';
import type { KeyRecord, Signal } from '../keys/record.ts';
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
}

export type Decision = Allow | Refusal;

/** What the credential is to be used for. */
export type Use =
  /** Without a signal: to send anything at all. */
  { readonly to: 'send'; readonly signal?: Signal } | { readonly to: 'manage' };

/** The verdict, from what is known of the key and what it is to be used for. Pure: the same arguments, the same answer. */
export function decide(answer: KeyAnswer, use: Use, nowMs: number): Decision {
  switch (answer.kind) {
    case 'unavailable':
      return { verdict: 'refuse', reason: answer.reason };
    case 'unknown':
      return { verdict: 'refuse', reason: 'unknown_key' };
    case 'known': {
      const key = answer.record;
      const reason = objectionToLife(key, nowMs) ?? objectionToUse(key, use);
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

/** Service tokens manage and never send; ingestion and receiver keys send and never manage. */
function objectionToUse(key: KeyRecord, use: Use): Reason | undefined {
  switch (use.to) {
    case 'manage':
      return key.kind === 'service' ? undefined : 'role_missing';
    case 'send':
      if (key.kind === 'service') return 'role_missing';
      if (key.signals === undefined || use.signal === undefined) return undefined;
      return key.signals.includes(use.signal) ? undefined : 'signal_not_allowed';
  }
}
