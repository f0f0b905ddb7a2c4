import type { KeyRecord } from '../keys/record.ts';
import type { RequestReport } from '../plane/plane.ts';
import type { Reason } from '../verdict/reasons.ts';
import { HeavyHitters } from './heavy-hitters.ts';
import type { Hitter } from './heavy-hitters.ts';
import { Recent } from './recent.ts';

/** Somebody whose requests are refused, as far as it can be told from others. */
export interface RefusedSource {
  readonly peer: string;
  readonly userAgent: string | undefined;
  readonly reason: Reason;
  readonly keyId: string | undefined;
  readonly keyName: string | undefined;
  /** Of what was sent instead of a key that is known; or VARIOUS. */
  readonly fingerprint: string | undefined;
  readonly perSecond: number;
  /** Since it was first refused, as long as it was followed. */
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** When the same key, or the same program at the same address, was let through last: it worked, and somebody will call. */
  readonly workedAtMs: number | undefined;
}

/** One refusal, and whose it was. */
export interface Refused {
  /** The same for all refusals of the source. */
  readonly name: string;
  readonly who: Described;
  /** The same key, or the same program at the same address, was let through within a day. */
  readonly hasWorked: boolean;
}

export interface RefusedSources {
  /** Each request when it has ended, on the way of all of them; says whose it was if it was refused. */
  note(report: RequestReport): Refused | undefined;
  /** Those that worked come first, then the heaviest. */
  top(most: number): RefusedSource[];
  /** Those of them that are refused again and again, and now: each is a series in Prometheus, and may wake somebody up. */
  persistent(most: number): RefusedSource[];
}

/** What is known of it when it is first seen. */
type Described = Omit<RefusedSource, keyof Hitter<unknown> | 'workedAtMs'>;

/** Twice; each needs some 500 bytes. */
const MAX_SOURCES = 512;
const HALF_LIFE_MS = 60_000;
/** Those that were let through, by key and by address; and programs at an address, which may be a proxy's. */
const MAX_WORKING = 10_000;
/** Who was let through longer ago than this is no more likely to call than others. */
const WORKED_WITHIN_MS = 24 * 3_600_000;
const MAX_PROGRAMS = 16;
/** A user agent may be as long as a head; what tells programs apart is at its beginning. */
export const MAX_USER_AGENT = 120;

/** One address may be a proxy of many; or send another key and name each time, and so hide that it is one. */
const MAX_STRANGERS_OF_PEER = 16;

/** In place of a fingerprint and a user agent: all others that came from this address without a key that is known. */
export const VARIOUS = 'various';

const PERSISTENT_REFUSALS = 3;
/** Metrics are sent once a minute as a rule: who has not come for longer has been mended, or has given up. */
const PERSISTENT_WITHIN_MS = 150_000;

/** When somebody was let through last. */
interface Working {
  atMs: number;
}

/** Whose requests are refused most, and whether they worked before; in bounded memory, whoever sends. */
export function createRefusedSources(now: () => number): RefusedSources {
  /** Apart, so that no flood of strangers takes the place of one that worked and sends once a minute. */
  const working = new HeavyHitters<Described>({ capacity: MAX_SOURCES, halfLifeMs: HALF_LIFE_MS });
  const others = new HeavyHitters<Described>({ capacity: MAX_SOURCES, halfLifeMs: HALF_LIFE_MS });
  const keys = new Recent<Working>(MAX_WORKING);
  const programs = new Recent<Map<string, Working>>(MAX_WORKING);
  const strangers = new Recent<Set<string>>(MAX_SOURCES);

  /** On the way of every request: names that are there already are looked up, and none is put together. */
  function worked(key: KeyRecord | undefined, peer: string, userAgent: string): void {
    const atMs = now();
    if (key !== undefined) keys.use(key.id, newWorking).atMs = atMs;
    const atPeer = programs.use(peer, newPrograms);
    const program = atPeer.get(userAgent);
    if (program !== undefined) program.atMs = atMs;
    else if (atPeer.size < MAX_PROGRAMS) atPeer.set(userAgent, { atMs });
  }

  function workedAt(
    keyId: string | undefined,
    { peer, userAgent = '' }: Pick<Described, 'peer' | 'userAgent'>,
    nowMs: number,
  ): number | undefined {
    const byKey = keyId === undefined ? undefined : keys.peek(keyId);
    const last = Math.max(byKey?.atMs ?? 0, programs.peek(peer)?.get(userAgent)?.atMs ?? 0);
    return last > 0 && nowMs - last <= WORKED_WITHIN_MS ? last : undefined;
  }

  function isOneOfFew(peer: string, stranger: string): boolean {
    const ofPeer = strangers.use(peer, newStrangers);
    if (ofPeer.has(stranger)) return true;
    if (ofPeer.size >= MAX_STRANGERS_OF_PEER) return false;
    ofPeer.add(stranger);
    return true;
  }

  function top(most: number): RefusedSource[] {
    const nowMs = now();
    return [
      ...working
        .top(most, nowMs)
        .map(({ what, ...seen }) => ({ ...what, ...seen, workedAtMs: workedAt(what.keyId, what, nowMs) })),
      ...others.top(most, nowMs).map(({ what, ...seen }) => ({ ...what, ...seen, workedAtMs: undefined })),
    ].slice(0, most);
  }

  return {
    note({ outcome, key, fingerprint, peer, userAgent: fullUserAgent }) {
      if (outcome === 'cancelled') return undefined;
      const userAgent = fullUserAgent?.slice(0, MAX_USER_AGENT); // no copy of one that is not longer
      if (outcome === 'accepted') {
        worked(key, peer, userAgent ?? '');
        return undefined;
      }
      const seen =
        key !== undefined || isOneOfFew(peer, `${fingerprint ?? ''}\n${userAgent ?? ''}`)
          ? { fingerprint: key === undefined ? fingerprint : undefined, userAgent }
          : { fingerprint: VARIOUS, userAgent: VARIOUS };
      const name = `${outcome}\n${key?.id ?? seen.fingerprint ?? ''}\n${peer}\n${seen.userAgent ?? ''}`;
      const nowMs = now();
      const hasWorked = workedAt(key?.id, { peer, userAgent: seen.userAgent }, nowMs) !== undefined;
      const who = { peer, ...seen, reason: outcome, keyId: key?.id, keyName: key?.name };
      (hasWorked ? working : others).add(name, nowMs, () => who);
      return { name, who, hasWorked };
    },
    top,
    persistent(most) {
      const sinceMs = now() - PERSISTENT_WITHIN_MS;
      return top(2 * MAX_SOURCES)
        .filter(({ count, lastAtMs }) => count >= PERSISTENT_REFUSALS && lastAtMs >= sinceMs)
        .slice(0, most);
    },
  };
}

const newWorking = (): Working => ({ atMs: 0 });
const newPrograms = (): Map<string, Working> => new Map();
const newStrangers = (): Set<string> => new Set();
