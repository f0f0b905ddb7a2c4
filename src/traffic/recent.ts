/**
 * A map that forgets what was not asked for lately, in two halves: when the younger is full it becomes the older, and what is in
 * that and is asked for moves on. To find something costs one look into a Map, which on the way of every request is less than to
 * keep all in the order of use.
 */
export class Recent<V> {
  readonly #halfSize: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  /** It holds at least the latest half as many as this, and never more. */
  constructor(maxEntries: number) {
    this.#halfSize = Math.ceil(maxEntries / 2);
  }

  /** Finds it, or makes it, and remembers that it was asked for. */
  use(key: string, make: () => V): V {
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const value = this.#old.get(key) ?? make();
    if (this.#young.size >= this.#halfSize) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
    return value;
  }

  peek(key: string): V | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }
}
