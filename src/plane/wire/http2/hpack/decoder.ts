import { Cursor, NO_INTEGER } from './cursor.ts';
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
export const MAX_PSEUDO_HEADERS = 4;

/**
 * The fields: name, value, name, value, …, one character a byte; or why there are none. `too_large` is the request's
 * problem: the table is as the peer has it, and later blocks can be read. After `compression_error` none can.
 */
export type DecodedBlock = string[] | 'too_large' | 'compression_error';

const NO_FIELDS: readonly string[] = [];

/** Reads the header blocks of one direction of one connection (RFC 7541). */
export class HpackDecoder {
  readonly #limits: BlockLimits;
  readonly #table = new DynamicTable(DEFAULT_TABLE_BYTES);
  #maxTableBytes = DEFAULT_TABLE_BYTES;
  readonly #cursor = new Cursor();
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
    this.#cursor.begin(block, 0);
    this.#sawNeverIndexed = false;
    const fields = this.#readUpdates() ? this.#readFields() : 'compression_error';
    this.#cursor.end();
    return fields;
  }

  /** Changes of the table's size stand only where a block begins (RFC 7541 section 4.2). */
  #readUpdates(): boolean {
    const cursor = this.#cursor;
    while (cursor.at < cursor.block.length && ((cursor.block[cursor.at] as number) & 0xe0) === 0x20) {
      const maxBytes = cursor.readInteger(0x1f);
      if (maxBytes === NO_INTEGER || maxBytes > this.#maxTableBytes) return false;
      this.#table.resize(maxBytes);
    }
    return true;
  }

  #readFields(): DecodedBlock {
    const { maxHeaders, maxHeaderBytes } = this.#limits;
    const cursor = this.#cursor;
    const { block } = cursor;
    const fields: string[] = [];
    let bytes = 0;
    let count = 0;
    while (cursor.at < block.length) {
      const first = block[cursor.at] as number;
      let name: string | undefined;
      let value: string | undefined;
      if (first >= 0x80) {
        const index = cursor.readInteger(0x7f);
        name = this.#nameOf(index);
        value = this.#valueOf(index);
      } else {
        if ((first & 0xe0) === 0x20) return 'compression_error'; // a change of size after a field
        const isIndexed = first >= 0x40;
        if (!isIndexed && first >= 0x10) this.#sawNeverIndexed = true;
        const index = cursor.readInteger(isIndexed ? 0x3f : 0x0f);
        name = index === 0 ? cursor.readString() : this.#nameOf(index);
        value = name === undefined ? undefined : cursor.readString();
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
}
