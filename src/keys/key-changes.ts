import type { Digester } from '../credential/digest.ts';
import { createKeyText } from '../credential/key-text.ts';
import type { GeneratedKind, Random } from '../credential/key-text.ts';
import type { KeyStore } from '../store/port.ts';
import { toAuditEntry } from './audit.ts';
import type { Actor, AuditAction, AuditEntry } from './audit.ts';
import { mustNotBeInUse, recentUsage } from './in-use.ts';
import { updated } from './key-update.ts';
import type { KeyUpdate } from './key-update.ts';
import { checkExpiry, createId } from './new-key.ts';
import { countOwned, mustOwnNoneInUse } from './owned-keys.ts';
import { isOwnerKind, stateOf, withoutSealed } from './record.ts';
import type { KeyRecord, ManagedKind } from './record.ts';
import { withSealed } from './seal.ts';
import type { Sealer } from './seal.ts';
import { conflict, KeyServiceError, notFound, wrongState } from './service-error.ts';

/** How a key is to be replaced by a new one with the same settings. */
export interface Rotation {
  /** How long the old key goes on working, at most until its own expiry; 0 revokes it at once. A day if not given. */
  readonly graceMs?: number | undefined;
  /** The expiry of the new key, which does not inherit that of the old one. */
  readonly expiresAt?: number | undefined;
}

export interface RotatedKey {
  readonly record: KeyRecord;
  /** The text of the new key: known here, and nowhere afterwards. */
  readonly text: string;
  /** The old key as it is from now on. */
  readonly predecessor: KeyRecord;
}

export interface Revocation {
  /** Also if it was used within the last hour. */
  readonly force?: boolean | undefined;
}

/**
 * The changes of a key or an owner that is there. Each is decided on the record as it is; when somebody else changes that in between,
 * it is decided once more, which is the same as having come a moment later. What is as it is wanted to be is not changed.
 */
export interface KeyChanges {
  rotate(kind: GeneratedKind, id: string, rotation: Rotation, actor: Actor): Promise<RotatedKey>;
  /** Refuses whoever uses it, until it is enabled; it keeps its name. Of an owner: locks it, and so all of its keys. */
  disable(kind: ManagedKind, id: string, actor: Actor): Promise<KeyRecord>;
  /** Of an owner: unlocks it. */
  enable(kind: ManagedKind, id: string, actor: Actor): Promise<KeyRecord>;
  update<Kind extends ManagedKind>(kind: Kind, id: string, update: KeyUpdate<Kind>, actor: Actor): Promise<KeyRecord>;
  /** For good. What is revoked already is not found; a key that is in use, or an owner of one, is refused unless it is forced. */
  revoke(kind: ManagedKind, id: string, actor: Actor, revocation?: Revocation): Promise<KeyRecord>;
}

export interface KeyChangesOptions {
  readonly store: KeyStore;
  readonly digester: Digester;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly random: Random;
  readonly sealer: Sealer;
  readonly audited: (entry: AuditEntry) => void;
  /** Throws if there is no such key. */
  readonly get: (kind: ManagedKind, id: string) => Promise<KeyRecord>;
}

const DAY_MS = 86_400_000;
const MAX_GRACE_MS = 365 * DAY_MS;
const MAX_ATTEMPTS = 2;
const NONE_IN_USE = { keys: 0, inUse: 0 };

