declare const heldBrand: unique symbol;

/** Bytes that never change and may be kept for as long as they are needed. */
export type Held = Buffer & { readonly [heldBrand]: true };

/**
 * What a read may bring at once. All connections read into the same memory, one after the other, so that quiet ones hold none and
 * busy ones allocate none; it is never given away.
 */
const READ_BYTES = 128 * 1024;

let memory: Buffer | undefined;

/** The memory that connections read into, made when the first of them does. */
export function readMemory(): Buffer {
  memory ??= Buffer.allocUnsafeSlow(READ_BYTES);
  return memory;
}

/** A held piece keeps at most this many times its own size alive. */
const MAX_WASTE = 4;

/**
 * Makes bytes that were told by `onBytes` (or any part of them) safe to keep after it has returned: they are copied, unless they
 * lie in memory of their own that is not much larger than they are. Holding what is held already costs nothing.
 */
export function hold(chunk: Buffer): Held {
  if (chunk.buffer !== memory?.buffer && chunk.length * MAX_WASTE >= chunk.buffer.byteLength) return chunk as Held;
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  chunk.copy(copy);
  return copy as Held;
}
