import { decodeHuffman, longestDecoded } from './huffman.ts';

export const NO_INTEGER = -1;
/** Five bytes after the prefix say more than any length or index may be. */
const MAX_INTEGER_SHIFT = 28;
/** Decoded strings that fit in here need no memory but their own. */
const SCRATCH = Buffer.allocUnsafeSlow(8_192);

/** Reads the integers and strings of a header block one behind the other (RFC 7541 section 5). */
export class Cursor {
  block: Buffer = SCRATCH;
  at = 0;

  begin(block: Buffer, at: number): void {
    this.block = block;
    this.at = at;
  }

  /** Keeps no block alive. */
  end(): void {
    this.block = SCRATCH;
  }

  /** RFC 7541 section 5.1; the prefix is what the mask leaves of the byte, which must be there. */
  readInteger(mask: number): number {
    const { block } = this;
    let value = (block[this.at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= MAX_INTEGER_SHIFT; shift += 7) {
      if (this.at >= block.length) return NO_INTEGER;
      const byte = block[this.at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return NO_INTEGER;
  }

  /** Moves behind a string without a look at it; false if the block ends before that. */
  skipString(): boolean {
    if (this.at >= this.block.length) return false;
    const length = this.readInteger(0x7f);
    this.at += length;
    return length !== NO_INTEGER && this.at <= this.block.length;
  }

  /** RFC 7541 section 5.2; one character a byte. */
  readString(): string | undefined {
    const { block, at } = this;
    if (at >= block.length) return undefined;
    const isHuffman = (block[at] as number) >= 0x80;
    const length = this.readInteger(0x7f);
    const start = this.at;
    const end = start + length;
    if (length === NO_INTEGER || end > block.length) return undefined;
    this.at = end;
    if (!isHuffman) return block.toString('latin1', start, end);
    const longest = longestDecoded(length);
    const target = longest <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(longest);
    const written = decodeHuffman(block, start, end, target);
    return written === -1 ? undefined : target.toString('latin1', 0, written);
  }
}