export function createKeyChanges(options: KeyChangesOptions): KeyChanges {
  const { store, digester, now, random, sealer, audited, get } = options;

  interface Change {
    readonly kind: ManagedKind;
    readonly id: string;
    readonly actor: Actor;
    readonly action: AuditAction;
  }

  /** `decide` returns the record as it is to be, or the very same one; it throws when that cannot be. */
  async function change(
    { kind, id, actor, action }: Change,
    decide: (record: KeyRecord, nowMs: number) => KeyRecord,
  ): Promise<KeyRecord> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const before = await get(kind, id);
      const nowMs = now();
      const decided = decide(before, nowMs);
      if (decided === before) return before;
      const after = { ...decided, changedAt: nowMs, revision: before.revision + 1 };
      const entry = toAuditEntry({ at: nowMs, actor, action, before, after });
      const outcome = await store.replace(after, entry);
      switch (outcome) {
        case 'replaced':
          audited(entry);
          return after;
        case 'absent':
          throw notFound(kind, id);
        case 'conflict':
          break;
      }
    }
    throw conflict(kind, id);
  }

  async function rotate(
    kind: GeneratedKind,
    id: string,
    { graceMs = DAY_MS, expiresAt }: Rotation,
    actor: Actor,
  ): Promise<RotatedKey> {
    checkGrace(graceMs);
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const before = await get(kind, id);
      const nowMs = now();
      if (expiresAt !== undefined) checkExpiry(expiresAt, nowMs);
      mustBeReplaceable(kind, before, nowMs);
      const text = createKeyText(kind, random);
      const birth = { id: createId(random), digest: digester(text).digest, createdAt: nowMs, createdBy: actor.name };
      const successor = { ...settingsOf(before), ...birth, ...(expiresAt !== undefined && { expiresAt }) };
      const record: KeyRecord = withSealed(successor, text, sealer);
      const predecessor = replaced(before, { by: record.id, nowMs, graceMs, actor });
      const entries = [
        toAuditEntry({ at: nowMs, actor, action: 'rotated', before, after: predecessor }),
        toAuditEntry({ at: nowMs, actor, action: 'created', after: record }),
      ] as const;
      const outcome = await store.succeed(predecessor, record, nowMs, entries);
      switch (outcome) {
        case 'succeeded':
          entries.forEach(audited);
          return { record, text, predecessor };
        case 'absent':
          throw notFound(kind, id);
        case 'conflict':
        case 'exists':
          break;
      }
    }
    throw conflict(kind, id);
  }

  return {
    rotate,

    disable: (kind, id, actor) =>
      change({ kind, id, actor, action: isOwnerKind(kind) ? 'locked' : 'disabled' }, (record, nowMs) => {
        mustLive(kind, record, nowMs);
        return record.state === 'disabled' ? record : { ...record, state: 'disabled' };
      }),

    enable: (kind, id, actor) =>
      change({ kind, id, actor, action: isOwnerKind(kind) ? 'unlocked' : 'enabled' }, (record, nowMs) => {
        mustLive(kind, record, nowMs);
        return record.state === 'active' ? record : { ...record, state: 'active' };
      }),

    update: (kind, id, update, actor) =>
      change({ kind, id, actor, action: 'updated' }, (record, nowMs) => {
        const after = updated(record, update, nowMs);
        mustLive(kind, record, nowMs);
        return after;
      }),

    async revoke(kind, id, actor, { force = false } = {}) {
      const owned = force || !isOwnerKind(kind) ? NONE_IN_USE : await countOwned(store, id, now());
      const usage = force ? undefined : (await store.usage.read([id])).get(id);
      return change({ kind, id, actor, action: 'revoked' }, (record, nowMs) => {
        if (record.state === 'revoked') throw notFound(kind, id);
        mustNotBeInUse(record, usage && recentUsage(usage, nowMs), nowMs);
        mustOwnNoneInUse(record, owned, nowMs);
        return revoked(record, nowMs, actor);
      });
    },
  };
}

function revoked(record: KeyRecord, nowMs: number, actor: Actor): KeyRecord {
  // What opens nothing any more need not be readable either.
  return { ...withoutSealed(record), state: 'revoked', revokedAt: nowMs, revokedBy: actor.name };
}

interface Replacement {
  readonly by: string;
  readonly nowMs: number;
  readonly graceMs: number;
  readonly actor: Actor;
}

function replaced(record: KeyRecord, { by, nowMs, graceMs, actor }: Replacement): KeyRecord {
  const end = { replacedBy: by, changedAt: nowMs, revision: record.revision + 1 };
  if (graceMs === 0) return { ...revoked(record, nowMs, actor), ...end };
  return { ...record, ...end, retireAt: Math.min(nowMs + graceMs, record.expiresAt ?? Infinity) };
}

/** All that a successor takes over: whatever is not of one key's own life. */
function settingsOf(record: KeyRecord): Omit<KeyRecord, 'id' | 'digest' | 'createdAt' | 'createdBy'> {
  const {
    expiresAt: _1,
    replacedBy: _2,
    retireAt: _3,
    changedAt: _4,
    revokedAt: _5,
    revokedBy: _6,
    sealed: _7,
    ...settings
  } = record;
  return { ...settings, state: 'active', revision: 1 };
}

function checkGrace(graceMs: number): void {
  if (Number.isSafeInteger(graceMs) && graceMs >= 0 && graceMs <= MAX_GRACE_MS) return;
  throw new KeyServiceError(
    'invalid_grace',
    'The grace must be from 0 to 365 days. Choose another one, or delete the old key when it is not needed any more.',
  );
}

/** What is dead stays dead: its name may have been given to another key since. */
export function mustLive(kind: ManagedKind, record: KeyRecord, nowMs: number): void {
  switch (stateOf(record, nowMs)) {
    case 'active':
    case 'disabled':
    case 'retiring':
      return;
    case 'retired':
      throw wrongState(kind, record.id, `was replaced by ${record.replacedBy} and no longer works. Use that one.`);
    case 'expired':
      throw wrongState(kind, record.id, 'has expired, which cannot be undone. Create a new one.');
    case 'revoked':
      throw wrongState(kind, record.id, 'was deleted, which cannot be undone. Create a new one.');
  }
}

function mustBeReplaceable(kind: ManagedKind, record: KeyRecord, nowMs: number): void {
  mustLive(kind, record, nowMs);
  if (record.replacedBy !== undefined) {
    throw wrongState(kind, record.id, `was replaced by ${record.replacedBy} already. Rotate that one.`);
  }
  // Its successor would work, so whoever may rotate could undo what another one disabled.
  if (record.state === 'disabled') {
    throw wrongState(kind, record.id, 'is disabled. Enable it before you rotate it, or create a new one.');
  }
}
