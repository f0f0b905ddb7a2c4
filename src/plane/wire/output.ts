import { giveSlab, takeSlab } from './slabs.ts';

/** Above this many bytes that the kernel has not taken, an output is congested: whoever feeds it should stop. */
export const MAX_QUEUED_BYTES = 256 * 1024;
/** Below this many it is not any more. */
const DRAINED_BYTES = 64 * 1024;

/** The most that may be reserved at once, less than a slab: the largest frame we send, with its head. */
export const MAX_RESERVED_BYTES = 16 * 1024 + 9;

const NOTHING = Buffer.alloc(0);

/** What an output writes to. */
export interface Sink {
  /** Takes these bytes, in order, then calls `written`, maybe at once; until then they stay as they are and no more come. */
  write(parts: Buffer[]): void;
  /** The output was congested and is not any more. */
  onDrained(): void;
  /** Everything has been taken. */
  onEmpty(): void;
}

/**
 * What is written to a connection in one turn of the event loop leaves together, at the end of the turn. All of it is copied, into
 * memory that all connections take turns in: that costs less than to allocate, to keep alive and to collect what is passed on.
 */
export class Output {
  /** Where reserved room lies; changes with every `reserve`. */
  bytes: Buffer = NOTHING;
  /** Behind what was written into `bytes`. */
  #end = 0;
  /** What was written before `bytes`, and the memory that this lies in. */
  #parts: Buffer[] = [];
  #slabs: Buffer[] = [];
  #sentSlabs: Buffer[] = [];
  #unsentBytes = 0;
  #sentBytes = 0;
  #isDirty = false;
  #isCongested = false;
  #sink: Sink | undefined;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Room for so many bytes, which the caller fills at once: in `bytes`, from the offset that is returned. */
  reserve(size: number): number {
    if (size > this.bytes.length - this.#end) {
      if (size > MAX_RESERVED_BYTES) throw new RangeError(`${size} bytes are more than ${MAX_RESERVED_BYTES}`);
      this.#takeSlab();
    }
    const offset = this.#end;
    this.#end = offset + size;
    this.#count(size);
    return offset;
  }

  /** Adds bytes behind what was written before. */
  append(chunk: Buffer): void {
    const size = chunk.length;
    if (size === 0) return;
    let from = 0;
    while (from < size) {
      if (this.#end === this.bytes.length) this.#takeSlab();
      const copied = chunk.copy(this.bytes, this.#end, from);
      this.#end += copied;
      from += copied;
    }
    this.#count(size);
  }

  /** Written here, and not yet taken by the kernel. */
  get queuedBytes(): number {
    return this.#unsentBytes + this.#sentBytes;
  }

  /** True from above 256 KiB until below 64 KiB; its end is told by `onDrained`, unless the connection closes first. */
  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** Writes now what otherwise leaves at the end of the turn; while the kernel has not taken what went before, later. */
  flush(): void {
    this.#isDirty = false;
    if (this.#unsentBytes === 0 || this.#sentBytes > 0) return;
    this.#sentBytes = this.#unsentBytes;
    const parts = this.takeUnsent();
    if (this.#sink === undefined) this.#giveSlabs();
    else this.#sink.write(parts);
  }

  /** For the sink: what it was given to write has been taken. */
  written(): void {
    if (this.#sink === undefined) return;
    this.#giveSlabs();
    if (this.#unsentBytes > 0 && !this.#isDirty) this.flush();
    if (this.#isCongested && this.queuedBytes <= DRAINED_BYTES) {
      this.#isCongested = false;
      this.#sink.onDrained();
    }
    if (this.queuedBytes === 0) this.#sink.onEmpty();
  }

  /** For the sink: what it has not been given yet, in order; the output forgets it. */
  takeUnsent(): Buffer[] {
    const parts = this.#parts;
    if (this.#end > 0) parts.push(this.bytes.subarray(0, this.#end));
    this.#sentSlabs = this.#slabs;
    this.#parts = [];
    this.#slabs = [];
    this.bytes = NOTHING;
    this.#end = 0;
    this.#unsentBytes = 0;
    return parts;
  }

  /** For the sink: the connection is over; what is written from now on is dropped when its turn ends. */
  close(): void {
    this.#sink = undefined;
    this.#isCongested = false;
    this.takeUnsent();
    // Not given back: the kernel may not be done with it.
    this.#sentSlabs = [];
    this.#sentBytes = 0;
  }

  #takeSlab(): void {
    if (this.#end > 0) this.#parts.push(this.bytes.subarray(0, this.#end));
    this.bytes = takeSlab();
    this.#slabs.push(this.bytes);
    this.#end = 0;
  }

  #giveSlabs(): void {
    for (const slab of this.#sentSlabs) giveSlab(slab);
    this.#sentSlabs = [];
    this.#sentBytes = 0;
  }

  #count(size: number): void {
    this.#unsentBytes += size;
    if (this.#unsentBytes + this.#sentBytes > MAX_QUEUED_BYTES && this.#sink !== undefined) this.#isCongested = true;
    if (this.#isDirty) return;
    this.#isDirty = true;
    if (dirty.push(this) === 1) setImmediate(flushDirty);
  }
}

let dirty: Output[] = [];

function flushDirty(): void {
  const outputs = dirty;
  dirty = []; // what is written meanwhile leaves at the end of the next turn
  for (const output of outputs) output.flush();
}
