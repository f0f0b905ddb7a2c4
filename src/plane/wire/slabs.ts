/** What waits or is written lies in pieces of memory of this size. A connection has some only while it has something to send. */
export const SLAB_BYTES = 32 * 1024;

/** So many are kept for the next who need some (8 MiB); the memory of more is given up after a burst. */
const MAX_SPARE_SLABS = 256;
/** Of those that nobody needed since it was looked last, this part is given up. */
const GIVEN_UP = 1 / 8;

const spare: Buffer[] = [];
/** The fewest that there were since it was looked last: nobody needed these. */
let leastSpare = 0;

/** The one that was given back last comes first: it is still in the processor's cache. */
export function takeSlab(): Buffer {
  const slab = spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
  if (spare.length < leastSpare) leastSpare = spare.length;
  return slab;
}

/** Only for memory that nobody else reads from any more. */
export function giveSlab(slab: Buffer): void {
  if (spare.length < MAX_SPARE_SLABS) spare.push(slab);
}

/** To be called a few times a second: gives up, little by little, what is not needed any more. */
export function trimSlabs(): void {
  spare.splice(0, Math.ceil(leastSpare * GIVEN_UP));
  leastSpare = spare.length;
}
