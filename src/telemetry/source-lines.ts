import type { Refused } from '../traffic/refused-sources.ts';
import { shareOfLines } from './bounded-log.ts';

/** In a window: what one source may write, and what all may together. */
export const LINES_OF_SOURCE = 5;
export const LINES_OF_ALL = 100;
/** So many sources are told apart; there is no line left for another one long before. */
const MAX_SOURCES = 512;
/** Of what was left out: the heaviest sources by name, and then one for all others. */
const LINES_LEFT_OUT = 11;

/** So many lines come of refusals in a window at most: their own, and those that say what was left out; of either kind of source. */
export const MAX_REFUSAL_LINES = 2 * (LINES_OF_ALL + LINES_LEFT_OUT);

/** A source some of whose refusals were left out. */
export interface LeftOut {
  readonly who: Refused['who'];
  readonly lines: number;
}

interface Followed {
  readonly who: Refused['who'];
  written: number;
  leftOut: number;
}

/** Which refusals of one window are lines: some of each source, and some of all; in bounded memory, however many there are. */
export class SourceLines {
  readonly #ofSource: number;
  readonly #ofAll: number;
  readonly #toldByName: number;
  readonly #followed = new Map<string, Followed>();
  #written = 0;
  /** Of sources that are not followed. */
  #leftOut = 0;

  /** `processes` share what all sources may write together. */
  constructor(processes: number) {
    this.#ofSource = shareOfLines(LINES_OF_SOURCE, processes);
    this.#ofAll = shareOfLines(LINES_OF_ALL, processes);
    this.#toldByName = shareOfLines(LINES_LEFT_OUT, processes) - 1;
  }

  /** Takes a line of it, or says which bound there is none by. */
  take({ name, who }: Refused): 'line' | 'source' | 'refusals' {
    const source = this.#followed.get(name) ?? this.#follow(name, who);
    if (source === undefined) {
      this.#leftOut += 1;
      return 'refusals';
    }
    const isSourceSpent = source.written >= this.#ofSource;
    if (isSourceSpent || this.#written >= this.#ofAll) {
      source.leftOut += 1;
      return isSourceSpent ? 'source' : 'refusals';
    }
    source.written += 1;
    this.#written += 1;
    return 'line';
  }

  /** Begins a new window; gives what was left out in the last one: the heaviest by themselves, the others added up. */
  turn(): { readonly heaviest: readonly LeftOut[]; readonly others: number } {
    const sources = [...this.#followed.values()]
      .filter(({ leftOut }) => leftOut > 0)
      .toSorted((a, b) => b.leftOut - a.leftOut)
      .map(({ who, leftOut }) => ({ who, lines: leftOut }));
    const others = sources.slice(this.#toldByName).reduce((sum, { lines }) => sum + lines, this.#leftOut);
    this.#followed.clear();
    this.#written = 0;
    this.#leftOut = 0;
    return { heaviest: sources.slice(0, this.#toldByName), others };
  }

  #follow(name: string, who: Refused['who']): Followed | undefined {
    if (this.#followed.size >= MAX_SOURCES) return undefined;
    const source = { who, written: 0, leftOut: 0 };
    this.#followed.set(name, source);
    return source;
  }
}
