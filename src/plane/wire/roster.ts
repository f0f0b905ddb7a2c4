/** What has a place of its own in a roster. */
export interface Seated {
  /** Where it is; the roster's business. */
  seat: number;
}

/**
 * Those that are there now, of which thousands come and go every second. A Set would do, but it moves house now and then, and the
 * houses that it has left are garbage that lives long and keeps alive what lived in them: a third of what each request
 * needed would survive until a collection of everything, and those would come often.
 */
export class Roster<T extends Seated> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.seat = this.#items.length;
    this.#items.push(item);
  }

  /** False if it is not there. */
  delete(item: T): boolean {
    if (this.#items[item.seat] !== item) return false;
    const last = this.#items.pop() as T;
    if (last !== item) {
      this.#items[item.seat] = last;
      last.seat = item.seat;
    }
    item.seat = -1;
    return true;
  }

  /** Those that are there when it begins, whoever comes or goes meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items.slice().values();
  }
}
