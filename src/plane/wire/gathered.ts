const NOTHING = Buffer.alloc(0);
const MIN_ROOM = 256;

/**
 * Bytes that wait for more of them, in one piece. Those that were handed out are never written over, so they may be kept.
 * How many there may be is for its owner to say.
 */
export class Gathered {
  /** What is there, from the first byte that was not dropped. */
  bytes: Buffer = NOTHING;
  /** The same memory, and what is free behind it. */
  #room: Buffer = NOTHING;
  #end = 0;

  get length(): number {
    return this.bytes.length;
  }

  /** Copies. */
  add(chunk: Buffer): void {
    const { length } = this.bytes;
    if (this.#room.length - this.#end < chunk.length) {
      this.#room = Buffer.allocUnsafeSlow(Math.max(MIN_ROOM, (length + chunk.length) * (length === 0 ? 1 : 2)));
      this.#end = this.bytes.copy(this.#room);
    }
    this.#end += chunk.copy(this.#room, this.#end);
    this.bytes = this.#room.subarray(this.#end - length - chunk.length, this.#end);
  }

  /** Forgets this many from the beginning. */
  drop(count: number): void {
    if (count < this.bytes.length) {
      this.bytes = this.bytes.subarray(count);
      return;
    }
    this.bytes = NOTHING;
    this.#room = NOTHING;
    this.#end = 0;
  }
}
