import { giveSlab, SLAB_BYTES, takeSlab } from './slabs.ts';

/** Most queues hold a few bytes, for as long as a key is looked up. Each further block is twice as large, up to a slab. */
const FIRST_BLOCK_BYTES = 512;
const LEAST_FOR_SLAB = SLAB_BYTES / 4;

const NOTHING = Buffer.alloc(0);

/**
 * Bytes of a body that wait for their turn; whoever feeds it bounds how many. All are copied into a few blocks: kept piece by
 * piece, small ones would cost a hundred times their size, and large ones new memory each.
 */
export class ByteQueue {
  #blocks: Buffer[] = [];
  /** Where the bytes begin in the first block, and end in the last. */
  #from = 0;
  #end = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds bytes, which may be valid only during this call. */
  push(piece: Buffer): void {
    let at = 0;
    while (at < piece.length) {
      let block = this.#blocks.at(-1);
      if (block === undefined || this.#end === block.length) block = this.#addBlock(piece.length - at);
      const copied = piece.copy(block, this.#end, at);
      this.#end += copied;
      at += copied;
    }
    this.#length += piece.length;
  }

  /** The next bytes: at least one if there are any, at most so many. Valid until they are dropped. */
  peek(maxBytes: number): Buffer {
    const block = this.#blocks[0];
    if (block === undefined) return NOTHING;
    const end = this.#blocks.length === 1 ? this.#end : block.length;
    return block.subarray(this.#from, Math.min(end, this.#from + maxBytes));
  }

  /** So many of the bytes that were peeked at have gone. */
  drop(bytes: number): void {
    this.#length -= bytes;
    this.#from += bytes;
    if (this.#length > 0 && this.#from < (this.#blocks[0] as Buffer).length) return;
    const block = this.#blocks.shift();
    if (block?.length === SLAB_BYTES) giveSlab(block);
    this.#from = 0;
  }

  /** Gives all of it, in pieces that are valid only during the call; `isLast` with the last of them. */
  drain(take: (piece: Buffer, isLast: boolean) => void): void {
    while (this.#length > 0) {
      const piece = this.peek(this.#length);
      take(piece, piece.length === this.#length);
      this.drop(piece.length);
    }
  }

  /** Gives all of it at once. */
  takeAll(): Buffer {
    const pieces: Buffer[] = [];
    this.drain((piece) => pieces.push(Buffer.from(piece)));
    return Buffer.concat(pieces);
  }

  #addBlock(bytes: number): Buffer {
    const last = this.#blocks.at(-1)?.length ?? FIRST_BLOCK_BYTES / 2;
    const size = Math.max(2 * last, bytes);
    const block = size < LEAST_FOR_SLAB ? Buffer.allocUnsafeSlow(size) : takeSlab();
    this.#blocks.push(block);
    this.#end = 0;
    return block;
  }
}
