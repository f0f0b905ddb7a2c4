import type { RawFields } from '../../../credential/read.ts';
import { endOfString, findVarying, stringAt, type Cut, type NamesInBlocks } from './block-walk.ts';
import { MAX_PSEUDO_HEADERS, type BlockLimits } from './hpack/decoder.ts';
import { ENTRY_OVERHEAD } from './hpack/tables.ts';
import { isFieldValue } from './request-fields.ts';

/** For one connection; the oldest make room. */
const MAX_ENTRIES = 256;
/** Each entry counts its fields as RFC 9113 section 6.5.2 counts header lists, and the bytes they were read from. */
const MAX_BYTES = 64 * 1_024;
/** A longer block is decoded each time: heads of telemetry have some hundred bytes. */
const MAX_BLOCK_BYTES = 4 * 1_024;
/** So many entries are compared with a block before its key is made: a client has one head for each signal. */
const MAX_RECENT = 3;
/** So many blocks that came once are known by their hashes; what does not come again is not remembered. */
const MAX_SEEN_ONCE = 256;

/** What was remembered of a block, and the fields that this one says beside it: name, value, name, value, … */
export interface Remembered<T> {
  readonly value: T;
  readonly varying: RawFields;
}

interface Entry<T> extends Remembered<T> {
  readonly hash: number;
  /** The block without the values of its varying fields. */
  readonly template: Buffer;
  /** Which they are, and where in the template their values are missing. */
  readonly gaps: readonly Gap[];
  readonly steadyBytes: number;
  readonly steadyCount: number;
}

interface Gap {
  readonly name: string;
  readonly at: number;
}

/** A block that is not remembered, but could be. */
interface Candidate {
  readonly block: Buffer;
  readonly cuts: readonly Cut[];
  readonly hash: number;
}

const NO_FIELDS: RawFields = [];
/** Where the values of the block that is compared begin. */
const valuesAt: number[] = [];

/**
 * What was read from the header blocks of one direction of one connection: heads that differ only in their varying fields
 * are read once. The values of these are decoded and checked each time. Two blocks share an entry only if they are equal
 * byte for byte but for those values, so no field that says who is asking, or for what, can be another's.
 *
 * It must not be asked before the dynamic table has no room: from then on equal blocks mean the same.
 */
export class BlockMemo<T> {
  readonly #names: NamesInBlocks;
  readonly #limits: BlockLimits;
  /** By their hashes, oldest first. Of two heads with the same one the second is decoded each time. */
  readonly #entries = new Map<number, Entry<T>>();
  #bytes = 0;
  /** Those used lately, the most used rather in front. */
  readonly #recent: Entry<T>[] = [];
  readonly #seenOnce = new Set<number>();
  #candidate: Candidate | undefined;

