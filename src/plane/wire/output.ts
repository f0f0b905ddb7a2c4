import { hold } from './held.ts';

/** Above this many bytes that the kernel has not taken, an output is congested: whoever feeds it should stop. */
export const MAX_QUEUED_BYTES = 256 * 1024;
/** Below this many it is not any more. */
const DRAINED_BYTES = 64 * 1024;

/** The most that may be reserved at once: the largest frame we send, with its head. */
export const MAX_RESERVED_BYTES = 16 * 1024 + 9;

/** Small things are composed in pieces of memory of this size; an output that has nothing to say has none. */
const SLAB_BYTES = 32 * 1024;
/** Up to here bytes are copied behind what was written before, which costs less than a buffer of their own. */
const MAX_COPIED_BYTES = 4 * 1024;

const NOTHING = Buffer.alloc(0);

/** What an output writes to. */
export interface Sink {
  /** Takes the bytes of one turn, in order; they stay as they are until they have been taken. */
  write(parts: readonly Buffer[]): void;
  /** Bytes of earlier writes that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /** The output was congested and is not any more. */
  onDrained(): void;
}

/** What is written to a connection in one turn of the event loop leaves together, at the end of the turn. */
export class Output {
  /** Where reserved room lies; changes with every `reserve`. */
  bytes: Buffer = NOTHING;
  #sink: Sink | undefined;
  #parts: Buffer[] = [];
  #start = 0;
  #end = 0;
  #unflushed = 0;
  #isDirty = false;
  #isCongested = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Room for so many bytes, which the caller fills at once: in `bytes`, from the offset that is returned. */
  reserve(size: number): number {
    if (size > this.bytes.length - this.#end) {
      if (size > MAX_RESERVED_BYTES) throw new RangeError(`${size} bytes are more than ${MAX_RESERVED_BYTES}`);
      this.#cut();
      this.bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#start = 0;
      this.#end = 0;
    }
    const offset = this.#end;
    this.#end = offset + size;
    this.#count(size);
    return offset;
  }

  /** Adds bytes behind what was written before. They may be what `onBytes` told: what is not copied is held. */
  append(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (chunk.length <= MAX_COPIED_BYTES) {
      const offset = this.reserve(chunk.length);
      chunk.copy(this.bytes, offset);
      return;
    }
    this.#cut();
    this.#parts.push(hold(chunk));
    this.#count(chunk.length);
  }

  /** Written here, and not yet taken by the kernel. */
  get queuedBytes(): number {
    return this.#unflushed + (this.#sink?.pendingBytes ?? 0);
  }

  /** True from above 256 KiB until below 64 KiB; its end is told by `onDrained`, unless the connection closes first. */
  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** Writes now what otherwise leaves at the end of the turn. */
  flush(): void {
    this.#isDirty = false;
    this.#cut();
    const parts = this.#parts;
    if (parts.length > 0) {
      this.#parts = [];
      this.#unflushed = 0;
      this.#sink?.write(parts);
    }
    this.bytes = NOTHING;
    this.#start = 0;
    this.#end = 0;
    this.checkDrained();
  }

  /** For the sink: to be called when the kernel has taken something. */
  checkDrained(): void {
    if (!this.#isCongested || this.queuedBytes > DRAINED_BYTES) return;
    this.#isCongested = false;
    this.#sink?.onDrained();
  }

  /** For the sink: the connection is over: what is written from now on is dropped when its turn ends. */
  close(): void {
    this.#sink = undefined;
    this.flush();
  }

  #cut(): void {
    if (this.#end > this.#start) this.#parts.push(this.bytes.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #count(size: number): void {
    this.#unflushed += size;
    if (!this.#isCongested && this.queuedBytes > MAX_QUEUED_BYTES) this.#isCongested = true;
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
