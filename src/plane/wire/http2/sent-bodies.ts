/** What a connection remembers of the bodies that left on it last. */
const REMEMBERED_BYTES = 2 << 20;
/** A body that is longer than this is not remembered. */
const MAX_REMEMBERED_BODY = 65_536;

/** Where a body is remembered: its beginning; or that it is not. */
export const FORGOTTEN = -1;

/**
 * The last bytes of bodies that left on a connection, for the calls that the collector says it has not even looked at
 * (GOAWAY): those are sent again elsewhere. One ring for all calls: it costs each of them a copy, and nothing else.
 */
export class SentBodies {
  #ring: Buffer | undefined;
  /** How many bytes were ever put here: places are counted on and on. */
  #end = 0;

  /** Remembers the next piece of a body, of which so many bytes are here already; says where the whole now begins. */
  add(start: number, length: number, piece: Buffer): number {
    if (start === FORGOTTEN || length + piece.length > MAX_REMEMBERED_BODY) return FORGOTTEN;
    if (length === 0 || start + length === this.#end) {
      const from = length === 0 ? this.#end : start;
      this.#append(piece);
      return from;
    }
    // Other bodies lie between: the whole is put together anew.
    const earlier = this.read(start, length);
    if (earlier === undefined) return FORGOTTEN;
    const from = this.#end;
    this.#append(Buffer.from(earlier));
    this.#append(piece);
    return from;
  }

  /** What is remembered from this place on, valid until something is added; undefined if it has been overwritten. */
  read(start: number, length: number): Buffer | undefined {
    const ring = this.#ring;
    if (ring === undefined || start === FORGOTTEN || this.#end - start > REMEMBERED_BYTES) return undefined;
    const at = start % REMEMBERED_BYTES;
    const first = ring.subarray(at, at + length);
    return first.length === length ? first : Buffer.concat([first, ring.subarray(0, length - first.length)]);
  }

  #append(piece: Buffer): void {
    const ring = (this.#ring ??= Buffer.allocUnsafeSlow(REMEMBERED_BYTES));
    const fits = piece.copy(ring, this.#end % REMEMBERED_BYTES);
    if (fits < piece.length) piece.copy(ring, 0, fits);
    this.#end += piece.length;
  }
}
