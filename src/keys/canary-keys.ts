import type { Digester } from '../credential/digest.ts';
import { createKeyText } from '../credential/key-text.ts';
import type { Random } from '../credential/key-text.ts';
import type { KeyStore } from '../store/port.ts';
import { createId } from './new-key.ts';
import type { KeyRecord } from './record.ts';
import { KeyServiceError } from './service-error.ts';

export interface CanaryKey {
  readonly record: KeyRecord;
  /** Known to this process only, and never sent. */
  readonly text: string;
}

/**
 * The only writer of canary keys: they are made, revoked and forgotten on the way that other keys take, but nobody hears
 * of them. They have no entry in the audit log and leave no tombstone, as what they tell is in the metrics.
 */
export interface CanaryKeys {
  /** Makes one up; no store is asked. */
  draw(): CanaryKey;
  plant(key: CanaryKey): Promise<void>;
  revoke(key: CanaryKey): Promise<void>;
  /** In whatever state it was left; also one that was never planted, or of which that is not known. */
  forget(key: CanaryKey): Promise<void>;
}

export interface CanaryKeysOptions {
  /** As any other process has it: what is changed here must come back through the feed. */
  readonly store: KeyStore;
  readonly digester: Digester;
  readonly now: () => number;
  readonly random: Random;
  /** Who makes them. */
  readonly by: string;
}

/** One that is left behind, because its maker ended, dies by itself. */
const LIFETIME_MS = 300_000;

export function createCanaryKeys({ store, digester, now, random, by }: CanaryKeysOptions): CanaryKeys {
  function revoked({ record }: CanaryKey): KeyRecord {
    return { ...record, state: 'revoked', revokedAt: now(), revokedBy: by, revision: record.revision + 1 };
  }

  return {
    draw() {
      const text = createKeyText('ingestion', random);
      const [id, nowMs] = [createId(random), now()];
      const record: KeyRecord = {
        id,
        kind: 'canary',
        name: `canary ${id}`,
        digest: digester(text).digest,
        state: 'active',
        createdAt: nowMs,
        createdBy: by,
        expiresAt: nowMs + LIFETIME_MS,
        revision: 1,
      };
      return { record, text };
    },

    async plant({ record }) {
      const outcome = await store.insert(record, record.createdAt, undefined);
      if (outcome !== 'inserted') throw new KeyServiceError('conflict', 'No free id was found for a canary key.');
    },

    async revoke(key) {
      const outcome = await store.replace(revoked(key), undefined);
      if (outcome !== 'replaced') throw new KeyServiceError('conflict', 'The canary key was changed by somebody else.');
    },

    async forget(key) {
      if (!(await store.forget(revoked(key)))) await store.forget(key.record);
    },
  };
}