  constructor(names: NamesInBlocks, limits: BlockLimits) {
    this.#names = names;
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Undefined if the block has to be decoded. */
  lookup(block: Buffer): Remembered<T> | undefined {
    this.#candidate = undefined;
    const recent = this.#recent;
    for (let i = 0; i < recent.length; i++) {
      const entry = recent[i] as Entry<T>;
      const found = this.#compare(entry, block);
      if (found === undefined) continue;
      if (i > 0) [recent[i - 1], recent[i]] = [entry, recent[i - 1] as Entry<T>];
      return found;
    }
    const cuts = block.length > MAX_BLOCK_BYTES ? undefined : findVarying(block, this.#names);
    if (cuts === undefined) return undefined;
    const hash = hashOf(block, cuts);
    const entry = this.#entries.get(hash);
    const found = entry && this.#compare(entry, block);
    if (entry === undefined) this.#candidate = { block, cuts, hash };
    else if (found !== undefined) this.#use(entry);
    return found;
  }

  /**
   * To be told of the block that was asked for last and not found: all its fields, and what was read from those that do
   * not vary. It is remembered when it comes for the second time.
   */
  remember(block: Buffer, fields: RawFields, value: T): void {
    const candidate = this.#candidate;
    this.#candidate = undefined;
    if (candidate?.block !== block || !this.#wasSeen(candidate.hash)) return;
    const { cuts, hash } = candidate;
    const template = withoutValues(block, cuts);
    const gaps = gapsOf(cuts);
    let steadyBytes = 0;
    let steadyCount = 0;
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string;
      if (gaps.some((gap) => gap.name === name)) continue;
      steadyBytes += name.length + (fields[i + 1] as string).length + ENTRY_OVERHEAD;
      steadyCount += 1;
    }
    const entry = { value, varying: NO_FIELDS, hash, template, gaps, steadyBytes, steadyCount };
    if (bytesOf(entry) > MAX_BYTES) return;
    for (const oldest of this.#entries.values()) {
      if (this.#entries.size < MAX_ENTRIES && this.#bytes + bytesOf(entry) <= MAX_BYTES) break;
      this.#forget(oldest);
    }
    this.#entries.set(hash, entry);
    this.#bytes += bytesOf(entry);
    this.#use(entry);
  }

  /** Undefined if the block is another one, says something illegal in a varying field, or is too large with these. */
  #compare(entry: Entry<T>, block: Buffer): Remembered<T> | undefined {
    const { template, gaps } = entry;
    if (gaps.length === 0) {
      return block.length === template.length && isSame(template, 0, block, 0, template.length) ? entry : undefined;
    }
    let from = 0;
    let at = 0;
    for (let i = 0; i < gaps.length; i++) {
      const size = (gaps[i] as Gap).at - from;
      if (!isSame(template, from, block, at, size)) return undefined;
      from += size;
      at += size;
      valuesAt[i] = at;
      at = endOfString(block, at);
    }
    const rest = template.length - from;
    if (block.length - at !== rest || !isSame(template, from, block, at, rest)) return undefined;
    const varying: string[] = [];
    let bytes = entry.steadyBytes;
    for (let i = 0; i < gaps.length; i++) {
      const { name } = gaps[i] as Gap;
      const value = stringAt(block, valuesAt[i] as number);
      if (value === undefined || !isFieldValue(value)) return undefined;
      varying.push(name, value);
      bytes += name.length + value.length + ENTRY_OVERHEAD;
    }
    const { maxHeaders, maxHeaderBytes } = this.#limits;
    if (bytes > maxHeaderBytes || entry.steadyCount + gaps.length > maxHeaders + MAX_PSEUDO_HEADERS) return undefined;
    return { value: entry.value, varying };
  }

  #use(entry: Entry<T>): void {
    this.#recent[Math.min(this.#recent.length, MAX_RECENT - 1)] = entry;
  }

  #forget(entry: Entry<T>): void {
    this.#entries.delete(entry.hash);
    this.#bytes -= bytesOf(entry);
    const at = this.#recent.indexOf(entry);
    if (at !== -1) this.#recent.splice(at, 1);
  }

  #wasSeen(hash: number): boolean {
    const seen = this.#seenOnce;
    if (seen.delete(hash)) return true;
    if (seen.size === MAX_SEEN_ONCE) seen.delete(seen.values().next().value ?? 0);
    seen.add(hash);
    return false;
  }
}

function bytesOf({ steadyBytes, template }: Entry<unknown>): number {
  return steadyBytes + template.length;
}

function withoutValues(block: Buffer, cuts: readonly Cut[]): Buffer {
  let size = block.length;
  for (const { value, end } of cuts) size -= end - value;
  const template = Buffer.allocUnsafeSlow(size);
  let to = 0;
  let from = 0;
  for (const { value, end } of cuts) {
    to += block.copy(template, to, from, value);
    from = end;
  }
  block.copy(template, to, from);
  return template;
}

function gapsOf(cuts: readonly Cut[]): readonly Gap[] {
  let missing = 0;
  return cuts.map(({ name, value, end }) => {
    const at = value - missing;
    missing += end - value;
    return { name, at };
  });
}

/** FNV-1a over what the template would be. It only finds entries; equal they must be all the same. */
function hashOf(block: Buffer, cuts: readonly Cut[]): number {
  let hash = 0x811c9dc5;
  let at = 0;
  for (let i = 0; i <= cuts.length; i++) {
    const cut = cuts[i];
    const end = cut === undefined ? block.length : cut.value;
    for (; at < end; at++) hash = Math.imul(hash ^ (block[at] as number), 0x01000193);
    if (cut !== undefined) at = cut.end;
  }
  return hash;
}

/** Up to here a loop is faster than a call that leaves JavaScript. */
const LONGEST_LOOP = 64;

function isSame(template: Buffer, from: number, block: Buffer, at: number, size: number): boolean {
  if (at + size > block.length) return false;
  if (size > LONGEST_LOOP) return template.compare(block, at, at + size, from, from + size) === 0;
  for (let i = 0; i < size; i++) if (template[from + i] !== block[at + i]) return false;
  return true;
}
