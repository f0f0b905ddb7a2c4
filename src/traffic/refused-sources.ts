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
  /** Who was let through here, for those who look at the same senders elsewhere; each again only after a while. */
  takeWorked(): readonly Worked[];
  workedElsewhere(worked: readonly Worked[]): void;
}

/** A key, or a program at an address, that was let through. */
export interface Worked {
  readonly keyId?: string;
  readonly program?: { readonly peer: string; readonly userAgent: string };
  readonly atMs: number;
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

/** Others know within a few minutes that somebody works; what counts is whether it was today. */
const TELL_AGAIN_MS = 10 * 60_000;
/** So many are told at once; the rest when they are let through again. */
const MAX_UNTOLD = 1_000;

const PERSISTENT_REFUSALS = 3;
/** Metrics are sent once a minute as a rule: who has not come for longer has been mended, or has given up. */
const PERSISTENT_WITHIN_MS = 150_000;

/** When somebody was let through last. */
interface Working {
  atMs: number;
  /** When others were told of it. */
  toldAtMs: number;
}

/**
 * Whose requests are refused most, and whether they worked before; in bounded memory, whoever sends. Where several processes serve
 * the same senders (`isShared`), each tells the others who works.
 */
export function createRefusedSources(now: () => number, isShared = false): RefusedSources {
  /** Apart, so that no flood of strangers takes the place of one that worked and sends once a minute. */
  const working = new HeavyHitters<Described>({ capacity: MAX_SOURCES, halfLifeMs: HALF_LIFE_MS });
  const others = new HeavyHitters<Described>({ capacity: MAX_SOURCES, halfLifeMs: HALF_LIFE_MS });
  const keys = new Recent<Working>(MAX_WORKING);
  const programs = new Recent<Map<string, Working>>(MAX_WORKING);
  const strangers = new Recent<Set<string>>(MAX_SOURCES);
  let untold: Worked[] = [];
  const newWorking = (): Working => ({ atMs: 0, toldAtMs: isShared ? -Infinity : Infinity });

  /** On the way of every request: names that are there already are looked up, and none is put together. */
  function worked(key: KeyRecord | undefined, peer: string, userAgent: string): void {
    const atMs = now();
    if (key !== undefined) {
      const ofKey = keys.use(key.id, newWorking);
      ofKey.atMs = atMs;
      if (isDue(ofKey)) tell(ofKey, { keyId: key.id, atMs });
    }
    const program = programOf(peer, userAgent);
    if (program === undefined) return;
    program.atMs = atMs;
    if (isDue(program)) tell(program, { program: { peer, userAgent }, atMs });
  }

  function programOf(peer: string, userAgent: string): Working | undefined {
    const atPeer = programs.use(peer, newPrograms);
    const program = atPeer.get(userAgent);
    if (program !== undefined || atPeer.size >= MAX_PROGRAMS) return program;
    const added = newWorking();
    atPeer.set(userAgent, added);
    return added;
  }

  function isDue({ atMs, toldAtMs }: Working): boolean {
    return atMs - toldAtMs >= TELL_AGAIN_MS && untold.length < MAX_UNTOLD;
  }

  function tell(one: Working, what: Worked): void {
    one.toldAtMs = one.atMs;
    untold.push(what);
  }

  function hear({ keyId, program, atMs }: Worked): void {
    const ofKey = keyId === undefined ? undefined : keys.use(keyId, newWorking);
    const ofProgram = program && programOf(program.peer, program.userAgent);
    for (const one of [ofKey, ofProgram]) {
      if (one === undefined) continue;
      one.atMs = Math.max(one.atMs, atMs);
      one.toldAtMs = Math.max(one.toldAtMs, atMs); // whoever told it has told all
    }
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
    persistent: (most) => persistentOf(top(2 * MAX_SOURCES), now()).slice(0, most),
    takeWorked() {
      const worked = untold;
      untold = [];
      return worked;
    },
    workedElsewhere: (worked) => worked.forEach(hear),
  };
}

/** Those that are refused again and again, and now. */
export function persistentOf(sources: readonly RefusedSource[], nowMs: number): RefusedSource[] {
  return sources.filter(
    ({ count, lastAtMs }) => count >= PERSISTENT_REFUSALS && lastAtMs >= nowMs - PERSISTENT_WITHIN_MS,
  );
}

const newPrograms = (): Map<string, Working> => new Map();
const newStrangers = (): Set<string> => new Set();
