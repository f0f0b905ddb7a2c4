import { hold } from './held.ts';
import type { Held } from './held.ts';

/** Pieces up to this size are put together. */
const MAX_COPIED_BYTES = 4 * 1024;
const FIRST_BLOCK_BYTES = 512;
const MAX_BLOCK_BYTES = 16 * 1024;

/**
 * Bytes of a body that wait for their turn; whoever feeds it bounds how many. Pieces of a few bytes share their memory: kept
 * one by one, each would cost a hundred times its size.
 */
export class ByteQueue {
  #pieces: Held[] = [];
  /** How much of the first piece has gone. */
  #from = 0;
  #length = 0;
  /** Where small pieces go, and how much of it is in use: that is the last piece. */
  #block: Held | undefined;
  #used = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds bytes, which may be valid only during this call. */
  push(piece: Buffer): void {
    const { length } = piece;
    if (length === 0) return;
    this.#length += length;
    if (length > MAX_COPIED_BYTES) {
      this.#block = undefined;
      this.#pieces.push(hold(piece));
      return;
    }
    let block = this.#block;
    if (block === undefined || length > block.length - this.#used) {
      const larger = Math.min(2 * (block?.length ?? FIRST_BLOCK_BYTES / 2), MAX_BLOCK_BYTES);
      block = Buffer.allocUnsafeSlow(Math.max(larger, length)) as Held;
      this.#block = block;
      this.#used = 0;
      this.#pieces.push(block.subarray(0, 0) as Held);
    }
    piece.copy(block, this.#used);
    const last = this.#pieces.length - 1;
    const start = this.#used - (this.#pieces[last]?.length ?? 0);
    this.#used += length;
    this.#pieces[last] = block.subarray(start, this.#used) as Held;
  }

  /** The next bytes: at least one if there are any, at most so many. */
  peek(maxBytes: number): Buffer {
    const first = this.#pieces[0];
    if (first === undefined) return NOTHING;
    return first.subarray(this.#from, Math.min(first.length, this.#from + maxBytes));
  }

  /** So many of the bytes that were peeked at have gone. */
  drop(bytes: number): void {
    this.#length -= bytes;
    this.#from += bytes;
    if (this.#from < (this.#pieces[0]?.length ?? 0)) return;
    this.#pieces.shift();
    this.#from = 0;
    if (this.#pieces.length === 0) this.#block = undefined;
  }

  moveTo(other: ByteQueue): void {
    while (this.#length > 0) {
      const piece = this.peek(this.#length);
      other.push(piece);
      this.drop(piece.length);
    }
  }
}

const NOTHING = Buffer.alloc(0);
