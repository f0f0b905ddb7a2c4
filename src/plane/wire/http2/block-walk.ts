import { Cursor } from './hpack/cursor.ts';
import { encodeHuffman } from './hpack/huffman.ts';
import { STATIC_INDEX, STATIC_LENGTH } from './hpack/tables.ts';

/** How a name may stand in a block; RFC 7541 leaves two ways to write it, plain and Huffman-coded. */
interface Spelling {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Names that can be found in header blocks without decoding these. */
export class NamesInBlocks {
  /** By the index of the static table. */
  readonly #byIndex: (string | undefined)[] = Array.from({ length: STATIC_LENGTH + 1 });
  /** By the byte in front of the name, which says how long it is and whether it is Huffman-coded. */
  readonly #byLength: Spelling[][] = Array.from({ length: 256 }, () => []);

  constructor(names: Iterable<string>) {
    for (const name of names) {
      const index = STATIC_INDEX.get(name);
      if (index !== undefined) this.#byIndex[index] = name;
      const coded = encodeHuffman(name);
      this.#byLength[name.length]?.push({ name, bytes: Buffer.from(name, 'latin1') });
      this.#byLength[0x80 | coded.length]?.push({ name, bytes: coded });
    }
  }

  at(index: number): string | undefined {
    return this.#byIndex[index];
  }

  /** The name in full that begins behind this byte. */
  find(block: Buffer, at: number): string | undefined {
    const spellings = this.#byLength[block[at] as number] as Spelling[];
    for (let i = 0; i < spellings.length; i++) {
      const spelling = spellings[i] as Spelling;
      if (standsAt(spelling.bytes, block, at + 1)) return spelling.name;
    }
    return undefined;
  }
}

function standsAt(bytes: Buffer, block: Buffer, at: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== block[at + i]) return false;
  return true;
}

/** A varying field of a block: where its value begins, as a string of RFC 7541, and where that ends. */
export interface Cut {
  readonly name: string;
  readonly value: number;
  readonly end: number;
}

const NO_CUTS: readonly Cut[] = [];
const SIZE_ZERO = 0x20;
/** The pseudo-header fields are the first of the static table. */
const LAST_PSEUDO_INDEX = 14;
const COLON = 0x3a;
/** The code of the colon, as the first seven bits of a name. */
const CODED_COLON = 0x5c;

/**
 * Finds the varying fields of a block without decoding it. Undefined if the block could mean something else another time,
 * or if what is left of it without them could: a reference to the dynamic table, a change of that table's size to anything
 * but zero, a varying field that comes twice or before a pseudo-header field (RFC 9113 section 8.3), a block that is cut off.
 * It is for connections whose dynamic table has no room: an entry that should enter it then does not.
 */
export function findVarying(block: Buffer, names: NamesInBlocks): readonly Cut[] | undefined {
  const { length } = block;
  let cuts: Cut[] | undefined;
  let at = 0;
  while (at < length && block[at] === SIZE_ZERO) at += 1;
  while (at < length) {
    const first = block[at++] as number;
    if (first >= 0x80) {
      const index = first & 0x7f;
      if (index === 0 || index > STATIC_LENGTH) return undefined;
      if (cuts !== undefined && index <= LAST_PSEUDO_INDEX) return undefined;
      continue;
    }
    let index = first & 0x3f;
    if (first < 0x40) {
      if (first >= 0x20) return undefined;
      index = first & 0x0f;
      if (index === 0x0f) index += block[at++] as number;
    }
    if (index > STATIC_LENGTH) return undefined;
    let name: string | undefined;
    let isPseudo: boolean;
    if (at >= length) return undefined;
    if (index === 0) {
      isPseudo = isPseudoName(block, at);
      name = names.find(block, at);
      at = endOfString(block, at);
    } else {
      isPseudo = index <= LAST_PSEUDO_INDEX;
      name = names.at(index);
    }
    if (at >= length) return undefined;
    const value = at;
    at = endOfString(block, at);
    if (at > length) return undefined;
    if (isPseudo && cuts !== undefined) return undefined;
    if (name === undefined) continue;
    cuts ??= [];
    for (const cut of cuts) if (cut.name === name) return undefined;
    cuts.push({ name, value, end: at });
  }
  return at === length ? (cuts ?? NO_CUTS) : undefined;
}

function isPseudoName(block: Buffer, at: number): boolean {
  const first = block[at + 1] as number;
  return (block[at] as number) < 0x80 ? first === COLON : first >>> 1 === CODED_COLON;
}

const cursor = new Cursor();

/** Where the string ends that begins here, before the end of the block; behind the end of the block if that cuts it off. */
export function endOfString(block: Buffer, at: number): number {
  const length = (block[at] as number) & 0x7f;
  if (length < 0x7f) return at + 1 + length;
  cursor.begin(block, at);
  const end = cursor.skipString() ? cursor.at : block.length + 1;
  cursor.end();
  return end;
}

/** The string that begins here, or undefined if its Huffman coding is none. */
export function stringAt(block: Buffer, at: number): string | undefined {
  cursor.begin(block, at);
  const text = cursor.readString();
  cursor.end();
  return text;
}
