const NOTHING = Buffer.alloc(0);
const MIN_ROOM = 256;
/**
 * For what one read leaves and the next one brings. A sender of many small requests leaves some with every read: were it new
 * memory each time, the collector of garbage would have to look through all of the process once a second.
 */
const LARGE_ROOM = 128 * 1024;
/** So many large rooms are kept for the next who need one (2 MiB). */
const MAX_SPARE_ROOMS = 16;

const spareRooms: Buffer[] = [];

/** Bytes that wait for more of them, in one piece. How many there may be is for its owner to say. */
export class Gathered {
  /** What is there, from the first byte that was not dropped. Valid until more are added, or all are dropped. */
  bytes: Buffer = NOTHING;
  /** The same memory, and what is free behind it. */
  #room: Buffer = NOTHING;
  #end = 0;

  get length(): number {
    return this.bytes.length;
  }

  /** Copies. */
  add(chunk: Buffer): void {
    const { length } = this.bytes;
    const newLength = length + chunk.length;
    if (this.#room.length - this.#end < chunk.length) {
      const old = this.#room;
      if (old.length < newLength) this.#room = roomFor(newLength, length > 0);
      this.bytes.copy(this.#room); // within the same room they may overlap
      this.#end = length;
      if (this.#room !== old) giveBack(old);
    }
    this.#end += chunk.copy(this.#room, this.#end);
    this.bytes = this.#room.subarray(this.#end - newLength, this.#end);
  }

  /** So many from the beginning were read, and nobody looks at them any more. */
  drop(count: number): void {
    if (count < this.bytes.length) {
      this.bytes = this.bytes.subarray(count);
      return;
    }
    giveBack(this.#room);
    this.clear();
  }

  /** Forgets all of it, also while somebody reads it. */
  clear(): void {
    this.bytes = NOTHING;
    this.#room = NOTHING;
    this.#end = 0;
  }
}

function roomFor(bytes: number, goesOn: boolean): Buffer {
  const size = Math.max(MIN_ROOM, goesOn ? 2 * bytes : bytes);
  if (size <= LARGE_ROOM / 4 || bytes > LARGE_ROOM) return Buffer.allocUnsafeSlow(size);
  return spareRooms.pop() ?? Buffer.allocUnsafeSlow(LARGE_ROOM);
}

function giveBack(room: Buffer): void {
  if (room.length === LARGE_ROOM && spareRooms.length < MAX_SPARE_ROOMS) spareRooms.push(room);
}
