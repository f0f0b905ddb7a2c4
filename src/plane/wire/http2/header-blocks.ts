import { FLAG, headerBlockOf } from './frames.ts';

/** More than this many frames for one block is nobody's need: CVE-2024-27983. */
const MAX_CONTINUATIONS = 32;

/** Puts header blocks together that come in several frames (RFC 9113 section 6.10), within bounds. */
export class HeaderBlocks {
  readonly #maxBytes: number;
  /** The stream whose block is not complete; 0 if none is. */
  streamId = 0;
  endsStream = false;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The frame that begins a block; gives the block if that is all of it. */
  begin(flags: number, streamId: number, payload: Buffer): Buffer | 'unfinished' | 'malformed' | 'too_long' {
    const block = headerBlockOf(flags, payload);
    if (block === undefined) return 'malformed';
    this.endsStream = (flags & FLAG.END_STREAM) !== 0;
    if ((flags & FLAG.END_HEADERS) !== 0) return block;
    this.streamId = streamId;
    return this.#keep(block);
  }

  /** A frame that goes on with it. */
  continue(flags: number, payload: Buffer): Buffer | 'unfinished' | 'too_long' {
    const kept = this.#keep(payload);
    if (kept !== 'unfinished' || (flags & FLAG.END_HEADERS) === 0) return kept;
    const block = Buffer.concat(this.#parts, this.#bytes);
    this.streamId = 0;
    this.#parts = [];
    this.#bytes = 0;
    return block;
  }

  #keep(part: Buffer): 'unfinished' | 'too_long' {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes || this.#parts.length > MAX_CONTINUATIONS) return 'too_long';
    this.#parts.push(Buffer.from(part));
    return 'unfinished';
  }
}
