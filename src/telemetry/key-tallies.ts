import type { RequestReport } from '../plane/plane.ts';
import { OTHER_KEYS, SERIES_OF_PIECE } from './key-metrics.ts';
import type { SeenKey, UsedKey } from './key-metrics.ts';

/** What each key has sent in this process, until it is told to the one that shows it. */
export interface KeyTallies {
  /** Each request when it has ended; on the way of all of them. */
  note(report: RequestReport): void;
  /** What was noted since this was called last, in pieces that are short work each. */
  take(): Iterable<readonly UsedKey[]>;
}

/** What more than so many keys send is told as that of others. */
export function createKeyTallies(maxKeys: number): KeyTallies {
  let tallies = new Map<string, { key: SeenKey; requests: number; bytes: number }>();

  function tallyOf({ id, name, expiresAt, retireAt }: SeenKey) {
    const isOther = tallies.size >= maxKeys;
    const key = isOther ? OTHER_KEYS : { id, name, expiresAt, retireAt };
    let tally = tallies.get(key.id);
    if (tally === undefined) tallies.set(key.id, (tally = { key, requests: 0, bytes: 0 }));
    return tally;
  }

  return {
    note({ outcome, key, receivedBytes }) {
      if (outcome !== 'accepted' || key === undefined) return;
      const tally = tallies.get(key.id) ?? tallyOf(key);
      tally.requests += 1;
      tally.bytes += receivedBytes;
    },
    *take() {
      const told = [...tallies.values()];
      tallies = new Map();
      for (let i = 0; i < told.length; i += SERIES_OF_PIECE) yield told.slice(i, i + SERIES_OF_PIECE);
    },
  };
}
