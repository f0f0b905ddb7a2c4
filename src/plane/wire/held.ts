declare const heldBrand: unique symbol;

/** Bytes that never change and may be kept for as long as they are needed. */
export type Held = Buffer & { readonly [heldBrand]: true };

/** A held piece keeps at most this many times its own size alive. */
const MAX_WASTE = 4;

/**
 * Makes bytes that were told by `onBytes` (or any part of them) safe to keep after it has returned. Small pieces are copied, so
 * that they do not keep a large buffer alive; large ones are given as they are. Holding what is held already costs nothing.
 */
export function hold(chunk: Buffer): Held {
  if (chunk.length * MAX_WASTE >= chunk.buffer.byteLength) return chunk as Held;
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  chunk.copy(copy);
  return copy as Held;
}
