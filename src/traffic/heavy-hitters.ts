/** One of those that come most often. */
export interface Hitter<T> {
  readonly what: T;
  /** Over the last few half-lives. */
  readonly perSecond: number;
  /** Since it was first seen, or was seen again after others had taken its place. */
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

interface Counter<T> {
  readonly key: string;
  readonly what: T;
  readonly firstAtMs: number;
  lastAtMs: number;
  count: number;
  /** Grows with each event by what that weighs then; later ones weigh more, which is as if earlier ones faded. */
  weight: number;
  /** The weight when it was given its place in the heap. */
  placedAt: number;
  /** Of the weight, what may belong to those whose place it took. */
  doubt: number;
}

export interface HeavyHittersOptions {
  /** So many are followed, whoever else there is: what comes more often than one in so many is surely among them. */
  readonly capacity: number;
  /** An event counts half as much after this time. */
  readonly halfLifeMs: number;
}

/** What was first seen later than this ago has no rate yet: it is taken for as long as this. */
const SHORTEST_MS = 5_000;

/** Weights start anew before they outgrow what a double tells apart. */
const MAX_HALF_LIVES = 64;

/**
 * Who comes most often, out of any number, in bounded memory: the Space-Saving sketch of Metwally, Agrawal and El Abbadi (2005), in
 * which a newcomer takes the place of whoever comes least; with events that fade (Cormode et al. 2009, "forward decay"), so that
 * it is about now.
 */
export class HeavyHitters<T> {
  readonly #capacity: number;
  readonly #halfLifeMs: number;
  readonly #counters = new Map<string, Counter<T>>();
  /**
   * A heap by `placedAt`, the least on top. Weights only grow, so one that came again is moved down when it gets to the top, and
   * not each time it comes; in a flood of strangers a newcomer costs a few comparisons.
   */
  readonly #heap: Counter<T>[] = [];
  #epochMs: number | undefined;

  constructor({ capacity, halfLifeMs }: HeavyHittersOptions) {
    this.#capacity = capacity;
    this.#halfLifeMs = halfLifeMs;
  }

  /** One event of this key; `describe` is asked only when it is new here. */
  add(key: string, nowMs: number, describe: () => T): void {
    const weight = this.#weightAt(nowMs);
    const counter = this.#counters.get(key) ?? this.#begin(key, nowMs, describe());
    counter.weight += weight;
    counter.count += 1;
    counter.lastAtMs = nowMs;
  }

  /** The first of them are those that come most often; of a newcomer only what is surely its own is told. */
  top(most: number, nowMs: number): Hitter<T>[] {
    const now = this.#weightAt(nowMs);
    // A steady rate r comes to r x halfLife / ln 2 events that have not faded.
    const perWeight = (Math.LN2 * 1_000) / this.#halfLifeMs / now;
    return this.#heap
      .map(({ what, weight, doubt, count, firstAtMs, lastAtMs }) => ({
        what,
        perSecond: ((weight - doubt) * perWeight) / this.#shareOf(nowMs - firstAtMs),
        count,
        firstAtMs,
        lastAtMs,
      }))
      .toSorted((a, b) => b.perSecond - a.perSecond)
      .slice(0, most);
  }

  /** Of the weight that a steady rate comes to, what it has come to after this time: or a flood would look slow at its beginning. */
  #shareOf(ageMs: number): number {
    return 1 - 2 ** (-Math.max(ageMs, SHORTEST_MS) / this.#halfLifeMs);
  }

  #weightAt(nowMs: number): number {
    this.#epochMs ??= nowMs;
    const halfLives = (nowMs - this.#epochMs) / this.#halfLifeMs;
    if (halfLives <= MAX_HALF_LIVES) return 2 ** halfLives;
    const faded = 2 ** -halfLives;
    for (const counter of this.#heap) {
      counter.weight *= faded;
      counter.placedAt *= faded;
      counter.doubt *= faded;
    }
    this.#epochMs = nowMs;
    return 1;
  }

  #begin(key: string, nowMs: number, what: T): Counter<T> {
    const isFull = this.#heap.length >= this.#capacity;
    const base = isFull ? this.#least() : undefined;
    const weight = base?.weight ?? 0;
    const counter = { key, what, firstAtMs: nowMs, lastAtMs: nowMs, count: 0, weight, placedAt: weight, doubt: weight };
    if (base === undefined) {
      // Weighs nothing yet, so it belongs on top.
      this.#heap.push(counter);
      this.#raiseLast();
    } else {
      this.#counters.delete(base.key);
      this.#heap[0] = counter; // as light as the one it replaces
    }
    this.#counters.set(key, counter);
    return counter;
  }

  /** The lightest of all, on top of the heap. */
  #least(): Counter<T> | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.placedAt === top.weight) return top;
      top.placedAt = top.weight;
      this.#lowerTop(top);
    }
  }

  #lowerTop(top: Counter<T>): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const isRight = right !== undefined && left !== undefined && right.placedAt < left.placedAt;
      const lighter = isRight ? right : left;
      if (lighter === undefined || lighter.placedAt >= top.placedAt) break;
      heap[at] = lighter;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = top;
  }

  #raiseLast(): void {
    const heap = this.#heap;
    let at = heap.length - 1;
    const last = heap[at];
    if (last === undefined) return;
    while (at > 0) {
      const above = heap[(at - 1) >> 1];
      if (above === undefined || above.placedAt <= last.placedAt) break;
      heap[at] = above;
      at = (at - 1) >> 1;
    }
    heap[at] = last;
  }
}
