import type { UpstreamReason } from '../../../upstream/faults.ts';
import { ByteQueue } from '../byte-queue.ts';
import type { Caller, OnwardRequest, UpstreamCall } from '../upstream-call.ts';

/** Who finds connections for calls. */
export interface CallOwner {
  /** It is given up while it waits for a connection. */
  forget(call: ClientCall): void;
}

/** A connection, as the call that it is for sees it. */
export interface CallConnection {
  readonly isOpen: boolean;
  /** An answer has begun. */
  readonly isAnswering: boolean;
  writeBody(piece: Buffer, ends: boolean): void;
  release(bytes: number): void;
  /** It, or what is behind it, is not well. */
  failed(why: string): void;
  destroy(): void;
}

/**
 * One request to the collector. It outlives a connection that could not be opened; once a byte of it was written it lives and
 * dies with its connection, because the collector may have acted on it.
 */
export class ClientCall implements UpstreamCall {
  readonly request: OnwardRequest;
  readonly caller: Caller;
  /** Undefined while there is none, and after its end. */
  connection: CallConnection | undefined;
  /** While it waits for a connection: until when, and what it is told then. */
  waitsUntilMs = 0;
  waitsInVain: UpstreamReason = 'upstream_overloaded';
  /** Could not be sent once, and went to another address. */
  wasMoved = false;
  isOver = false;
  /** The whole body was handed over. */
  isSent = false;

  readonly #owner: CallOwner;
  /** The body, while there is no connection: no more than the sender's window. */
  #queue: ByteQueue | undefined;
  /** What was announced of the body and has not come. */
  #left: number;

  constructor(owner: CallOwner, request: OnwardRequest, caller: Caller) {
    this.#owner = owner;
    this.request = request;
    this.caller = caller;
    this.#left = request.bodyLength ?? Infinity;
  }

  write(piece: Buffer, ends: boolean): void {
    if (this.isOver) return;
    this.#left -= piece.length;
    if (this.#isOfWrongLength(ends)) return this.failed('upstream_unavailable');
    this.isSent = ends;
    if (this.connection?.isOpen === true) this.connection.writeBody(piece, ends);
    else (this.#queue ??= new ByteQueue()).push(piece);
  }

  /**
   * A body that is longer than announced would be read as another request, one that nobody has judged (GHSA-ggv3-7p47-pfv8).
   * Whoever told of it should have noticed; this is where it ends in any case.
   */
  #isOfWrongLength(ends: boolean): boolean {
    return this.#left < 0 || (ends && this.#left > 0 && this.#left !== Infinity);
  }

  /** The head was written: what has come of the body may follow. */
  begin(connection: CallConnection): void {
    this.connection = connection;
    const queue = this.#queue;
    this.#queue = undefined;
    queue?.drain((piece) => connection.writeBody(piece, false));
    if (this.isSent) connection.writeBody(NOTHING, true);
  }

  release(bytes: number): void {
    this.connection?.release(bytes);
  }

  cancel(isOverdue = false): void {
    const { connection } = this;
    if (this.isOver) return;
    this.end();
    if (connection === undefined) return this.#owner.forget(this);
    // While the sender could have sent or read more, the time that has passed says nothing of the collector.
    if (isOverdue && this.isSent && !connection.isAnswering) connection.failed('it did not answer in time');
    connection.destroy();
  }

  failed(reason: UpstreamReason): void {
    if (this.isOver) return;
    this.cancel();
    this.caller.failed(reason);
  }

  /** Nothing more is told. */
  end(): void {
    this.isOver = true;
    this.connection = undefined;
    this.#queue = undefined;
  }
}

const NOTHING = Buffer.alloc(0);
