import { decodeHuffman, longestDecoded } from './huffman.ts';
import { DynamicTable, ENTRY_OVERHEAD, STATIC_LENGTH, STATIC_NAMES, STATIC_VALUES } from './tables.ts';

/** The table that HTTP/2 begins with; ours is 0 from when the peer has acknowledged that (RFC 9113 section 6.5.2). */
export const DEFAULT_TABLE_BYTES = 4_096;

/** What one block may hold. */
export interface BlockLimits {
  readonly maxHeaders: number;
  /** Names, values and 32 bytes for each field, as RFC 9113 section 6.5.2 counts them. */
  readonly maxHeaderBytes: number;
}

/** Those of a request (RFC 9113 section 8.3.1) come on top of the headers. */
const MAX_PSEUDO_HEADERS = 4;

/**
 * The fields: name, value, name, value, …, one character a byte; or why there are none. `too_large` is the request's
 * problem: the table is as the peer has it, and later blocks can be read. After `compression_error` none can.
 */
export type DecodedBlock = string[] | 'too_large' | 'compression_error';

/** Decoded strings that fit in here need no memory but their own. */
const SCRATCH = Buffer.allocUnsafeSlow(8_192);
const NO_FIELDS: readonly string[] = [];
const NO_INTEGER = -1;
/** Five bytes after the prefix say more than any length or index may be. */
const MAX_INTEGER_SHIFT = 28;

/** Reads the header blocks of one direction of one connection (RFC 7541). */
export class HpackDecoder {
  readonly #limits: BlockLimits;
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  #maxTableBytes = DEFAULT_TABLE_BYTES;
  #block: Buffer = SCRATCH;
  #at = 0;
  #sawNeverIndexed = false;
  #beginning: readonly string[] = NO_FIELDS;

  constructor(limits: BlockLimits) {
    this.#limits = limits;
  }

  /**
   * To be called when the peer acknowledges our SETTINGS, which announce a table of 0 bytes. It should then begin its next
   * block by saying so, but a peer that never used the table may not (.NET); whoever refers to an entry is in error anyhow.
   */
  dropTable(): void {
    this.#maxTableBytes = 0;
    this.#table.resize(0);
  }

  /** Whether blocks can depend on each other no more. */
  get isStateless(): boolean {
    return this.#maxTableBytes === 0;
  }

  /** Whether a field of the last block came never to be indexed: RFC 7541 section 6.2.3 has it relayed like that. */
  get sawNeverIndexed(): boolean {
    return this.#sawNeverIndexed;
  }

  /** Of the last block that was too large, the fields up to the limits: enough to know in which words to refuse it. */
  takeBeginning(): readonly string[] {
    const beginning = this.#beginning;
    this.#beginning = NO_FIELDS;
    return beginning;
  }

  /**
   * Decodes a whole block. The size is counted as fields come, and nothing beyond the limits is kept: a block of references
   * to one large entry (HPACK bomb, CVE-2016-6581) costs what the limits say, however often it refers.
   */
  decode(block: Buffer): DecodedBlock {
    this.#block = block;
    this.#at = 0;
    this.#sawNeverIndexed = false;
    const fields = this.#readUpdates() ? this.#readFields() : 'compression_error';
    this.#block = SCRATCH;
    return fields;
  }

  /** Changes of the table's size stand only where a block begins (RFC 7541 section 4.2). */
  #readUpdates(): boolean {
    while (this.#at < this.#block.length && ((this.#block[this.#at] as number) & 0xe0) === 0x20) {
      const maxBytes = this.#readInteger(0x1f);
      if (maxBytes === NO_INTEGER || maxBytes > this.#maxTableBytes) return false;
      this.#table.resize(maxBytes);
    }
    return true;
  }

  #readFields(): DecodedBlock {
    const { maxHeaders, maxHeaderBytes } = this.#limits;
    const fields: string[] = [];
    let bytes = 0;
    let count = 0;
    while (this.#at < this.#block.length) {
      const first = this.#block[this.#at] as number;
      let name: string | undefined;
      let value: string | undefined;
      if (first >= 0x80) {
        const index = this.#readInteger(0x7f);
        name = this.#nameOf(index);
        value = this.#valueOf(index);
      } else {
        if ((first & 0xe0) === 0x20) return 'compression_error'; // a change of size after a field
        const isIndexed = first >= 0x40;
        if (!isIndexed && first >= 0x10) this.#sawNeverIndexed = true;
        const index = this.#readInteger(isIndexed ? 0x3f : 0x0f);
        name = index === 0 ? this.#readString() : this.#nameOf(index);
        value = name === undefined ? undefined : this.#readString();
        if (isIndexed && name !== undefined && value !== undefined) this.#table.add(name, value);
      }
      if (name === undefined || value === undefined) return 'compression_error';
      bytes += name.length + value.length + ENTRY_OVERHEAD;
      count += 1;
      if (bytes <= maxHeaderBytes && count <= maxHeaders + MAX_PSEUDO_HEADERS) fields.push(name, value);
    }
    if (fields.length === 2 * count) return fields;
    this.#beginning = fields;
    return 'too_large';
  }

  #nameOf(index: number): string | undefined {
    if (index <= 0) return undefined;
    return index <= STATIC_LENGTH ? STATIC_NAMES[index] : this.#table.nameAt(index - STATIC_LENGTH - 1);
  }

  #valueOf(index: number): string | undefined {
    if (index <= 0) return undefined;
    return index <= STATIC_LENGTH ? STATIC_VALUES[index] : this.#table.valueAt(index - STATIC_LENGTH - 1);
  }

  /** RFC 7541 section 5.1; the prefix is what the mask leaves of the byte. */
  #readInteger(mask: number): number {
    const block = this.#block;
    let value = (block[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= MAX_INTEGER_SHIFT; shift += 7) {
      if (this.#at >= block.length) return NO_INTEGER;
      const byte = block[this.#at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return NO_INTEGER;
  }

  /** RFC 7541 section 5.2. */
  #readString(): string | undefined {
    const block = this.#block;
    if (this.#at >= block.length) return undefined;
    const isHuffman = (block[this.#at] as number) >= 0x80;
    const length = this.#readInteger(0x7f);
    const start = this.#at;
    const end = start + length;
    if (length === NO_INTEGER || end > block.length) return undefined;
    this.#at = end;
    if (!isHuffman) return block.toString('latin1', start, end);
    const longest = longestDecoded(length);
    const target = longest <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(longest);
    const written = decodeHuffman(block, start, end, target);
    return written === -1 ? undefined : target.toString('latin1', 0, written);
  }
}
