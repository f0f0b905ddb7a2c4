import type { Cors } from '../cors.ts';
import type { NamesInBlocks } from './http2/block-walk.ts';
import type { RelayContext } from './relay.ts';
import type { HeadReader } from './request-head.ts';
import type { IsVarying } from './varying.ts';

/** What all connections of senders share, whatever their protocol. */
export interface ConnectionContext extends RelayContext {
  readonly readHead: HeadReader;
  readonly isVarying: IsVarying;
  /** The same fields, as HTTP/2 spells them. */
  readonly varyingInBlocks: NamesInBlocks;
  /** Absent: pages of other origins may not send. */
  readonly cors: Cors | undefined;
  /** All that are open: a connection adds itself, and is gone when its transport has closed. */
  readonly connections: Set<ServerConnection>;
  readonly draining: () => boolean;
}

/**
 * How long a connection may keep all others waiting with what came on it at once, which may be a thousand requests; then it is
 * their turn.
 */
export const TURN_MS = 2;

/**
 * How long after the first word of leaving the last one is said, where the other side does not answer before: what is under
 * way towards us is still served.
 */
export const FAREWELL_MS = 1_000;

/** A connection of a sender. */
export interface ServerConnection {
  /** Looked at a few times a second, after what has come was read. */
  check(nowMs: number): void;
  /** Says goodbye, and ends with its last request. */
  drain(): void;
  destroy(): void;
}
