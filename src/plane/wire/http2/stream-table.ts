const FIRST_SLOTS = 16;

/**
 * The streams of one connection by their ids. Ids count up by two, so streams that are open together mostly have slots of
 * their own; one that outlives the others goes beside. It is not a Map for the reason that a Roster is not a Set.
 */
export class StreamTable<T> {
  #slots: (T | undefined)[] = [];
  /** The id of what is in each slot. */
  #ids: number[] = [];
  /** Those whose slot was taken. */
  readonly #others = new Map<number, T>();
  #inSlots = 0;

  get size(): number {
    return this.#inSlots + this.#others.size;
  }

  get(id: number): T | undefined {
    const slot = this.#slotOf(id);
    return this.#ids[slot] === id ? this.#slots[slot] : this.#others.size === 0 ? undefined : this.#others.get(id);
  }

  /** Once for each id. */
  set(id: number, stream: T): void {
    if (this.#inSlots * 2 >= this.#slots.length) this.#grow();
    this.#put(id, stream);
  }

  delete(id: number): boolean {
    const slot = this.#slotOf(id);
    if (this.#ids[slot] !== id) return this.#others.delete(id);
    this.#ids[slot] = 0;
    this.#slots[slot] = undefined;
    this.#inSlots -= 1;
    return true;
  }

  clear(): void {
    this.#slots = [];
    this.#ids = [];
    this.#others.clear();
    this.#inSlots = 0;
  }

  /** Those that are there now, whoever comes or goes meanwhile. */
  values(): T[] {
    const inSlots = this.#inSlots === 0 ? [] : this.#slots.filter((stream) => stream !== undefined);
    return [...inSlots, ...this.#others.values()];
  }

  #slotOf(id: number): number {
    return (id >>> 1) & (this.#slots.length - 1);
  }

  #put(id: number, stream: T): void {
    const slot = this.#slotOf(id);
    if (this.#slots[slot] !== undefined) {
      this.#others.set(id, stream);
      return;
    }
    this.#ids[slot] = id;
    this.#slots[slot] = stream;
    this.#inSlots += 1;
  }

  /** Twice as many slots as there are streams at least: no larger than the limit of streams allows. */
  #grow(): void {
    const ids = this.#ids;
    const streams = this.#slots;
    const size = Math.max(FIRST_SLOTS, streams.length * 2);
    this.#slots = Array.from({ length: size }, () => undefined);
    this.#ids = Array.from({ length: size }, () => 0);
    this.#inSlots = 0;
    for (const [i, stream] of streams.entries()) if (stream !== undefined) this.#put(ids[i] as number, stream);
  }
}
