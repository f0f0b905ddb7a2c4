import { createHash } from 'node:crypto';
import type { Credential } from '../gate.ts';

/** The credential of somebody who has signed in: digests of a service token, and never its text. */
export type SignedIn = Exclude<Credential, { readonly problem: unknown }>;

/** Who is signed in to the console. In the memory of this process only, so a restart ends all sessions. */
export interface Sessions {
  /** Returns the id, which nobody but the browser keeps. */
  open(credential: SignedIn, tokenId: string): string;
  /** Whose session it is, if it is one. One that is only `polled` goes on, but is not kept alive by that. */
  find(id: string, use: 'used' | 'polled'): SignedIn | undefined;
  end(id: string): void;
}

/** Nobody has done anything for this long: a screen that was left alone. */
export const IDLE_MS = 30 * 60_000;
/** A shift. A token that is stolen with its session is worth no more than this. */
export const ABSOLUTE_MS = 12 * 3_600_000;
/** Browsers that one token is signed in from; the one that was idle for the longest time makes room. */
export const MAX_SESSIONS_OF_TOKEN = 16;
/** Each takes some 500 bytes. Only holders of a token open one; beyond that, too, the one that was idle for longest makes room. */
export const MAX_SESSIONS = 1_000;
/** 256 bits: not to be guessed. */
const ID_BYTES = 32;

export interface SessionsOptions {
  readonly now: () => number;
  readonly random: (bytes: number) => Buffer;
}

interface Session {
  readonly credential: SignedIn;
  readonly tokenId: string;
  readonly openedAtMs: number;
  usedAtMs: number;
}

export function createSessions({ now, random }: SessionsOptions): Sessions {
  /** By the digest of the id: who reads this memory cannot use what is in it. In the order of their last use. */
  const sessions = new Map<string, Session>();

  function isOver({ openedAtMs, usedAtMs }: Session, nowMs: number): boolean {
    return nowMs - usedAtMs >= IDLE_MS || nowMs - openedAtMs >= ABSOLUTE_MS;
  }

  function makeRoom(tokenId: string, nowMs: number): void {
    for (const [key, session] of sessions) if (isOver(session, nowMs)) sessions.delete(key);
    const own = [...sessions].filter(([, session]) => session.tokenId === tokenId);
    const tooMany = Math.max(0, own.length + 1 - MAX_SESSIONS_OF_TOKEN);
    for (const [key] of own.slice(0, tooMany)) sessions.delete(key);
    for (const key of sessions.keys()) {
      if (sessions.size < MAX_SESSIONS) break;
      sessions.delete(key);
    }
  }

  return {
    open(credential, tokenId) {
      const nowMs = now();
      makeRoom(tokenId, nowMs);
      const id = random(ID_BYTES).toString('base64url');
      sessions.set(digestOf(id), { credential, tokenId, openedAtMs: nowMs, usedAtMs: nowMs });
      return id;
    },
    find(id, use) {
      const key = digestOf(id);
      const session = sessions.get(key);
      if (session === undefined) return undefined;
      const nowMs = now();
      if (isOver(session, nowMs)) {
        sessions.delete(key);
        return undefined;
      }
      if (use === 'used') {
        session.usedAtMs = nowMs;
        sessions.delete(key);
        sessions.set(key, session);
      }
      return session.credential;
    },
    end: (id) => void sessions.delete(digestOf(id)),
  };
}

function digestOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url');
}
