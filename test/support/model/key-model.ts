/**
 * What each key should answer, said in the fewest words: a list of what it was, and since when. It knows nothing of
 * stores and caches but for how long they may be behind.
 */

export type Answer = 'allow' | 'unknown_key' | 'revoked_key' | 'disabled_key' | 'expired_key';

/** A key from some instant on. */
export interface Version {
  readonly from: number;
  readonly state: 'absent' | 'active' | 'disabled' | 'revoked';
  readonly expiresAt?: number | undefined;
  readonly retireAt?: number | undefined;
}

export interface ModelKey {
  readonly text: string;
  /** Undefined until it is created. */
  id: string | undefined;
  /** Never empty; the last one is the truth. */
  readonly versions: Version[];
  /** The gateway was told of all changes before this version, and may remember none of them. */
  heardOf: number;
}

/** Whether the gateway reaches the store, and its change feed, and whether anybody can write. */
export interface Connected {
  readonly store: boolean;
  readonly feed: boolean;
  readonly writes: boolean;
}

export const CONNECTED: Connected = { store: true, feed: true, writes: true };

export const FRESH_FOR_MS = 10_000;
export const STALE_FOR_MS = 3_600_000;
export const UNKNOWN_FOR_MS = 5_000;
/** After an outage the gateway may take this long to believe that the store is back. */
const AFTERMATH_MS = 2_000;

export class KeyModel {
  readonly keys: ModelKey[] = [];
  nowMs: number;
  connected = CONNECTED;
  #storeBackAt = -Infinity;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  connect(connected: Connected): void {
    if (connected.store && !this.connected.store) this.#storeBackAt = this.nowMs;
    this.connected = connected;
    if (connected.feed) for (const key of this.keys) key.heardOf = key.versions.length - 1;
  }

  /** The gateway hears of it if it made the change itself, or if it is told. */
  change(key: ModelKey, version: Omit<Version, 'from'>, by: 'here' | 'elsewhere'): void {
    key.versions.push({ ...version, from: this.nowMs });
    if (by === 'here' || this.connected.feed) key.heardOf = key.versions.length - 1;
  }

  truth(key: ModelKey): Version {
    return key.versions.at(-1) ?? { from: 0, state: 'absent' };
  }

  isLive(key: ModelKey): boolean {
    const { state, ...ends } = this.truth(key);
    return (state === 'active' || state === 'disabled') && !isOver(ends, this.nowMs);
  }

  /** All that the gateway may say of the key now. */
  mayAnswer(key: ModelKey): Set<Answer> {
    const allowed = new Set<Answer>();
    for (const [index, version] of key.versions.entries()) {
      const replacedAt = key.versions[index + 1]?.from;
      const isTolerated = replacedAt === undefined || this.nowMs - replacedAt < this.#mayBeBehind(version);
      if (index >= key.heardOf && isTolerated) allowed.add(answerOf(version, this.nowMs));
    }
    return allowed;
  }

  /** Whether it may say that it cannot tell. */
  mayDoubt(): boolean {
    return !this.connected.store || this.nowMs - this.#storeBackAt < AFTERMATH_MS;
  }

  #mayBeBehind({ state }: Version): number {
    if (state === 'absent') return UNKNOWN_FOR_MS;
    return this.mayDoubt() ? STALE_FOR_MS : FRESH_FOR_MS;
  }
}

function answerOf({ state, ...ends }: Version, nowMs: number): Answer {
  switch (state) {
    case 'absent':
      return 'unknown_key';
    case 'revoked':
      return 'revoked_key';
    case 'disabled':
      return 'disabled_key';
    case 'active':
      return isOver(ends, nowMs) ? 'expired_key' : 'allow';
  }
}

function isOver({ expiresAt = Infinity, retireAt = Infinity }: Pick<Version, 'expiresAt' | 'retireAt'>, nowMs: number) {
  return nowMs >= Math.min(expiresAt, retireAt);
}
