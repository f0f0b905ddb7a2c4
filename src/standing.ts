import { isDeepStrictEqual } from 'node:util';

/** Something that is made from a part of the configuration, and made anew when that part says something else. */
export class Standing<Wanted, Made> {
  readonly #make: (wanted: Wanted) => Made;
  readonly #retire: (old: Made) => void;
  #wanted: Wanted;
  #current: Made;

  /** `retire` takes the old one when the new one has taken its place: what is under way there may finish. */
  constructor(wanted: Wanted, make: (wanted: Wanted) => Made, retire: (old: Made) => void) {
    this.#make = make;
    this.#retire = retire;
    this.#wanted = wanted;
    this.#current = make(wanted);
  }

  get current(): Made {
    return this.#current;
  }

  want(wanted: Wanted): void {
    if (isDeepStrictEqual(wanted, this.#wanted)) return;
    const old = this.#current;
    this.#wanted = wanted;
    this.#current = this.#make(wanted);
    this.#retire(old);
  }
}
