import { DEFAULT_WINDOW, LARGEST_WINDOW } from './frames.ts';

/** Flow control as its receiver has it (RFC 9113 section 5.2): what the other side may still send, and when it is told of more. */

/**
 * What a stream may send before any of it has left for the collector: 5 MB/s for each stream on a 50 ms link. A collector
 * that reads nothing makes the gateway hold this much of every request, so it is no larger.
 */
export const STREAM_WINDOW_BYTES = 256 * 1024;

/** That of the connection is never what a sender waits for: stalled streams do not use up their neighbours' share. */
export function connectionWindowBytes(maxStreams: number): number {
  return Math.min(LARGEST_WINDOW, Math.max(DEFAULT_WINDOW, maxStreams * STREAM_WINDOW_BYTES));
}

export class ReceiveWindow {
  readonly #bytes: number;
  #left: number;
  #untold = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
    this.#left = bytes;
  }

  /** False if more came than was allowed. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /**
   * So many bytes are done with. Says by how much the other side is to be told that it may send more: mostly by 0, for that
   * waits until half a window has come together.
   */
  give(bytes: number): number {
    this.#untold += bytes;
    if (this.#untold < this.#bytes >>> 1) return 0;
    const increment = this.#untold;
    this.#untold = 0;
    this.#left += increment;
    return increment;
  }

  /** All that came is done with. */
  giveAll(): number {
    return this.give(this.#bytes - this.#left - this.#untold);
  }
}
