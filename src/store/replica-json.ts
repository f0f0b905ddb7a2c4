import type { Acknowledgement, ReplicaState } from './replica-port.ts';

/** The part of an acknowledgement that only replicas and people read, as it is stored. */
export function writeReplica({ name, version, startedAt, store, applied }: Acknowledgement): string {
  return JSON.stringify({ name, version, startedAt, store, applied });
}

/** What a store keeps beside that, stamped by its own clock. */
export interface ReplicaStamps {
  readonly seenAt: number;
  readonly appliedAt: number;
}

/**
 * Undefined for what cannot be read: it is from another version, or not ours. What was applied of another store's changes
 * says nothing about those of this one.
 */
export function readReplica(
  id: string,
  json: string,
  stamps: ReplicaStamps,
  currentStore: string | null,
): ReplicaState | undefined {
  const value: unknown = parse(json);
  if (typeof value !== 'object' || value === null) return undefined;
  const { name, version, startedAt, store, applied } = value as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || typeof version !== 'string') return undefined;
  if (typeof startedAt !== 'number' || typeof applied !== 'number') return undefined;
  return { id, name, version, startedAt, applied: store === currentStore ? applied : 0, ...stamps };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
