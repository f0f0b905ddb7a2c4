/** What is known of the use of keys: when a key was last used, how much, and from where. */
export interface UsageStore {
  /**
   * Adds to what is known, for at most MAX_USES_PER_CALL keys. Times only move forward, whoever comes late. Keys that are
   * not in the store are left out. When it fails, some of it may have been added all the same.
   */
  record(uses: readonly KeyUse[]): Promise<void>;
  /** Of those of the keys that were ever used. */
  read(ids: readonly string[]): Promise<ReadonlyMap<string, KeyUsage>>;
}

export interface KeyUsage {
  readonly lastUsedAt: number;
  readonly requests: number;
  /** Of request bodies, as sent. */
  readonly bytes: number;
  /** The newest first, each address once; those last seen an hour before the last use are forgotten. */
  readonly sources: readonly Source[];
}

export interface Source {
  readonly address: string;
  readonly lastUsedAt: number;
}

/** The use of one key since the last report of it. */
export interface KeyUse extends KeyUsage {
  readonly id: string;
}

// Bounds that both stores share.

/** One call is one step for all others: with as many sources as may be, fifty keys hold Redis up for about 10 ms. */
export const MAX_USES_PER_CALL = 50;
export const MAX_SOURCES = 64;
export const SOURCES_KEPT_MS = 3_600_000;
