/** What waits or is written lies in pieces of memory of this size. A connection has some only while it has something to send. */
export const SLAB_BYTES = 32 * 1024;

/** So many are kept for the next who need some (8 MiB); the memory of more is given up after a burst. */
const MAX_SPARE_SLABS = 256;

const spare: Buffer[] = [];

/** The one that was given back last comes first: it is still in the processor's cache. */
export function takeSlab(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
}

/** Only for memory that nobody else reads from any more. */
export function giveSlab(slab: Buffer): void {
  if (spare.length < MAX_SPARE_SLABS) spare.push(slab);
}
