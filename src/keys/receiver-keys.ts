import { hash } from 'node:crypto';
import type { Digester, Digests } from '../credential/digest.ts';
import type { KeyLookup } from './answer.ts';
import type { KeyRecord } from './record.ts';

/** A Receiver API key as the configuration gives it. */
export interface ReceiverKey {
  readonly name: string;
  readonly key: string;
  readonly tenant: string | null;
}

export type ReceiverKeys = (digests: Digests) => KeyRecord | undefined;

/** The keys set in the configuration: known without a store, never expiring. Throws if a key or a name is set twice. */
export function createReceiverKeys(configured: readonly ReceiverKey[], digester: Digester): ReceiverKeys {
  const records = new Map<string, KeyRecord>();
  for (const { name, key, tenant } of configured) {
    const { digest } = digester(key);
    for (const other of records.values()) {
      if (other.name === name) throw new Error(`Two receiver keys are named "${name}". Rename one of them.`);
      if (other.digest === digest) {
        throw new Error(`The receiver keys "${other.name}" and "${name}" are the same key. Remove one of them.`);
      }
    }
    records.set(digest, {
      id: idOf(name),
      kind: 'receiver',
      name,
      digest,
      ...(tenant !== null && { tenant }),
      state: 'active',
      createdAt: 0,
      createdBy: 'configuration',
      revision: 1,
    });
  }
  // One digester made both digests, so the first one decides; former peppers concern only what was stored.
  return ({ digest }) => records.get(digest);
}

/** Asks the configured keys first: they need no store, and so no outage of it reaches them. */
export function withReceiverKeys(receiver: ReceiverKeys, lookup: KeyLookup): KeyLookup {
  return (digests, from) => {
    const record = receiver(digests);
    return record === undefined ? lookup(digests, from) : { kind: 'known', record };
  };
}

/** 48 bits, as other keys have; the same in every gateway and after every restart, and telling nothing of the key. */
function idOf(name: string): string {
  return Number.parseInt(hash('sha256', `receiver:${name}`).slice(0, 12), 16).toString();
}
